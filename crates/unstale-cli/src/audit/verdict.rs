//! What was found, in words and as JSON.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use unstale_audit::{Example, Promise, Report};

/// How many broken promises are told in words.
const EXAMPLES_SHOWN: usize = 5;

/// The line of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Verdict {
    /// `coherent` or `not coherent`, as far as was recorded.
    #[serde(rename = "verdict")]
    word: &'static str,
    /// Whether nothing is missing from the histories, as far as can be seen.
    complete: bool,
    stale_reads: u64,
    stale_by_promise: ByPromise,
    judged: Judged,
    records: u64,
    reads: u64,
    writes: u64,
    announced: u64,
    processes: usize,
    keys: usize,
    sessions: usize,
    /// Instants were compared within each of them.
    clocks: usize,
    span_s: f64,
    faults: u64,
    /// Whether all histories mark every fault: only then plain reads can be demanded to be settled.
    faults_marked: bool,
    /// Plain reads that missed a write and broke no promise.
    stale_unpromised: Unpromised,
    /// Reads older than what their session had seen.
    went_back: u64,
    /// Whether that was demanded not to happen.
    monotone_demanded: bool,
    /// Reads that said that they may be stale.
    said_stale: u64,
    /// Of these, those that would have broken a promise, had they not said so.
    excused: u64,
    unversioned: u64,
    files: Vec<File>,
    examples: Vec<Found>,
    seconds: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct ByPromise {
    own_writes: u64,
    session: u64,
    proven: u64,
    settled: u64,
    monotone: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
struct Judged {
    plain: u64,
    proven: u64,
    session: u64,
    settled: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Unpromised {
    reads: u64,
    age_ms_max: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct File {
    path: String,
    records: u64,
    bytes: u64,
    /// Where a half-written last record begins.
    torn_at: Option<u64>,
    /// Whether whoever wrote it ended in order.
    ended: bool,
    /// Records that had no room.
    lost: u64,
    /// Records of later versions of the format.
    unknown: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Found {
    promise: &'static str,
    file: String,
    record: u64,
    process: String,
    key: String,
    version: u64,
    due: u64,
    around: Vec<Around>,
    #[serde(skip)]
    reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Around {
    file: String,
    record: u64,
    after_ms: f64,
    what: String,
}

impl Verdict {
    /// What comes of a check that took `seconds`.
    pub(super) fn new(report: &Report, names: &[PathBuf], took: Duration) -> Self {
        let [own_writes, session, proven, settled, monotone] =
            Promise::ALL.map(|promise| report.violations[promise as usize]);
        let judged = report.judged;
        let file = |(file, name): (&unstale_audit::File, &PathBuf)| File {
            path: shown(name),
            records: file.records,
            bytes: file.bytes,
            torn_at: file.torn,
            ended: file.ended,
            lost: file.lost,
            unknown: file.unknown,
        };
        Self {
            word: if report.is_coherent() { "coherent" } else { "not coherent" },
            complete: report.is_complete(),
            stale_reads: report.stale_reads(),
            stale_by_promise: ByPromise { own_writes, session, proven, settled, monotone },
            judged: Judged {
                plain: judged.plain,
                proven: judged.proven,
                session: judged.session,
                settled: judged.settled,
            },
            records: report.files.iter().map(|file| file.records).sum(),
            reads: report.reads,
            writes: report.writes,
            announced: report.announced,
            processes: report.processes,
            keys: report.keys,
            sessions: report.sessions,
            clocks: report.clocks,
            span_s: report.span() as f64 / 1e9,
            faults: report.faults,
            faults_marked: report.is_marked(),
            stale_unpromised: Unpromised {
                reads: report.stale_unpromised,
                age_ms_max: report.stale_unpromised_age_max / 1_000_000,
            },
            went_back: report.went_back,
            monotone_demanded: report.is_monotone_promised(),
            said_stale: report.said_stale,
            excused: report.excused,
            unversioned: report.unversioned,
            files: report.files.iter().zip(names).map(file).collect(),
            examples: report.examples.iter().map(|example| Found::new(example, names)).collect(),
            seconds: took.as_secs_f64(),
        }
    }

    /// As one line of JSON.
    pub(super) fn json(&self) -> String {
        // Numbers, text and lists always have a form in JSON.
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// In plain words.
    pub(super) fn words(&self) -> String {
        let mut words = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_words(&mut words);
        words
    }

    fn write_words(&self, f: &mut String) -> std::fmt::Result {
        match (self.stale_reads, self.complete) {
            (0, true) => writeln!(f, "COHERENT")?,
            (0, false) => writeln!(f, "COHERENT, as far as was recorded")?,
            (_, _) => writeln!(f, "NOT COHERENT")?,
        }
        writeln!(
            f,
            "{} reads and {} writes ({} announced) of {} keys by {} processes, {:.1} s long, with {} marked faults.",
            self.reads, self.writes, self.announced, self.keys, self.processes, self.span_s, self.faults
        )?;
        if self.stale_reads == 0 {
            writeln!(f, "No read was older than what it was promised:")?;
        } else {
            writeln!(f, "{} reads were older than what they were promised:", self.stale_reads)?;
        }
        let by = self.stale_by_promise;
        writeln!(f, "  {} missed a write that had returned in the same process before", by.own_writes)?;
        writeln!(
            f,
            "  {} of {} missed the write whose session token they had",
            by.session, self.judged.session
        )?;
        writeln!(f, "  {} of {} were called proven and were older than that", by.proven, self.judged.proven)?;
        if self.faults_marked || by.settled > 0 {
            writeln!(
                f,
                "  {} were older than the database with no fault near ({} reads with a known floor)",
                by.settled, self.judged.settled
            )?;
        }
        self.write_sessions(f)?;
        for found in self.examples.iter().take(EXAMPLES_SHOWN) {
            found.write_words(f, self.files.len())?;
        }
        self.write_unpromised(f)?;
        self.write_missing(f)?;
        writeln!(f, "Checked {} records in {:.1} s.", self.records, self.seconds)
    }

    fn write_sessions(&self, f: &mut String) -> std::fmt::Result {
        if self.monotone_demanded {
            writeln!(
                f,
                "  {} were older than what their session had seen ({} sessions)",
                self.stale_by_promise.monotone, self.sessions
            )?;
        } else if self.sessions > 0 {
            writeln!(
                f,
                "{} reads of {} sessions were older than what the session had seen: nobody promises otherwise (--monotone demands it).",
                self.went_back, self.sessions
            )?;
        }
        Ok(())
    }

    fn write_unpromised(&self, f: &mut String) -> std::fmt::Result {
        let Unpromised { reads, age_ms_max } = self.stale_unpromised;
        if reads > 0 && self.faults_marked {
            writeln!(
                f,
                "While faults lasted and settled, {reads} plain reads were stale (at most {age_ms_max} ms): nobody promises those."
            )?;
        } else if reads > 0 {
            writeln!(
                f,
                "{reads} plain reads were stale (at most {age_ms_max} ms): nothing can be demanded of them, since not every history marks its faults."
            )?;
        }
        if self.said_stale > 0 {
            writeln!(
                f,
                "{} reads said that they may be stale; {} of them would have broken a promise, had they not said so.",
                self.said_stale, self.excused
            )?;
        }
        if self.unversioned > 0 {
            writeln!(f, "{} reads had no version (no such row) and were not judged.", self.unversioned)?;
        }
        Ok(())
    }

    fn write_missing(&self, f: &mut String) -> std::fmt::Result {
        if self.clocks > 1 {
            writeln!(
                f,
                "Instants are of {} clocks: reads were compared with the writes of their own clock, session tokens with all.",
                self.clocks
            )?;
        }
        for File { path, torn_at, ended, lost, unknown, .. } in &self.files {
            if *lost > 0 {
                writeln!(f, "{path} is not complete: {lost} records had no room when it was written.")?;
            }
            if let Some(offset) = torn_at {
                writeln!(f, "{path} ends within a record, which begins at byte {offset}.")?;
            } else if !ended {
                writeln!(f, "{path} has no end mark: what its writer did last may be missing.")?;
            }
            if *unknown > 0 {
                writeln!(f, "{path} has {unknown} records of a later version, which were skipped.")?;
            }
        }
        Ok(())
    }
}

impl Found {
    fn new(example: &Example, names: &[PathBuf]) -> Self {
        let name = |file: usize| names.get(file).map_or_else(String::new, |name| shown(name));
        let around = |line: &unstale_audit::Line| Around {
            file: name(line.file),
            record: line.record,
            after_ms: line.after as f64 / 1e6,
            what: line.words.clone(),
        };
        Self {
            promise: example.promise.word(),
            file: name(example.file),
            record: example.record,
            process: example.process.clone(),
            key: example.key.clone(),
            version: example.version,
            due: example.due.version,
            around: example.lines.iter().map(around).collect(),
            reason: example.promise.to_string(),
        }
    }

    fn write_words(&self, f: &mut String, files: usize) -> std::fmt::Result {
        let Self { file, record, process, key, version, due, around, reason, .. } = self;
        writeln!(
            f,
            "For example record {record} of {file}: {process} answered {key} as version {version} where {due} was due: {reason}."
        )?;
        for Around { file, record, after_ms, what } in around {
            let place = if files > 1 { format!("{file} {record}") } else { record.to_string() };
            writeln!(f, "  {after_ms:>+12.3} ms  record {place}: {what}")?;
        }
        Ok(())
    }
}

fn shown(name: &Path) -> String {
    name.display().to_string()
}
