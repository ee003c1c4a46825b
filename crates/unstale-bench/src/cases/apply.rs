//! `apply`: acts of another node, from decoded to gone, 256 a batch, against bare removes of the same keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use unstale_core::{Act, ActLog, Batch, Name, ProcessId, Stream, Subject, Verb};
use unstale_l1::{Domain, DomainConfig, LocalActs, NewEntry, Table, TableConfig, Tick};

use crate::measure::{Plan, Problem};
use crate::reader::{self, Hasher};
use crate::report::{Report, quantile};
use crate::workload::{self, Ask, BenchKey as _, ENTRIES, Random, VALUE_BYTES, Workload};

const BENCH: &str = "apply";
const BATCH: usize = 256;

/// Every case, both subjects in turns.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    absent(plan, report)?;
    present(plan, report)?;
    while_reading(plan, report)
}

/// Keys that are not there.
pub(crate) fn absent(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    at_rest(Case::Absent, plan, report)
}

/// Keys that are there.
pub(crate) fn present(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    at_rest(Case::Present, plan, report)
}

/// Acts on keys that are not there, or that are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    Absent,
    Present,
}

/// Where acts are applied: the engine of a node, or the map below it.
trait Target: Sync {
    const NAME: &'static str;
    /// What arrives.
    type Batch;

    fn holding(keys: &[String], entries: usize) -> Self;

    /// What arrives for these keys, decoded.
    fn batch(&self, keys: &[&String]) -> Self::Batch;

    fn apply(&self, batch: &Self::Batch);

    fn reads(&self, key: &str, index: u32) -> bool;
}

fn at_rest(case: Case, plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let entries = plan.operations(ENTRIES);
    let keys: Vec<String> = (0..2 * entries).map(String::of).collect();
    let (resident, others) = keys.split_at(entries);
    let order = workload::shuffled(entries, &mut Random::new(11));
    let (name, from) = match case {
        Case::Absent => ("absent", others),
        Case::Present => ("present", resident),
    };
    let acted: Vec<&String> = order.iter().map(|index| &from[*index as usize]).collect();
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for round in 0..=plan.rounds {
        let bare = one_round::<Bare>(case, resident, &acted)?;
        let node = one_round::<Engine>(case, resident, &acted)?;
        if round > 0 {
            theirs.push(bare);
            ours.push(node);
        }
    }
    report.add(BENCH, name, Bare::NAME, "keys_per_s", &theirs);
    report.add(BENCH, name, Engine::NAME, "keys_per_s", &ours);
    Ok(())
}

/// Keys per second.
fn one_round<T: Target>(case: Case, resident: &[String], acted: &[&String]) -> Result<f64, Problem> {
    let target = T::holding(resident, resident.len());
    let took = apply_all(&target, acted);
    let wrong = |(index, key): (usize, &String)| target.reads(key, index as u32) == (case == Case::Present);
    let right = resident.iter().enumerate().filter(|row| !wrong(*row)).count();
    if right == resident.len() {
        Ok(acted.len() as f64 / took.as_secs_f64())
    } else {
        Err(Problem::Wrong { subject: T::NAME, right, asked: resident.len() })
    }
}

/// How long the target was at work; a batch is made just before its turn, as a frame is decoded just before it is applied.
fn apply_all<T: Target>(target: &T, acted: &[&String]) -> Duration {
    let mut took = Duration::ZERO;
    for keys in acted.chunks(BATCH) {
        let batch = target.batch(keys);
        let began = Instant::now();
        target.apply(&batch);
        took += began.elapsed();
    }
    took
}

/// A thread reads while another applies acts on other keys that are there, as fast as it can.
pub(crate) fn while_reading(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let (bare, node) = (&mut Mixed::default(), &mut Mixed::default());
    for round in 0..=plan.rounds {
        let counted = round > 0;
        one_mixed_round::<Bare>(plan, counted, bare)?;
        one_mixed_round::<Engine>(plan, counted, node)?;
    }
    for (subject, mixed) in [(Bare::NAME, bare), (Engine::NAME, node)] {
        report.add(BENCH, "while-reading", subject, "keys_per_s", &mixed.keys_per_s);
        report.add(BENCH, "while-reading", subject, "hit_p99_ratio", &mixed.ratios);
    }
    Ok(())
}

#[derive(Default)]
struct Mixed {
    keys_per_s: Vec<f64>,
    /// The 99th percentile of a hit while acts are applied, over the same at rest.
    ratios: Vec<f64>,
}

