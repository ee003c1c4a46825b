use super::*;
use crate::record::Records;
use crate::session::Verdict;

const DIALLER: Identity = Identity([1; 16]);
const LISTENER: Identity = Identity([2; 16]);

fn terms(identity: Identity, cluster: &str, secret: &str) -> Terms {
    Terms::new(identity, cluster, Secret::new(secret).expect("not empty"))
}

/// The body of the one record in `bytes`.
fn body(bytes: &[u8]) -> Vec<u8> {
    let mut records = Records::default();
    records.extend(bytes);
    let record = records.take(MESSAGE_BYTES_MAX).expect("within the limit").expect("whole");
    assert_eq!(bytes.len(), record.end, "one record and nothing behind it");
    records.get(record).to_vec()
}

fn greet(terms: &Terms) -> (Greeted, Vec<u8>) {
    let mut out = Vec::new();
    let greeted = terms.greet(&mut out);
    (greeted, body(&out))
}

/// What the listener made of a dialler's greeting, and what the dialler made of the reply.
fn refused(dialler: &Terms, listener: &Terms) -> (Refusal, Refusal) {
    let (greeted, greeting) = greet(dialler);
    let mut reply = Vec::new();
    let theirs = listener.answer(&greeting, &mut reply).err().expect("the listener refuses");
    let ours = greeted.read_answer(&body(&reply)).err().expect("the dialler is told");
    (theirs, ours)
}

fn shaken(dialler: &Terms, listener: &Terms) -> (Session, Session) {
    let (greeted, greeting) = greet(dialler);
    let mut reply = Vec::new();
    let (at_listener, identity) = listener.answer(&greeting, &mut reply).expect("the greeting is good");
    assert!(identity == DIALLER);
    let (at_dialler, identity) = greeted.read_answer(&body(&reply)).expect("the answer is good");
    assert!(identity == LISTENER);
    (at_dialler, at_listener)
}

#[test]
fn both_sides_learn_who_is_there_and_can_talk() {
    let (mut dialler, mut listener) =
        shaken(&terms(DIALLER, "shop", "secret"), &terms(LISTENER, "shop", "secret"));
    let (mut plain, mut out) = (vec![0; 65_535], Vec::new());
    dialler.seal_verdict(Verdict::Use, &mut plain, &mut out);
    let opened = listener.open(&body(&out), &mut plain);
    assert_eq!(opened, Ok(crate::session::Opened::Verdict(Verdict::Use)));
}

#[test]
fn another_secret_another_cluster_and_another_version_are_told_apart() {
    let listener = terms(LISTENER, "shop", "secret");
    let (theirs, ours) = refused(&terms(DIALLER, "shop", "other"), &listener);
    assert_eq!((theirs, ours), (Refusal::Secret, Refusal::Told(CODE_SECRET)));
    let (theirs, ours) = refused(&terms(DIALLER, "shed", "secret"), &listener);
    assert_eq!((theirs, ours), (Refusal::Cluster, Refusal::Told(CODE_CLUSTER)));
    let later = Terms::of_version(2, DIALLER, "shop", Secret::new("secret").expect("not empty"));
    let (theirs, ours) = refused(&later, &listener);
    assert_eq!((theirs, ours), (Refusal::Version { theirs: 2, ours: 1 }, Refusal::Told(CODE_VERSION)));
}

#[test]
fn a_listener_without_the_secret_is_not_believed() {
    let (greeted, greeting) = greet(&terms(DIALLER, "shop", "secret"));
    // The listener that an attacker runs: it cannot read the greeting, so it answers one of its own.
    let mut own = Vec::new();
    let (_, own_greeting) = greet(&terms(DIALLER, "shop", "guess"));
    terms(LISTENER, "shop", "guess").answer(&own_greeting, &mut own).expect("its own greeting is good");
    assert_ne!(own_greeting, greeting);
    assert_eq!(greeted.read_answer(&body(&own)).err(), Some(Refusal::Secret));
}

#[test]
fn the_version_and_the_cluster_in_clear_cannot_be_changed_on_the_way() {
    // A greeting to another cluster whose mark was exchanged.
    let (_, mut greeting) = greet(&terms(DIALLER, "shed", "secret"));
    greeting[8..16].copy_from_slice(&mark("shop"));
    let refusal = terms(LISTENER, "shop", "secret").answer(&greeting, &mut Vec::new()).err();
    assert_eq!(refusal, Some(Refusal::Secret));
}

#[test]
fn a_greeting_cut_short_or_made_up_is_refused_without_a_word() {
    let listener = terms(LISTENER, "shop", "secret");
    let (_, greeting) = greet(&terms(DIALLER, "shop", "secret"));
    for length in 0..greeting.len() {
        assert!(listener.answer(&greeting[..length], &mut Vec::new()).is_err(), "{length} bytes");
    }
    let mut reply = Vec::new();
    assert_eq!(listener.answer(b"GET / HTTP/1.1\r\n", &mut reply).err(), Some(Refusal::Garbage));
    assert!(reply.is_empty());
}

