//! One test suite for each contract of unstale-port, run by every adapter.
//!
//! An adapter writes a fixture and one line in its own tests; each promise of the contract becomes a test of its own:
//!
//! ```
//! use unstale_conformance::BackplaneFixture;
//! use unstale_port::memory::{Hub, MemoryBackplane};
//!
//! struct InMemory;
//!
//! impl BackplaneFixture for InMemory {
//!     type Backplane = MemoryBackplane;
//!
//!     async fn start(&mut self, count: usize) -> Vec<MemoryBackplane> {
//!         let hub = Hub::new();
//!         (0..count).map(|node| hub.join(node.to_string())).collect()
//!     }
//! }
//!
//! unstale_conformance::backplane_suite!(InMemory);
//! # fn main() {}
//! ```

pub mod backplane;
mod network;
pub mod register;
pub mod store;

pub use backplane::BackplaneFixture;
pub use register::RegisterFixture;
pub use store::StoreFixture;

/// A test of each of these promises of one suite.
#[doc(hidden)]
#[macro_export]
macro_rules! promises {
    ($suite:ident, $fixture:expr, if $here:expr; $($promise:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $promise() {
                let is_here: fn(&str) -> bool = $here;
                if !is_here(concat!(module_path!(), "::", stringify!($promise))) {
                    return;
                }
                $crate::$suite::$promise(&mut $fixture).await;
            }
        )+
    };
}

/// Makes a test of each promise of a backplane; the argument is an expression that gives a
/// [`BackplaneFixture`], evaluated anew for each test. The calling crate needs tokio with `macros`, `rt` and `time`.
///
/// After `, if` a function may say, by the name of a test, whether what it needs is there; where it is not, the test passes.
#[macro_export]
macro_rules! backplane_suite {
    ($fixture:expr) => {
        $crate::backplane_suite!($fixture, if |_: &str| true);
    };
    ($fixture:expr, if $here:expr) => {
        $crate::promises!(backplane, $fixture, if $here;
            links_come_up_between_all_nodes,
            frames_arrive_whole_and_in_order,
            one_grant_is_for_one_frame,
            the_largest_frame_is_carried_and_a_larger_one_refused,
            sending_over_a_link_that_is_not_there_is_an_error,
            a_closed_link_goes_down_at_both_ends_and_is_dialled_again,
            a_peer_that_does_not_read_takes_a_bounded_number_of_bytes,
            a_peer_that_does_not_read_holds_up_nobody_else,
            what_was_taken_before_a_close_arrives,
            a_node_that_is_dropped_is_noticed,
            garbage_from_outside_harms_nobody,
            what_is_for_all_reaches_each_other_node_once,
            a_closed_link_for_all_comes_up_again,
        );
    };
}

/// Makes a test of each promise of a register and a common link, beside those of [`backplane_suite`]; the argument is an
/// expression that gives a [`RegisterFixture`], evaluated anew for each test. The calling crate needs tokio with `macros`, `rt`
/// and `time`.
///
/// After `, if` a function may say, by the name of a test, whether what it needs is there; where it is not, the test passes.
#[macro_export]
macro_rules! register_suite {
    ($fixture:expr) => {
        $crate::register_suite!($fixture, if |_: &str| true);
    };
    ($fixture:expr, if $here:expr) => {
        $crate::promises!(register, $fixture, if $here;
            a_reading_lists_all_and_renews_its_own,
            requests_are_carried_out_in_order,
            an_entry_that_ended_stays_so,
            the_arbiter_ends_only_what_has_not_changed,
            what_is_not_listed_can_be_ended,
            a_lost_register_is_in_another_era,
        );
    };
}

/// Makes a test of each promise of a store; the argument is an expression that gives a [`StoreFixture`], evaluated anew
/// for each test. The calling crate needs tokio with `macros`, `rt` and `time`.
///
/// After `, if` a function may say, by the name of a test, whether what it needs is there; where it is not, the test passes.
/// `, without_ends_by_time` behind it leaves [`store::records_grow_stale_and_then_end`] out: for stores whose records others
/// may have deleted by the time that they end, with what leases were checked by.
#[macro_export]
macro_rules! store_suite {
    ($fixture:expr) => {
        $crate::store_suite!($fixture, if |_: &str| true);
    };
    ($fixture:expr, if $here:expr) => {
        $crate::store_suite!($fixture, if $here, without_ends_by_time);
        $crate::promises!(store, $fixture, if $here; records_grow_stale_and_then_end);
    };
    ($fixture:expr, if $here:expr, without_ends_by_time) => {
        $crate::promises!(store, $fixture, if $here;
            what_was_filled_is_found_with_all_that_it_carries,
            keys_are_answered_in_order_and_caches_are_apart,
            a_cached_nothing_is_found,
            the_first_of_two_fills_wins,
            a_lease_from_before_a_change_fills_nothing,
            a_lease_that_comes_with_a_record_refreshes_it,
            a_lease_from_after_a_removal_fills_whatever_its_stamp,
            only_newer_stamps_replace,
            a_removal_ends_newer_stamps_too_and_refuses_older_ones_after,
            an_expired_record_stays_for_fail_safe,
            a_raised_tag_ends_what_carries_it_and_nothing_else,
            a_tag_raised_everywhere_ends_it_in_every_cache,
            a_cleared_cache_is_empty_and_others_are_not,
            a_raised_tag_refuses_older_writes_of_it_only,
            an_ended_record_is_not_revived_by_an_expiry,
            a_lower_version_never_replaces_a_higher_one,
            removing_and_raising_twice_does_no_harm,
            one_reader_at_a_time_has_the_turn_to_load,
            what_is_stale_is_loaded_by_one_reader_too,
            a_turn_ends_with_all_that_ends_the_load,
            the_turn_for_what_is_missing_ends_too,
            a_turn_ends_by_itself_and_binds_nobody,
            a_key_named_twice_is_one_turn,
        );
    };
}
