//! The goals themselves.

use super::{Figure, Goal, Of, Side};
use crate::cases;

const fn of(case: &'static str, subject: &'static str, metric: &'static str) -> Of {
    Of { case, subject, metric }
}

const fn at_most(
    name: &'static str,
    bench: cases::Bench,
    figure: Figure,
    limit: f64,
    reason: &'static str,
) -> Goal {
    Goal { name, bench, figure, side: Side::AtMost, limit, reason }
}

const fn at_least(
    name: &'static str,
    bench: cases::Bench,
    figure: Figure,
    limit: f64,
    reason: &'static str,
) -> Goal {
    Goal { name, bench, figure, side: Side::AtLeast, limit, reason }
}

/// Two subjects in one case.
const fn beside(case: &'static str, metric: &'static str, over: &'static str, under: &'static str) -> Figure {
    Figure::Ratio { over: of(case, over, metric), under: of(case, under, metric) }
}

/// unstale with a million entries over itself with a thousand.
const fn growth(metric: &'static str) -> Figure {
    Figure::Ratio { over: of("1m", "unstale", metric), under: of("1k", "unstale", metric) }
}

const NS: &str = "ns_per_op";

/// Every goal, each with the reason for its limit.
pub(super) const GOALS: &[Goal] = &[
    at_most(
        "hit-over-engine",
        cases::hit_string_1t,
        beside("string-1t", NS, "unstale", "quick_cache"),
        1.25,
        "expiry, floor and fences on the engine's own cache lines",
    ),
    at_most(
        "load-hit-over-engine",
        cases::hit_string_1t,
        beside("string-1t", NS, "unstale-load", "quick_cache"),
        1.6,
        "one future built and polled once, nothing boxed",
    ),
    at_least(
        "hit-vs-amalgam",
        cases::hit_string_1t,
        beside("string-1t", NS, "amalgam-cache", "unstale"),
        2.5,
        "the rival with the same features",
    ),
    at_least(
        "hit-vs-moka",
        cases::hit_string_1t,
        beside("string-1t", NS, "moka-sync", "unstale"),
        3.0,
        "the engine that most services use today",
    ),
    at_most(
        "hit-allocs",
        cases::hit_string_1t,
        Figure::Plain(of("string-1t", "unstale", "allocs_per_op")),
        0.0,
        "a hit shares its value",
    ),
    at_most(
        "hot-2t-over-engine",
        cases::hit_hot_2t,
        beside("hot-2t", NS, "unstale", "quick_cache"),
        1.25,
        "two threads on one key meet in its reference count and its shard's lock, as in the engine, and in no line of ours",
    ),
    at_most(
        "tagged-hit-over-engine",
        cases::hit_tags2_1t,
        beside("tags2-1t", NS, "unstale", "quick_cache"),
        1.25,
        "one count of acts, in the entry and in the node, answers for both fences while no act comes",
    ),
    at_most(
        "dependent-hit-over-engine",
        cases::hit_deps3_1t,
        beside("deps3-1t", NS, "unstale", "quick_cache"),
        1.3,
        "the same for three fences",
    ),
    at_least(
        "hit-vs-fusioncache",
        cases::hit_fusioncache,
        beside("string-1t", NS, "fusioncache", "unstale"),
        2.5,
        "the cache that has the same features elsewhere; its node measures the best of its own rounds",
    ),
    at_least(
        "load-hit-vs-fusioncache",
        cases::hit_fusioncache,
        beside("string-1t", NS, "fusioncache-load", "unstale-load"),
        2.5,
        "the same for the call that services make",
    ),
    at_most(
        "within-cost",
        cases::within,
        Figure::Plain(of("passed", "unstale", "within_cost_ns")),
        5.0,
        "one word read and one compare, if the request's instant is passed",
    ),
    at_most(
        "remove-present-over-engine",
        cases::acts,
        beside("remove-present", NS, "unstale", "quick_cache"),
        2.5,
        "a fence, a number and a receipt beside the engine's own cache misses",
    ),
    at_most(
        "remove-absent-over-engine",
        cases::acts,
        beside("remove-absent", NS, "unstale", "quick_cache"),
        2.5,
        "the same where the engine finds nothing to do",
    ),
    at_most(
        "cold-over-engine",
        cases::acts,
        beside("cold", NS, "unstale", "quick_cache"),
        3.0,
        "two locks of the map, a flight that others can join, and a check of fences",
    ),
    at_most(
        "stampede-loads",
        cases::stampede_unstale,
        Figure::Plain(of("10000-callers", "unstale", "loads")),
        1.0,
        "callers of one key share one load",
    ),
    at_least(
        "apply-absent",
        cases::apply_absent,
        beside("absent", "keys_per_s", "unstale", "quick_cache"),
        0.5,
        "fences cost no more than looking the key up",
    ),
    at_least(
        "apply-present",
        cases::apply_present,
        beside("present", "keys_per_s", "unstale", "quick_cache"),
        0.5,
        "fences cost no more than dropping the entry",
    ),
    at_most(
        "hit-p99-while-applying",
        cases::apply_while_reading,
        Figure::Plain(of("while-reading", "unstale", "hit_p99_ratio")),
        1.5,
        "an act holds the lock of one shard at a time, and no lock that a hit takes for longer than one removal",
    ),
    at_most("tag-cost-1m-over-1k", cases::tag, growth("us_per_act"), 1.5, "an act on a tag visits no entry"),
    at_most(
        "cascade-cost-1m-over-1k",
        cases::cascade,
        growth("us_per_act"),
        1.5,
        "an act on a key visits nothing that depends on it",
    ),
    at_least(
        "cascade-vs-scan-1m",
        cases::cascade,
        beside("1m", "us_per_act", "scan", "unstale"),
        1_000.0,
        "a scan visits every entry",
    ),
    at_most(
        "memory-over-engine",
        cases::memory_unstale,
        Figure::Plain(of("slope", "unstale", "bytes_per_entry_over_engine")),
        40.0,
        "the metadata of an entry lies in front of its value",
    ),
    at_most(
        "propagate-mesh-p50",
        cases::propagate_mesh,
        beside("mesh", "p50_us", "unstale", "raw"),
        2.0,
        "one more task is woken than by bare bytes",
    ),
    at_most(
        "redis-propagate-p50-over-raw",
        cases::propagate_redis,
        beside("redis", "p50_us", "unstale", "raw"),
        1.3,
        "two tasks more than a publish and its receipt",
    ),
    at_most(
        "redis-propagate-p99-over-raw",
        cases::propagate_redis,
        beside("redis", "p99_us", "unstale", "raw"),
        1.5,
        "the same where others use the processor",
    ),
    at_least(
        "redis-propagate-vs-amalgam",
        cases::propagate_redis,
        beside("redis", "p50_us", "amalgam-cache", "unstale"),
        1.0,
        "the rival with the same features",
    ),
    at_least(
        "redis-propagate-vs-hydracache",
        cases::propagate_redis,
        beside("redis", "p50_us", "hydracache", "unstale"),
        1.0,
        "the other cache of the registry that speaks over Redis",
    ),
    at_least(
        "redis-propagate-vs-fusioncache",
        cases::propagate_redis,
        beside("redis", "p50_us", "fusioncache", "unstale"),
        1.0,
        "the cache that has the same features elsewhere, by its own clock and without pauses",
    ),
    at_least(
        "redis-invalidate-rate",
        cases::redis_invalidate,
        Figure::Plain(of("batched", "unstale", "keys_per_s")),
        500_000.0,
        "keys a second through one Redis, with what a node does by itself",
    ),
    at_least(
        "redis-invalidate-over-single",
        cases::redis_invalidate,
        Figure::Ratio {
            over: of("batched", "unstale", "keys_per_s"),
            under: of("single", "unstale", "keys_per_s"),
        },
        5.0,
        "a message costs Redis and both ends more than the keys in it",
    ),
    at_least(
        "redis-invalidate-vs-fusioncache",
        cases::redis_invalidate,
        Figure::Ratio {
            over: of("batched", "unstale", "keys_per_s"),
            under: of("single", "fusioncache", "keys_per_s"),
        },
        10.0,
        "the cache that has the same features elsewhere sends a message for each key",
    ),
    at_most(
        "redis-l2-hit-over-get",
        cases::redis_l2,
        beside("l2-hit", "p50_us", "unstale", "raw"),
        1.2,
        "one round trip, as a GET of the same bytes",
    ),
    at_most(
        "redis-l2-hit-round-trips",
        cases::redis_l2,
        Figure::Plain(of("l2-hit", "unstale", "round_trips")),
        1.05,
        "one round trip; what the connection sends to be kept alive is counted, too",
    ),
    at_most(
        "redis-leased-miss-round-trips",
        cases::redis_l2,
        Figure::Plain(of("leased-miss", "unstale", "round_trips")),
        2.05,
        "one to miss and take the lease, one to fill",
    ),
];
