//! The place of a node in the run: a process, and after a kill its successor.

use std::net::SocketAddr;

use crate::demo::child::{Child, Life};
use crate::demo::line::Order;

/// How a node is, as far as its supervisor has done something to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not ready yet.
    #[default]
    Starting,
    /// Ready to begin.
    Ready,
    /// At work.
    Up,
    /// Stopped by SIGSTOP.
    Paused,
    /// At work, with all links cut.
    CutOff,
    /// Killed.
    Down,
    /// Told to leave.
    Leaving,
}

impl Standing {
    /// The word for it in the table, unless the node's own word counts.
    pub(super) const fn word(self) -> Option<&'static str> {
        match self {
            Self::Starting | Self::Ready => Some("starting"),
            Self::Paused => Some("paused"),
            Self::CutOff => Some("cut off"),
            Self::Down => Some("killed"),
            Self::Up | Self::Leaving => None,
        }
    }
}

/// The place of a node.
#[derive(Debug, Default)]
pub(super) struct Seat {
    child: Option<(Life, Child)>,
    lives: u32,
    /// How it is.
    pub(super) standing: Standing,
    /// Where its process listens.
    pub(super) address: Option<SocketAddr>,
    /// The instant up to which its process has reported everything; none while there is no process.
    pub(super) heard_until: Option<u64>,
    /// Until this instant its own times say nothing about the cache: it was paused.
    disturbed_until: u64,
    /// Until this instant its links were cut, or had much to catch up with.
    apart_until: u64,
}

impl Seat {
    /// The number of the next process.
    pub(super) const fn next_life(&self) -> u32 {
        self.lives
    }

    /// A new process takes the place.
    pub(super) fn take(&mut self, child: Child, life: Life) {
        self.child = Some((life, child));
        self.lives = life.number + 1;
        self.standing = Standing::Starting;
    }

    /// Whether there is a process.
    pub(super) const fn is_taken(&self) -> bool {
        self.child.is_some()
    }

    /// Whether `life` is that of the process that is here now.
    pub(super) fn is_alive(&self, life: Life) -> bool {
        self.child.as_ref().is_some_and(|(own, _)| *own == life)
    }

    /// Whether what passes between the process and its peers at `instant` takes its usual time.
    pub(super) const fn is_linked(&self, instant: u64) -> bool {
        instant >= self.apart_until && self.is_undisturbed(instant)
    }

    /// Whether the process reads and writes just now.
    pub(super) const fn is_at_work(&self) -> bool {
        matches!(self.standing, Standing::Up | Standing::CutOff)
    }

    /// Whether what the process measured at `instant` counts.
    pub(super) const fn is_undisturbed(&self, instant: u64) -> bool {
        instant >= self.disturbed_until
    }

    /// Tells the process something, if there is one that can hear it.
    pub(super) fn order(&mut self, order: Order) {
        if let (Some((_, child)), false) = (&self.child, self.standing == Standing::Paused) {
            child.order(order);
        }
    }

    /// Stops the process where it is.
    pub(super) fn pause(&mut self) -> std::io::Result<()> {
        self.standing = Standing::Paused;
        self.disturbed_until = u64::MAX;
        self.child.as_ref().map_or(Ok(()), |(_, child)| child.pause())
    }

    /// Lets it go on; its own times count again from `undisturbed` on.
    pub(super) fn resume(&mut self, undisturbed: u64) -> std::io::Result<()> {
        self.standing = Standing::Up;
        self.disturbed_until = undisturbed;
        self.child.as_ref().map_or(Ok(()), |(_, child)| child.resume())
    }

    /// All its links are cut.
    pub(super) const fn cut_off(&mut self) {
        self.standing = Standing::CutOff;
        self.apart_until = u64::MAX;
    }

    /// They are healed, and do their usual work from `linked` on.
    pub(super) const fn link(&mut self, linked: u64) {
        self.standing = Standing::Up;
        self.apart_until = linked;
    }

    /// Ends the process without a warning.
    pub(super) async fn kill(&mut self) {
        self.standing = Standing::Down;
        self.heard_until = None;
        if let Some((_, mut child)) = self.child.take() {
            // It may have ended already.
            let _ = child.kill().await;
        }
    }

    /// The process has ended.
    pub(super) fn gone(&mut self) {
        self.child = None;
        self.heard_until = None;
    }
}
