//! The end of a run: what was found, in words and as JSON.

use std::fmt::Write;

use serde::Serialize;

use super::checker::{Findings, PROMISES};
use super::figures::Figures;
use super::kinds::Kind;
use super::line::{Kept, Strategy};
use super::schedule::Schedule;

/// How many times the rate before it the loads of any second after a long cut may reach.
const LOADS_OVER_BEFORE_MAX: f64 = 2.0;

/// So many seconds after a long cut are looked at.
const AFTER_CUT_SECONDS: usize = 3;

/// The last line of `--json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Verdict {
    /// `coherent` or `not coherent`.
    #[serde(rename = "verdict")]
    pub(crate) word: &'static str,
    /// How many nodes there were.
    pub(crate) nodes: usize,
    /// Reads that were answered.
    pub(crate) reads: u64,
    /// Writes that returned.
    pub(crate) writes: u64,
    /// Reads that broke a promise; those of a .NET node are not among them.
    pub(crate) stale_reads: u64,
    /// Where a .NET node took part: its reads that were compared with announced writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dotnet_reads: Option<u64>,
    /// Where a .NET node took part: its reads that were older than a write announced before they began. It promises nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) dotnet_stale_reads: Option<u64>,
    /// Acts that were found missing.
    pub(crate) frames_lost: u64,
    /// Of these, those that were replayed or named by a digest.
    pub(crate) frames_repaired: u64,
    /// From the link being up to a hole being seen, at most.
    pub(crate) gap_seen_ms_max: Option<u64>,
    /// From the link being up to a hole being closed, for 99 of 100 holes.
    pub(crate) repair_ms_p99: Option<u64>,
    /// From before an act's call to its being visible on another node.
    pub(crate) propagation_us_p50: Option<u64>,
    /// The same, for 99 of 100.
    pub(crate) propagation_us_p99: Option<u64>,
    /// How many faults of each kind happened.
    pub(crate) faults: Faults,
    /// After cuts shorter than the silence after which a node is ended: the share of untouched entries that were hits.
    pub(crate) kept_ratio_after_cut: Option<f64>,
    /// Stale plain reads while faults lasted and settled: nobody promises those.
    pub(crate) stale_during_faults: DuringFaults,
    /// `stale_reads` by the promise that was broken.
    pub(crate) stale_by_promise: ByPromise,
    /// Reads that were judged by what they asked for, or by when they began.
    pub(crate) judged: Judged,
    /// Reads that were answered with a value that was said to be stale.
    pub(crate) stale_said: u64,
    /// Reads and writes that failed.
    pub(crate) failed: u64,
    /// Writes that were applied and sent, but could not be announced.
    pub(crate) unannounced: u64,
    /// Rows whose last write was never said: its process was killed between commit and act or, beside a .NET node, it could not
    /// be announced. A Redis keeps the value before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) unsaid_rows: Option<usize>,
    /// Loads per second of all nodes before the first fault.
    pub(crate) loads_per_s_before_cut: Option<u64>,
    /// The same over the three seconds after the long cut.
    pub(crate) loads_per_s_after_cut: Option<u64>,
    /// The most of one of those seconds.
    pub(crate) loads_per_s_after_cut_max: Option<u64>,
    /// Whether that is more than [`LOADS_OVER_BEFORE_MAX`] times the rate before.
    pub(crate) load_storm: Option<bool>,
    /// After the long cut: the share of untouched entries that are still there, suspects among them.
    pub(crate) held_ratio_after_long_cut: Option<f64>,
    /// Which cache the nodes held.
    pub(crate) cache: Strategy,
    /// Where they met.
    pub(crate) backplane: Place,
    /// For `--seed`.
    pub(crate) seed: u64,
}

/// How many faults of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Faults {
    kill: usize,
    pause: usize,
    cut: usize,
}

/// Stale plain reads that break no promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct DuringFaults {
    reads: u64,
    age_ms_p50: Option<u64>,
    age_ms_max: Option<u64>,
}

/// Broken promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ByPromise {
    own_writes: u64,
    session: u64,
    proven: u64,
    settled: u64,
}

/// Reads that were compared with something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Judged {
    plain: u64,
    proven: u64,
    session: u64,
    settled: u64,
}

impl Verdict {
    /// Whether every promise was kept.
    pub(crate) const fn is_coherent(&self) -> bool {
        self.stale_reads == 0
    }

