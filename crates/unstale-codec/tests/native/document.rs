//! The examples of docs/formats/native.md are what the code does.

use std::collections::BTreeMap;

use unstale_codec::native::{DECODE_ALLOCATION_MAX, FRAME_BYTES_MAX, VERSION, decode_entry};
use unstale_core::{Name, Subject, subject_hash};

use crate::{decode, encode, hex, samples, unhex};

const DOCUMENT: &str = include_str!("../../../../docs/formats/native.md");

/// The blocks of the document that are fenced as this and a name.
fn examples(fence: &str) -> BTreeMap<&'static str, String> {
    let mut examples = BTreeMap::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix(fence) {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            let before = examples.insert(name, block.join("\n"));
            assert_eq!(before, None, "two examples are called {name}");
        }
    }
    examples
}

#[test]
fn each_kind_of_message_has_an_example_that_decodes_and_encodes_as_it_says() {
    let mut examples = examples("```hex ");
    for (name, message) in samples::small() {
        let example = examples.remove(name);
        let example =
            example.unwrap_or_else(|| panic!("no example {name}; its bytes are\n{}", hex(&encode(&message))));
        assert_eq!(decode(unhex(&example)), message, "{name}");
        assert_eq!(hex(&encode(&message)), hex(&unhex(&example)), "{name}");
    }
    assert_eq!(examples, BTreeMap::new(), "examples of messages that there are not");
}

#[test]
fn entries_have_examples_that_decode_as_they_say() {
    let mut examples = examples("```hex-entry ");
    for (name, entry) in samples::entries() {
        let Some(example) = examples.remove(name) else { panic!("no example {name}") };
        assert_eq!(decode_entry(unhex(&example)), Ok(entry), "{name}");
    }
    assert_eq!(examples, BTreeMap::new(), "examples of entries that there are not");
}

#[test]
fn the_limits_in_the_document_are_those_of_the_code() {
    for said in [
        format!("version {VERSION}"),
        format!("{} bytes", grouped(FRAME_BYTES_MAX)),
        format!("{} bytes", grouped(DECODE_ALLOCATION_MAX)),
    ] {
        assert!(DOCUMENT.contains(&said), "the document does not say {said:?}");
    }
}

#[test]
fn the_hashes_in_the_document_are_those_of_the_core() {
    let users = || Name::new("users").expect("it is a name");
    let subjects = [
        Subject::Key { cache: users(), key: "42".into() },
        Subject::Tag { cache: Some(users()), tag: "vip".into() },
        Subject::Tag { cache: None, tag: "vip".into() },
        Subject::Cache { cache: users() },
        Subject::All,
    ];
    for subject in subjects {
        let cell = format!("`{:016x}`", subject_hash(&subject));
        assert!(DOCUMENT.contains(&cell), "the document does not say that {subject:?} has {cell}");
    }
}

/// A number as the document writes it: 1,048,576.
fn grouped(number: usize) -> String {
    let rest = number % 1_000;
    if number < 1_000 { rest.to_string() } else { format!("{},{rest:03}", grouped(number / 1_000)) }
}
