//! How far a check is, on standard error, once it takes more than two seconds.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use unstale_audit::{Progress, Stage};

/// A check that is over before this shows nothing.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is shown.
#[derive(Debug)]
pub(super) struct Bar {
    /// Bytes before each file, and of all of them.
    before: Vec<u64>,
    all: u64,
    /// In a terminal one line is drawn again and again, elsewhere there is one now and then.
    terminal: bool,
    next: Duration,
    is_drawn: bool,
}

impl Bar {
    /// For files of these sizes.
    pub(super) fn new(sizes: &[u64]) -> Self {
        let mut all = 0;
        let before = sizes.iter().map(|size| {
            all += size;
            all - size
        });
        let before = before.collect();
        let terminal = io::stderr().is_terminal();
        Self { before, all, terminal, next: PATIENCE, is_drawn: false }
    }

    /// Shows how far it is, if it is time to.
    pub(super) fn show(&mut self, progress: &Progress, elapsed: Duration) {
        if elapsed < self.next {
            return;
        }
        self.next = elapsed + if self.terminal { Duration::from_millis(200) } else { 2 * PATIENCE };
        let line = self.line(progress, elapsed);
        let mut out = io::stderr().lock();
        // Where standard error is gone there is nobody left to tell.
        let _ = if self.terminal { write!(out, "\r\x1b[2K{line}") } else { writeln!(out, "{line}") };
        let _ = out.flush();
        self.is_drawn = self.terminal;
    }

    /// Takes the line away.
    pub(super) fn clear(&self) {
        if self.is_drawn {
            let _ = write!(io::stderr(), "\r\x1b[2K");
        }
    }

    fn line(&self, progress: &Progress, elapsed: Duration) -> String {
        let what = match progress.stage {
            Stage::Gather => "gathering writes",
            Stage::Judge => "judging reads",
            Stage::Explain => "looking around what was found",
        };
        let bytes = self.before.get(progress.file).copied().unwrap_or_default() + progress.bytes;
        let share = bytes as f64 / self.all.max(1) as f64;
        format!("{what}: {:.0} %, {:.0} s so far", share.min(1.0) * 100.0, elapsed.as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_counts_the_bytes_of_all_files() {
        let bar = Bar::new(&[100, 300]);
        let progress = Progress { stage: Stage::Judge, file: 1, bytes: 100 };
        assert_eq!(bar.line(&progress, Duration::from_secs(3)), "judging reads: 50 %, 3 s so far");
    }
}
