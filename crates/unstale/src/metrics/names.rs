//! The names of all metrics and labels, with what they count. Everything else refers to them from here.

use super::{Kind, Metric};

const fn counter(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, kind: Kind::Counter }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, kind: Kind::Gauge }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    Metric { name, help, kind: Kind::Histogram }
}

/// Label: the name of a cache.
pub const CACHE: &str = "cache";
/// Label: why.
pub const REASON: &str = "reason";
/// Label: what was done, or what came of it.
pub const OUTCOME: &str = "outcome";
/// Label: by what way.
pub const VIA: &str = "via";
/// Label: which state a node is in.
pub const STATE: &str = "state";

/// Reads answered by a fresh entry.
pub const CACHE_HITS: Metric = counter("unstale_cache_hits_total", "Reads answered by a fresh entry.");
/// Reads that found no usable entry.
pub const CACHE_MISSES: Metric = counter("unstale_cache_misses_total", "Reads that found no usable entry.");
/// Reads answered by a cached nothing.
pub const CACHE_NEGATIVE_HITS: Metric =
    counter("unstale_cache_negative_hits_total", "Reads answered by a cached nothing.");
/// Reads that joined the load of another caller.
pub const CACHE_JOINED: Metric =
    counter("unstale_cache_joined_total", "Reads that joined the load of another caller.");
/// Answers that were stale and said so, by reason.
pub const CACHE_STALE: Metric =
    counter("unstale_cache_stale_total", "Answers that were stale and said so, by reason.");
/// Reads that bypassed what was cached, by reason.
pub const CACHE_BYPASSES: Metric =
    counter("unstale_cache_bypasses_total", "Reads that bypassed what was cached, by reason.");
/// Calls of loaders, by what started them.
pub const CACHE_LOADS: Metric =
    counter("unstale_cache_loads_total", "Calls of loaders, by what started them.");
/// Loads that waited for their turn while the node recovered.
pub const CACHE_LOADS_PACED: Metric =
    counter("unstale_cache_loads_paced_total", "Loads that waited for their turn while the node recovered.");
/// Loads that gave no value, by reason.
pub const CACHE_LOAD_FAILURES: Metric =
    counter("unstale_cache_load_failures_total", "Loads that gave no value, by reason.");
/// How long loaders took.
pub const CACHE_LOAD_SECONDS: Metric = histogram("unstale_cache_load_seconds", "How long loaders took.");
/// Loaded values that were not stored, by reason.
pub const CACHE_FILLS_REFUSED: Metric =
    counter("unstale_cache_fills_refused_total", "Loaded values that were not stored, by reason.");
/// Acts of this node on a cache, by kind.
pub const CACHE_WRITES: Metric =
    counter("unstale_cache_writes_total", "Acts of this node on a cache, by kind.");
/// Calls of the store (L2), by what came of them.
pub const CACHE_STORE_CALLS: Metric =
    counter("unstale_cache_store_calls_total", "Calls of the store (L2), by what came of them.");
/// Acts of foreign writers that were applied.
pub const CACHE_FOREIGN_ACTS: Metric =
    counter("unstale_cache_foreign_acts_total", "Acts of foreign writers that were applied.");
/// Times that foreign writers were not heard any more.
pub const CACHE_FOREIGN_LOSSES: Metric =
    counter("unstale_cache_foreign_losses_total", "Times that foreign writers were not heard any more.");
/// Loads that waited for another process to load the key.
pub const CACHE_TURNS_AWAITED: Metric = counter(
    "unstale_cache_turns_awaited_total",
    "Loads that waited since another process was loading the key already.",
);
/// Entries that a cache holds.
pub const CACHE_ENTRIES: Metric = gauge("unstale_cache_entries", "Entries that a cache holds.");
/// Weight of the entries that a cache holds.
pub const CACHE_WEIGHT: Metric = gauge("unstale_cache_weight", "Weight of the entries that a cache holds.");

/// 1 while the store is not asked since it failed too often. This and the next three have a [`CACHE`] for the store of a single
/// cache, none for the node's.
pub const STORE_BREAKER_OPEN: Metric =
    gauge("unstale_store_breaker_open", "1 while the store is not asked since it failed too often.");
/// How often that began.
pub const STORE_BREAKER_OPENED: Metric =
    counter("unstale_store_breaker_opened_total", "How often the store's circuit breaker opened.");
/// Removals of this node that the store did not take yet.
pub const STORE_OWED: Metric =
    gauge("unstale_store_owed", "Removals of this node that the store did not take yet.");
