//! `unstale decode` from outside.

#[path = "../../unstale-codec/tests/fusion/records.rs"]
mod records;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Output, Stdio};
use std::thread;

use serde_json::Value;

use records::records;

/// Runs the command with something on its standard input.
fn decode(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_unstale"));
    command.arg("decode").args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the command is built");
    let mut stdin = child.stdin.take().expect("it is piped");
    thread::scope(|scope| {
        // It may end before it has read everything.
        scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
        child.wait_with_output().expect("it ends")
    })
}

fn answers(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).expect("JSON is text");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn text<'a>(record: &'a Value, name: &str) -> &'a str {
    record[name].as_str().unwrap_or_else(|| panic!("{record} has no {name}"))
}

#[test]
fn every_captured_message_is_shown_with_the_fields_beside_it() {
    let test = "every_captured_message_is_shown_with_the_fields_beside_it";
    let Some(records) = records(test, "backplane.json") else { return };
    let records: Vec<_> = records.iter().filter(|record| record["hex"].is_string()).collect();
    let input: String = records.iter().map(|record| text(record, "hex").to_owned() + "\n").collect();
    let output = decode(&["--codec", "fusion-backplane", "--lines"], &input);
    assert_eq!(output.status.code(), Some(0));
    let answers = answers(&output);
    assert_eq!((answers.len(), answers.len()), (records.len(), 99));
    for (record, answer) in records.iter().zip(answers) {
        let fields = answer.as_object().expect("an object");
        assert_eq!(fields.len(), 5, "{answer}");
        for (name, field) in fields {
            assert_eq!(&record[name], field, "{name} of {record}");
        }
    }
}

/// The codec's word for a serializer.
fn codec(serializer: &str) -> &'static str {
    match serializer {
        "System.Text.Json" => "fusion-stj",
        "Newtonsoft.Json" => "fusion-newtonsoft",
        "MessagePack" => "fusion-messagepack",
        "MemoryPack" => "fusion-memorypack",
        "protobuf-net" => "fusion-protobuf",
        other => panic!("unknown serializer {other}"),
    }
}

/// The records that one run of the command can answer: of one serializer and one type of value.
fn groups(records: &[Value]) -> BTreeMap<(&str, &str), Vec<&Value>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for record in records {
        groups.entry((text(record, "serializer"), text(record, "value_type"))).or_default().push(record);
    }
    groups
}

fn bytes_of(record: &Value) -> &str {
    record["hex"].as_str().or(record["fields"]["data"].as_str()).expect("digits")
}

/// Every captured entry in a file, with its value's type or, where it can be done, without.
fn check_entries(test: &str, file: &str, is_typed: bool) {
    let Some(records) = records(test, file) else { return };
    for ((serializer, value_type), records) in groups(&records) {
        let mut arguments = vec!["--codec", codec(serializer), "--lines"];
        if is_typed {
            arguments.extend(["--value-type", value_type]);
        } else if serializer == "MemoryPack" {
            continue;
        }
        let input: String = records.iter().map(|record| bytes_of(record).to_owned() + "\n").collect();
        let output = decode(&arguments, &input);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        let answers = answers(&output);
        assert_eq!(answers.len(), records.len());
        for (record, mut answer) in records.into_iter().zip(answers) {
            let mut entry = record["entry"].clone();
            let value = |entry: &mut Value| entry["value"].take();
            let (printed, shown) = (value(&mut entry), value(&mut answer));
            assert_eq!(entry, answer, "{file}: {} by {serializer}", record["case"]);
            if is_typed {
                // Alone, a record prints what was given to the serializer: some do not keep that a time is UTC.
                let given = file == "envelopes.json" && matches!(serializer, "MessagePack" | "protobuf-net");
                let plain = |value: Value| {
                    if given { value.to_string().replace("00Z\"", "00\"") } else { value.to_string() }
                };
                // .NET writes a double of 0 as 0 or 0.0.
                let (printed, shown) = (plain(printed), plain(shown).replace("\"Score\":0.0", "\"Score\":0"));
                assert_eq!(printed, shown, "{file}: {} by {serializer}", record["case"]);
            }
        }
    }
}

#[test]
fn every_captured_envelope_is_shown_with_the_fields_beside_it() {
    check_entries("every_captured_envelope_is_shown_with_the_fields_beside_it", "envelopes.json", true);
}

