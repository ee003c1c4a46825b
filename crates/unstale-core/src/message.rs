//! The messages of the protocol. How they become bytes is the codec's affair.

use bytes::Bytes;

use crate::{Act, Instant, Name, Range, Seq, Stamp, Stream, Voided};

/// The part of a stream that a frame speaks for: 0 is the whole stream (P-7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope(pub u32);

/// Whether the acts of a frame belong to one commit, which readers must see whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Batch {
    /// Independent acts.
    #[default]
    Loose,
    /// One commit.
    Whole,
}

/// Any message of the protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Message {
    /// Acts of a stream.
    Frame(Frame),
    /// A sign of life, with the last number given out and an echo.
    Beat(Beat),
    /// A newcomer, or a node on a new link.
    Hello(Hello),
    /// The answer to a hello: the newcomer is tracked from now on.
    Admit(Admit),
    /// Asks for frames of a stream.
    Want(Want),
    /// Asks for hashes of what a range touched.
    DigestWant(DigestWant),
    /// Hashes of what a range touched.
    Digest(Digest),
    /// What was wanted is not held any more.
    Gone(Gone),
    /// Asks for the receiver's view.
    ViewWant(ViewWant),
    /// A node's members and ended streams.
    View(View),
    /// A clean end.
    Bye(Bye),
    /// A clean end of a stream whose process goes on under the next incarnation.
    Reset(Reset),
    /// A voice for ending a silent stream or for leaving a slot vacant.
    Vote(Vote),
    /// A round is open: what all members had given out in the one before.
    Round(Round),
    /// The answer to a round.
    Answer(Answer),
}

/// Acts of a stream: all of `range`, or acts that include them. A range without acts is a *skip*.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Whose acts.
    pub stream: Stream,
    /// Their numbers.
    pub range: Range,
    /// The newest stamp among them.
    pub stamp: Stamp,
    /// The part of the stream it speaks for.
    pub scope: Scope,
    /// Whether it is one commit.
    pub batch: Batch,
    /// How many relays it went through, at most 16.
    pub hops: u8,
    /// Whether the second level was voided before the numbers were drawn; if not, for any of the acts (P-24).
    pub voided: Voided,
    /// The acts.
    pub acts: Vec<Act>,
    /// Fields that this version does not know, as they came; sent on when forwarded.
    pub unknown: Bytes,
}

/// An instant of the receiver's, come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Echo {
    /// Whose instant it is.
    pub stream: Stream,
    /// The instant, by that node's own clock.
    pub instant: Instant,
    /// The last number of that stream that the sender counts.
    pub have: Seq,
}

/// One row of a beat's vector, by index into the sender's sorted members (the view hash says which).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct VectorRow {
    /// Index into the sender's members, sorted by stream.
    pub member: u16,
    /// The last number counted.
    pub have: Seq,
    /// Milliseconds since the sender last heard a new beat of that member, at most `u32::MAX`.
    pub heard_ms: u32,
    /// Whether the sender cannot prove anything of that member by itself and asks others to vouch for it (P-16a).
    pub silent: bool,
}

/// A third node's silence bridged (P-16a): the sender passes on what `stream` said and the newest instant of the
/// receiver that the sender had processed before it sent the instant that `stream` echoed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Vouch {
    /// The silent member.
    pub stream: Stream,
    /// The last number that it had given out.
    pub last: Seq,
    /// The receiver's instant.
    pub instant: Instant,
    /// The view hash that the silent member's beat carried.
    pub view: u64,
}

/// A sign of life, built at the moment it is written: echoes are read first, `last` after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Whose.
    pub stream: Stream,
    /// The sender's instant.
    pub sent: Instant,
    /// The last number that the sender gave out, from its act counter.
    pub last: Seq,
    /// Up to which number its frames went over this link before this beat, or were lost before it: on a FIFO link what is missing
    /// up to here is a hole at once (P-17), what lies above is still to come.
    pub flushed: Seq,
    /// Whether the sender still joins: its echo grants no lease (P-30).
    pub joining: bool,
    /// Hash of the sender's members, itself included.
    pub view: u64,
    /// Whether the sender asks for a beat at once.
    pub answer: bool,
    /// The receiver's newest instant, come back; none before the first one was heard or while the sender withholds it.
    pub echo: Option<Echo>,
    /// What changed of the sender's vector.
    pub vector: Vec<VectorRow>,
    /// Vouching for members that the receiver listed as silent.
    pub vouches: Vec<Vouch>,
}

