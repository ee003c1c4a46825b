//! Messages of the native format, field by field as docs/formats/native.md names them.

use bytes::Bytes;
use unstale_codec::native;
use unstale_core::{
    Act, Admit, Answer, Batch, Beat, Digest, DigestRow, EndCause, Ended, Frame, Hello, HostProof, MemberInfo,
    Message, Name, Range, Round, RoundRow, Stream, Subject, SubjectKind, VectorRow, Verb, View, Voided, Vote,
    VoteOn, Vouch,
};

use super::json::Json;
use super::{Refused, hex};

pub(super) fn message(bytes: Bytes) -> Result<String, Refused> {
    match native::decode(bytes) {
        Ok(message) => Ok(json(&message).line()),
        Err(wrong) => Err(Refused { error: wrong.kind.to_string(), offset: wrong.offset }),
    }
}

/// The message as JSON.
pub(crate) fn json(message: &Message) -> Json {
    let (name, mut fields) = match message {
        Message::Frame(message) => ("frame", frame(message)),
        Message::Beat(message) => ("beat", beat(message)),
        Message::Hello(message) => ("hello", hello(message)),
        Message::Admit(message) => ("admit", admit(message)),
        Message::Want(message) => (
            "want",
            vec![("stream", stream(message.stream)), ("ranges", list(&message.ranges, |of| range(*of)))],
        ),
        Message::DigestWant(message) => {
            ("digest_want", vec![("stream", stream(message.stream)), ("range", range(message.range))])
        }
        Message::Digest(message) => ("digest", digest(message)),
        Message::Gone(message) => (
            "gone",
            vec![
                ("stream", stream(message.stream)),
                ("range", range(message.range)),
                ("oldest", message.oldest.0.into()),
            ],
        ),
        Message::ViewWant(message) => ("view_want", vec![("stream", stream(message.stream))]),
        Message::View(message) => ("view", view(message)),
        Message::Bye(message) => {
            ("bye", vec![("stream", stream(message.stream)), ("last", message.last.0.into())])
        }
        Message::Reset(message) => (
            "reset",
            vec![
                ("stream", stream(message.stream)),
                ("last", message.last.0.into()),
                ("next", stream(message.next)),
            ],
        ),
        Message::Vote(message) => ("vote", vote(message)),
        Message::Round(message) => ("round", round(message)),
        Message::Answer(message) => ("answer", answer(message)),
        _ => ("unknown", Fields::new()),
    };
    fields.insert(0, ("message", name.into()));
    Json::Object(fields)
}

