//! The protocol alone: machines and links without caches, and the histories that random seeds seldom reach, written out.
//!
//! The machine and the act log are the shipping ones. A [`world::World`] gives them virtual time, wires and faults, and
//! checks S1, S2, S3 and P5 with every output against [`truth::Truth`], the acts that were really announced.

#![expect(clippy::unwrap_used, reason = "a world that is not as it was built is a bug of the simulator")]

use self::scenarios::{
    counting, ending, hub as around_a_broker, joining, lives, proving, reading, stopping, storing, voting,
};
use crate::violation::Violation;

mod agenda;
pub mod broker;
pub mod hub;
pub mod ledger;
pub mod node;
pub mod puppet;
pub mod random;
mod scenarios;
pub mod truth;
mod watch;
pub mod wire;
pub mod world;

/// A history that is written out because random seeds seldom reach it.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name, as the command line has it.
    pub name: &'static str,
    /// Plays it, with a mechanism switched off by name or with all of them working.
    pub run: fn(Option<&str>) -> Result<(), Violation>,
}

/// All of them.
pub fn scenarios() -> &'static [Scenario] {
    SCENARIOS
}

/// One name is lived under this often, a life in 31 s, every third of which ends without a goodbye: nothing grows (S5).
pub fn live(lives: u64) -> Result<(), Violation> {
    lives::lives(lives)
}

const SCENARIOS: &[Scenario] = &[
    Scenario { name: "admitter-dies", run: joining::admitter_dies },
    Scenario { name: "newcomer-reaches-one", run: proving::newcomer_reaches_one },
    Scenario { name: "driver-told-late", run: counting::driver_told_late },
    Scenario { name: "frames-joined", run: counting::frames_joined },
    Scenario { name: "slow-peer", run: counting::slow_peer },
    Scenario { name: "journal-overflows-at-hole", run: counting::journal_overflows_at_hole },
    Scenario { name: "nobody-holds-it", run: counting::nobody_holds_it },
    Scenario { name: "holder-of-a-part", run: counting::holder_of_a_part },
    Scenario { name: "commit-at-the-bound", run: counting::commit_at_the_bound },
    Scenario { name: "next-incarnation", run: counting::next_incarnation },
    Scenario { name: "hello-again", run: counting::hello_again },
    Scenario { name: "lost-frame", run: counting::lost_frame },
    Scenario { name: "silent-writer", run: proving::silent_writer },
    Scenario { name: "beat-before-the-driver-knows", run: proving::beat_before_the_driver_knows },
    Scenario { name: "clock-of-another-life", run: proving::clock_of_another_life },
    Scenario { name: "steady-backlog", run: proving::steady_backlog },
    Scenario { name: "one-between", run: proving::one_between },
    Scenario { name: "one-way-cut", run: proving::one_way_cut },
    Scenario { name: "loads-before-it-joined", run: joining::loads_before_it_joined },
    Scenario { name: "first-word-held-up", run: joining::first_word_held_up },
    Scenario { name: "two-at-once", run: joining::two_at_once },
    Scenario { name: "stores-unjoined", run: joining::stores_unjoined },
    Scenario { name: "killed-before-the-number", run: ending::killed_before_the_number },
    Scenario { name: "killed-after-the-number", run: ending::killed_after_the_number },
    Scenario { name: "goodbye-overtakes", run: ending::goodbye_overtakes },
    Scenario { name: "comes-back-with-a-tail", run: ending::comes_back_with_a_tail },
    Scenario { name: "left-unseen", run: ending::left_unseen },
    Scenario { name: "lived-unseen", run: ending::lived_unseen },
    Scenario { name: "two-nodes-one-killed", run: ending::two_nodes_one_killed },
    Scenario { name: "one-against-two", run: voting::one_against_two },
    Scenario { name: "writer-cut-off", run: voting::writer_cut_off },
    Scenario { name: "writer-not-heard", run: voting::writer_not_heard },
    Scenario { name: "short-cut", run: voting::short_cut },
    Scenario { name: "heard-after-the-vote", run: voting::heard_after_the_vote },
    Scenario { name: "stopped-with-requests", run: stopping::stopped_with_requests },
    Scenario { name: "stopped-and-forgotten", run: stopping::stopped_and_forgotten },
    Scenario { name: "wall-clock-ahead", run: stopping::wall_clock_ahead },
    Scenario { name: "wall-clock-back", run: stopping::wall_clock_back },
    Scenario { name: "many-lives", run: lives::many_lives },
    Scenario { name: "reader-runs-first", run: reading::reader_runs_first },
    Scenario { name: "machine-suspended", run: reading::machine_suspended },
    Scenario { name: "act-comes-with-the-proof", run: reading::act_comes_with_the_proof },
    Scenario { name: "foreign-writer", run: reading::foreign_writer },
    Scenario { name: "token-of-the-dead", run: reading::token_of_the_dead },
    Scenario { name: "store-is-told-late", run: storing::store_is_told_late },
    Scenario { name: "newcomer-while-cut-off", run: around_a_broker::newcomer_while_cut_off },
    Scenario { name: "round-comes-late", run: around_a_broker::round_comes_late },
    Scenario { name: "lossy-common-link", run: around_a_broker::lossy_common_link },
    Scenario { name: "answer-missing", run: around_a_broker::answer_missing },
    Scenario { name: "answers-repeated", run: around_a_broker::answers_repeated },
    Scenario { name: "register-lost", run: around_a_broker::register_lost },
    Scenario { name: "broker-restarted", run: around_a_broker::broker_restarted },
    Scenario { name: "pacemaker-dies", run: around_a_broker::pacemaker_dies },
    Scenario { name: "two-newcomers", run: around_a_broker::two_newcomers },
    Scenario { name: "expelled-while-paused", run: around_a_broker::expelled_while_paused },
];
