//! The histories that are written out, by what they are about.

pub(super) mod counting;
pub(super) mod ending;
pub(super) mod hub;
pub(super) mod joining;
pub(super) mod lives;
pub(super) mod proving;
pub(super) mod reading;
pub(super) mod stopping;
pub(super) mod storing;
pub(super) mod voting;