/// What only one process at a time can hold: the listening address under one boot and one network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostProof {
    /// The kernel's boot id.
    pub boot: Bytes,
    /// The network namespace.
    pub namespace: Bytes,
    /// The very address that the process listens on.
    pub address: Bytes,
}

/// A member as others describe it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberInfo {
    /// Its stream.
    pub stream: Stream,
    /// Its name: the slot it takes.
    pub name: Name,
    /// Where it can be dialled, if anywhere.
    pub address: Option<Bytes>,
    /// The last of its numbers that the describing node counts.
    pub have: Seq,
}

/// How a stream was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EndCause {
    /// It said goodbye: `last` is exact, and its slot leaves the electorate.
    Bye,
    /// Its process goes on under the next incarnation: `last` is exact, and its slot stays in the electorate.
    Reset,
    /// A majority of a fixed list voted.
    Majority,
    /// Its successor holds what only one process can hold.
    SuccessorHolds,
    /// An operator said so.
    Operator,
    /// The arbiter of a register said so: its entry was not renewed for L.
    Arbiter,
}

/// A stream that was ended.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ended {
    /// Which.
    pub stream: Stream,
    /// The name that it had: the slot it took.
    pub name: Name,
    /// The last number: exact for [`EndCause::Bye`] and [`EndCause::Reset`], else the greatest that the teller counts.
    pub last: Seq,
    /// How.
    pub cause: EndCause,
    /// Milliseconds since, at most `u32::MAX`.
    pub ago_ms: u32,
}

/// A newcomer, or a known node on a new link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The sender.
    pub stream: Stream,
    /// The cluster it belongs to; another one's hello is refused.
    pub cluster: Name,
    /// Its name.
    pub name: Name,
    /// Where it can be dialled, if anywhere.
    pub address: Option<Bytes>,
    /// Protocol versions that it speaks: first and last.
    pub protocol: (u16, u16),
    /// Whether it still joins (stores nothing): only then is the answer's `last` a base.
    pub joining: bool,
    /// Caches that it may write; empty means all.
    pub scopes: Vec<Name>,
    /// The highest stamp it knows.
    pub stamp: Stamp,
    /// The last number that it gave out.
    pub last: Seq,
    /// What only it can hold, if anything.
    pub proof: Option<HostProof>,
    /// The members it tracks, with its vector.
    pub members: Vec<MemberInfo>,
    /// Streams that it knows as ended.
    pub ended: Vec<Ended>,
    /// Fields that this version does not know.
    pub unknown: Bytes,
}

/// The answer to a hello. The sender tracks the receiver from before it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admit {
    /// The sender.
    pub stream: Stream,
    /// Its name.
    pub name: Name,
    /// Where it can be dialled, if anywhere.
    pub address: Option<Bytes>,
    /// Caches that it may write; empty means all.
    pub scopes: Vec<Name>,
    /// The version of the protocol that both will speak on this link.
    pub protocol: u16,
    /// Who is admitted.
    pub to: Stream,
    /// The last number that the sender gave out.
    pub last: Seq,
    /// The highest stamp it knows.
    pub stamp: Stamp,
    /// Whether the sender tracked the receiver before the hello, or still joins itself. A node that is admitted as unknown by one that
    /// had joined may have been ended and forgotten (P-34).
    pub known: bool,
    /// Hash of its members, itself included.
    pub view: u64,
    /// What only it can hold, if anything.
    pub proof: Option<HostProof>,
    /// The members it tracks, with its vector.
    pub members: Vec<MemberInfo>,
    /// Streams that it knows as ended.
    pub ended: Vec<Ended>,
}

/// Asks for frames that cover `ranges`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Want {
    /// Whose.
    pub stream: Stream,
    /// Which numbers.
    pub ranges: Vec<Range>,
}

/// Asks for a digest of `range`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DigestWant {
    /// Whose.
    pub stream: Stream,
    /// Which numbers.
    pub range: Range,
}