#[test]
fn every_captured_hash_is_shown_with_the_fields_beside_it() {
    check_entries("every_captured_hash_is_shown_with_the_fields_beside_it", "second_level.json", true);
}

#[test]
fn without_a_type_all_but_values_are_shown_as_with_it() {
    let test = "without_a_type_all_but_values_are_shown_as_with_it";
    check_entries(test, "envelopes.json", false);
    check_entries(test, "second_level.json", false);
}

#[test]
fn every_captured_entry_as_every_codec_is_an_answer_for_each_line() {
    let test = "every_captured_entry_as_every_codec_is_an_answer_for_each_line";
    let Some(records) = records(test, "second_level.json") else { return };
    let input: String = records.iter().map(|record| bytes_of(record).to_owned() + "\n").collect();
    for codec in [
        "native",
        "fusion-backplane",
        "fusion-stj",
        "fusion-newtonsoft",
        "fusion-messagepack",
        "fusion-protobuf",
    ] {
        let output = decode(&["--codec", codec, "--lines"], &input);
        assert_eq!(output.status.code(), Some(65), "{codec}");
        assert_eq!(answers(&output).len(), records.len(), "{codec}");
    }
    for value_type in ["string", "Person", "list<list<i32>>", "map<string,i32>", "i64?"] {
        let arguments = ["--codec", "fusion-memorypack", "--value-type", value_type, "--lines"];
        let output = decode(&arguments, &input);
        assert_eq!((output.status.code(), answers(&output).len()), (Some(65), records.len()), "{value_type}");
    }
}

/// A set of `user:42`.
const MESSAGE: &str = "000d00000030484e49385032514647303030809690b5c848de080107000000757365723a3432";

#[test]
fn every_malformed_message_is_an_error_and_65() {
    let prefixes = (0..MESSAGE.len()).step_by(2).map(|end| MESSAGE[..end].to_owned());
    let changed = |at: usize, digits: &str| {
        format!("{}{digits}{}", &MESSAGE[..2 * at], &MESSAGE[2 * at + digits.len()..])
    };
    let lengths =
        [1, 27].into_iter().flat_map(|at| ["ffffffff", "ffffff7f"].map(|digits| changed(at, digits)));
    let ignored = [(0, "01"), (18, "0000000000000000"), (26, "00"), (26, "04")];
    let ignored = ignored.map(|(at, digits)| changed(at, digits));
    let all: Vec<String> = prefixes.chain(lengths).chain(ignored).collect();
    let output = decode(&["--codec", "fusion-backplane", "--lines"], &(all.join("\n") + "\n"));
    assert_eq!(output.status.code(), Some(65));
    let answers = answers(&output);
    assert_eq!((answers.len(), all.len()), (46, 46));
    for (message, answer) in all.iter().zip(answers) {
        assert!(answer["error"].is_string(), "{message}: {answer}");
        assert!(answer["offset"].as_u64().is_some_and(|at| at <= message.len() as u64 / 2), "{answer}");
    }
}

#[test]
fn digits_come_from_the_command_line_a_line_or_all_of_the_input() {
    let expected = r#"{"source_id":"0HNI8P2QFG000","timestamp_ticks":639028224010000000,"action":1,"action_name":"EntrySet","cache_key":"user:42"}"#;
    let folded = format!("{}\n{}", &MESSAGE[..20], &MESSAGE[20..]);
    for (arguments, input) in [
        (&["--codec", "fusion-backplane", MESSAGE][..], ""),
        (&["--codec", "fusion-backplane", "--lines"], MESSAGE),
        (&["--codec", "fusion-backplane"], &folded),
    ] {
        let output = decode(arguments, input);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{expected}\n"));
    }
    let output = decode(&["--codec", "native", ""], "");
    assert_eq!((output.status.code(), answers(&output).len()), (Some(65), 1));
}

#[test]
fn what_follows_a_message_is_shown_and_an_extension_understood() {
    let extended = "00010000006e809690b5c848de0802010000006bf5756e01190000000a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a2c0100000000000002";
    let output = decode(&["--codec", "fusion-backplane", extended], "");
    let answer = &answers(&output)[0];
    assert_eq!(answer["rest"], &extended[40..]);
    let process = "0a".repeat(16);
    assert_eq!(answer["extension"], serde_json::json!({"process": process, "stamp": 300, "hops": 2}));
    let output = decode(&["--codec", "fusion-backplane", &format!("{MESSAGE}f5756e0101000000ee")], "");
    assert_eq!(answers(&output)[0]["extension"], serde_json::json!({"hex": "ee"}));
}

