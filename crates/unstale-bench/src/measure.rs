//! Rounds: subjects take turns, the warm-up is thrown away, every answer is checked.

use std::fmt;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use crate::reader::{BoxSubject, Subject, Work};
use crate::workload::{Ask, BenchKey, Workload};

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// Rounds that count.
    pub(crate) rounds: u32,
    /// A tenth of the operations.
    pub(crate) quick: bool,
    /// Whether distributions are taken, too.
    pub(crate) pictures: Pictures,
}

/// Whether pictures are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pictures {
    Drawn,
    Omitted,
}

impl Plan {
    /// `full` operations, or a tenth of them.
    pub(crate) const fn operations(self, full: usize) -> usize {
        if self.quick { full / 10 } else { full }
    }
}

/// Why a run ended without figures.
#[derive(Debug)]
pub(crate) enum Problem {
    /// No bench or goal has this name.
    Unknown(String),
    /// A subject gave wrong or no answers: no rival and no figure.
    Wrong { subject: &'static str, right: usize, asked: usize },
    /// Something around a subject did not work.
    Broken(String),
}

impl Problem {
    /// Whether the command line was wrong.
    pub(crate) const fn is_usage(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "no bench or goal is named {name}; see --help"),
            Self::Wrong { subject, right, asked } => {
                write!(
                    f,
                    "{subject} answered {right} of {asked} reads rightly: its figure would mean nothing"
                )
            }
            Self::Broken(what) => f.write_str(what),
        }
    }
}

/// Nanoseconds per read of each subject, one value per round. On several threads it is the time of one thread's read.
pub(crate) fn reads<K: BenchKey>(
    subjects: &[BoxSubject<K>],
    workload: &Workload<K>,
    plan: Plan,
) -> Result<Vec<Vec<f64>>, Problem> {
    let mut figures = vec![Vec::new(); subjects.len()];
    for round in 0..=plan.rounds {
        for (subject, figures) in subjects.iter().zip(&mut figures) {
            let ns = one_round(subject.as_ref(), workload)?;
            if round > 0 {
                figures.push(ns);
            }
        }
    }
    Ok(figures)
}

fn one_round<K: BenchKey>(subject: &dyn Subject<K>, workload: &Workload<K>) -> Result<f64, Problem> {
    let asked: usize = workload.orders.iter().map(|order| order.len()).sum();
    let start = Barrier::new(workload.orders.len());
    let mut readers: Vec<Work<K>> = workload.orders.iter().map(|_| subject.read()).collect();
    let timed = |read: &mut Work<K>, order: &[Ask<K>]| {
        start.wait();
        let began = Instant::now();
        let right = read(order);
        (right, began.elapsed().as_nanos() as f64 / order.len() as f64)
    };
    let results: Vec<(usize, f64)> = if let ([read], [order]) = (&mut readers[..], &workload.orders[..]) {
        vec![timed(read, order)]
    } else {
        thread::scope(|scope| {
            let each = readers.iter_mut().zip(&workload.orders);
            let running: Vec<_> = each.map(|(read, order)| scope.spawn(|| timed(read, order))).collect();
            running.into_iter().map(|thread| thread.join().unwrap_or((0, f64::NAN))).collect()
        })
    };
    let right: usize = results.iter().map(|(right, _)| right).sum();
    if right != asked {
        return Err(Problem::Wrong { subject: subject.name(), right, asked });
    }
    Ok(results.iter().map(|(_, ns)| ns).sum::<f64>() / results.len() as f64)
}

/// Nanoseconds of single reads; the clock that takes them is in each.
pub(crate) fn single_reads<K: BenchKey>(
    subject: &dyn Subject<K>,
    order: &[Ask<K>],
) -> Result<Vec<f64>, Problem> {
    let mut read = subject.read();
    let mut times = Vec::with_capacity(order.len());
    let mut right = 0;
    for ask in order.chunks(1) {
        let began = Instant::now();
        let hit = read(ask);
        times.push(began.elapsed().as_nanos() as f64);
        right += hit;
    }
    if right != order.len() {
        return Err(Problem::Wrong { subject: subject.name(), right, asked: order.len() });
    }
    Ok(times)
}

/// Allocations per read, of one pass over `order` on this thread.
pub(crate) fn allocations<K: BenchKey>(read: &mut Work<K>, order: &[Ask<K>]) -> f64 {
    let info = allocation_counter::measure(|| {
        read(order);
    });
    info.count_total as f64 / order.len() as f64
}