/// What kind of subject a digest's hash stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubjectKind {
    /// A key of a cache.
    Key,
    /// A tag.
    Tag,
    /// A whole cache.
    Cache,
    /// Everything.
    All,
}

/// One row of a digest: a portable hash of a subject's canonical bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DigestRow {
    /// The kind of subject.
    pub kind: SubjectKind,
    /// The hash.
    pub hash: u64,
}

/// Hashes of everything that `range` touched: false positives, never false negatives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Whose.
    pub stream: Stream,
    /// Which numbers it answers for.
    pub range: Range,
    /// The rows, sorted, each once.
    pub rows: Vec<DigestRow>,
}

/// What was wanted is not held any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone {
    /// Whose.
    pub stream: Stream,
    /// What was asked for.
    pub range: Range,
    /// The oldest number still held, or one past the last.
    pub oldest: Seq,
}

/// Asks for the receiver's view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ViewWant {
    /// Who asks.
    pub stream: Stream,
}

/// The members and ended streams that the sender knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Who says so.
    pub stream: Stream,
    /// The hash that beats will carry for it.
    pub view: u64,
    /// The members it tracks, itself included, sorted by stream, with its vector.
    pub members: Vec<MemberInfo>,
    /// Streams that it knows as ended.
    pub ended: Vec<Ended>,
}

/// A clean end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bye {
    /// Who leaves.
    pub stream: Stream,
    /// The last number that it gave out.
    pub last: Seq,
}

/// A clean end of a stream whose process goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reset {
    /// Which stream ends.
    pub stream: Stream,
    /// The last number that it gave out.
    pub last: Seq,
    /// The stream that its process goes on with.
    pub next: Stream,
}

/// What a vote is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum VoteOn {
    /// Ending a silent stream.
    Stream(Stream),
    /// Leaving the slot of this name vacant until its first hello.
    Slot(Name),
    /// Leaving every slot vacant but those of the members of these names, sorted, the voter's own among them: for slots whose
    /// addresses are the voter's alone.
    AllBut(Vec<Name>),
}

/// A voice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Whose voice.
    pub voter: Stream,
    /// The slot that the voter takes.
    pub slot: Name,
    /// What about.
    pub on: VoteOn,
    /// The last number of the stream that the voter counts (0 for a slot).
    pub have: Seq,
}

/// Said by the pacemaker to all members (P-28a): round `number` is open, and each of them answered the one before it. A repeated round
/// is the same, byte for byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Round {
    /// Whose round: numbers of two pacemakers have nothing to do with each other.
    pub pacemaker: Stream,
    /// Its number, from 1, rising as long as the pacemaker's stream lives.
    pub number: u64,
    /// Hash of the pacemaker's members when it opened the round, itself included: all of them had answered.
    pub view: u64,
    /// The era of the register that the pacemaker has seen to last for L, if it has.
    pub era: Option<u64>,
    /// Whether `rows` has all members, or only those whose numbers are others than in the round before.
    pub whole: bool,
    /// What the members had given out when they answered the round before.
    pub rows: Vec<RoundRow>,
}

/// One row of a round, by index into the pacemaker's sorted members (the view hash says which).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RoundRow {
    /// Index into the members, sorted by stream.
    pub member: u16,
    /// The last number that it had given out.
    pub last: Seq,
}

/// A member's answer to a round, built at the moment it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Who answers.
    pub stream: Stream,
    /// Whose round.
    pub pacemaker: Stream,
    /// Which.
    pub number: u64,
    /// The last number that the sender gave out, from its act counter.
    pub last: Seq,
    /// Whether the sender still joins.
    pub joining: bool,
    /// Whether the sender needs the rows of all members.
    pub missed: bool,
    /// Whether the sender asks for rounds without a pause, since a read waits (P-15).
    pub hurry: bool,
}

/// What a node's entry in a register says (P-28).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Entry {
    /// Its stream, by which it is known.
    pub stream: Stream,
    /// Its name.
    pub name: Name,
    /// The caches that it may write; empty means all.
    pub scopes: Vec<Name>,
    /// How it ended, and its last number: exact for [`EndCause::Bye`] and [`EndCause::Reset`].
    pub end: Option<(EndCause, Seq)>,
}
