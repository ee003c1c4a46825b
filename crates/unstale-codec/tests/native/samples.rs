//! One small message of each kind, as the document shows them, and one that uses every field.

use bytes::Bytes;
use unstale_core::{
    Act, Admit, Answer, Batch, Beat, Bye, Digest, DigestRow, DigestWant, Echo, EndCause, Ended, Entry, Frame,
    Gone, Hello, HostProof, Incarnation, Instant, MemberInfo, Message, Name, ProcessId, Range, Reset, Round,
    RoundRow, Scope, Seq, Stamp, Stream, Subject, SubjectKind, VectorRow, Verb, View, ViewWant, Voided, Vote,
    VoteOn, Vouch, Want,
};

const A: Stream = Stream::first(ProcessId(0x0a0a_0a0a_0a0a_0a0a_0a0a_0a0a_0a0a_0a0a));
const B: Stream = Stream::first(ProcessId(0x0b0b_0b0b_0b0b_0b0b_0b0b_0b0b_0b0b_0b0b));
const C: Stream =
    Stream { process: ProcessId(0x0c0c_0c0c_0c0c_0c0c_0c0c_0c0c_0c0c_0c0c), incarnation: Incarnation(300) };

fn name(text: &'static str) -> Name {
    Name::new(text).expect("it is a name")
}

fn range(first: u64, last: u64) -> Range {
    Range::new(Seq(first), Seq(last)).expect("it is a range")
}

fn act(verb: Verb, subject: Subject) -> Act {
    Act { verb, subject }
}

fn key(cache: &'static str, key: &'static str) -> Subject {
    Subject::Key { cache: name(cache), key: key.into() }
}

fn member(stream: Stream, label: &'static str, address: Option<&'static str>, have: u64) -> MemberInfo {
    MemberInfo { stream, name: name(label), address: address.map(Bytes::from), have: Seq(have) }
}

fn ended(stream: Stream, label: &'static str, last: u64, cause: EndCause, ago_ms: u32) -> Ended {
    Ended { stream, name: name(label), last: Seq(last), cause, ago_ms }
}

/// The examples of the document, by name.
pub(crate) fn small() -> Vec<(&'static str, Message)> {
    vec![
        ("frame", Message::Frame(frame())),
        ("frame-store-unsafe", Message::Frame(unsafe_frame())),
        ("beat", Message::Beat(beat())),
        ("hello", Message::Hello(hello())),
        ("admit", Message::Admit(admit())),
        ("want", Message::Want(Want { stream: A, ranges: vec![range(5, 5), range(300, 309)] })),
        ("digest-want", Message::DigestWant(DigestWant { stream: A, range: range(1, 128) })),
        ("digest", Message::Digest(digest())),
        ("gone", Message::Gone(Gone { stream: A, range: range(1, 128), oldest: Seq(1_000) })),
        ("view-want", Message::ViewWant(ViewWant { stream: A })),
        ("view", Message::View(view())),
        ("bye", Message::Bye(Bye { stream: A, last: Seq(300) })),
        ("reset", Message::Reset(Reset { stream: A, last: Seq(300), next: A.next() })),
        ("vote", Message::Vote(vote(VoteOn::Stream(B)))),
        ("round", Message::Round(round())),
        ("answer", Message::Answer(answer())),
    ]
}

/// Messages in which every field and every value of an enumeration occurs, by name.
pub(crate) fn full() -> Vec<(&'static str, Message)> {
    let proof = HostProof { boot: "boot".into(), namespace: "net".into(), address: "127.0.0.1:7001".into() };
    let causes =
        [EndCause::Bye, EndCause::Reset, EndCause::Majority, EndCause::SuccessorHolds, EndCause::Operator];
    let many: Vec<Ended> = causes.map(|cause| ended(C, "c", u64::MAX, cause, u32::MAX)).into();
    let unknown = Bytes::from_static(&[0x07, 0x02, 0xaa, 0xbb, 0x80, 0x01, 0x00]);
    let frame = Frame {
        stream: C,
        range: range(u64::MAX - 9, u64::MAX),
        scope: Scope(70_000),
        batch: Batch::Whole,
        hops: 16,
        voided: Voided::Yes,
        acts: every_act(),
        unknown: unknown.clone(),
        ..frame()
    };
    let beat = Beat {
        echo: None,
        joining: true,
        answer: true,
        vector: vec![
            VectorRow { member: 0, have: Seq(7), heard_ms: 100, silent: false },
            VectorRow { member: u16::MAX, have: Seq(u64::MAX), heard_ms: u32::MAX, silent: true },
        ],
        vouches: vec![Vouch { stream: C, last: Seq(9), instant: Instant(u64::MAX), view: 1 }],
        ..beat()
    };
    let hello = Hello {
        address: Some("a.example:7001".into()),
        protocol: (1, u16::MAX),
        joining: false,
        scopes: vec![name("users"), name("rôles")],
        proof: Some(proof.clone()),
        members: vec![member(B, "b", Some("b.example:7001"), 12), member(C, "c", None, 0)],
        ended: many.clone(),
        unknown,
        ..hello()
    };
    let admit = Admit { scopes: vec![name("users")], proof: Some(proof), ended: many, ..admit() };
    vec![
        ("frame-full", Message::Frame(frame)),
        ("frame-skip", Message::Frame(Frame { acts: vec![], ..self::frame() })),
        ("beat-full", Message::Beat(beat)),
        ("hello-full", Message::Hello(hello)),
        ("admit-full", Message::Admit(admit)),
        (
            "view-arbiter",
            Message::View(View { ended: vec![ended(C, "c", 9, EndCause::Arbiter, 5)], ..view() }),
        ),
        ("round-full", Message::Round(round_full())),
        ("answer-full", Message::Answer(Answer { joining: true, missed: true, hurry: true, ..answer() })),
        ("vote-slot", Message::Vote(vote(VoteOn::Slot(name("b"))))),
        ("vote-all-but", Message::Vote(vote(VoteOn::AllBut(vec![name("a"), name("b")])))),
    ]
}

