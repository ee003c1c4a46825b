//! The settings of a cache, and reads with any demand.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use bolero::TypeGenerator;
use unstale::{Cache, CacheBuilder, EntryOptions, ErrorKind, FailSafe, Freshness, Node, TokioClock};

use crate::{BUDGET, duration, name, runtime};

type Span = (u8, u64);

#[derive(Clone, Debug, TypeGenerator)]
struct Settings {
    name: Vec<u8>,
    choices: Vec<Choice>,
    calls: Vec<Call>,
}

#[derive(Clone, Debug, TypeGenerator)]
enum Choice {
    TimeToLive(Span),
    NegativeTimeToLive(Span),
    Jitter(Span),
    FailSafe(Span, Span),
    SoftTimeout(Span),
    HardTimeout(Span),
    EagerRefresh(u64),
    Entries(u16),
    Bytes(u16),
}

#[derive(Clone, Debug, TypeGenerator)]
enum Call {
    Load { fails: bool, takes: u8, within: Option<Span> },
    Set { live: Option<Span>, jitter: Option<Span>, share: Option<u64> },
    Get { within: Span },
    Expire,
    Remove,
    Pass(Span),
}

fn span(span: Span) -> Duration {
    duration(span.0, span.1)
}

/// Shares around what makes sense, and any float.
fn share(bits: u64) -> f64 {
    match bits % 4 {
        0 => 0.5,
        1 => bits as f64 / u64::MAX as f64,
        _ => f64::from_bits(bits),
    }
}

impl Choice {
    fn make(&self, builder: CacheBuilder<u64, u64>) -> CacheBuilder<u64, u64> {
        match *self {
            Self::TimeToLive(live) => builder.time_to_live(span(live)),
            Self::NegativeTimeToLive(live) => builder.negative_time_to_live(span(live)),
            Self::Jitter(most) => builder.jitter(span(most)),
            Self::FailSafe(most, pause) => {
                builder.fail_safe(FailSafe::for_at_most(span(most)).throttle(span(pause)))
            }
            Self::SoftTimeout(after) => builder.soft_timeout(span(after)),
            Self::HardTimeout(after) => builder.hard_timeout(span(after)),
            Self::EagerRefresh(bits) => builder.eager_refresh(share(bits)),
            Self::Entries(entries) => builder.capacity_entries(u64::from(entries)),
            Self::Bytes(bytes) => builder.capacity_bytes(u64::from(bytes)),
        }
    }
}

impl Call {
    async fn make(&self, cache: &Cache<u64, u64>) {
        match *self {
            Self::Load { fails, takes, within } => {
                let takes = Duration::from_millis(u64::from(takes));
                let loader = async move |_| {
                    tokio::time::sleep(takes).await;
                    if fails { Err("the database is down") } else { Ok(7) }
                };
                let load = cache.get_or_load(&1, loader);
                let value = match within {
                    Some(within) => {
                        load.freshness(Freshness::within(span(within))).await.map(|read| *read.into_value())
                    }
                    None => load.await.map(|value| *value),
                };
                assert!(value.as_ref().map_or(true, |value| *value == 7), "{value:?}");
            }
            Self::Set { live, jitter, share: eager } => {
                let mut options = EntryOptions::new();
                if let Some(live) = live {
                    options = options.time_to_live(span(live));
                }
                if let Some(most) = jitter {
                    options = options.jitter(span(most));
                }
                if let Some(bits) = eager {
                    options = options.eager_refresh(share(bits));
                }
                if let Err(error) = cache.set_with(1, 7, &options).await {
                    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
                }
            }
            Self::Get { within } => {
                let read = cache.get_within_now(&1, span(within));
                assert!(read.is_none_or(|read| *read.into_value() == 7));
            }
            Self::Expire => drop(cache.expire(&1).await.expect("nobody refuses it")),
            Self::Remove => {
                let receipt = cache.remove(&1).await.expect("nobody refuses it");
                assert!(receipt.announced(), "nobody else is there");
                assert!(cache.get(&1).is_none(), "what was removed is gone");
            }
            // The paused clock goes from tick to tick, and a node has many.
            Self::Pass(time) => tokio::time::sleep(span(time).min(Duration::from_secs(2))).await,
        }
    }
}

#[test]
fn fuzz_a_cache_is_built_and_used_with_any_settings_or_says_what_is_wrong() {
    let runtime = runtime();
    let node = runtime.block_on(Node::builder("shop").clock(TokioClock::new()).start()).expect("it starts");
    let stage = AssertUnwindSafe((runtime, node));
    bolero::check!().with_test_time(BUDGET).with_type::<Settings>().for_each(|settings| {
        let (runtime, node) = &*stage;
        runtime.block_on(async {
            let builder = node.cache::<u64, u64>(name(&settings.name));
            match settings
                .choices
                .iter()
                .take(3)
                .fold(builder, |builder, choice| choice.make(builder))
                .build()
            {
                Ok(cache) => {
                    for call in settings.calls.iter().take(16) {
                        call.make(&cache).await;
                    }
                    // A load that goes on without its caller holds the cache, and with it the name, which may come again.
                    if settings.calls.iter().any(|call| matches!(call, Call::Load { .. })) {
                        tokio::time::sleep(Duration::from_millis(u64::from(u8::MAX))).await;
                    }
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Config, "{error}"),
            }
        });
    });
}
