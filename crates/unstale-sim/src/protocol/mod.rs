//! The protocol alone: machines and links without caches, and the histories that random seeds seldom reach, written out.

use crate::violation::Violation;

/// A history that is written out because random seeds seldom reach it.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name, as the command line has it.
    pub name: &'static str,
    /// Plays it, with a mechanism switched off by name or with all of them working.
    pub run: fn(Option<&str>) -> Result<(), Violation>,
}

/// All of them.
pub fn scenarios() -> &'static [Scenario] {
    &[]
}
