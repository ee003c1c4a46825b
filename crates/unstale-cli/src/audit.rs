//! `unstale audit`: whether recorded runs kept their promises.

mod progress;
mod verdict;

use std::error::Error as _;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use unstale_audit::{Error, Monotone, Problem, Terms, check};

use self::progress::Bar;
use self::verdict::Verdict;
use crate::exit::Exit;
use crate::terminal::complain;

/// What is to be checked, and how it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// The histories, of one run.
    pub(crate) files: Vec<PathBuf>,
    /// Whether sessions may go back.
    pub(crate) monotone: Monotone,
    /// In which form it is shown.
    pub(crate) output: Output,
}

/// In which form a verdict is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// For people.
    Words,
    /// For programs: one line.
    Json,
}

/// Checks the histories.
pub(crate) fn run(options: &Options) -> Exit {
    let mut sizes = Vec::with_capacity(options.files.len());
    for file in &options.files {
        match size(file) {
            Ok(size) => sizes.push(size),
            Err(error) => {
                return complain("audit", format!("{}: {error}", file.display()), Exit::NoInput);
            }
        }
    }
    let started = Instant::now();
    let mut bar = Bar::new(&sizes);
    let terms = Terms { monotone: options.monotone, ..Terms::default() };
    let open = |index: usize| File::open(&options.files[index]);
    let report = check(sizes.len(), open, terms, |progress| bar.show(progress, started.elapsed()));
    bar.clear();
    let report = match report {
        Ok(report) => report,
        Err(problem) => return refuse(&options.files, &problem),
    };
    let verdict = Verdict::new(&report, &options.files, started.elapsed());
    let text = match options.output {
        Output::Words => verdict.words(),
        Output::Json => verdict.json(),
    };
    let mut out = io::stdout().lock();
    // Where the reader has gone the exit code still tells.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    if report.is_coherent() { Exit::Fine } else { Exit::No }
}

/// The size of a file that can be read.
fn size(file: &Path) -> io::Result<u64> {
    let metadata = File::open(file)?.metadata()?;
    if metadata.is_file() {
        Ok(metadata.len())
    } else {
        // It is read more than once.
        Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
    }
}

fn refuse(files: &[PathBuf], problem: &Problem) -> Exit {
    let exit = match problem.error {
        Error::Bad { .. } => Exit::Data,
        Error::Io { .. } => Exit::NoInput,
    };
    let reason = problem.error.source().map(|source| format!(": {source}")).unwrap_or_default();
    complain("audit", format!("{}: {}{reason}", files[problem.file].display(), problem.error), exit)
}