/// Removals that the store took later.
pub const STORE_RECOVERED: Metric =
    counter("unstale_store_recovered_total", "Removals that the store took after it had failed to.");

/// Bounded reads, by how they were answered.
pub const BOUNDED_READS: Metric =
    counter("unstale_bounded_reads_total", "Reads that demanded a freshness, by how they were answered.");
/// Reads with a session token, by how they were answered.
pub const SESSION_READS: Metric =
    counter("unstale_session_reads_total", "Reads with a session token, by how they were answered.");
/// Writes of this node, by whether they were announced.
pub const WRITES: Metric =
    counter("unstale_writes_total", "Writes of this node, by whether they were announced.");
/// Acts of other nodes that were applied, by the way they came.
pub const ACTS_APPLIED: Metric =
    counter("unstale_acts_applied_total", "Acts of other nodes that were applied, by the way they came.");
/// Messages that were sent.
pub const MESSAGES_SENT: Metric = counter("unstale_messages_sent_total", "Messages handed to the backplane.");
/// Messages that came in and could be read.
pub const MESSAGES_RECEIVED: Metric =
    counter("unstale_messages_received_total", "Messages that came in and could be read.");
/// Bytes that were sent.
pub const BYTES_SENT: Metric =
    counter("unstale_bytes_sent_total", "Bytes of messages handed to the backplane.");
/// Bytes that came in.
pub const BYTES_RECEIVED: Metric = counter("unstale_bytes_received_total", "Bytes of frames that came in.");
/// Frames that are no message of this protocol.
pub const FRAMES_BAD: Metric =
    counter("unstale_frames_bad_total", "Frames that are no message of this protocol.");
/// Links closed since too many of their frames were bad.
pub const LINKS_ABUSED: Metric =
    counter("unstale_links_abused_total", "Links closed since too many of their frames were bad.");
/// Links that are up.
pub const LINKS: Metric = gauge("unstale_links", "Links that are up.");
/// What the backplane reported, by its own word.
pub const BACKPLANE_NOTES: Metric =
    counter("unstale_backplane_notes_total", "What the backplane reported, by its own word.");
/// Stamps of peers that were too far ahead to be merged.
pub const STAMPS_AHEAD: Metric =
    counter("unstale_stamps_ahead_total", "Stamps of peers more than 1 s ahead of this node's wall clock.");
/// Acts on keys that this node cannot decode.
pub const KEYS_UNDECODABLE: Metric = counter(
    "unstale_keys_undecodable_total",
    "Acts of other nodes on keys that are none here: another node has another key type under the cache's name.",
);
/// Holes seen in streams.
pub const GAPS_SEEN: Metric = counter("unstale_gaps_seen_total", "Holes seen in the streams of other nodes.");
/// Holes closed, by how.
pub const GAPS_CLOSED: Metric = counter("unstale_gaps_closed_total", "Holes closed, by how.");
/// From the sight of a hole to its repair.
pub const REPAIR_SECONDS: Metric =
    histogram("unstale_repair_seconds", "From the sight of a hole to its repair.");
/// From a loss (or the link coming up) to its sight.
pub const GAP_SEEN_SECONDS: Metric = histogram(
    "unstale_gap_seen_seconds",
    "From the last moment without the hole (or from the link coming up) to its sight.",
);
/// Distrusts, by cause.
pub const DISTRUSTS: Metric = counter("unstale_distrusts_total", "Distrusts of cached values, by cause.");
/// Distrusts that were lifted again.
pub const LIFTS: Metric =
    counter("unstale_lifts_total", "Distrusts that were lifted since their doubt was resolved.");
/// Members that were ended, by cause.
pub const MEMBERS_ENDED: Metric =
    counter("unstale_members_ended_total", "Members that were ended, by cause.");
/// Members, this node among them.
pub const MEMBERS: Metric = gauge("unstale_members", "Members that this node tracks, itself included.");
/// 1 for the state that the node is in.
pub const NODE_STATE: Metric =
    gauge("unstale_node_state", "1 for the state that the node is in, 0 for the others.");
/// Age of the proof; absent without a proof.
pub const PROOF_AGE_SECONDS: Metric =
    gauge("unstale_proof_age_seconds", "Age of the proof; absent without one.");
/// Other things the protocol machine reported, by its own word.
pub const PROTOCOL_EVENTS: Metric =
    counter("unstale_protocol_events_total", "What else the protocol machine reported, by its own word.");
