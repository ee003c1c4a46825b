//! `unstale decode`: what bytes mean.

mod arguments;
pub(crate) mod fusion;
pub(crate) mod hex;
mod input;
mod json;
pub(crate) mod native;

use std::io::{self, BufRead, BufReader, BufWriter, Read as _, Write};

use bytes::Bytes;
use unstale_codec::fusion::{Format, ValueType};

use self::input::{Line, next_line};
use crate::exit::Exit;
use crate::terminal::complain;

pub(crate) use self::arguments::Arguments;

/// How bytes are to be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Codec {
    /// A message of the native format.
    Native,
    /// A message of FusionCache's backplane.
    Backplane,
    /// An entry of FusionCache's second level, and the type of its value, if that is known.
    Envelope(Format, Option<ValueType>),
}

/// What is to be decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Source<'a> {
    /// These hexadecimal digits.
    Digits(&'a str),
    /// All digits on standard input, as one message.
    Whole,
    /// Each line of standard input.
    Lines,
}

/// Why bytes have no meaning, and where.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) error: String,
    pub(crate) offset: usize,
}

/// Answers each message with one line of JSON.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let codec = match arguments.codec() {
        Ok(codec) => codec,
        Err(complaint) => return complain("decode", complaint, Exit::Usage),
    };
    // Standard output ends where its reader does; the exit code still tells of what was answered.
    let mut out = BufWriter::new(io::stdout().lock());
    let read = match arguments.source() {
        Source::Digits(digits) => Ok(answer_whole(&codec, Line::Text(digits.as_bytes()), &mut out)),
        Source::Whole => whole(&codec, io::stdin().lock(), &mut out),
        Source::Lines => lines(&codec, BufReader::new(io::stdin().lock()), &mut out),
    };
    read.unwrap_or_else(|error| complain("decode", format!("standard input: {error}"), Exit::NoInput))
}

fn answer_whole(codec: &Codec, text: Line<'_>, out: &mut impl Write) -> Exit {
    let (answer, exit) = answer(codec, text);
    let _ = out.write_all(answer.as_bytes()).and_then(|()| out.flush());
    exit
}

/// One message in all of `input`, whose line ends are blanks as others.
fn whole(codec: &Codec, input: impl BufRead, out: &mut impl Write) -> io::Result<Exit> {
    let mut text = Vec::new();
    input.take(input::LINE_BYTES_MAX as u64 + 1).read_to_end(&mut text)?;
    let line = if text.len() > input::LINE_BYTES_MAX { Line::TooLong } else { Line::Text(&text) };
    Ok(answer_whole(codec, line, out))
}

/// One message in each line.
fn lines<I: io::Read>(codec: &Codec, mut input: BufReader<I>, out: &mut impl Write) -> io::Result<Exit> {
    let mut exit = Exit::Fine;
    let mut buffer = Vec::new();
    while let Some(line) = next_line(&mut input, &mut buffer)? {
        let (answer, of_line) = answer(codec, line);
        if of_line != Exit::Fine {
            exit = of_line;
        }
        let mut written = out.write_all(answer.as_bytes());
        // Whoever waits for an answer before they send more gets it.
        if written.is_ok() && input.buffer().is_empty() {
            written = out.flush();
        }
        if written.is_err() {
            return Ok(exit);
        }
    }
    let _ = out.flush();
    Ok(exit)
}

/// One line of JSON for a message, whatever it is.
fn answer(codec: &Codec, line: Line<'_>) -> (String, Exit) {
    match meaning(codec, line) {
        Ok(json) => (json + "\n", Exit::Fine),
        Err(Refused { error, offset }) => {
            let refused = serde_json::json!({ "error": error, "offset": offset });
            (format!("{refused}\n"), Exit::Data)
        }
    }
}

fn meaning(codec: &Codec, line: Line<'_>) -> Result<String, Refused> {
    let Line::Text(text) = line else {
        let limit = input::LINE_BYTES_MAX;
        return Err(Refused { error: format!("more than {limit} characters"), offset: limit });
    };
    let bytes = Bytes::from(hex::bytes(text)?);
    match codec {
        Codec::Native => native::message(bytes),
        Codec::Backplane => fusion::message(bytes),
        Codec::Envelope(format, value_type) => fusion::envelope(format, value_type.as_ref(), &bytes),
    }
}

#[cfg(test)]
mod tests;
