//! `acts`: what one write costs its caller: the fence, the entry, the number for other nodes and the receipt; the engine's own
//! removes, inserts and loads beside them. `unstale` is a node without a backplane, whose acts get their numbers only;
//! `unstale-told` keeps them for others.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use crate::measure::{Plan, Problem};
use crate::reader;
use crate::report::Report;
use crate::subject::Solo;
use crate::workload::{self, BenchKey as _, ENTRIES, Random};

const BENCH: &str = "acts";

type Engine = quick_cache::sync::Cache<String, Arc<[u8]>, quick_cache::UnitWeighter, reader::Hasher>;

/// Every case, unstale and the engine in turns. What is removed or set lies there in another order than it came in.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let entries = plan.operations(ENTRIES);
    let ring = Ring::new(entries);
    let mut figures: Vec<(&str, &'static str, Vec<f64>)> = Vec::new();
    for round in 0..=plan.rounds {
        let engine = reader::bare(entries);
        let nodes = [
            ("unstale", Solo::<String>::new(entries)),
            ("unstale-told", Solo::<String>::on_a_backplane(entries)),
        ];
        for (case, subject, ns) in one_round(&ring, &nodes, &engine)? {
            let known = figures.iter().position(|(of, by, _)| (*of, *by) == (case, subject));
            let known = known.unwrap_or_else(|| {
                figures.push((case, subject, Vec::new()));
                figures.len() - 1
            });
            if round > 0 {
                figures[known].2.push(ns);
            }
        }
    }
    for (case, subject, values) in figures {
        report.add(BENCH, case, subject, "ns_per_op", &values);
    }
    Ok(())
}

/// The keys in the order in which they come in, in the one in which acts find them, and as many that never come in.
struct Ring {
    present: Vec<String>,
    shuffled: Vec<(u32, String)>,
    absent: Vec<String>,
    tags: Vec<String>,
}

impl Ring {
    fn new(entries: usize) -> Self {
        let present: Vec<String> = (0..entries).map(String::of).collect();
        let shuffled = workload::shuffled(entries, &mut Random::new(7));
        let shuffled = shuffled.into_iter().map(|index| (index, present[index as usize].clone())).collect();
        let absent = (entries..2 * entries).map(String::of).collect();
        let tags = (0..entries).map(|tag| format!("tag:{tag}")).collect();
        Self { present, shuffled, absent, tags }
    }
}

type Figures = Vec<(&'static str, &'static str, f64)>;

fn one_round(
    ring: &Ring,
    nodes: &[(&'static str, Solo<String>)],
    engine: &Engine,
) -> Result<Figures, Problem> {
    let theirs = "quick_cache";
    let mut figures = Figures::new();
    let mut take = |case, subject, asked: usize, run: &mut dyn FnMut() -> usize| {
        let began = Instant::now();
        let right = run();
        let ns = began.elapsed().as_nanos() as f64 / asked as f64;
        figures.push((case, subject, ns));
        if right == asked { Ok(()) } else { Err(Problem::Wrong { subject, right, asked }) }
    };
    let all = ring.present.len();
    take("cold", theirs, all, &mut || {
        let load = |index| Ok::<_, Infallible>(workload::shared_value(index));
        let loads = |(index, key)| engine.get_or_insert_with(key, || load(index)).map_or(0, |_| 1);
        ring.present.iter().enumerate().map(loads).sum()
    })?;
    for (ours, solo) in nodes {
        take("cold", ours, all, &mut || loaded(solo, &ring.present))?;
    }
    take("set", theirs, all, &mut || {
        for (index, key) in &ring.shuffled {
            engine.insert(key.clone(), workload::shared_value(*index as usize));
        }
        engine.len()
    })?;
    for (ours, solo) in nodes {
        take("set", ours, all, &mut || set(solo, &ring.shuffled))?;
    }
    take("remove-absent", theirs, all, &mut || {
        ring.absent.iter().filter(|key| engine.remove(key.as_str()).is_none()).count()
    })?;
    for (ours, solo) in nodes {
        take("remove-absent", ours, all, &mut || removed(solo, ring.absent.iter(), false))?;
    }
    for (ours, solo) in nodes {
        take("tag", ours, all, &mut || tagged(solo, &ring.tags))?;
    }
    take("remove-present", theirs, all, &mut || {
        ring.shuffled.iter().filter(|(_, key)| engine.remove(key.as_str()).is_some()).count()
    })?;
    for (ours, solo) in nodes {
        let keys = || ring.shuffled.iter().map(|(_, key)| key);
        take("remove-present", ours, all, &mut || removed(solo, keys(), true))?;
        if let Some(key) = ring.present.iter().find(|key| solo.cache.get(key.as_str()).is_some()) {
            return Err(Problem::Broken(format!("{key} was removed and is still served")));
        }
    }
    Ok(figures)
}

fn loaded(solo: &Solo<String>, keys: &[String]) -> usize {
    solo.runtime.block_on(async {
        let mut right = 0;
        for (index, key) in keys.iter().enumerate() {
            let load = move |_| async move { Ok::<_, Infallible>(workload::value(index)) };
            let value = solo.cache.get_or_load(key, load).await;
            right += usize::from(value.is_ok_and(|value| workload::is_value(&*value, index as u32)));
        }
        right
    })
}

fn set(solo: &Solo<String>, keys: &[(u32, String)]) -> usize {
    solo.runtime.block_on(async {
        let mut right = 0;
        for (index, key) in keys {
            let set = solo.cache.set(key.clone(), workload::value(*index as usize)).await;
            right += usize::from(set.is_ok_and(|receipt| receipt.present()));
        }
        right
    })
}

fn tagged(solo: &Solo<String>, tags: &[String]) -> usize {
    solo.runtime.block_on(async {
        let mut right = 0;
        for tag in tags {
            right += usize::from(solo.cache.remove_tag(tag.clone()).await.is_ok());
        }
        right
    })
}

/// How many removes found what they ought to.
fn removed<'a>(solo: &Solo<String>, keys: impl Iterator<Item = &'a String>, present: bool) -> usize {
    solo.runtime.block_on(async {
        let mut right = 0;
        for key in keys {
            let receipt = solo.cache.remove(key.as_str()).await;
            right += usize::from(receipt.is_ok_and(|receipt| receipt.present() == present));
        }
        right
    })
}
