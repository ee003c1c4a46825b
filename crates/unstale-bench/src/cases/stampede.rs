//! `stampede`: 10,000 callers of one absent key, whose load takes 20 ms.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::measure::{Plan, Problem};
use crate::report::Report;
use crate::subject::Solo;
use crate::workload;

const CALLERS: usize = 10_000;
const LOAD: Duration = Duration::from_millis(20);
const CASE: &str = "10000-callers";

/// The one case, with every subject that shares loads. moka's synchronous cache would need a thread for each caller.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let ours: [(&'static str, Round); 2] = [("unstale", solo), ("quick_cache", engine)];
    contest(&ours, plan, report)?;
    #[cfg(feature = "rivals")]
    contest(&rivals::ALL, plan, report)?;
    #[cfg(not(feature = "rivals"))]
    super::rivals_absent("stampede", report);
    report.absent("stampede", "fusioncache", "its node takes one request at a time");
    Ok(())
}

/// unstale alone.
pub(crate) fn unstale(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    contest(&[("unstale", solo)], plan, report)
}

fn contest(contestants: &[(&'static str, Round)], plan: Plan, report: &mut Report) -> Result<(), Problem> {
    for &(name, round) in contestants {
        let (mut loads, mut ms) = (Vec::new(), Vec::new());
        for _ in 0..plan.rounds {
            let outcome = round();
            if outcome.right != CALLERS {
                return Err(Problem::Wrong { subject: name, right: outcome.right, asked: CALLERS });
            }
            loads.push(outcome.loads as f64);
            ms.push(outcome.took.as_secs_f64() * 1_000.0);
        }
        report.add("stampede", CASE, name, "loads", &loads);
        report.add("stampede", CASE, name, "ms", &ms);
    }
    Ok(())
}

struct Outcome {
    loads: usize,
    right: usize,
    took: Duration,
}

type Round = fn() -> Outcome;

/// Lets all callers go at once and counts loads and right answers. `call` gets the count of loads.
fn stampede<F, Fut>(runtime: &tokio::runtime::Runtime, call: F) -> Outcome
where
    F: Fn(Arc<AtomicUsize>) -> Fut,
    Fut: Future<Output = bool> + Send + 'static,
{
    let loads = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let right = runtime.block_on(async {
        let callers: Vec<_> = (0..CALLERS).map(|_| tokio::spawn(call(loads.clone()))).collect();
        let mut right = 0;
        for caller in callers {
            right += usize::from(caller.await.unwrap_or(false));
        }
        right
    });
    Outcome { loads: loads.load(Ordering::Relaxed), right, took: began.elapsed() }
}

async fn slow<T>(loads: Arc<AtomicUsize>, value: T) -> Result<T, std::convert::Infallible> {
    loads.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(LOAD).await;
    Ok(value)
}

fn solo() -> Outcome {
    let solo = Solo::<u64>::new(1);
    stampede(&solo.runtime, |loads| {
        let cache = solo.cache.clone();
        async move {
            let value = cache.get_or_load(&1, move |_| slow(loads, workload::value(1))).await;
            value.is_ok_and(|value| workload::is_value(value.as_slice(), 1))
        }
    })
}

fn engine() -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let cache: Arc<quick_cache::sync::Cache<u64, Arc<[u8]>>> = Arc::new(quick_cache::sync::Cache::new(1_000));
    stampede(&runtime.expect("a runtime of one worker starts"), |loads| {
        let cache = cache.clone();
        async move {
            let value = cache.get_or_insert_async(&1, slow(loads, workload::shared_value(1))).await;
            value.is_ok_and(|value| workload::is_value(&value, 1))
        }
    })
}

#[cfg(feature = "rivals")]
mod rivals {
    use std::sync::Arc;
    use std::time::Duration;

    use super::{Outcome, Round, slow, stampede};
    use crate::workload;

    pub(super) const ALL: [(&str, Round); 4] =
        [("moka-future", moka), ("foyer", foyer), ("amalgam-cache", amalgam), ("hydracache", hydracache)];

    fn runtime() -> tokio::runtime::Runtime {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        runtime.expect("a runtime of one worker starts")
    }

    fn moka() -> Outcome {
        let cache: moka::future::Cache<u64, Arc<[u8]>> = moka::future::Cache::new(1_000);
        stampede(&runtime(), |loads| {
            let cache = cache.clone();
            async move {
                let value = cache.try_get_with(1, slow(loads, workload::shared_value(1))).await;
                value.is_ok_and(|value| workload::is_value(&value, 1))
            }
        })
    }

    fn foyer() -> Outcome {
        let cache: foyer_memory::Cache<u64, Arc<[u8]>> = foyer_memory::CacheBuilder::new(1_000).build();
        stampede(&runtime(), |loads| {
            let cache = cache.clone();
            async move {
                let entry = cache.get_or_fetch(&1, || slow(loads, workload::shared_value(1))).await;
                entry.is_ok_and(|entry| workload::is_value(entry.value(), 1))
            }
        })
    }

    fn amalgam() -> Outcome {
        let runtime = runtime();
        let options = amalgam::EntryOptions::new(Duration::from_secs(3_600));
        let cache: amalgam::Cache<Arc<[u8]>> = {
            let _inside = runtime.enter();
            amalgam::Cache::builder().default_options(options).try_build().expect("its defaults build")
        };
        stampede(&runtime, |loads| {
            let cache = cache.clone();
            async move {
                let value = cache.get_or_set("1", move |_| slow(loads, workload::shared_value(1))).await;
                value.is_ok_and(|value| workload::is_value(&value, 1))
            }
        })
    }

    fn hydracache() -> Outcome {
        let runtime = runtime();
        let cache = {
            let _inside = runtime.enter();
            hydracache::HydraCache::local().build()
        };
        stampede(&runtime, |loads| {
            let cache = cache.clone();
            async move {
                let options = hydracache::CacheOptions::new();
                let value = cache.get_or_load("1", options, move || slow(loads, 1_u64)).await;
                value.is_ok_and(|value: u64| value == 1)
            }
        })
    }
}