    /// What comes of a run.
    pub(crate) fn new(run: &Run<'_>, figures: &Figures, found: &Findings) -> Self {
        let totals = figures.totals();
        let propagation = figures.propagation();
        let quantile = |q| (!propagation.is_empty()).then(|| propagation.value_at_quantile(q));
        let ages = &found.during_faults;
        let [own_writes, session, proven, settled] =
            PROMISES.map(|promise| found.violations[promise as usize]);
        let storm = run.storm_seconds();
        let loads_before = storm.and_then(|(before, _)| figures.loads_mean(1, before));
        let loads_most = storm.and_then(|(_, after)| figures.loads_max(after, after + AFTER_CUT_SECONDS));
        Self {
            word: if found.stale_reads() == 0 { "coherent" } else { "not coherent" },
            nodes: run.nodes,
            reads: totals.reads,
            writes: totals.writes,
            stale_reads: found.stale_reads(),
            dotnet_reads: run.dotnet.map(|_| found.dotnet.reads),
            dotnet_stale_reads: run.dotnet.map(|_| found.dotnet.stale),
            frames_lost: totals.lost,
            frames_repaired: totals.repaired,
            gap_seen_ms_max: figures.gap_seen_ms_max(),
            repair_ms_p99: figures.repair_ms_p99(),
            propagation_us_p50: quantile(0.5),
            propagation_us_p99: quantile(0.99),
            faults: run.faults(),
            kept_ratio_after_cut: ratio(figures.kept_after_cut, |kept| kept.hits),
            stale_during_faults: DuringFaults {
                reads: ages.len(),
                age_ms_p50: (!ages.is_empty()).then(|| ages.value_at_quantile(0.5)),
                age_ms_max: (!ages.is_empty()).then(|| ages.max()),
            },
            stale_by_promise: ByPromise { own_writes, session, proven, settled },
            judged: Judged {
                plain: found.judged.plain,
                proven: found.judged.proven,
                session: found.judged.session,
                settled: found.judged.settled,
            },
            stale_said: totals.stale_said,
            failed: totals.failed,
            unannounced: totals.unannounced,
            unsaid_rows: (run.place == Place::Redis).then_some(figures.unsaid),
            loads_per_s_before_cut: loads_before,
            loads_per_s_after_cut: storm
                .and_then(|(_, after)| figures.loads_mean(after, after + AFTER_CUT_SECONDS)),
            loads_per_s_after_cut_max: loads_most,
            load_storm: loads_before
                .zip(loads_most)
                .map(|(before, most)| most as f64 > before as f64 * LOADS_OVER_BEFORE_MAX),
            held_ratio_after_long_cut: ratio(figures.kept_after_long_cut, |kept| kept.resident),
            cache: run.strategy.clone(),
            backplane: run.place,
            seed: run.seed,
        }
    }

    /// The verdict in plain words.
    pub(crate) fn words(&self, found: &Findings, names: &[String]) -> String {
        let mut words = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_words(&mut words, found, names);
        words
    }

    fn write_words(&self, f: &mut String, found: &Findings, names: &[String]) -> std::fmt::Result {
        let Faults { kill, pause, cut } = self.faults;
        writeln!(f, "{}", self.word.to_uppercase())?;
        writeln!(
            f,
            "{} reads and {} writes on {} nodes over one database; {kill} kills, {pause} pauses, {cut} cuts.",
            self.reads, self.writes, self.nodes
        )?;
        if self.is_coherent() {
            writeln!(f, "No read was older than what it was promised:")?;
        } else {
            writeln!(f, "{} reads were older than what they were promised:", self.stale_reads)?;
        }
        let ByPromise { own_writes, session, proven, settled } = self.stale_by_promise;
        let judged = self.judged;
        writeln!(f, "  {own_writes} missed a write that had returned on the same node before")?;
        writeln!(f, "  {session} of {} missed the write whose session token they had", judged.session)?;
        writeln!(f, "  {proven} of {} were called proven and were older than that", judged.proven)?;
        writeln!(
            f,
            "  {settled} were older than the database with no fault for 5 s ({} reads at the end)",
            judged.settled
        )?;
        for violation in found.examples.iter().take(5) {
            writeln!(f, "  for example: {}: {violation}", names[violation.node])?;
        }
        let during = self.stale_during_faults;
        if let (Some(p50), Some(max)) = (during.age_ms_p50, during.age_ms_max) {
            writeln!(
                f,
                "While faults lasted and settled, {} plain reads were stale (age p50 {p50} ms, max {max} ms): nobody promises those.",
                during.reads
            )?;
        }
        if let Some(rows @ 1..) = self.unsaid_rows {
            writeln!(
                f,
                "The last write of {rows} rows was never said (its process was killed before, or it could not be announced): nobody promises those."
            )?;
        }
        if let (Some(reads), Some(stale)) = (self.dotnet_reads, self.dotnet_stale_reads) {
            writeln!(
                f,
                "The .NET node, which promises nothing, answered {stale} of {reads} reads with a value older than a write announced before."
            )?;
        }
        self.write_figures(f)?;
        writeln!(f, "Seed {}.", self.seed)
    }

