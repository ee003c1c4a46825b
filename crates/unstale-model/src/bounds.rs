//! How far a model is explored.

use crate::state::{ACTS, LIVES};

/// How many of each kind of step there may be. Messages have no bound: any one may be lost, repeated, late, or overtaken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Bounds {
    /// Nodes of the fixed list. They have joined when it begins, but for the late ones.
    pub nodes: usize,
    /// Nodes that were never started: each start of one is a restart.
    pub late: usize,
    /// Acts, over all nodes.
    pub acts: usize,
    /// Crashes.
    pub crashes: usize,
    /// Processes that start after one of their name has gone.
    pub restarts: usize,
    /// Goodbyes.
    pub byes: usize,
    /// Votes.
    pub votes: usize,
    /// Streams whose process goes on under its next incarnation.
    pub resets: usize,
    /// Frames that never reach one peer by themselves, so that only a repair brings them. For the last property: the others hold
    /// whatever is lost.
    pub losses: usize,
}

impl Bounds {
    /// Three nodes that do nothing.
    pub const NONE: Self =
        Self { nodes: 3, late: 0, acts: 0, crashes: 0, restarts: 0, byes: 0, votes: 0, resets: 0, losses: 0 };

    /// Why this cannot be explored, if it cannot.
    pub fn refusal(&self) -> Option<String> {
        let lives = self.up() + self.restarts + self.resets;
        if self.up() < 2 {
            Some("fewer than 2 nodes that are up have nothing to agree on".to_owned())
        } else if lives > LIVES {
            Some(format!("{lives} nodes, restarts and resets exceed {LIVES}"))
        } else if self.acts > ACTS {
            Some(format!("{} acts exceed {ACTS}", self.acts))
        } else {
            None
        }
    }

    /// Nodes that are up when it begins.
    pub(crate) const fn up(&self) -> usize {
        self.nodes.saturating_sub(self.late)
    }
}
