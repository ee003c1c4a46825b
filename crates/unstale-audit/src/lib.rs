//! Whether caches kept their promises: histories of reads and writes, and checkers of them.
//!
//! A *history* is what really happened: which process answered which read with which version of a row, which writes returned
//! when, and which faults there were. It is written by whoever runs the caches ([`Recorder`], or [`Scribe`] for bytes in
//! memory), in a format of its own (`docs/formats/history.md`). [`check`] reads histories back and compares every read with
//! what was promised for it; [`Ledger`] does the same while a run goes on.
//!
//! ```
//! use unstale_audit::{Begin, Clock, Marks, Promise, Read, Scribe, Served, Terms, Write, check};
//!
//! let begin = Begin { clock: Clock::virtual_time(), marks: Marks::None, at: 0, source: "example" };
//! let mut scribe = Scribe::new(Vec::new(), &begin)?;
//! let (a, b) = (scribe.process("a", 0)?, scribe.process("b", 0)?);
//! let row = b"user 7".as_slice();
//! // b wrote version 2 and announced it at instant 100; a read of a, proven within 50, began at 200 and missed it.
//! scribe.write(&Write { announced: true, ended: 100, ..Write::new(b, row, 2) })?;
//! scribe.read(&Read { within: Some(50), began: 200, ended: 201, ..Read::new(a, row, 1, Served::Hit) })?;
//! let history = scribe.finish()?;
//!
//! let report = check(1, |_| Ok(history.as_slice()), Terms::default(), |_| {})?;
//! assert_eq!(report.stale_reads(), 1);
//! assert_eq!(report.examples[0].promise, Promise::Proven);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The checkers take no time, no randomness and no files of their own. What cannot be known (a write that nobody recorded, a
//! clock of another host) makes a check weaker, never wrong.

mod catalog;
mod check;
mod faults;
mod front;
mod history;
mod judgement;
mod ledger;
mod recorder;

pub use check::{Example, File, Line, Problem, Progress, Report, Stage, check};
pub use history::{
    Begin, Clock, Error, Fault, Flaw, Floor, KEY_BYTES_MAX, LABEL_BYTES_MAX, MAGIC, Marks, RECORD_BYTES_MAX,
    Read, Reader, Record, Scribe, Served, Token, Write,
};
pub use judgement::{Asked, Due, Judged, Judgement, Outcome, Promise};
pub use ledger::{CALM_AGE_MAX, Ledger, Monotone, SETTLING, Terms};
pub use recorder::{QUEUE_BYTES_MAX, Recorder};