    fn write_figures(&self, f: &mut String) -> std::fmt::Result {
        if self.frames_lost > 0 {
            write!(
                f,
                "Acts lost on the way: {}, of these repaired: {}",
                self.frames_lost, self.frames_repaired
            )?;
            if let (Some(seen), Some(closed)) = (self.gap_seen_ms_max, self.repair_ms_p99) {
                write!(f, "; seen within {seen} ms of the link being up, repaired within {closed} ms (p99)")?;
            }
            writeln!(f, ".")?;
        }
        if let (Some(p50), Some(p99)) = (self.propagation_us_p50, self.propagation_us_p99) {
            writeln!(f, "From a write to its being gone elsewhere: p50 {p50} us, p99 {p99} us.")?;
        }
        if let Some(kept) = self.kept_ratio_after_cut {
            writeln!(f, "After a short cut {:.1} % of the untouched entries were still hits.", kept * 100.0)?;
        }
        if let (Some(before), Some(after)) = (self.loads_per_s_before_cut, self.loads_per_s_after_cut) {
            write!(
                f,
                "Loads per second: {before} before the first fault, {after} in the 3 s after the long cut"
            )?;
            if let Some(most) = self.loads_per_s_after_cut_max {
                write!(f, " (at most {most}, {:.1} times)", most as f64 / before.max(1) as f64)?;
            }
            if let Some(held) = self.held_ratio_after_long_cut {
                write!(f, ", which left {:.1} % of the untouched entries in place", held * 100.0)?;
            }
            writeln!(f, ".")?;
            match self.load_storm {
                Some(true) => {
                    writeln!(f, "NO: that is a storm of loads, more than {LOADS_OVER_BEFORE_MAX} times.")?;
                }
                Some(false) => {
                    writeln!(f, "No storm of loads: no second had more than {LOADS_OVER_BEFORE_MAX} times.")?;
                }
                None => {}
            }
        }
        Ok(())
    }
}

/// Where nodes meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Place {
    /// They dial each other.
    Mesh,
    /// In a Redis, which is their second level as well.
    Redis,
}

/// What is known about a run besides its figures.
#[derive(Clone, Debug)]
pub(crate) struct Run<'a> {
    /// How many nodes.
    pub(crate) nodes: usize,
    /// Where they meet.
    pub(crate) place: Place,
    /// The index of the .NET node, if there is one.
    pub(crate) dotnet: Option<usize>,
    /// Which cache.
    pub(crate) strategy: Strategy,
    /// The seed.
    pub(crate) seed: u64,
    /// What happened when.
    pub(crate) schedule: &'a Schedule,
}

impl Run<'_> {
    fn faults(&self) -> Faults {
        let count = |kind| self.schedule.faults.iter().filter(|planned| planned.fault.kind() == kind).count();
        Faults { kill: count(Kind::Kill), pause: count(Kind::Pause), cut: count(Kind::Cut) }
    }

    /// For the first long cut: the second in which the first fault begins, and the one in which the cut is healed.
    fn storm_seconds(&self) -> Option<(usize, usize)> {
        let first = self.schedule.faults.first()?;
        let long = self.schedule.faults.iter().find(|planned| planned.is_long_cut())?;
        Some((first.begins.as_secs() as usize, long.heals.as_secs() as usize))
    }
}

fn ratio(kept: Kept, part: impl Fn(Kept) -> u64) -> Option<f64> {
    let ratio = part(kept) as f64 / kept.untouched as f64;
    (kept.untouched > 0).then_some((ratio * 10_000.0).floor() / 10_000.0)
}

#[cfg(test)]
mod tests;
