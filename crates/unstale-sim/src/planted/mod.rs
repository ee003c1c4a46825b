//! Bugs of the kind that real systems had, planted around the shipping code: each has to be caught.

mod memo;
mod tap;

use std::sync::Arc;

use crate::layout::Layout;
use crate::network::Tap;

pub use memo::{About, Memo, Seen, Ticket};
use tap::PlantedTap;

macro_rules! planted {
    ($($(#[$doc:meta])+ $variant:ident = $name:literal,)+) => {
        /// A planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Planted {
            $($(#[$doc])+ $variant,)+
        }

        impl Planted {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name, as the command line has it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

planted! {
    /// A map in front of the cache that hears of nothing: no fences, no messages, no repair. Fails at once.
    Naive = "naive",
    /// A removal during a load is forgotten: the value from before it is kept (FusionCache #625, moka, foyer).
    RemovalDuringLoad = "removal-during-load",
    /// The same for the removal of a tag (FusionCache #535, #628).
    TagDuringLoad = "tag-during-load",
    /// The same for a clear: only what is there is dropped (moka's `invalidate_all`).
    ClearDuringLoad = "clear-during-load",
    /// The marker of a removed tag expires before what carries the tag does.
    TagMarkerExpires = "tag-marker-expires",
    /// Whether an act is older than a value is told by the wall clocks of two machines (FusionCache #319, #391).
    WallClockOrder = "wall-clock-order",
    /// What was made of a row is found by looking through what is cached: what is being made is missed (Keycloak H2).
    ScanForDependents = "scan-for-dependents",
    /// News of a value that is not cached is ignored, though an older one is being loaded (FusionCache, SET for an absent key).
    AbsentIgnored = "absent-ignored",
    /// The broker acknowledges a message and loses it; its number counts all the same (NATS JetStream, 2025).
    AcknowledgedAndLost = "acknowledged-and-lost",
    /// Messages are known again by their number, whoever sent them.
    NumberIsIdentity = "number-is-identity",
    /// After a reconnect nobody asks what was missed (Keycloak, FusionCache's backplane).
    NoResync = "no-resync",
    /// The subscription gives up after a few tries, and sending goes on (FusionCache's backplane).
    GivesUpSubscribing = "gives-up-subscribing",
    /// A load reads from a snapshot that is older than the load (Keycloak H3: the transaction began before its token).
    OldSnapshot = "old-snapshot",
    /// A process that starts again has the identity of its predecessor and counts from 1.
    SameIdentity = "same-identity",
    /// The key that is invalidated is not the key that is cached (Keycloak H6: a UUID against a readable id).
    WrongKey = "wrong-key",
}

impl Planted {
    /// The bug of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|planted| planted.name() == name)
    }

    /// A cache in front of the cache, where the bug is in that.
    pub fn memo(self, layout: Layout) -> Option<Arc<Memo>> {
        let has_memo = matches!(
            self,
            Self::Naive
                | Self::RemovalDuringLoad
                | Self::TagDuringLoad
                | Self::ClearDuringLoad
                | Self::TagMarkerExpires
                | Self::WallClockOrder
                | Self::ScanForDependents
        );
        has_memo.then(|| Arc::new(Memo::new(self, layout)))
    }

    /// What sees a node's frames before it does.
    pub fn tap(self, memo: Option<Arc<Memo>>, seen: Seen) -> Option<Box<dyn Tap>> {
        let passes = matches!(self, Self::Naive | Self::OldSnapshot | Self::SameIdentity);
        (!passes).then(|| Box::new(PlantedTap::new(self, memo, seen)) as Box<dyn Tap>)
    }
}
