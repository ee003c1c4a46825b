//! Compares what was read with what had been written, by the ledger that `unstale audit check` uses.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use unstale::{BootClock, Clock, Event, Events, Instant, Receipt, Seq, Stream};
use unstale_audit::{Fault, Floor, Judged, Ledger, Marks, Outcome, Promise, Read, Terms, Write};

/// All instants are of this process's clock.
const CLOCK: u32 = 0;
const EXAMPLES_MAX: usize = 5;
/// How long announced writes are remembered.
const MEMORY: Duration = Duration::from_secs(60);
/// How long after others have applied a write its call may return.
const IN_FLIGHT_MAX: Duration = Duration::from_secs(10);

/// Clones are one.
#[derive(Clone)]
pub(crate) struct Judge {
    docket: Arc<Mutex<Docket>>,
}

/// What was seen and not judged yet, and what was found so far.
struct Docket {
    ledger: Ledger,
    reads: Vec<Read>,
    /// What the writes with these numbers gave which rows.
    acts: BTreeMap<(Stream, Seq), Vec<(u32, u64)>>,
    /// By process: which numbers were visible there, and since when.
    applied: Vec<(u32, Stream, Seq, u64)>,
    verdict: Verdict,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) judged: Judged,
    /// Acts whose application at another node is known: no later read there may miss them.
    pub(crate) applied: u64,
    pub(crate) announced: u64,
    /// Reads that broke each promise.
    pub(crate) broken: BTreeMap<Promise, u64>,
    /// The first of them, in words.
    pub(crate) examples: String,
    /// Plain reads during a fault that nobody promised anything, and the age of the oldest.
    pub(crate) stale: u64,
    pub(crate) stale_age_max: Duration,
}

/// Now, as all records have it.
pub(crate) fn now() -> u64 {
    BootClock.now().0
}

impl Judge {
    pub(crate) fn new() -> Self {
        let mut ledger = Ledger::new(Terms::default());
        ledger.marks(CLOCK, Marks::EveryFault);
        let docket = Docket {
            ledger,
            reads: Vec::new(),
            acts: BTreeMap::new(),
            applied: Vec::new(),
            verdict: Verdict::default(),
        };
        Self { docket: Arc::new(Mutex::new(docket)) }
    }

    /// A write of `process`, begun at `began`, has returned just now; without a receipt if the store did not take it.
    pub(crate) fn wrote(&self, process: u32, began: u64, versions: &[(u32, u64)], receipt: Option<&Receipt>) {
        let (ended, announced) = (now(), receipt.is_some_and(Receipt::announced));
        let mut docket = self.lock();
        for (key, version) in versions.iter().copied() {
            let write = Write { began, ended, announced, ..Write::new(process, key, version) };
            docket.ledger.write(CLOCK, &write, 0);
        }
        if let Some(token) = receipt.map(Receipt::session) {
            docket.acts.insert((token.stream(), token.seq()), versions.to_vec());
        }
        docket.verdict.announced += u64::from(announced);
    }

    pub(crate) fn read(&self, read: Read) {
        self.lock().reads.push(read);
    }

    /// Notes what is applied at `process`, whose clock is ahead by `ahead`, until its node closes.
    pub(crate) async fn follow(self, process: u32, ahead: Duration, mut events: Events) {
        while let Some(event) = events.recv().await {
            if let Event::Applied { stream, range, at, .. } = event {
                let Instant(at) = at.minus(ahead);
                let numbers = range.first.0..=range.last.0;
                self.lock().applied.extend(numbers.map(|number| (process, stream, Seq(number), at)));
            }
        }
    }

    pub(crate) fn fault_begins(&self) -> Fault {
        self.lock().ledger.fault_begins(CLOCK, now())
    }

    pub(crate) fn fault_heals(&self, fault: Fault) {
        self.lock().ledger.fault_heals(CLOCK, fault, now());
    }

    /// All is healed: from `from` on no read is older than this.
    pub(crate) fn settled(&self, from: u64, versions: impl IntoIterator<Item = (u32, u64)>) {
        let mut docket = self.lock();
        for (key, version) in versions {
            docket.ledger.floor(CLOCK, Floor { key, version, from }, 0);
        }
    }

    /// Judges all reads so far. Writes that had returned before they began have been noted.
    pub(crate) fn verdict(&self) -> Verdict {
        self.lock().judge();
        self.lock().verdict.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Docket> {
        self.docket.lock().unwrap()
    }
}

impl Docket {
    fn judge(&mut self) {
        self.take_applied();
        for read in std::mem::take(&mut self.reads) {
            let judgement = self.ledger.judge(CLOCK, None, &read);
            self.verdict.judged.count(&read, &judgement);
            match judgement.outcome {
                Outcome::Kept | Outcome::Unversioned => {}
                Outcome::Stale { age, .. } => {
                    self.verdict.stale += 1;
                    let age = Duration::from_nanos(age);
                    self.verdict.stale_age_max = self.verdict.stale_age_max.max(age);
                }
                Outcome::Broken(promise, due) => {
                    let broken = self.verdict.broken.entry(promise).or_default();
                    *broken += 1;
                    if (*broken as usize) <= EXAMPLES_MAX {
                        let since = Duration::from_nanos(read.began.saturating_sub(due.since));
                        let (row, process, served) = (read.key, read.process, read.served.word());
                        let (seen, due) = (read.version.unwrap_or_default(), due.version);
                        let _ = writeln!(
                            self.verdict.examples,
                            "row {row} at process {process} was answered by {served} as {seen}; {due} was due since \
                             {since:?}: {promise}; asked within {:?}, began at {}",
                            read.within, read.began
                        );
                    }
                }
            }
        }
        self.ledger.forget(now().saturating_sub(MEMORY.as_nanos() as u64));
    }

    /// No load that began before an act was applied is answered after it (P1): for the ledger, as if the process itself
    /// had written what it applied.
    fn take_applied(&mut self) {
        let recent = now().saturating_sub(IN_FLIGHT_MAX.as_nanos() as u64);
        for (process, stream, seq, ended) in std::mem::take(&mut self.applied) {
            let Some(versions) = self.acts.get(&(stream, seq)) else {
                // Applied elsewhere before the call returned.
                if ended > recent {
                    self.applied.push((process, stream, seq, ended));
                }
                continue;
            };
            self.verdict.applied += 1;
            for (key, version) in versions.iter().copied() {
                self.ledger.write(CLOCK, &Write { ended, ..Write::new(process, key, version) }, 0);
            }
        }
    }
}

impl Verdict {
    /// Reads that broke a promise.
    pub(crate) fn violations(&self) -> u64 {
        self.broken.values().sum()
    }
}
