//! Every mechanism that keeps a stale value out, by name, so that a test can show what each is for.

/// A mechanism of the engine, by its name in the list of mutations (F-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "mutations"), expect(unreachable_pub, reason = "public with its feature only"))]
pub enum Mechanism {
    /// The count that loads read holds only finished acts.
    CountLast,
    /// An act drops its entries after it raised its fences.
    DropAfterRaise,
    /// One act at a time raises fences, and none of them ever sinks.
    RaiseByMax,
    /// A load takes its token before it reads anything.
    TokenBeforeRead,
    /// A value is checked against its fences after it was put in place.
    CheckAtStore,
    /// Nobody can use an entry before that check.
    UnpublishedUntilChecked,
    /// The check comes after the value took the place of its reservation, which drops do not see.
    ReservationVisibleToDrops,
    /// Readers look at the fences of tags and dependencies.
    ReaderRecheck,
    /// Readers look at the floor of the cache.
    FloorRecheck,
    /// A caller that comes after an act joins no flight that began before it.
    NoOldFlight,
    /// What a flight brings is checked against all its fences for a caller that came after it began.
    JoinChecksSubjects,
    /// What a load used passes its own dependencies on.
    Flatten,
    /// A value with dependencies keeps the token of its flight's start.
    TokenAtStart,
    /// A set fences older loads and dependents.
    SetFences,
    /// A value is confirmed as not modified only if nothing that it depends on moved.
    NotModifiedKeepsFences,
    /// A value that something ended is not revived by fail-safe.
    GoneBeforeRevive,
    /// What a load made of a stale value is not stored.
    Taint,
    /// An expire marks entries that are not published yet, too.
    ExpireSeesUnpublished,
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
}

#[cfg(feature = "mutations")]
impl Mechanism {
    /// Every mechanism that can be switched off.
    pub const ALL: [Self; 18] = [
        Self::CountLast,
        Self::DropAfterRaise,
        Self::RaiseByMax,
        Self::TokenBeforeRead,
        Self::CheckAtStore,
        Self::UnpublishedUntilChecked,
        Self::ReservationVisibleToDrops,
        Self::ReaderRecheck,
        Self::FloorRecheck,
        Self::NoOldFlight,
        Self::JoinChecksSubjects,
        Self::Flatten,
        Self::TokenAtStart,
        Self::SetFences,
        Self::NotModifiedKeepsFences,
        Self::GoneBeforeRevive,
        Self::Taint,
        Self::ExpireSeesUnpublished,
    ];

    /// Its name, as the list of mutations has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CountLast => "count-last",
            Self::DropAfterRaise => "drop-after-raise",
            Self::RaiseByMax => "raise-by-max",
            Self::TokenBeforeRead => "token-before-read",
            Self::CheckAtStore => "check-at-store",
            Self::UnpublishedUntilChecked => "unpublished-until-checked",
            Self::ReservationVisibleToDrops => "reservation-visible-to-drops",
            Self::ReaderRecheck => "reader-recheck",
            Self::FloorRecheck => "floor-recheck",
            Self::NoOldFlight => "no-old-flight",
            Self::JoinChecksSubjects => "join-checks-subjects",
            Self::Flatten => "flatten",
            Self::TokenAtStart => "token-at-start",
            Self::SetFences => "set-fences",
            Self::NotModifiedKeepsFences => "not-modified-keeps-fences",
            Self::GoneBeforeRevive => "gone-before-revive",
            Self::Taint => "taint",
            Self::ExpireSeesUnpublished => "expire-sees-unpublished",
        }
    }
}