#[test]
fn every_damaged_byte_of_greeting_and_answer_is_noticed() {
    let (dialler, listener) = (terms(DIALLER, "shop", "secret"), terms(LISTENER, "shop", "secret"));
    let (_, greeting) = greet(&dialler);
    for at in 0..greeting.len() {
        let mut damaged = greeting.clone();
        damaged[at] ^= 1;
        assert!(listener.answer(&damaged, &mut Vec::new()).is_err(), "byte {at} of the greeting");
    }
    for at in 0..NOISE_BYTES {
        let (greeted, greeting) = greet(&dialler);
        let mut answer = Vec::new();
        listener.answer(&greeting, &mut answer).expect("the greeting is good");
        let mut damaged = body(&answer);
        damaged[at] ^= 1;
        assert!(greeted.read_answer(&damaged).is_err(), "byte {at} of the answer");
    }
}

#[test]
fn a_replayed_greeting_gives_no_session_that_its_sender_can_use() {
    let (dialler, listener) = (terms(DIALLER, "shop", "secret"), terms(LISTENER, "shop", "secret"));
    let (greeted, greeting) = greet(&dialler);
    let mut first = Vec::new();
    listener.answer(&greeting, &mut first).expect("the greeting is good");
    let (mut recorded, _) = greeted.read_answer(&body(&first)).expect("the answer is good");
    let (mut plain, mut proof) = (vec![0; 65_535], Vec::new());
    recorded.seal_verdict(Verdict::Use, &mut plain, &mut proof);

    // Later: the same greeting is answered, but what proved the dialler then proves nothing now.
    let (mut fresh, _) = listener.answer(&greeting, &mut Vec::new()).expect("a greeting alone is good");
    assert_eq!(fresh.open(&body(&proof), &mut plain), Err(crate::session::Refused::Seal));
}

#[test]
fn what_later_versions_add_after_the_identity_is_skipped() {
    let listener = terms(LISTENER, "shop", "secret");
    let dialler = terms(DIALLER, "shop", "secret");
    let mut noise = dialler.noise().build_initiator().expect(PRIMITIVES);
    let mut greeting = vec![0; PREAMBLE_BYTES + NOISE_BYTES + 100];
    greeting[..7].copy_from_slice(MAGIC);
    greeting[7] = VERSION;
    greeting[8..16].copy_from_slice(&mark("shop"));
    let mut payload = DIALLER.0.to_vec();
    payload.extend_from_slice(&[9; 100]);
    noise.write_message(&payload, &mut greeting[PREAMBLE_BYTES..]).expect("there is room");
    let (_, identity) = listener.answer(&greeting, &mut Vec::new()).expect("the greeting is good");
    assert!(identity == DIALLER);
}

/// The hexadecimal block that follows a heading of the document.
fn documented(heading: &str) -> Vec<u8> {
    let document = include_str!("../../../../docs/formats/mesh.md");
    let after = document.split_once(&format!("**{heading}**")).expect(heading).1;
    let block = after.split("```").nth(1).expect("a block").trim_start_matches("hex");
    let digits: Vec<u8> = block.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let byte = |pair: &[u8]| {
        let text = std::str::from_utf8(pair).expect("hexadecimal");
        u8::from_str_radix(text, 16).expect("hexadecimal")
    };
    digits.chunks(2).map(byte).collect()
}

#[test]
fn the_worked_example_of_the_document_is_what_this_code_writes() {
    let dialler = terms(DIALLER, "shop", "correct horse battery staple");
    let listener = terms(LISTENER, "shop", "correct horse battery staple");
    assert_eq!(documented("Key"), dialler.secret.key());

    let mut greeting = Vec::new();
    let noise =
        dialler.noise().fixed_ephemeral_key_for_testing_only(&[3; 32]).build_initiator().expect(PRIMITIVES);
    let greeted = dialler.greet_with(noise, &mut greeting);
    assert_eq!(documented("Greeting"), greeting);

    let mut answer = Vec::new();
    let noise =
        listener.noise().fixed_ephemeral_key_for_testing_only(&[4; 32]).build_responder().expect(PRIMITIVES);
    let sealed = listener.check_preamble(&greeting[2..]).expect("a good greeting");
    let (mut at_listener, _) = listener.answer_with(noise, sealed, &mut answer).expect("a good greeting");
    assert_eq!(documented("Answer"), answer);
    let (mut at_dialler, _) = greeted.read_answer(&answer[2..]).expect("a good answer");

    let mut plain = vec![0; 65_535];
    let mut verdict = Vec::new();
    at_dialler.seal_verdict(Verdict::Use, &mut plain, &mut verdict);
    assert_eq!(documented("Verdict"), verdict);
    let opened = at_listener.open(&verdict[2..], &mut plain);
    assert_eq!(opened, Ok(crate::session::Opened::Verdict(Verdict::Use)));
    let mut frame = Vec::new();
    at_listener.seal_frame(b"hello", &mut plain, &mut frame);
    assert_eq!(documented("Frame"), frame);
}
