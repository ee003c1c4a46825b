//! Every mechanism of the protocol that keeps a promise, by name, so that a test can show what each is for.

macro_rules! mechanisms {
    ($($(#[$attribute:meta])+ $mechanism:ident = $name:literal,)+) => {
        /// A mechanism of the protocol, or of what drives it, that a test can switch off. PROTOCOL.md says which promise each keeps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mechanism {
            $($(#[$attribute])+ $mechanism,)+
        }

        #[cfg(feature = "mutations")]
        impl Mechanism {
            /// Every mechanism that can be switched off.
            pub const ALL: &[Self] = &[$(Self::$mechanism),+];

            /// Its name, as PROTOCOL.md has it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$mechanism => $name,)+
                }
            }
        }
    };
}

mechanisms! {
    /// Counts belong to a stream with its incarnation, not to a process (P-11).
    IncarnationInKey = "incarnation-in-key",
    /// An act has its number when its call returns, not when its frame is built (P-3).
    NumberAtCall = "number-at-call",
    /// A frame of several numbers holds the acts of all of them (P-2).
    RangeHoldsAllKeys = "range-holds-all-keys",
    /// What cannot be repaired is distrusted before it is counted (P-20).
    DistrustBeforeCount = "distrust-before-count",
    /// A digest answers for a range of which nothing is missing (P-18).
    DigestOnlyIfWhole = "digest-only-if-whole",
    /// Nodes tell one another of ended streams (P-21).
    DeadOriginsInVector = "dead-origins-in-vector",
    /// The count rises after the acts are visible (P-4).
    ActVisibleBeforeHave = "act-visible-before-have",
    /// A commit is in one frame (P-6).
    BatchWhole = "batch-whole",
    /// What waits is widened at its bound (P-1).
    CoalesceAtBound = "coalesce-at-bound",
    /// A beat proves nothing before its number is counted (P-10).
    CountBeforeEcho = "count-before-echo",
    /// Silent members hold the proof (P-12).
    SilentMembersCount = "silent-members-count",
    /// Echoes belong to a stream, not to a name (P-11).
    EchoKeyedByLife = "echo-keyed-by-life",
    /// A beat's last number is read after its echo (P-9).
    LastReadAfterEcho = "last-read-after-echo",
    /// A bounded read takes the proof, then the entry (P-14).
    ProofBeforeEntry = "proof-before-entry",
    /// Several beats wait for their numbers (P-10).
    WaitingBeats = "waiting-beats",
    /// A beat proves only to who knows all its sender's members (P-27).
    ViewHashInBeat = "view-hash-in-beat",
    /// A node has joined when all have admitted it, not one (P-25).
    JoinWait = "join-wait",
    /// The second level is voided before an act has its number (P-24).
    L2VoidBeforeNumber = "l2-void-before-number",
    /// Nothing is stored while a node joins (P-25).
    StoreAfterJoin = "store-after-join",
    /// An admission sets the base of a count only while a node joins (P-25).
    BaseOnlyWhileJoining = "base-only-while-joining",
    /// A newcomer is tracked from 0 on, before it is heard (P-26).
    FirstHeardIsHole = "first-heard-is-hole",
    /// An unclean end distrusts what the stream may have written (P-32).
    DistrustOnUncleanEnd = "distrust-on-unclean-end",
    /// A goodbye ends a stream that is counted to its last number (P-29).
    GoodbyeAwaitsTail = "goodbye-awaits-tail",
    /// So does a reset (P-29, P-34).
    ResetNamesTail = "reset-names-tail",
    /// A majority ends a silent member, not one voice (P-30).
    MajorityForExclusion = "majority-for-exclusion",
    /// Acts are announced only under a lease (P-31).
    WriterLease = "writer-lease",
    /// The lease counts from the instant that was echoed, not from the receipt (P-31).
    LeaseFromEchoedInstant = "lease-from-echoed-instant",
    /// A voter votes after L of silence (P-30).
    VoteAfterSilence = "vote-after-silence",
    /// From its vote on a voter neither hears nor echoes the candidate (P-30).
    NoEchoAfterVote = "no-echo-after-vote",
    /// A bounded read's instant is not of a clock that the process ticks itself (P-39).
    ClockNotSelfTicked = "clock-not-self-ticked",
    /// Instants count the time in which the machine was suspended (P-38).
    Boottime = "boottime",
    /// A node that was away for longer than L takes its next incarnation (P-41).
    SelfEndAfterPause = "self-end-after-pause",
    /// A token of an ended stream is not waited for (P-36).
    TokenOfEndedStream = "token-of-ended-stream",
    /// A cache with a writer that speaks no numbers is not proven by what members tell (P-8).
    ForeignWriterUnproven = "foreign-writer-unproven",
    /// A stamp far ahead of the wall clock is not merged (P-37).
    StampClamp = "stamp-clamp",
    /// Nothing is proven beyond the instant at which the register was last read (P-28).
    RegisterInstantCaps = "register-instant-caps",
    /// A round proves up to the answer to the last but one (P-28a).
    TwoRoundsBack = "two-rounds-back",
    /// It does so once the numbers in it are counted (P-28a).
    AwaitVector = "await-vector",
    /// A round is opened when all have answered the one before (P-28a).
    NoAssumedAnswer = "no-assumed-answer",
    /// A round that is answered twice was answered at the first time (P-28a).
    FirstInstantOfRepeat = "first-instant-of-repeat",
}

/// Which mechanisms work: all of them, unless the feature `mutations` let a test switch one off.
///
/// ```
/// use unstale_core::{Mechanism, Mechanisms};
///
/// assert!(Mechanisms::default().on(Mechanism::WriterLease));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mechanisms {
    #[cfg(feature = "mutations")]
    without: Option<Mechanism>,
}

impl Mechanisms {
    /// All of them.
    pub const fn all() -> Self {
        Self {
            #[cfg(feature = "mutations")]
            without: None,
        }
    }

    /// All but this one.
    #[cfg(feature = "mutations")]
    pub const fn without(mechanism: Option<Mechanism>) -> Self {
        Self { without: mechanism }
    }

    /// Whether a mechanism works. A constant without the feature.
    #[inline]
    #[cfg(not(feature = "mutations"))]
    pub const fn on(self, _mechanism: Mechanism) -> bool {
        true
    }

    /// Whether a mechanism works. A constant without the feature.
    #[inline]
    #[cfg(feature = "mutations")]
    pub fn on(self, mechanism: Mechanism) -> bool {
        self.without != Some(mechanism)
    }
}

#[cfg(feature = "mutations")]
impl Mechanism {
    /// The mechanism of a name.
    ///
    /// ```
    /// use unstale_core::Mechanism;
    ///
    /// assert_eq!(Mechanism::from_name("writer-lease"), Some(Mechanism::WriterLease));
    /// assert_eq!(Mechanism::from_name("no-such"), None);
    /// ```
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|mechanism| mechanism.name() == name)
    }
}
