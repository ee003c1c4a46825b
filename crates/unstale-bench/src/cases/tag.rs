//! `tag` and `cascade`: what ends a thousandth of the cache by one act, and what looking at every entry for it costs.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Instant;

use unstale::{Cache, Load};

use crate::measure::{Plan, Problem};
use crate::reader::{self, Hasher};
use crate::report::Report;
use crate::subject::{Solo, Value};
use crate::workload::{self, BenchKey as _, VALUE_BYTES};

/// Each entry belongs to one group of so many: it carries the group's tag, or was made of the group's part.
const GROUPS: usize = 1_000;
/// Acts of a round that a scan of the whole cache stands for.
const SCANS: usize = 1;

/// How many entries of a group are looked at after the acts, if there are so many.
const LOOKS: usize = 10;

const SIZES: [(&str, usize); 3] = [("1k", 1_000), ("100k", 100_000), ("1m", 1_000_000)];

/// What binds an entry to its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bond {
    Tag,
    Dependency,
}

/// An act on a tag.
pub(crate) fn tag(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    run(Bond::Tag, plan, report)
}

/// An act on a key on which others depend.
pub(crate) fn cascade(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    run(Bond::Dependency, plan, report)
}

/// Every size has the same groups, so the same acts; only how many entries each of them ends differs.
fn run(bond: Bond, plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let bench = match bond {
        Bond::Tag => "tag",
        Bond::Dependency => "cascade",
    };
    for (case, entries) in SIZES {
        let keys: Vec<String> = (0..entries).map(String::of).collect();
        let acts = rounds(plan, usize::MAX, &keys, &Ours::holding(&keys, bond))?;
        let scans = rounds(plan, SCANS, &keys, &Scan::holding(&keys))?;
        report.add(bench, case, Ours::NAME, "us_per_act", &acts);
        report.add(bench, case, Scan::NAME, "us_per_act", &scans);
    }
    Ok(())
}

/// Microseconds for each act of each round. No group gets two acts; the last ones get none. One entry of each group is looked
/// at before the first round, in every size alike, so that as much lies in the processor's caches; more of them after the last.
fn rounds<G: Grouped>(plan: Plan, acts: usize, keys: &[String], subject: &G) -> Result<Vec<f64>, Problem> {
    let share = (GROUPS / (plan.rounds as usize + 2)).max(1);
    let members = |group: usize, most| keys.iter().enumerate().skip(group).step_by(GROUPS).take(most);
    let here =
        |group: usize, most| members(group, most).filter(|(index, key)| subject.reads(key, *index)).count();
    let all = |groups: &[usize]| groups.iter().map(|group| members(*group, LOOKS).count()).sum::<usize>();
    let found = |groups: &[usize]| groups.iter().map(|group| here(*group, LOOKS)).sum::<usize>();
    let groups: Vec<usize> = (0..GROUPS).collect();
    let right = groups.iter().map(|group| here(*group, 1)).sum();
    if right != groups.len() {
        return Err(Problem::Wrong { subject: G::NAME, right, asked: groups.len() });
    }
    let (mut figures, mut ended) = (Vec::new(), Vec::new());
    for (round, groups) in (0..=plan.rounds).zip(groups.chunks(share)) {
        let groups = &groups[..acts.min(groups.len())];
        let began = Instant::now();
        subject.end(groups);
        let us = began.elapsed().as_nanos() as f64 / 1_000.0 / groups.len() as f64;
        ended.extend(groups);
        if round > 0 {
            figures.push(us);
        }
    }
    let kept: Vec<usize> = groups.into_iter().filter(|group| !ended.contains(group)).collect();
    // A tag that shares both its fences with others that were acted on has lost its entries, too: a miss, never a stale read.
    if found(&ended) > 0 || found(&kept) * 100 < all(&kept) * 95 {
        return Err(Problem::Wrong { subject: G::NAME, right: found(&kept), asked: all(&kept) });
    }
    Ok(figures)
}

trait Grouped {
    const NAME: &'static str;

    /// Ends each of these groups by an act of its own.
    fn end(&self, groups: &[usize]);

    fn reads(&self, key: &str, index: usize) -> bool;
}

/// A node alone.
struct Ours {
    solo: Solo<String>,
    parts: Cache<u64, u8>,
    bond: Bond,
    tags: Vec<bytes::Bytes>,
}

impl Ours {
    fn holding(keys: &[String], bond: Bond) -> Self {
        let solo = Solo::<String>::new(keys.len());
        let parts: Cache<u64, u8> = solo.node.cache("parts").build().expect("a first cache of its name");
        solo.runtime.block_on(async {
            for (index, key) in keys.iter().enumerate() {
                let parts = parts.clone();
                let load = move |load: Load<Value>| async move {
                    let group = index % GROUPS;
                    match bond {
                        Bond::Tag => load.tag(tag_of(group)),
                        Bond::Dependency => load.depends_on(&parts, &(group as u64)),
                    }
                    Ok::<_, Infallible>(workload::value(index))
                };
                assert!(solo.cache.get_or_load(key, load).await.is_ok(), "a load that cannot fail");
            }
        });
        Self { solo, parts, bond, tags: (0..GROUPS).map(|group| tag_of(group).into()).collect() }
    }
}

fn tag_of(group: usize) -> String {
    format!("group:{group}")
}

impl Grouped for Ours {
    const NAME: &'static str = "unstale";

    fn end(&self, groups: &[usize]) {
        self.solo.runtime.block_on(async {
            for &group in groups {
                let receipt = match self.bond {
                    Bond::Tag => self.solo.cache.remove_tag(self.tags[group].clone()).await,
                    Bond::Dependency => self.parts.remove(&(group as u64)).await,
                };
                assert!(receipt.is_ok(), "a node alone has no store to fail");
            }
        });
    }

    fn reads(&self, key: &str, index: usize) -> bool {
        self.solo.cache.get(key).is_some_and(|value| workload::is_value(value.as_slice(), index as u32))
    }
}

/// The engine with the group in each value, asked about every entry.
struct Scan {
    cache: quick_cache::sync::Cache<String, Arc<Member>, quick_cache::UnitWeighter, Hasher>,
}

struct Member {
    group: usize,
    value: [u8; VALUE_BYTES],
}

impl Scan {
    fn holding(keys: &[String]) -> Self {
        let cache = reader::bare(keys.len());
        for (index, key) in keys.iter().enumerate() {
            cache.insert(
                key.clone(),
                Arc::new(Member { group: index % GROUPS, value: workload::value(index) }),
            );
        }
        Self { cache }
    }
}

impl Grouped for Scan {
    const NAME: &'static str = "scan";

    fn end(&self, groups: &[usize]) {
        for &group in groups {
            self.cache.retain(|_, member| member.group != group);
        }
    }

    fn reads(&self, key: &str, index: usize) -> bool {
        self.cache.get(key).is_some_and(|member| workload::is_value(&member.value, index as u32))
    }
}
