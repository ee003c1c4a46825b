//! What happens in a world: a value made from a seed, so that parts of it can be left out.

mod draw;

use std::time::Duration;

use unstale_port::Delivery;

use crate::caches::Terms;
use crate::database::Manner;
use crate::layout::Layout;
use crate::network::{Quality, Storm};

pub use draw::draw;

/// Which kind of world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WorldKind {
    /// Two to four nodes of a fixed list, a few seconds: the default.
    Small,
    /// Up to fifty nodes of a fixed list.
    Cluster,
    /// Nodes that come and go, without a list.
    Mesh,
    /// Nodes that come and go around a broker, with its register and its common link.
    Hub,
}

impl WorldKind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Small, Self::Cluster, Self::Mesh, Self::Hub];

    /// Its name, as the command line has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Cluster => "cluster",
            Self::Mesh => "mesh",
            Self::Hub => "hub",
        }
    }
}

/// What does not change while a world runs.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Which kind of world it is.
    pub kind: WorldKind,
    /// How many nodes there are.
    pub nodes: usize,
    /// How many of them are there from the start.
    pub first: usize,
    /// What is cached.
    pub layout: Layout,
    /// What the caches are like.
    pub terms: Terms,
    /// What loaders are like, except in bad weather.
    pub manner: Manner,
    /// What links are like.
    pub quality: Quality,
    /// Whether a process can prove by its address that its predecessor is dead.
    pub listening: bool,
    /// How wrong wall clocks are, in milliseconds, and how much boot clocks drift, in parts per million.
    pub skew_ms: u64,
    /// See `skew_ms`.
    pub drift: u64,
    /// Whether values say when their load began, and that is checked.
    pub to_the_letter: bool,
}

/// What is written, and how everyone is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// A row changes: remove it.
    Remove,
    /// A row changes: expire it.
    Expire,
    /// A row changes: set it.
    Set,
    /// Some rows change: remove them in one call.
    RemoveMany,
    /// Rows of one tag change: remove the tag.
    RemoveTag,
    /// Rows of one tag change: expire the tag.
    ExpireTag,
    /// Rows change: remove the tag in all caches.
    RemoveTagEverywhere,
    /// Rows change: clear the cache.
    Clear,
    /// Rows change: expire all of the cache.
    ExpireAll,
    /// Rows change: clear all caches.
    ClearEverything,
    /// Nothing changes, a page is removed.
    RemovePage,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A burst of reads on a node.
    Reads {
        /// Where.
        node: usize,
        /// How many.
        count: u32,
        /// What they are is drawn from it.
        salt: u64,
    },
    /// A write.
    Write {
        /// Where.
        node: usize,
        /// What.
        write: Write,
        /// Which rows is drawn from it.
        salt: u64,
    },
    /// A process dies.
    Crash {
        /// Which.
        node: usize,
        /// What it had handed to the network is lost, too.
        loses: bool,
        /// When the next process starts under its name; nothing if never.
        back: Option<Duration>,
    },
    /// A process stands still.
    Pause {
        /// Which.
        node: usize,
        /// For how long.
        time: Duration,
        /// Whether the clock of its timers counts that, as with SIGSTOP, or not, as when the machine sleeps.
        counted: bool,
    },
    /// A node is cut off.
    Partition {
        /// Which.
        node: usize,
        /// For how long.
        time: Duration,
        /// After which time the ends of a link notice.
        noticed: Duration,
    },
    /// A pair of nodes is cut.
    CutPair {
        /// One.
        a: usize,
        /// The other.
        b: usize,
        /// For how long.
        time: Duration,
        /// After which time the ends of the link notice.
        noticed: Duration,
    },
    /// One direction stands still.
    Stall {
        /// From there.
        from: usize,
        /// To there.
        to: usize,
        /// For how long.
        time: Duration,
    },
    /// All links are worse for a while.
    Storm {
        /// How.
        storm: Storm,
        /// For how long.
        time: Duration,
    },
    /// A wall clock is set.
    WallClock {
        /// Where.
        node: usize,
        /// By how much it is wrong from now on.
        skew_ms: i64,
    },
    /// Loaders are otherwise for a while.
    Weather {
        /// How.
        manner: Manner,
        /// For how long.
        time: Duration,
    },
    /// A node writes very many acts at once.
    Flood {
        /// Where.
        node: usize,
        /// How many.
        acts: u32,
    },
    /// Frames of a dead life come again.
    Haunt {
        /// Of which node.
        node: usize,
    },
    /// Callers that wait go away.
    Cancel {
        /// Where.
        node: usize,
    },
    /// A node says goodbye.
    Leave {
        /// Which.
        node: usize,
        /// When it comes back; nothing if never.
        back: Option<Duration>,
    },
    /// The broker loses its register.
    LoseRegister,
    /// The broker goes away.
    RestartBroker {
        /// For how long.
        time: Duration,
        /// Whether its register is lost with it.
        empty: bool,
    },
    /// The broker drops a subscriber.
    DropSubscriber {
        /// Which.
        node: usize,
        /// For how long its part of the common link is down.
        time: Duration,
    },
    /// A node comes for the first time.
    Join {
        /// Which.
        node: usize,
    },
}

