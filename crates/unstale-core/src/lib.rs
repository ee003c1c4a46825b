//! The coherence machine of unstale, without clocks, randomness, sockets or tasks.
//!
//! Time and random seeds are arguments, effects are values: the same inputs give the same outputs, byte for byte. Clauses
//! of PROTOCOL.md are cited by number (P-1 to P-41). Applications use the facade, the crate `unstale`; this crate is for
//! those who write another driver, engine, codec or simulator.
//!
//! # The way of an act
//!
//! A writer says [`Act`]s. The [`ActLog`] gives each a number of the process's [`Stream`], in the same step in which the
//! engine fences it (P-3). The driver drains the log as [`Frame`]s; a frame has the range of numbers that it speaks for.
//! Frames wait for each peer in its [`PeerQueue`] and stay in the [`Journal`]. A receiver applies them in any order and
//! keeps the count of the stream in [`Ranges`]: what is missing is asked for again, and the answer comes from a journal, as
//! whole frames or as a [`Digest`] whose hashes become a [`SuspectFilter`].
//!
//! ```
//! use std::sync::Arc;
//! use unstale_core::{Act, ActLog, Batch, Found, Inserted, Journal, Name, PeerQueue, ProcessId, Ranges, Stream, Subject, Verb};
//!
//! let cache = Name::new("users")?;
//! let remove = |key: &'static str| Act {
//!     verb: Verb::Remove,
//!     subject: Subject::Key { cache: cache.clone(), key: key.into() },
//! };
//! let (mut log, mut queue, mut journal) =
//!     (ActLog::new(Stream::first(ProcessId(7))), PeerQueue::new(), Journal::default());
//! for key in ["1", "2"] {
//!     log.append(&[remove(key)], Batch::Loose, 1_000);
//!     for frame in log.drain().into_iter().map(Arc::new) {
//!         journal.push_own(Arc::clone(&frame));
//!         queue.push(frame);
//!     }
//!     if key == "1" {
//!         queue.take(1_024); // sent, and lost on the way
//!     }
//! }
//!
//! let mut counted = Ranges::default();
//! let frame = queue.take(1_024).expect("the second act");
//! assert_eq!(counted.insert(frame.range), Inserted::Above); // applied, not counted: a hole is below it
//! let hole = counted.holes(log.last()).next().expect("the first act");
//! let Found::Frames(repair) = journal.frames(frame.stream, hole, 1_024) else { panic!("it is held") };
//! assert_eq!(repair[0].acts, [remove("1")]);
//! assert_eq!(counted.insert(repair[0].range), Inserted::Raised);
//! assert_eq!(counted.have(), log.last());
//! # Ok::<(), unstale_core::NameError>(())
//! ```
//!
//! # Promises and limits
//!
//! - A frame contains every act of its range, or one that includes it ([`Act::includes`], P-2). Widening costs precision
//!   (more is invalidated than was said), never a stale value. So an engine MUST let an act on a cache reach all that an
//!   act on one of its keys or tags would, dependents in other caches too.
//! - A commit ([`Batch::Whole`]) is in one frame, however often it is merged, widened or journalled (P-6).
//! - Every state has a bound, stated where it is made, and no policy at a bound is to drop: [`Size::QUEUE_MAX`] for what
//!   waits, [`Size::FRAME_MAX`] for one frame, [`JournalBound`] for what is kept, [`Ranges::ABOVE_MAX`] for what came early,
//!   [`SuspectFilter::HASHES_MAX`] for suspects.
//! - A digest has false positives, never false negatives, and is the same on every node ([`subject_hash`], P-19).
//! - Nothing here waits, reads a clock or panics on what comes from outside; broken invariants of the caller do panic.

mod act;
mod coalesce;
mod cover;
mod digest;
mod hash;
mod ident;
mod journal;
mod log;
mod machine;
mod mechanism;
mod message;
mod queue;
mod ranges;
mod rows;
mod shelf;
mod size;
mod stamp;

pub use act::{Act, Name, NameError, Subject, Verb, Voided};
pub use digest::{KeyHasher, SuspectFilter, key_hash, subject_hash, tag_hash};
pub use hash::xxh64;
pub use ident::{Incarnation, Instant, LinkId, ProcessId, Range, Seq, Stream};
pub use journal::{Found, Journal, JournalBound};
pub use log::{ActLog, Appended, Told};
pub use machine::{
    Announce, Closed, Config, DistrustCause, Event, Input, Limits, Listed, Listing, Machine, MemberStatus,
    Membership, Order, Output, Proof, Refused, RegisterRequest, RegisterStatus, RoundStatus, SelfEnd, Slot,
    SlotStatus, State, Status, Suspects, Timing, Via, WakeReason,
};
pub use mechanism::{Mechanism, Mechanisms};
pub use message::{
    Admit, Answer, Batch, Beat, Bye, Digest, DigestRow, DigestWant, Echo, EndCause, Ended, Entry, Frame,
    Gone, Hello, HostProof, MemberInfo, Message, Reset, Round, RoundRow, Scope, SubjectKind, VectorRow, View,
    ViewWant, Vote, VoteOn, Vouch, Want,
};
pub use queue::PeerQueue;
pub use ranges::{Inserted, Ranges};
pub use size::{Size, frame_bytes};
pub use stamp::{Stamp, StampClock};
