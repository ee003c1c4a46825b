//! Any message that the format can carry.

use bytes::Bytes;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use unstale_core::{
    Act, Admit, Answer, Batch, Beat, Bye, Digest, DigestRow, DigestWant, Echo, EndCause, Ended, Entry, Frame,
    Gone, Hello, HostProof, Incarnation, Instant, MemberInfo, Message, Name, ProcessId, Range, Reset, Round,
    RoundRow, Scope, Seq, Stamp, Stream, Subject, SubjectKind, VectorRow, Verb, View, ViewWant, Voided, Vote,
    VoteOn, Vouch, Want,
};

pub(crate) fn any_message() -> impl Strategy<Value = Message> {
    let exact = prop_oneof![
        (stream(), vec(range(), 0..8)).prop_map(|(stream, ranges)| Message::Want(Want { stream, ranges })),
        (stream(), range()).prop_map(|(stream, range)| Message::DigestWant(DigestWant { stream, range })),
        (stream(), range(), seq()).prop_map(|(stream, range, oldest)| Message::Gone(Gone {
            stream,
            range,
            oldest
        })),
        stream().prop_map(|stream| Message::ViewWant(ViewWant { stream })),
        (stream(), seq()).prop_map(|(stream, last)| Message::Bye(Bye { stream, last })),
        (stream(), seq(), stream()).prop_map(|(stream, last, next)| Message::Reset(Reset {
            stream,
            last,
            next
        })),
    ];
    prop_oneof![
        any_frame().prop_map(Message::Frame),
        beat().prop_map(Message::Beat),
        hello().prop_map(Message::Hello),
        admit().prop_map(Message::Admit),
        digest().prop_map(Message::Digest),
        view().prop_map(Message::View),
        vote().prop_map(Message::Vote),
        round().prop_map(Message::Round),
        answer().prop_map(Message::Answer),
        exact,
    ]
}

pub(crate) fn any_frame() -> impl Strategy<Value = Frame> {
    let numbers = (stream(), range(), any::<u64>(), prop_oneof![Just(0), any::<u32>()]);
    let batch = prop_oneof![Just(Batch::Loose), Just(Batch::Whole)];
    let voided = prop_oneof![Just(Voided::Yes), Just(Voided::Owed)];
    let rest = (batch, 0..=16_u8, voided, vec(act(), 0..40), any_unknown_fields());
    (numbers, rest).prop_map(|((stream, range, stamp, scope), (batch, hops, voided, acts, unknown))| Frame {
        stream,
        range,
        stamp: Stamp(stamp),
        scope: Scope(scope),
        batch,
        hops,
        voided,
        acts,
        unknown,
    })
}

/// Well-formed fields with rising tags.
pub(crate) fn any_unknown_fields() -> impl Strategy<Value = Bytes> {
    vec((2..100_u8, bytes(100)), 0..4).prop_map(|fields| {
        let mut tag = 0;
        let mut all = Vec::new();
        for (step, field) in fields {
            // Tags stay below 128 and lengths, too: one byte each.
            tag = (tag + step).min(tag + 30);
            all.extend([tag, field.len() as u8]);
            all.extend_from_slice(&field);
        }
        all.into()
    })
}

/// Few different names, so that they repeat within a frame.
fn name() -> impl Strategy<Value = Name> {
    prop_oneof!["[a-d]", "[a-zà-ü]{1,60}"].prop_map(|text| Name::new(text).expect("it is a name"))
}

fn bytes(length_max: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..length_max).prop_map(Bytes::from)
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0..300_u64, any::<u64>(), any::<u64>().prop_map(|n| n >> 32), Just(u64::MAX)]
}

fn seq() -> impl Strategy<Value = Seq> {
    number().prop_map(Seq)
}

fn instant() -> impl Strategy<Value = Instant> {
    number().prop_map(Instant)
}

fn stream() -> impl Strategy<Value = Stream> {
    (any::<u128>(), prop_oneof![1..4_u32, any::<u32>()]).prop_map(|(process, incarnation)| Stream {
        process: ProcessId(process),
        incarnation: Incarnation(incarnation),
    })
}

fn range() -> impl Strategy<Value = Range> {
    (number(), number()).prop_map(|(first, more)| {
        let first = first.max(1);
        Range { first: Seq(first), last: Seq(first.saturating_add(more)) }
    })
}

fn act() -> impl Strategy<Value = Act> {
    let verb = prop_oneof![Just(Verb::Set), Just(Verb::Remove), Just(Verb::Expire)];
    let subject = prop_oneof![
        4 => (name(), bytes(200)).prop_map(|(cache, key)| Subject::Key { cache, key }),
        2 => (option::of(name()), bytes(40)).prop_map(|(cache, tag)| Subject::Tag { cache, tag }),
        1 => name().prop_map(|cache| Subject::Cache { cache }),
        1 => Just(Subject::All),
    ];
    (verb, subject).prop_map(|(verb, subject)| Act { verb, subject })
}

