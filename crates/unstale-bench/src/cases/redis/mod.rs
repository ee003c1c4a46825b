//! What goes through one Redis, which is started for it.

use unstale::Node;
use unstale_redis::{RedisBackplane, Settings};

use super::propagate::Nodes;
use crate::measure::Problem;
use crate::pair::{Sides, broken};

mod invalidate;
mod level2;
mod propagate;

pub(crate) use invalidate::run as invalidate;
pub(crate) use level2::run as level2;
pub(crate) use propagate::run as propagate;

/// Two nodes that speak over Redis.
fn nodes(sides: &Sides, url: &str, group: &str) -> Result<Nodes, Problem> {
    Nodes::join(sides, async |index| {
        let settings = Settings::parse(url).map_err(|e| broken(&e))?;
        let backplane = RedisBackplane::builder(settings).group(group).start().map_err(|e| broken(&e))?;
        Ok(Node::builder("bench").name(["a", "b"][index]).backplane(backplane))
    })
}