/// P-24
fn unsafe_frame() -> Frame {
    let acts = vec![act(Verb::Remove, key("users", "42"))];
    Frame { range: range(303, 303), voided: Voided::Owed, acts, ..frame() }
}

fn frame() -> Frame {
    Frame {
        stream: A,
        range: range(300, 302),
        stamp: Stamp(0x0199_3c5d_a000_0002),
        scope: Scope(0),
        batch: Batch::Loose,
        hops: 0,
        voided: Voided::Yes,
        acts: vec![
            act(Verb::Remove, key("users", "42")),
            act(Verb::Remove, key("users", "43")),
            act(Verb::Expire, Subject::Tag { cache: Some(name("roles")), tag: "admin".into() }),
        ],
        unknown: Bytes::new(),
    }
}

fn every_act() -> Vec<Act> {
    let users = || name("users");
    vec![
        act(Verb::Set, key("users", "1")),
        act(Verb::Remove, key("roles", "")),
        act(Verb::Expire, key("users", "3")),
        act(Verb::Remove, Subject::All),
        act(Verb::Remove, Subject::Tag { cache: Some(users()), tag: "vip".into() }),
        act(Verb::Expire, Subject::Tag { cache: None, tag: "org:7".into() }),
        act(Verb::Expire, Subject::Cache { cache: users() }),
        act(Verb::Remove, Subject::Cache { cache: name("roles") }),
        act(Verb::Expire, Subject::All),
    ]
}

fn beat() -> Beat {
    Beat {
        stream: A,
        sent: Instant(0x0000_1234_5678_9abc),
        last: Seq(302),
        flushed: Seq(302),
        joining: false,
        view: 0x1122_3344_5566_7788,
        answer: false,
        echo: Some(Echo { stream: B, instant: Instant(0x0000_0fed_cba9_8765), have: Seq(17) }),
        vector: vec![],
        vouches: vec![],
    }
}

fn hello() -> Hello {
    Hello {
        stream: A,
        cluster: name("shop"),
        name: name("a"),
        address: None,
        protocol: (1, 1),
        joining: true,
        scopes: vec![],
        stamp: Stamp(0x0199_3c5d_a000_0002),
        last: Seq(0),
        proof: None,
        members: vec![member(B, "b", None, 12)],
        ended: vec![],
        unknown: Bytes::new(),
    }
}

fn admit() -> Admit {
    Admit {
        stream: B,
        name: name("b"),
        address: Some("10.0.0.2:7001".into()),
        scopes: vec![],
        protocol: 1,
        to: A,
        last: Seq(17),
        stamp: Stamp(0x0199_3c5d_a000_0002),
        known: true,
        view: 0x1122_3344_5566_7788,
        proof: None,
        members: vec![member(A, "a", None, 0)],
        ended: vec![ended(C, "c", 9, EndCause::Majority, 1_500)],
    }
}

fn digest() -> Digest {
    let row = |kind, hash| DigestRow { kind, hash };
    let rows = vec![
        row(SubjectKind::Key, 0x5d81_9f00_0000_0001),
        row(SubjectKind::Key, 0xd81a_2184_86e0_b87f),
        row(SubjectKind::Tag, 0xfe4f_9bc8_d704_f215),
        row(SubjectKind::All, 0x4cf9_0c86_7d98_4a54),
    ];
    Digest { stream: A, range: range(1, 128), rows }
}

fn view() -> View {
    let members = vec![member(A, "a", None, 302), member(B, "b", Some("10.0.0.2:7001"), 17)];
    View { stream: A, view: 0x1122_3344_5566_7788, members, ended: vec![] }
}

fn vote(on: VoteOn) -> Vote {
    Vote { voter: A, slot: name("a"), on, have: Seq(17) }
}

fn round() -> Round {
    let rows = vec![RoundRow { member: 1, last: Seq(302) }];
    Round { pacemaker: A, number: 300, view: 0x1122_3344_5566_7788, era: None, whole: false, rows }
}

fn round_full() -> Round {
    let row = |member, last| RoundRow { member, last: Seq(last) };
    let rows = vec![row(0, 0), row(300, 7), row(u16::MAX, u64::MAX)];
    Round { pacemaker: C, number: u64::MAX, era: Some(0x99aa), whole: true, rows, ..round() }
}

fn answer() -> Answer {
    let (joining, missed, hurry) = (false, false, false);
    Answer { stream: B, pacemaker: A, number: 300, last: Seq(302), joining, missed, hurry }
}

/// Entries of a register, by name.
pub(crate) fn entries() -> Vec<(&'static str, Entry)> {
    let entry = Entry { stream: A, name: name("a"), scopes: vec![name("users")], end: None };
    let ended = Entry { end: Some((EndCause::Bye, Seq(300))), ..entry.clone() };
    vec![("entry", entry), ("entry-ended", ended)]
}