fn beat() -> impl Strategy<Value = Beat> {
    let echo =
        (stream(), instant(), seq()).prop_map(|(stream, instant, have)| Echo { stream, instant, have });
    let row = (any::<u16>(), seq(), any::<u32>(), any::<bool>())
        .prop_map(|(member, have, heard_ms, silent)| VectorRow { member, have, heard_ms, silent });
    let vouch = (stream(), seq(), instant(), any::<u64>()).prop_map(|(stream, last, instant, view)| Vouch {
        stream,
        last,
        instant,
        view,
    });
    let numbers = (stream(), instant(), seq(), seq(), any::<u64>());
    let rest = (any::<(bool, bool)>(), option::of(echo), vec(row, 0..6), vec(vouch, 0..3));
    (numbers, rest).prop_map(|((stream, sent, last, flushed, view), (flags, echo, vector, vouches))| Beat {
        stream,
        sent,
        last,
        flushed,
        joining: flags.0,
        view,
        answer: flags.1,
        echo,
        vector,
        vouches,
    })
}

fn address() -> impl Strategy<Value = Option<Bytes>> {
    option::of(bytes(60))
}

fn host_proof() -> impl Strategy<Value = Option<HostProof>> {
    let parts = (bytes(40), bytes(40), bytes(255));
    option::of(parts.prop_map(|(boot, namespace, address)| HostProof { boot, namespace, address }))
}

fn members() -> impl Strategy<Value = Vec<MemberInfo>> {
    let member = (stream(), name(), address(), seq());
    vec(member.prop_map(|(stream, name, address, have)| MemberInfo { stream, name, address, have }), 0..5)
}

fn ended() -> impl Strategy<Value = Vec<Ended>> {
    let row = (stream(), name(), seq(), cause(), any::<u32>())
        .prop_map(|(stream, name, last, cause, ago_ms)| Ended { stream, name, last, cause, ago_ms });
    vec(row, 0..5)
}

fn hello() -> impl Strategy<Value = Hello> {
    let who = (stream(), name(), name(), address(), any::<(u16, u16)>(), any::<bool>());
    let known =
        (vec(name(), 0..4), any::<u64>(), seq(), host_proof(), members(), ended(), any_unknown_fields());
    (who, known).prop_map(|((stream, cluster, name, address, protocol, joining), known)| {
        let (scopes, stamp, last, proof, members, ended, unknown) = known;
        let stamp = Stamp(stamp);
        Hello {
            stream,
            cluster,
            name,
            address,
            protocol,
            joining,
            scopes,
            stamp,
            last,
            proof,
            members,
            ended,
            unknown,
        }
    })
}

fn admit() -> impl Strategy<Value = Admit> {
    let who = (stream(), name(), address(), vec(name(), 0..4), any::<u16>(), stream());
    let known = (seq(), any::<u64>(), any::<bool>(), any::<u64>(), host_proof(), members(), ended());
    (who, known).prop_map(|((stream, name, address, scopes, protocol, to), rest)| {
        let (last, stamp, known, view, proof, members, ended) = rest;
        let stamp = Stamp(stamp);
        Admit { stream, name, address, scopes, protocol, to, last, stamp, known, view, proof, members, ended }
    })
}

fn view() -> impl Strategy<Value = View> {
    (stream(), any::<u64>(), members(), ended()).prop_map(|(stream, view, members, ended)| View {
        stream,
        view,
        members,
        ended,
    })
}

fn digest() -> impl Strategy<Value = Digest> {
    let kind = prop_oneof![
        Just(SubjectKind::Key),
        Just(SubjectKind::Tag),
        Just(SubjectKind::Cache),
        Just(SubjectKind::All),
    ];
    let row = (kind, any::<u64>()).prop_map(|(kind, hash)| DigestRow { kind, hash });
    (stream(), range(), vec(row, 0..60)).prop_map(|(stream, range, mut rows)| {
        rows.sort_unstable();
        rows.dedup();
        Digest { stream, range, rows }
    })
}

fn vote() -> impl Strategy<Value = Vote> {
    let on = prop_oneof![
        stream().prop_map(VoteOn::Stream),
        name().prop_map(VoteOn::Slot),
        vec(name(), 0..20).prop_map(VoteOn::AllBut),
    ];
    (stream(), name(), on, seq()).prop_map(|(voter, slot, on, have)| Vote { voter, slot, on, have })
}

fn cause() -> impl Strategy<Value = EndCause> {
    prop_oneof![
        Just(EndCause::Bye),
        Just(EndCause::Reset),
        Just(EndCause::Majority),
        Just(EndCause::SuccessorHolds),
        Just(EndCause::Operator),
        Just(EndCause::Arbiter),
    ]
}

fn round() -> impl Strategy<Value = Round> {
    let row = (any::<u16>(), seq()).prop_map(|(member, last)| RoundRow { member, last });
    let words = (number(), any::<u64>(), option::of(any::<u64>()), any::<bool>());
    (stream(), words, vec(row, 0..40)).prop_map(|(pacemaker, (number, view, era, whole), rows)| Round {
        pacemaker,
        number,
        view,
        era,
        whole,
        rows,
    })
}

fn answer() -> impl Strategy<Value = Answer> {
    let flags = any::<(bool, bool, bool)>();
    (stream(), stream(), number(), seq(), flags).prop_map(|(stream, pacemaker, number, last, flags)| {
        let (joining, missed, hurry) = flags;
        Answer { stream, pacemaker, number, last, joining, missed, hurry }
    })
}

pub(crate) fn any_entry() -> impl Strategy<Value = Entry> {
    (stream(), name(), vec(name(), 0..40), option::of((cause(), seq())))
        .prop_map(|(stream, name, scopes, end)| Entry { stream, name, scopes, end })
}
