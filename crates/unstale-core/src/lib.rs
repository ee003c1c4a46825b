//! The coherence machine of unstale, without clocks, randomness, sockets or tasks.
//!
//! Time and random seeds are arguments, effects are values: the same inputs give the same outputs, byte for byte.

mod act;
mod ident;
mod message;
mod stamp;

pub use act::{Act, Name, NameError, Subject, Verb};
pub use ident::{Incarnation, Instant, LinkId, ProcessId, Range, Seq, Stream};
pub use message::{
    Admit, Batch, Beat, Bye, Digest, DigestRow, DigestWant, Echo, EndCause, Ended, Frame, Gone, Hello,
    HostProof, MemberInfo, Message, Reset, Scope, SubjectKind, VectorRow, View, ViewWant, Vote, VoteOn,
    Vouch, Want,
};
pub use stamp::Stamp;
