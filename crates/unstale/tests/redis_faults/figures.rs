//! What a fault cost.

use std::fmt;
use std::io::{Write, stderr};
use std::time::Duration;

use crate::judge::Verdict;

/// From the end of the fault until every node proves, announces, hears its backplane and uses the store again.
const RECOVERY_MAX: Duration = Duration::from_secs(10);

/// What was measured of one fault.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) fault: String,
    pub(crate) recovery: Duration,
    /// Entries that nobody had written and that were in memory before the fault, at all nodes.
    pub(crate) resident: u64,
    /// Entries that were in memory, and trusted, right after the recovery.
    pub(crate) in_memory: u64,
    /// Those that were then answered without a load: out of memory, or of the second level.
    pub(crate) kept: u64,
    /// How often a node found meanwhile that it had not run for long: what it had to repair in time was not.
    pub(crate) late: u64,
}

impl Figures {
    /// The share of entries that were kept.
    pub(crate) fn share(&self) -> f64 {
        self.kept as f64 / self.resident as f64
    }

    /// Fails if the recovery took too long, or less was kept than this. Of a machine that let nodes stand still, nothing can
    /// be said about the latter.
    pub(crate) fn check(&self, kept_min: f64) {
        assert!(self.recovery <= RECOVERY_MAX, "{self}");
        assert!(self.resident > 0 && (self.share() >= kept_min || self.late > 0), "{self}");
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { fault, recovery, resident, in_memory, kept, late } = self;
        let seconds = recovery.as_secs_f64();
        write!(
            f,
            "{fault}: recovered in {seconds:.2} s; of {resident} entries {in_memory} trusted, {kept} not loaded"
        )?;
        if *late > 0 { write!(f, "; nodes were late {late} times") } else { Ok(()) }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { judged, applied, announced, stale, stale_age_max, .. } = self;
        write!(
            f,
            "{} reads broke a promise of {} plain, {} proven, {} with a token, {} settled; {announced} writes announced, \
             {applied} applied elsewhere; {stale} plain reads stale during faults, by {:.2} s at most",
            self.violations(),
            judged.plain,
            judged.proven,
            judged.session,
            judged.settled,
            stale_age_max.as_secs_f64()
        )
    }
}

/// Prints a line, past the test harness that would keep it.
pub(crate) fn say(estate: &str, what: &impl fmt::Display) {
    let _ = writeln!(stderr(), "redis faults: {estate}: {what}");
}
