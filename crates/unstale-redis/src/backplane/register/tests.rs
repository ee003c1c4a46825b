//! Requests as words, replies as listings.

use bolero::{TypeGenerator, check};

use super::*;

fn text(text: &str) -> Value {
    Value::Text(Bytes::copy_from_slice(text.as_bytes()))
}

fn register() -> Register {
    Register::new(Bytes::from_static(b"{unstale:shop}:register"), Process([1; 16]))
}

fn entry(id: &'static str) -> Entry {
    Entry { id: Bytes::from_static(id.as_bytes()), about: Bytes::from_static(b"about") }
}

fn whole(version: &str, count: &str) -> Value {
    let inbox = Some(Process([2; 16]));
    let rows = Value::List(vec![Value::Text(row(inbox, &entry("a")).expect("small"))]);
    let ends = Value::List(vec![Value::Text(row(None, &entry("b")).expect("small"))]);
    let counts = Value::List(vec![text(count)]);
    Value::List(vec![
        text("7"),
        text(version),
        text("2000"),
        counts,
        rows,
        Value::List(vec![text("500")]),
        ends,
    ])
}

#[test]
fn a_reading_says_what_is_known_already_and_a_short_reply_is_made_whole_by_it() {
    let mut register = register();
    let run = Bytes::from_static(b"run");
    let words = |register: &mut Register| {
        let asked = register.ask(RegisterRequest::Read { reading: 3 }, &run, 9).expect("it is understood");
        asked.words[1..].iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect::<Vec<_>>()
    };
    assert_eq!(words(&mut register), ["read", "run", "9", "", "", ""]);
    let told = register.take(3, &whole("4", "5")).expect("a listing");
    assert!(told.is_changed);
    let listing = told.listing;
    assert_eq!((listing.reading, listing.era), (3, 7));
    assert_eq!(*listing.entries, [Listed { entry: entry("a"), renewals: 5 }]);
    assert_eq!(*listing.ended, [EndedEntry { entry: entry("b"), ago: Duration::from_millis(1_500) }]);
    assert_eq!(words(&mut register), ["read", "run", "9", "", "7", "4"]);

    let short = Value::List(vec![text("7"), text("4"), text("3000"), Value::List(vec![text("6")])]);
    let told = register.take(4, &short).expect("a listing");
    assert!(!told.is_changed);
    assert_eq!(told.listing.entries[0].renewals, 6);
    assert_eq!(told.listing.ended[0].ago, Duration::from_millis(2_500));
    let processes: Vec<_> = register.processes().map(|(process, id)| (process, id.clone())).collect();
    assert_eq!(processes, [(Process([2; 16]), Bytes::from_static(b"a"))]);
}

#[test]
fn what_was_entered_is_renewed_by_later_readings() {
    let mut register = register();
    let run = Bytes::from_static(b"run");
    let enter = register.ask(RegisterRequest::Enter(entry("a")), &run, 9).expect("it is understood");
    assert_eq!(enter.reading, None);
    let read = register.ask(RegisterRequest::Read { reading: 1 }, &run, 9).expect("it is understood");
    assert_eq!(read.words[4], "a");
}

#[test]
fn an_entry_beyond_the_limits_is_not_sent() {
    let long = Entry { id: Bytes::from(vec![0; Entry::ID_BYTES_MAX + 1]), about: Bytes::new() };
    let wide = Entry { id: Bytes::new(), about: Bytes::from(vec![0; Entry::ABOUT_BYTES_MAX + 1]) };
    for entry in [long, wide] {
        assert_eq!(register().ask(RegisterRequest::Retire(entry), &Bytes::new(), 1), None);
    }
}

#[test]
fn a_short_reply_about_something_else_than_what_is_known_is_none() {
    let mut register = register();
    let short =
        |version| Value::List(vec![text("7"), text(version), text("1"), Value::List(vec![text("6")])]);
    assert!(register.take(1, &short("4")).is_none(), "nothing is known");
    register.take(1, &whole("4", "5")).expect("a listing");
    assert!(register.take(1, &short("5")).is_none(), "another version");
    let none = Value::List(vec![text("7"), text("4"), text("1"), Value::List(Vec::new())]);
    assert!(register.take(1, &none).is_none(), "a count is missing");
}

#[derive(Clone, Debug, TypeGenerator)]
enum Spoiled {
    Text(Vec<u8>),
    Number(i64),
    Nothing,
    List(Vec<Vec<u8>>),
    Sound,
}

#[test]
fn fuzz_register_replies() {
    check!().with_type::<[Spoiled; 8]>().for_each(|fields| {
        let Value::List(mut reply) = whole("4", "5") else { return };
        for (field, spoiled) in reply.iter_mut().zip(fields) {
            match spoiled {
                Spoiled::Text(bytes) => *field = Value::Text(bytes.clone().into()),
                Spoiled::Number(number) => *field = Value::Number(*number),
                Spoiled::Nothing => *field = Value::Nothing,
                Spoiled::List(list) => {
                    *field =
                        Value::List(list.iter().map(|bytes| Value::Text(bytes.clone().into())).collect());
                }
                Spoiled::Sound => {}
            }
        }
        if let Some(told) = register().take(1, &Value::List(reply)) {
            let rows = told.listing.entries.iter().map(|listed| &listed.entry);
            for entry in rows.chain(told.listing.ended.iter().map(|ended| &ended.entry)) {
                assert!(entry.id.len() <= Entry::ID_BYTES_MAX && entry.about.len() <= Entry::ABOUT_BYTES_MAX);
            }
        }
    });
}