fn one_mixed_round<T: Target>(plan: Plan, counted: bool, mixed: &mut Mixed) -> Result<(), Problem> {
    let (stay, go) = (plan.operations(ENTRIES), plan.operations(4 * ENTRIES));
    let keys: Vec<String> = (0..stay + go).map(String::of).collect();
    let target = T::holding(&keys, keys.len());
    let order = Workload::<String>::zipf(stay, plan.operations(ENTRIES), 1).orders.remove(0);
    let acted: Vec<&String> = keys[stay..].iter().collect();
    let quiet = Reads::until(&target, &order, |passes| passes == 2)?;
    let done = AtomicBool::new(false);
    let (busy, took) = thread::scope(|scope| {
        let reading = scope.spawn(|| Reads::until(&target, &order, |_| done.load(Ordering::Acquire)));
        let took = apply_all(&target, &acted);
        done.store(true, Ordering::Release);
        (reading.join(), took)
    });
    let busy = busy.map_err(|_| Problem::Broken("a reader panicked".to_owned()))??;
    if counted {
        mixed.keys_per_s.push(go as f64 / took.as_secs_f64());
        mixed.ratios.push(quantile(&busy.0, 0.99) / quantile(&quiet.0, 0.99));
    }
    Ok(())
}

/// Nanoseconds of single reads, sorted.
struct Reads(Vec<f64>);

impl Reads {
    /// Reads in this order, again and again, until enough; whether it is enough is asked every 256 reads.
    fn until<T: Target>(
        target: &T,
        order: &[Ask<String>],
        enough: impl Fn(usize) -> bool,
    ) -> Result<Self, Problem> {
        let mut times = Vec::with_capacity(1 << 20);
        let mut right = 0;
        'all: for pass in 1.. {
            for chunk in order.chunks(256) {
                for ask in chunk {
                    let began = Instant::now();
                    let hit = target.reads(ask.key(), ask.index);
                    times.push(began.elapsed().as_nanos() as f64);
                    right += usize::from(hit);
                }
                if pass > 1 && enough(pass) {
                    break 'all;
                }
            }
        }
        if right < times.len() {
            return Err(Problem::Wrong { subject: T::NAME, right, asked: times.len() });
        }
        times.sort_by(f64::total_cmp);
        Ok(Self(times))
    }
}

/// Bare quick_cache; the batch is the keys.
struct Bare(quick_cache::sync::Cache<String, Arc<[u8]>, quick_cache::UnitWeighter, Hasher>);

impl Target for Bare {
    const NAME: &'static str = "quick_cache";
    type Batch = Vec<String>;

    fn holding(keys: &[String], entries: usize) -> Self {
        let cache = reader::bare(entries);
        for (index, key) in keys.iter().enumerate() {
            cache.insert(key.clone(), workload::shared_value(index));
        }
        Self(cache)
    }

    fn batch(&self, keys: &[&String]) -> Vec<String> {
        keys.iter().map(|key| (*key).clone()).collect()
    }

    fn apply(&self, batch: &Vec<String>) {
        for key in batch {
            self.0.remove(key);
        }
    }

    fn reads(&self, key: &str, index: u32) -> bool {
        self.0.get(key).is_some_and(|value| workload::is_value(&value, index))
    }
}

/// The engine of a node: fences, entries and the count of acts. The batch is acts as the codec gives them, their keys in the
/// frame's own bytes.
struct Engine {
    domain: Domain,
    table: Table<String, [u8; VALUE_BYTES]>,
}

impl Target for Engine {
    const NAME: &'static str = "unstale";
    type Batch = Vec<Act>;

    fn holding(keys: &[String], entries: usize) -> Self {
        let domain = Domain::new(DomainConfig::default(), ActLog::new(Stream::first(ProcessId(1))));
        let name = Name::new("bench").expect("a short name");
        let config = TableConfig { entries_max: reader::room(entries) as u64, ..TableConfig::default() };
        let table = domain.table(name, config).expect("a first table of its name");
        for (index, keys) in keys.chunks(BATCH).enumerate() {
            let mut acts = LocalActs::new();
            for (key, index) in keys.iter().zip(index * BATCH..) {
                let entry = NewEntry::value(workload::value(index)).time_to_live(Tick(u32::MAX / 2));
                table.set_in(&mut acts, key.clone(), entry);
            }
            let _ = domain.commit(acts, Batch::Whole, 0);
            domain.with_log(|log| drop(log.drain()));
        }
        Self { domain, table }
    }

    fn batch(&self, keys: &[&String]) -> Vec<Act> {
        let frame: Vec<u8> = keys.iter().flat_map(|key| key.as_bytes()).copied().collect();
        let mut frame = Bytes::from(frame);
        let act = |key: &&String| {
            let subject = Subject::Key { cache: self.table.name().clone(), key: frame.split_to(key.len()) };
            Act { verb: Verb::Remove, subject }
        };
        keys.iter().map(act).collect()
    }

    fn apply(&self, batch: &Vec<Act>) {
        let applied = self.domain.apply(batch);
        assert_eq!(applied.undecodable, 0, "keys of text");
    }

    fn reads(&self, key: &str, index: u32) -> bool {
        self.table.get(key).is_some_and(|value| workload::is_value(value.as_slice(), index))
    }
}
