//! The benches, a file each.

use crate::measure::{Plan, Problem};
use crate::report::Report;

mod cold;
mod hit;
mod memory;
mod propagate;
mod set;
mod stampede;
mod within;

pub(crate) use hit::string_1t as hit_string_1t;
pub(crate) use memory::unstale as memory_unstale;
pub(crate) use propagate::run as propagate;
pub(crate) use stampede::run as stampede;
pub(crate) use within::run as within;

/// A bench: measures and reports.
pub(crate) type Bench = fn(Plan, &mut Report) -> Result<(), Problem>;

const BENCHES: &[(&str, Bench)] = &[
    ("hit", hit::run),
    ("within", within),
    ("set", set::run),
    ("cold", cold::run),
    ("stampede", stampede),
    ("memory", memory::run),
    ("propagate", propagate),
];

/// The bench of a name.
pub(crate) fn find(name: &str) -> Result<Bench, Problem> {
    let found = BENCHES.iter().find(|(known, _)| *known == name);
    found.map(|(_, bench)| *bench).ok_or_else(|| Problem::Unknown(name.to_owned()))
}
