//! Every mechanism that keeps a stale value out, by name, so that a test can show what each is for (F-9).

use crate::shim::Ordering;

macro_rules! mechanisms {
    ($($(#[$attribute:meta])+ $mechanism:ident = $name:literal,)+) => {
        /// A mechanism of the engine that a test can switch off (F-9).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[cfg_attr(not(feature = "mutations"), expect(unreachable_pub, reason = "public with its feature only"))]
        pub enum Mechanism {
            $($(#[$attribute])+ $mechanism,)+
        }

        #[cfg(feature = "mutations")]
        impl Mechanism {
            /// Every mechanism that can be switched off.
            pub const ALL: &[Self] = &[$(Self::$mechanism),+];

            /// Its name, as the list of mechanisms has it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$mechanism => $name,)+
                }
            }
        }
    };
}

mechanisms! {
    /// The count that loads read holds only finished acts.
    CountLast = "count-last",
    /// An act drops its entries after it raised its fences.
    DropAfterRaise = "drop-after-raise",
    /// One act at a time raises fences, so that none of them ever sinks.
    RaiseByMax = "raise-by-max",
    /// A load takes its token before it reads anything.
    TokenBeforeRead = "token-before-read",
    /// A value is checked against its fences after it was put in place.
    CheckAtStore = "check-at-store",
    /// Nobody can use an entry before that check.
    UnpublishedUntilChecked = "unpublished-until-checked",
    /// The check comes after the value took the place of its reservation, which drops do not see.
    ReservationVisibleToDrops = "reservation-visible-to-drops",
    /// Readers look at the fences of tags and dependencies.
    ReaderRecheck = "reader-recheck",
    /// Readers look at the floor of the cache.
    FloorRecheck = "floor-recheck",
    /// A caller that comes after an act joins no flight that began before it.
    NoOldFlight = "no-old-flight",
    /// What a flight brings is checked against all its fences for a caller that came after it began.
    JoinChecksSubjects = "join-checks-subjects",
    /// What a load used passes its own dependencies on.
    Flatten = "flatten",
    /// A value with dependencies keeps the token of its flight's start.
    TokenAtStart = "token-at-start",
    /// A set fences older loads and dependents.
    SetFences = "set-fences",
    /// A value is confirmed as not modified only if nothing that it depends on moved.
    NotModifiedKeepsFences = "not-modified-keeps-fences",
    /// A value confirmed as not modified is checked where it lies, as any other.
    NotModifiedUnderLock = "not-modified-under-lock",
    /// A value that something ended is not revived by fail-safe.
    GoneBeforeRevive = "gone-before-revive",
    /// What a load made of a stale value is not stored.
    Taint = "taint",
    /// An expire marks entries that are not published yet, too.
    ExpireSeesUnpublished = "expire-sees-unpublished",
    /// An entry of a greater version is not replaced by one of a lesser.
    GreaterVersionStays = "greater-version-stays",
    /// A set of what was read before another act on its key only drops.
    SetSince = "set-since",
    /// The count at which a long list of subjects was found unmoved is read before their fences.
    CountBeforeList = "count-before-list",
    /// The generation under which an entry was found to be no suspect is read before the doubts.
    GenerationBeforeDoubts = "generation-before-doubts",
    /// An entry below the floor is found innocent only if its key's own fence did not move.
    VettingReadsKey = "vetting-reads-key",
    /// A load that read the cache keeps its own token, not the least of what it read: that would never be stored.
    #[cfg(feature = "mutations")]
    OwnToken = "own-token",
    /// Subjects that share a line of fences are told apart: else innocent keys would never be stored.
    SubjectsApart = "subjects-apart",
    /// A line's floor rises before it forgets whose act it was.
    FloorBeforeLast = "floor-before-last",
    /// The token is read with Acquire: who counts an act sees what was committed before it.
    TokenAcquire = "token-acquire",
    /// The count is published with Release.
    CountRelease = "count-release",
    /// An entry is published by compare-and-exchange, never over a mark.
    PublishByCas = "publish-by-cas",
    /// Readers read fences with Acquire: who sees the second of two acts sees the first.
    ReaderAcquire = "reader-acquire",
}

/// Which mechanisms work: all of them, unless the feature `mutations` let a test switch one off.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mechanisms {
    #[cfg(feature = "mutations")]
    without: Option<Mechanism>,
}

impl Mechanisms {
    #[cfg(feature = "mutations")]
    pub(crate) const fn without(mechanism: Option<Mechanism>) -> Self {
        Self { without: mechanism }
    }

    /// Whether a mechanism works. A constant without the feature.
    #[inline]
    #[cfg(not(feature = "mutations"))]
    #[expect(clippy::unused_self, reason = "the state exists with the feature only")]
    pub(crate) const fn on(self, _mechanism: Mechanism) -> bool {
        true
    }

    #[inline]
    #[cfg(feature = "mutations")]
    pub(crate) fn on(self, mechanism: Mechanism) -> bool {
        self.without != Some(mechanism)
    }

    /// The order of an access; the weakest there is if the mechanism is off.
    #[inline]
    pub(crate) fn order(self, mechanism: Mechanism, order: Ordering) -> Ordering {
        if self.on(mechanism) { order } else { Ordering::Relaxed }
    }
}

#[cfg(feature = "mutations")]
impl Mechanism {
    /// The mechanism of a name.
    ///
    /// ```
    /// use unstale_l1::Mechanism;
    ///
    /// assert_eq!(Mechanism::CountLast.name(), "count-last");
    /// assert_eq!(Mechanism::from_name("count-last"), Some(Mechanism::CountLast));
    /// assert_eq!(Mechanism::from_name("no-such"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mechanism| mechanism.name() == name)
    }

    /// Whether it is one of order among accesses to memory, which shows under loom only.
    pub const fn is_memory_order(self) -> bool {
        matches!(self, Self::TokenAcquire | Self::CountRelease | Self::ReaderAcquire)
    }
}