type Fields = Vec<(&'static str, Json)>;

fn frame(frame: &Frame) -> Fields {
    let Frame { stream: of, range: numbers, stamp, scope, batch, hops, acts, voided, unknown } = frame;
    let batch = match batch {
        Batch::Loose => "loose",
        Batch::Whole => "whole",
    };
    let mut fields = vec![
        ("stream", stream(*of)),
        ("range", range(*numbers)),
        ("stamp", stamp.0.into()),
        ("scope", u64::from(scope.0).into()),
        ("batch", batch.into()),
        ("hops", u64::from(*hops).into()),
        ("store_unsafe", (*voided == Voided::Owed).into()),
        ("acts", list(acts, act)),
    ];
    fields.extend(later(unknown));
    fields
}

fn act(act: &Act) -> Json {
    let verb = match act.verb {
        Verb::Set => "set",
        Verb::Remove => "remove",
        Verb::Expire => "expire",
    };
    let mut fields = vec![("verb", verb.into())];
    match &act.subject {
        Subject::Key { cache, key } => {
            fields.extend([
                ("subject", "key".into()),
                ("cache", name(cache)),
                ("key", Json::text_or_hex(key)),
            ]);
        }
        Subject::Tag { cache, tag } => {
            let cache = cache.as_ref().map(name).into();
            fields.extend([("subject", "tag".into()), ("cache", cache), ("tag", Json::text_or_hex(tag))]);
        }
        Subject::Cache { cache } => fields.extend([("subject", "cache".into()), ("cache", name(cache))]),
        Subject::All => fields.push(("subject", "all".into())),
    }
    Json::Object(fields)
}

fn beat(beat: &Beat) -> Fields {
    let Beat { stream: of, sent, last, flushed, joining, view, answer, echo, vector, vouches } = beat;
    let echo = echo.map(|echo| {
        Json::Object(vec![
            ("stream", stream(echo.stream)),
            ("instant", echo.instant.0.into()),
            ("have", echo.have.0.into()),
        ])
    });
    vec![
        ("stream", stream(*of)),
        ("answer", (*answer).into()),
        ("joining", (*joining).into()),
        ("sent", sent.0.into()),
        ("last", last.0.into()),
        ("flushed", flushed.0.into()),
        ("view", hash(*view)),
        ("echo", echo.into()),
        ("vector", list(vector, row)),
        ("vouches", list(vouches, vouch)),
    ]
}

fn row(row: &VectorRow) -> Json {
    Json::Object(vec![
        ("member", u64::from(row.member).into()),
        ("have", row.have.0.into()),
        ("heard_ms", u64::from(row.heard_ms).into()),
        ("silent", row.silent.into()),
    ])
}

fn vouch(vouch: &Vouch) -> Json {
    Json::Object(vec![
        ("stream", stream(vouch.stream)),
        ("last", vouch.last.0.into()),
        ("instant", vouch.instant.0.into()),
        ("view", hash(vouch.view)),
    ])
}

fn hello(hello: &Hello) -> Fields {
    let Hello { stream: of, cluster, name: own, address, protocol, joining, .. } = hello;
    let mut fields = vec![
        ("stream", stream(*of)),
        ("cluster", name(cluster)),
        ("name", name(own)),
        ("address", optional(address.as_ref())),
        ("protocol", vec![u64::from(protocol.0), u64::from(protocol.1)].into()),
        ("joining", (*joining).into()),
        ("scopes", list(&hello.scopes, name)),
        ("stamp", hello.stamp.0.into()),
        ("last", hello.last.0.into()),
        ("proof", proof(hello.proof.as_ref())),
        ("members", list(&hello.members, member)),
        ("ended", list(&hello.ended, ended)),
    ];
    fields.extend(later(&hello.unknown));
    fields
}

fn admit(admit: &Admit) -> Fields {
    let Admit { stream: of, name: own, address, scopes, protocol, to, last, stamp, known, view, .. } = admit;
    vec![
        ("stream", stream(*of)),
        ("name", name(own)),
        ("address", optional(address.as_ref())),
        ("scopes", list(scopes, name)),
        ("protocol", u64::from(*protocol).into()),
        ("to", stream(*to)),
        ("last", last.0.into()),
        ("stamp", stamp.0.into()),
        ("known", (*known).into()),
        ("view", hash(*view)),
        ("proof", proof(admit.proof.as_ref())),
        ("members", list(&admit.members, member)),
        ("ended", list(&admit.ended, ended)),
    ]
}

fn digest(digest: &Digest) -> Fields {
    let row = |row: &DigestRow| {
        let kind = match row.kind {
            SubjectKind::Key => "key",
            SubjectKind::Tag => "tag",
            SubjectKind::Cache => "cache",
            SubjectKind::All => "all",
        };
        Json::Object(vec![("subject", kind.into()), ("hash", hash(row.hash))])
    };
    vec![("stream", stream(digest.stream)), ("range", range(digest.range)), ("rows", list(&digest.rows, row))]
}

fn view(view: &View) -> Fields {
    vec![
        ("stream", stream(view.stream)),
        ("view", hash(view.view)),
        ("members", list(&view.members, member)),
        ("ended", list(&view.ended, ended)),
    ]
}

fn vote(vote: &Vote) -> Fields {
    let on = match &vote.on {
        VoteOn::Stream(of) => ("stream", stream(*of)),
        VoteOn::Slot(slot) => ("slot", name(slot)),
        VoteOn::AllBut(names) => ("all_but", list(names, name)),
    };
    vec![
        ("voter", stream(vote.voter)),
        ("slot", name(&vote.slot)),
        ("on", Json::Object(vec![on])),
        ("have", vote.have.0.into()),
    ]
}

fn round(round: &Round) -> Fields {
    let Round { pacemaker, number, view, era, whole, rows } = round;
    let row = |row: &RoundRow| {
        Json::Object(vec![("member", u64::from(row.member).into()), ("last", row.last.0.into())])
    };
    vec![
        ("pacemaker", stream(*pacemaker)),
        ("number", (*number).into()),
        ("view", hash(*view)),
        ("era", era.map(hash).into()),
        ("whole", (*whole).into()),
        ("rows", list(rows, row)),
    ]
}

fn answer(answer: &Answer) -> Fields {
    let Answer { stream: of, pacemaker, number, last, joining, missed, hurry } = *answer;
    vec![
        ("stream", stream(of)),
        ("pacemaker", stream(pacemaker)),
        ("number", number.into()),
        ("last", last.0.into()),
        ("joining", joining.into()),
        ("missed", missed.into()),
        ("hurry", hurry.into()),
    ]
}

fn member(member: &MemberInfo) -> Json {
    Json::Object(vec![
        ("stream", stream(member.stream)),
        ("name", name(&member.name)),
        ("address", optional(member.address.as_ref())),
        ("have", member.have.0.into()),
    ])
}

fn ended(ended: &Ended) -> Json {
    let cause = match ended.cause {
        EndCause::Bye => "bye",
        EndCause::Reset => "reset",
        EndCause::Majority => "majority",
        EndCause::SuccessorHolds => "successor_holds",
        EndCause::Operator => "operator",
        EndCause::Arbiter => "arbiter",
    };
    Json::Object(vec![
        ("stream", stream(ended.stream)),
        ("name", name(&ended.name)),
        ("last", ended.last.0.into()),
        ("cause", cause.into()),
        ("ago_ms", u64::from(ended.ago_ms).into()),
    ])
}

fn proof(proof: Option<&HostProof>) -> Json {
    let fields = proof.map(|proof| {
        Json::Object(vec![
            ("boot", Json::text_or_hex(&proof.boot)),
            ("namespace", Json::text_or_hex(&proof.namespace)),
            ("address", Json::text_or_hex(&proof.address)),
        ])
    });
    fields.into()
}

fn list<T>(elements: &[T], shown: impl FnMut(&T) -> Json) -> Json {
    Json::List(elements.iter().map(shown).collect())
}

fn stream(stream: Stream) -> Json {
    stream.to_string().into()
}

fn range(range: Range) -> Json {
    Json::Object(vec![("first", range.first.0.into()), ("last", range.last.0.into())])
}

fn name(name: &Name) -> Json {
    name.as_str().into()
}

fn optional(bytes: Option<&Bytes>) -> Json {
    bytes.map(|bytes| Json::text_or_hex(bytes)).into()
}

fn hash(hash: u64) -> Json {
    format!("{hash:016x}").into()
}

/// Fields of a later version, if there are any.
fn later(unknown: &Bytes) -> Option<(&'static str, Json)> {
    (!unknown.is_empty()).then(|| ("unknown", hex::digits(unknown).into()))
}
