//! One name, lived under again and again.

use unstale_sim::protocol::live;

/// Half a minute with optimisation, which is what it takes without it for a hundredth.
const LIVES: u64 = if cfg!(debug_assertions) { 10_000 } else { 1_000_000 };

#[test]
fn a_name_is_lived_under_a_million_times_and_nothing_grows() {
    // S5
    let verdict = live(LIVES);
    assert!(verdict.is_ok(), "{verdict:?}");
}
