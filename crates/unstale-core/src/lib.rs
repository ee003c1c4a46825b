//! The coherence machine of unstale, without clocks, randomness, sockets or tasks.
//!
//! Time and random seeds are arguments, effects are values: the same inputs give the same outputs, byte for byte.

mod act;
mod coalesce;
mod cover;
mod digest;
mod hash;
mod ident;
mod journal;
mod log;
mod machine;
mod message;
mod queue;
mod ranges;
mod rows;
mod shelf;
mod size;
mod stamp;

pub use act::{Act, Name, NameError, Subject, Verb};
pub use digest::{SuspectFilter, key_hash, subject_hash, tag_hash};
pub use ident::{Incarnation, Instant, LinkId, ProcessId, Range, Seq, Stream};
pub use journal::{Found, Journal, JournalBound};
pub use log::{ActLog, Appended};
pub use machine::{
    Announce, Closed, Config, DistrustCause, Event, Input, Limits, Machine, MemberStatus, Membership, Order,
    Output, Proof, Refused, SelfEnd, Slot, SlotStatus, State, Status, Suspects, Timing, Via, WakeReason,
};
pub use message::{
    Admit, Batch, Beat, Bye, Digest, DigestRow, DigestWant, Echo, EndCause, Ended, Frame, Gone, Hello,
    HostProof, MemberInfo, Message, Reset, Scope, SubjectKind, VectorRow, View, ViewWant, Vote, VoteOn,
    Vouch, Want,
};
pub use queue::PeerQueue;
pub use ranges::{Inserted, Ranges};
pub use size::{Size, frame_bytes};
pub use stamp::{Stamp, StampClock};
