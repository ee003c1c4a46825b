//! Whatever stands in a configuration or in a header: `./fuzz` runs these for as long as wanted, `cargo test` for a second each.

mod caches;
mod nodes;
mod tokens;

use std::time::Duration;

const BUDGET: Duration = Duration::from_secs(1);

/// Words that names and tokens are made of, and some that they are not made of.
const WORDS: [&str; 16] = [
    "a",
    "b",
    "0",
    "7f",
    ".",
    "..",
    "=",
    ":",
    " ",
    "\0",
    "é",
    "ffffffff",
    "A",
    "+1",
    "00",
    "node-0123456789abcdef",
];

/// At most two words: two names are often the same.
fn name(picks: &[u8]) -> String {
    words(&picks[..picks.len().min(2)])
}

fn words(picks: &[u8]) -> String {
    picks.iter().map(|pick| WORDS[usize::from(*pick) % WORDS.len()]).collect()
}

/// A length of time as somebody may configure it: often one at which arithmetic breaks.
fn duration(pick: u8, nanos: u64) -> Duration {
    const EDGES: [Duration; 12] = [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_millis(1),
        Duration::from_millis(15),
        Duration::from_millis(16),
        Duration::from_millis(250),
        Duration::from_secs(1),
        Duration::from_secs(86_400 * 365),
        Duration::from_secs(86_400 * 365 * 3),
        Duration::from_nanos(u64::MAX),
        Duration::from_secs(u64::MAX),
        Duration::MAX,
    ];
    EDGES.get(usize::from(pick % 16)).copied().unwrap_or(Duration::from_nanos(nanos))
}

/// A runtime on which time stands still while there is something to do.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().expect("a runtime")
}
