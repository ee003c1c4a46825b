use std::io::{BufReader, Read};
use std::time::Duration;

use bolero::TypeGenerator;
use serde_json::Value;

use super::input::LINE_BYTES_MAX;
use super::*;

const MESSAGE: &str = "000d00000030484e49385032514647303030809690b5c848de080107000000757365723a3432";

fn answers(codec: &Codec, input: &[u8]) -> (Vec<Value>, Exit) {
    let mut out = Vec::new();
    let exit = lines(codec, BufReader::new(input), &mut out).expect("memory can be read");
    let text = String::from_utf8(out).expect("JSON is text");
    assert!(text.is_empty() || text.ends_with('\n'));
    (text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect(), exit)
}

fn error_of(answer: &Value) -> (&str, u64) {
    let members = answer.as_object().expect("an object");
    assert_eq!(members.len(), 2, "{answer}");
    (answer["error"].as_str().expect("a text"), answer["offset"].as_u64().expect("a number"))
}

#[test]
fn each_line_has_its_answer_whatever_it_is() {
    let input = format!("{MESSAGE}\n\nxyz\n00 0d\r\n{}\n\u{e9}\nabc\n{MESSAGE}", MESSAGE.to_uppercase());
    let (answers, exit) = answers(&Codec::Backplane, input.as_bytes());
    assert_eq!((answers.len(), exit), (8, Exit::Data));
    for sound in [0, 4, 7] {
        assert_eq!(answers[sound]["cache_key"], "user:42");
    }
    assert_eq!(error_of(&answers[1]), ("the bytes end 1 too early", 0));
    assert_eq!(error_of(&answers[2]), ("`x` is no hexadecimal digit", 0));
    assert_eq!(error_of(&answers[3]), ("the bytes end 3 too early", 1));
    assert_eq!(error_of(&answers[5]), ("byte 0xc3 is no hexadecimal digit", 0));
    assert_eq!(error_of(&answers[6]), ("an odd number of hexadecimal digits", 3));
}

#[test]
fn nothing_is_asked_and_nothing_is_answered() {
    assert_eq!(answers(&Codec::Native, b""), (vec![], Exit::Fine));
    assert_eq!(answers(&Codec::Native, b"\n").0.len(), 1);
    let (sound, exit) = answers(&Codec::Backplane, format!("{MESSAGE}\n").as_bytes());
    assert_eq!((sound.len(), exit), (1, Exit::Fine));
}

#[test]
fn a_line_beyond_the_limit_is_passed_over_and_the_next_one_answered() {
    let longest = "0".repeat(LINE_BYTES_MAX);
    let input = format!("{longest}\n{longest}0\n{MESSAGE}\n");
    let (answers, exit) = answers(&Codec::Backplane, input.as_bytes());
    assert_eq!((answers.len(), exit), (3, Exit::Data));
    assert_eq!(error_of(&answers[0]).0, "8388608 bytes exceed the limit of 4194304");
    assert_eq!(error_of(&answers[1]), ("more than 16777216 characters", LINE_BYTES_MAX as u64));
    assert_eq!(answers[2]["cache_key"], "user:42");
}

#[test]
fn one_message_may_take_several_lines() {
    let folded = format!("{}\n  {}\n", &MESSAGE[..31], &MESSAGE[31..]);
    let mut out = Vec::new();
    assert_eq!(whole(&Codec::Backplane, folded.as_bytes(), &mut out).expect("memory"), Exit::Fine);
    let answer: Value = serde_json::from_slice(&out).expect("JSON");
    assert_eq!(answer["source_id"], "0HNI8P2QFG000");
    let endless = BufReader::new(io::repeat(b'0').take(1 << 30));
    let mut out = Vec::new();
    assert_eq!(whole(&Codec::Backplane, endless, &mut out).expect("memory"), Exit::Data);
    assert!(out.starts_with(b"{\"error\":\"more than 16777216 characters\""));
}

/// Whether answers of some lines reached the other side before the next line was asked for.
struct Impatient {
    lines: Vec<String>,
    flushed: std::rc::Rc<std::cell::Cell<usize>>,
}

impl Read for Impatient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.lines.len() < 3 {
            assert_eq!(self.flushed.get(), 3 - self.lines.len(), "an answer was kept back");
        }
        let Some(line) = self.lines.pop() else { return Ok(0) };
        buffer[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

struct Counting(std::rc::Rc<std::cell::Cell<usize>>);

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.set(self.0.get() + 1);
        Ok(())
    }
}

#[test]
fn who_waits_for_an_answer_before_the_next_line_gets_it() {
    let flushed = std::rc::Rc::default();
    let input = Impatient { lines: vec![format!("{MESSAGE}\n"); 3], flushed: std::rc::Rc::clone(&flushed) };
    let exit = lines(&Codec::Backplane, BufReader::new(input), &mut Counting(flushed));
    assert_eq!(exit.expect("memory"), Exit::Fine);
}

/// Where the first answer's reader has gone.
struct Gone;

impl Write for Gone {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

#[test]
fn without_a_reader_nothing_more_is_read() {
    let endless = BufReader::new(io::repeat(b'\n'));
    assert_eq!(lines(&Codec::Backplane, endless, &mut Gone).expect("memory"), Exit::Data);
}

#[derive(Clone, Copy, Debug, TypeGenerator)]
enum Sign {
    Digit(u8),
    Byte(u8),
    End,
}

#[test]
fn fuzz_decode_any_line_is_answered_by_one_line_of_json() {
    let value_type: ValueType = "list<Person?>".parse().expect("a type");
    let codecs = [
        Codec::Native,
        Codec::Backplane,
        Codec::Envelope(Format::SystemTextJson, None),
        Codec::Envelope(Format::Newtonsoft, Some(value_type.clone())),
        Codec::Envelope(Format::MessagePack, None),
        Codec::Envelope(Format::MemoryPack(value_type.clone()), None),
        Codec::Envelope(Format::ProtobufNet, Some(value_type)),
    ];
    bolero::check!().with_test_time(Duration::from_secs(1)).with_type::<Vec<Sign>>().for_each(|signs| {
        let mut input = Vec::new();
        for sign in signs {
            match sign {
                Sign::Digit(digit) => input.extend_from_slice(format!("{digit:02x}").as_bytes()),
                Sign::Byte(byte) => input.push(*byte),
                Sign::End => input.push(b'\n'),
            }
        }
        let asked = input.split_inclusive(|byte| *byte == b'\n').count();
        for codec in &codecs {
            let (answers, exit) = answers(codec, &input);
            assert_eq!(answers.len(), asked);
            let wrong = answers.iter().any(|answer| answer.get("error").is_some());
            assert_eq!(exit, if wrong { Exit::Data } else { Exit::Fine });
        }
    });
}
