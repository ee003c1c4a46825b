//! What a race consists of.

#[cfg(feature = "mutations")]
use unstale_l1::Mechanism;

/// What a writer does after it changed its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Remove,
    Expire,
    Set,
    /// With the token from before the row was changed.
    SetSince,
    RemoveTag,
    ExpireTag,
    Clear,
    ExpireAll,
    /// The key and others in one batch.
    Batch,
    /// As another node did it.
    Remote,
    /// The act is missed, and a digest says so afterwards.
    Doubt,
    /// What was missed comes after all, and the doubts are lifted.
    Repair,
    /// Acts were missed until now, and nothing was stored.
    AllowFills,
    /// The row that the value at the first step has of its own, besides what it is computed from.
    OwnRemove,
    OwnExpire,
    /// An expiry of what is read, though nothing changed.
    Touch,
    /// A doubt about something else.
    DoubtOther,
}

impl Act {
    /// Whether what was before is gone, also for fail-safe.
    pub(crate) const fn ends(self) -> bool {
        match self {
            Self::Remove
            | Self::Set
            | Self::SetSince
            | Self::RemoveTag
            | Self::Clear
            | Self::Batch
            | Self::Remote
            | Self::Repair
            | Self::OwnRemove => true,
            Self::Expire
            | Self::ExpireTag
            | Self::ExpireAll
            | Self::Doubt
            | Self::AllowFills
            | Self::OwnExpire
            | Self::Touch
            | Self::DoubtOther => false,
        }
    }
}

/// Who else is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beside {
    /// Fills the table with other keys and sweeps it.
    Evictor,
    /// Drops what is dead.
    Sweeper,
    /// Leads and gives up, or waits and gives up.
    Quitter,
    /// Refreshes eagerly.
    Refresher,
    /// Leads, and lets another thread go on with it.
    Deserter,
    /// Loads several keys at once.
    Bulk,
    /// Acts on another key.
    Writer,
}

/// How loads go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loads {
    Whole,
    /// Every other one fails, and fail-safe serves what is stale.
    Failing,
    /// What is stale is confirmed if its own row is not modified.
    Conditional,
}

/// What the values are like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    Plain,
    /// They carry the version of their row.
    Versioned,
    /// Each is heavier than the one before.
    Growing,
}

/// Writers change rows and act on them, readers read them or what was computed from them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Race {
    pub(crate) acts: &'static [Act],
    /// What a second writer does.
    pub(crate) rival: &'static [Act],
    /// How far what is read is from the first row: 0 is the row itself.
    pub(crate) depth: usize,
    /// Whether everything is cached before the race.
    pub(crate) warm: bool,
    /// Whether what is computed depends on more than fits into an entry.
    pub(crate) wide: bool,
    pub(crate) beside: &'static [Beside],
    pub(crate) loads: Loads,
    pub(crate) values: Values,
    /// How many lines of fences there are: 2^bits.
    pub(crate) bits: u32,
    #[cfg(feature = "mutations")]
    pub(crate) without: Option<Mechanism>,
}

/// A race in which nothing happens.
pub(crate) const QUIET: Race = Race {
    acts: &[],
    rival: &[],
    depth: 0,
    warm: false,
    wide: false,
    beside: &[],
    loads: Loads::Whole,
    values: Values::Plain,
    bits: 10,
    #[cfg(feature = "mutations")]
    without: None,
};

pub(crate) const fn cold(acts: &'static [Act]) -> Race {
    Race { acts, ..QUIET }
}

pub(crate) const fn warm(acts: &'static [Act]) -> Race {
    Race { acts, warm: true, ..QUIET }
}

impl Race {
    pub(crate) const fn depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    pub(crate) const fn rival(self, rival: &'static [Act]) -> Self {
        Self { rival, ..self }
    }

    pub(crate) const fn beside(self, beside: &'static [Beside]) -> Self {
        Self { beside, ..self }
    }

    pub(crate) const fn loads(self, loads: Loads) -> Self {
        Self { loads, ..self }
    }

    pub(crate) const fn values(self, values: Values) -> Self {
        Self { values, ..self }
    }

    pub(crate) const fn bits(self, bits: u32) -> Self {
        Self { bits, ..self }
    }

    /// Whether nothing may take away what the writer sets.
    pub(crate) const fn keeps_what_is_set(&self) -> bool {
        self.rival.is_empty() && matches!(self.beside, [] | [Beside::Sweeper])
    }

    pub(crate) const fn wide(self) -> Self {
        Self { wide: true, ..self }
    }
}

#[cfg(all(feature = "shuttle", feature = "mutations"))]
impl Race {
    pub(crate) const fn without(self, mechanism: Mechanism) -> Self {
        Self { without: Some(mechanism), ..self }
    }
}
