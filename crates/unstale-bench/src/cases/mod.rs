//! The benches, a file each.

use crate::measure::{Plan, Problem};
use crate::report::Report;

mod acts;
mod apply;
mod cold;
mod hit;
mod memory;
mod propagate;
mod redis;
mod set;
mod stampede;
mod tag;
mod within;

pub(crate) use acts::run as acts;
pub(crate) use apply::{
    absent as apply_absent, present as apply_present, while_reading as apply_while_reading,
};
pub(crate) use hit::{
    deps3_1t as hit_deps3_1t, fusioncache as hit_fusioncache, hot_2t as hit_hot_2t,
    string_1t as hit_string_1t, tags2_1t as hit_tags2_1t,
};
pub(crate) use memory::unstale as memory_unstale;
pub(crate) use propagate::{mesh as propagate_mesh, run as propagate};
pub(crate) use redis::{invalidate as redis_invalidate, level2 as redis_l2, propagate as propagate_redis};
pub(crate) use stampede::unstale as stampede_unstale;
pub(crate) use tag::{cascade, tag};
pub(crate) use within::run as within;

/// A bench: measures and reports.
pub(crate) type Bench = fn(Plan, &mut Report) -> Result<(), Problem>;

const BENCHES: &[(&str, Bench)] = &[
    ("hit", hit::run),
    ("within", within),
    ("acts", acts),
    ("set", set::run),
    ("cold", cold::run),
    ("stampede", stampede::run),
    ("apply", apply::run),
    ("tag", tag),
    ("cascade", cascade),
    ("memory", memory::run),
    ("propagate", propagate),
    ("redis-invalidate", redis_invalidate),
    ("redis-l2", redis_l2),
];

/// Rivals that a build with them has.
#[cfg(not(feature = "rivals"))]
pub(crate) const RIVALS: [&str; 5] = ["moka-sync", "moka-future", "foyer", "amalgam-cache", "hydracache"];

/// Names all rivals as absent from a build without them.
#[cfg(not(feature = "rivals"))]
pub(crate) fn rivals_absent(bench: &'static str, report: &mut Report) {
    for rival in RIVALS {
        report.absent(bench, rival, "this build has no rivals: build with the feature rivals");
    }
}

/// The bench of a name.
pub(crate) fn find(name: &str) -> Result<Bench, Problem> {
    let found = BENCHES.iter().find(|(known, _)| *known == name);
    found.map(|(_, bench)| *bench).ok_or_else(|| Problem::Unknown(name.to_owned()))
}