#[test]
fn a_value_of_another_type_is_an_error_at_its_place() {
    let entry = "0a036261721805280a";
    let shown =
        |value_type: &str| decode(&["--codec", "fusion-protobuf", "--value-type", value_type, entry], "");
    let output = shown("i32");
    assert_eq!(output.status.code(), Some(65));
    assert_eq!(answers(&output)[0], serde_json::json!({"error": "number begins with 0x0a", "offset": 0}));
    assert_eq!(answers(&shown("bytes"))[0]["value"], serde_json::json!({"base64": "YmFy"}));
    let late = "1805280a0a036261ff";
    let output = decode(&["--codec", "fusion-protobuf", "--value-type", "string", late], "");
    assert_eq!(answers(&output)[0], serde_json::json!({"error": "text is not UTF-8", "offset": 6}));
}

#[test]
fn bad_usage_is_64_and_says_what_is_wrong() {
    for (arguments, part) in [
        (&["00"][..], "--codec"),
        (&["--codec", "morse", "00"], "fusion-backplane"),
        (&["--codec", "native", "--lines", "00"], "cannot be used with"),
        (&["--codec", "native", "--value-type", "i32", "00"], "have no value"),
        (&["--codec", "fusion-memorypack", "00"], "needs --value-type"),
        (&["--codec", "fusion-stj", "--value-type", "list<int>", "00"], "at character 5"),
        (&["--codec", "native", "00", "00"], "unexpected argument"),
    ] {
        let output = decode(arguments, "");
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), output.stdout.len()), (Some(64), 0), "{arguments:?}");
        assert!(error.contains(part), "{arguments:?}: {error}");
    }
}

#[test]
fn help_shows_codecs_examples_and_exit_codes() {
    let help = decode(&["--help"], "");
    assert_eq!(help.status.code(), Some(0));
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    for part in
        ["fusion-memorypack", "--value-type", "--lines", "Examples:", "Exit codes: 0 all were messages, 64"]
    {
        assert!(help.contains(part), "{part} in {help}");
    }
}

/// The examples of docs/formats/native.md.
fn native_examples() -> BTreeMap<&'static str, String> {
    let document = include_str!("../../../docs/formats/native.md");
    let mut examples = BTreeMap::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(name) = line.strip_prefix("```hex ") {
            let block = lines.by_ref().take_while(|line| *line != "```");
            let digits = block.map(|line| line.split('|').next().unwrap_or_default());
            examples.insert(name, digits.collect::<Vec<_>>().concat());
        }
    }
    examples
}

#[test]
fn every_kind_of_native_message_is_shown() {
    let examples = native_examples();
    let mut kinds = BTreeSet::new();
    for (name, digits) in &examples {
        let output = decode(&["--codec", "native", digits], "");
        assert_eq!(output.status.code(), Some(0), "{name}");
        let answer = &answers(&output)[0];
        let kind = text(answer, "message");
        assert!(name.replace('-', "_").starts_with(kind), "{name}: {answer}");
        kinds.insert(kind.to_owned());
        let of = match *name {
            "vote" => &answer["voter"],
            "round" => &answer["pacemaker"],
            _ => &answer["stream"],
        };
        assert!(of.as_str().is_some_and(|of| of.contains('.')), "{answer}");
    }
    assert_eq!(kinds.len(), 15, "{kinds:?}");
    let frame = answers(&decode(&["--codec", "native", &examples["frame"]], "")).remove(0);
    let acts = serde_json::json!([
        {"verb": "remove", "subject": "key", "cache": "users", "key": "42"},
        {"verb": "remove", "subject": "key", "cache": "users", "key": "43"},
        {"verb": "expire", "subject": "tag", "cache": "roles", "tag": "admin"},
    ]);
    assert_eq!((&frame["acts"], &frame["range"]), (&acts, &serde_json::json!({"first": 300, "last": 302})));
    let unsafe_frame =
        answers(&decode(&["--codec", "native", &examples["frame-store-unsafe"]], "")).remove(0);
    assert_eq!((&frame["store_unsafe"], &unsafe_frame["store_unsafe"]), (&false.into(), &true.into()));
    let refused = answers(&decode(&["--codec", "native", "a163"], "")).remove(0);
    assert_eq!(refused, serde_json::json!({"error": "kind of message 99 is unknown", "offset": 1}));
}
