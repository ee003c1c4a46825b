//! Each mechanism that only a race can show, switched off: some schedule must show a read that is too old.

use std::panic::{AssertUnwindSafe, catch_unwind};

use unstale_l1::Mechanism;

use crate::race::{Act, Beside, Race, run};

/// F-7: inertia finds all of them within 2,000 schedules.
const SCHEDULES: usize = 4_000;

fn is_caught(without: Mechanism, race: Race) {
    let race = Race { without: Some(without), ..race };
    let caught = catch_unwind(AssertUnwindSafe(|| run(race, SCHEDULES)));
    assert!(caught.is_err(), "{race:?} was not caught");
}

fn remove() -> Race {
    Race { acts: &[Act::Remove, Act::Remove], ..Race::default() }
}

#[test]
fn without_a_check_at_the_store_a_removed_value_comes_back() {
    is_caught(Mechanism::CheckAtStore, remove());
}

#[test]
fn without_a_token_from_before_the_read_a_removed_value_comes_back() {
    is_caught(Mechanism::TokenBeforeRead, remove());
}

#[test]
fn without_hiding_it_until_it_was_checked_a_removed_value_is_read() {
    is_caught(Mechanism::UnpublishedUntilChecked, remove());
}

#[test]
fn with_a_check_before_the_put_alone_a_removed_value_comes_back() {
    is_caught(Mechanism::ReservationVisibleToDrops, remove());
}

#[test]
fn without_marking_what_is_not_published_an_expired_value_is_read() {
    is_caught(
        Mechanism::ExpireSeesUnpublished,
        Race { acts: &[Act::Expire, Act::Expire], ..Race::default() },
    );
}

#[test]
fn with_entries_dropped_before_fences_are_raised_a_removed_value_comes_back() {
    is_caught(Mechanism::DropAfterRaise, remove());
}

#[test]
fn with_the_count_published_first_a_composite_of_a_removed_value_stays() {
    is_caught(Mechanism::CountLast, Race { acts: &[Act::Remove], depth: 1, warm: true, ..Race::default() });
}

#[test]
fn with_acts_beside_each_other_a_composite_of_a_removed_value_stays() {
    let race =
        Race { acts: &[Act::Remove], depth: 1, warm: true, beside: &[Beside::Writer], ..Race::default() };
    is_caught(Mechanism::RaiseByMax, race);
}

#[test]
fn without_looking_at_tags_an_old_value_is_read() {
    is_caught(Mechanism::ReaderRecheck, Race { acts: &[Act::RemoveTag], ..Race::default() });
}

#[test]
fn without_looking_at_the_floor_an_old_value_is_read() {
    is_caught(Mechanism::FloorRecheck, Race { acts: &[Act::Clear], ..Race::default() });
}

#[test]
fn with_old_flights_boarded_a_removed_value_is_read() {
    is_caught(Mechanism::NoOldFlight, Race { acts: &[Act::Remove], ..Race::default() });
}

#[test]
fn without_looking_at_what_a_flight_brings_a_value_of_an_old_tag_is_read() {
    is_caught(Mechanism::JoinChecksSubjects, Race { acts: &[Act::RemoveTag], ..Race::default() });
}

#[test]
fn without_the_parts_of_parts_a_composite_two_steps_away_stays() {
    is_caught(Mechanism::Flatten, Race { acts: &[Act::Remove], depth: 2, warm: true, ..Race::default() });
}

#[test]
fn with_a_token_from_the_store_a_composite_of_a_removed_value_stays() {
    is_caught(
        Mechanism::TokenAtStart,
        Race { acts: &[Act::Remove], depth: 1, warm: true, ..Race::default() },
    );
}

#[test]
fn without_fences_of_a_set_an_older_load_or_a_composite_stays() {
    is_caught(Mechanism::SetFences, Race { acts: &[Act::Set], depth: 1, warm: true, ..Race::default() });
}
