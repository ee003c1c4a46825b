//! Two sides of one subject: what is removed on one is gone from the other. How long that takes.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::measure::Problem;
use crate::report::{Report, quantile};

/// After this time an act is lost.
pub(crate) const LOST: Duration = Duration::from_secs(5);
/// Between two samples of any subject. What a message takes depends on how long its receiver had been idle: a processor that
/// just went to sleep wakes later than one that still looks around, by three to six times on a virtual machine.
const PAUSE: Duration = Duration::from_micros(200);

/// What a subject does on the runtime of the watching thread.
pub(crate) type Task<'a> = Pin<Box<dyn Future<Output = Result<(), Problem>> + 'a>>;

/// Two nodes, or the two ends of bare bytes.
pub(crate) trait Pair {
    /// What it is called.
    fn name(&self) -> &'static str;

    /// Puts a key where the other side will lose it.
    fn fill(&self, sides: &Sides, key: u64) -> Result<(), Problem>;

    /// Removes it here.
    fn remove(&self, key: u64) -> Task<'_>;

    /// Whether the other side has lost it.
    fn is_gone(&self, key: u64) -> bool;
}

/// The two threads that take part: the one that acts and watches, which drives what is here, and the one that drives what is there.
pub(crate) struct Sides {
    /// Works only while the calling thread is in it.
    pub(crate) here: Runtime,
    /// Works by itself.
    pub(crate) there: Handle,
}

impl Sides {
    pub(crate) fn start() -> Result<Self, Problem> {
        let runtime = || Builder::new_current_thread().enable_all().build().map_err(|e| broken(&e));
        let (here, there) = (runtime()?, runtime()?);
        let handle = there.handle().clone();
        thread::spawn(move || there.block_on(std::future::pending::<()>()));
        Ok(Self { here, there: handle })
    }
}

/// Microseconds from an act to its effect, `count` of them. All subjects are watched in the same way, at the same pace: asked again
/// and again, while the processor is lent to whoever carries the bytes.
pub(crate) fn samples(sides: &Sides, pair: &dyn Pair, count: usize) -> Result<Vec<f64>, Problem> {
    let mut samples = Vec::with_capacity(count);
    for key in 0..count as u64 {
        pair.fill(sides, key)?;
        let took: Result<Duration, Problem> = sides.here.block_on(async {
            pause().await;
            let began = Instant::now();
            pair.remove(key).await?;
            while !pair.is_gone(key) {
                if began.elapsed() > LOST {
                    return Err(Problem::Broken(format!("{}: nothing arrived within {LOST:?}", pair.name())));
                }
                lend().await;
            }
            Ok(began.elapsed())
        });
        samples.push(took?.as_nanos() as f64 / 1_000.0);
    }
    Ok(samples)
}

/// Keeps the pace that all subjects have.
pub(crate) async fn pause() {
    let ended = Instant::now();
    while ended.elapsed() < PAUSE {
        lend().await;
    }
}

/// To the tasks of this thread first, then to whoever else wants the processor.
pub(crate) async fn lend() {
    tokio::task::yield_now().await;
    thread::yield_now();
}

/// What went wrong around a subject.
pub(crate) fn broken(error: &dyn Display) -> Problem {
    Problem::Broken(error.to_string())
}

/// The figures of one subject, a value for each round.
#[derive(Debug, Default)]
pub(crate) struct Quantiles {
    p50: Vec<f64>,
    p99: Vec<f64>,
    p999: Vec<f64>,
    /// The samples of all rounds.
    pub(crate) all: Vec<f64>,
}

impl Quantiles {
    /// Takes the samples of a round.
    pub(crate) fn take(&mut self, mut samples: Vec<f64>) {
        samples.sort_by(f64::total_cmp);
        self.add(quantile(&samples, 0.5), quantile(&samples, 0.99), quantile(&samples, 0.999));
        self.all.append(&mut samples);
    }

    /// Takes what a subject measured itself in a round.
    pub(crate) fn add(&mut self, p50: f64, p99: f64, p999: f64) {
        self.p50.push(p50);
        self.p99.push(p99);
        self.p999.push(p999);
    }

    /// Hands the figures over.
    pub(crate) fn report(&self, report: &mut Report, bench: &'static str, case: &str, subject: &str) {
        report.add(bench, case, subject, "p50_us", &self.p50);
        report.add(bench, case, subject, "p99_us", &self.p99);
        report.add(bench, case, subject, "p999_us", &self.p999);
    }
}