/// Everything that is to happen.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// What it was drawn from.
    pub seed: u64,
    /// What does not change.
    pub shape: Shape,
    /// What happens, by time in milliseconds.
    pub events: Vec<(u64, Action)>,
    /// When the last fault has healed.
    pub healed: u64,
}

impl Schedule {
    /// Whether nothing happens that may cost trust: only cuts, together shorter than the silence after which a member is ended,
    /// on links that lose nothing (P3: never a needless flush).
    pub fn is_gentle(&self) -> bool {
        let quality = self.shape.quality;
        let mut cut = Duration::ZERO;
        let harmless = self.events.iter().all(|(_, action)| {
            if let Action::Partition { time, .. } | Action::CutPair { time, .. } = action {
                cut += *time;
                return true;
            }
            let is_ours =
                matches!(action, Action::WallClock { .. } | Action::Weather { .. } | Action::Cancel { .. });
            is_ours || !action.is_fault()
        });
        let is_steady = quality.delivery == Delivery::Fifo && quality.tail == 0;
        harmless && is_steady && cut < Duration::from_millis(1_800)
    }

    /// The same without some of its events.
    #[must_use]
    pub fn with(&self, keep: impl Fn(usize) -> bool) -> Self {
        let kept = self.events.iter().enumerate().filter(|(index, _)| keep(*index));
        Self { events: kept.map(|(_, event)| *event).collect(), ..self.clone() }
    }
}

impl Action {
    /// Whether it is a fault, as against what users do.
    pub const fn is_fault(&self) -> bool {
        !matches!(self, Self::Reads { .. } | Self::Write { .. })
    }

    /// Whether it is about one node alone.
    pub fn is_on(&self, number: usize) -> bool {
        self.nodes().contains(&Some(number))
    }

    /// The greatest number of a node that it names.
    pub fn node_max(&self) -> usize {
        self.nodes().into_iter().flatten().max().unwrap_or_default()
    }

    /// The nodes that it names.
    fn nodes(&self) -> [Option<usize>; 2] {
        match *self {
            Self::Reads { node, .. }
            | Self::Write { node, .. }
            | Self::Crash { node, .. }
            | Self::Pause { node, .. }
            | Self::Partition { node, .. }
            | Self::WallClock { node, .. }
            | Self::Flood { node, .. }
            | Self::Haunt { node }
            | Self::Cancel { node }
            | Self::Leave { node, .. }
            | Self::DropSubscriber { node, .. }
            | Self::Join { node } => [Some(node), None],
            Self::CutPair { a, b, .. } => [Some(a), Some(b)],
            Self::Stall { from, to, .. } => [Some(from), Some(to)],
            Self::Storm { .. } | Self::Weather { .. } | Self::LoseRegister | Self::RestartBroker { .. } => {
                [None, None]
            }
        }
    }
}
