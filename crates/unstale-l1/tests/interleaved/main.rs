//! The engine on the scheduler of shuttle: threads race, schedules are chosen at random from a seed (F-8).
//!
//! `cargo test -p unstale-l1 --features shuttle,mutations --test interleaved`
#![cfg(feature = "shuttle")]

mod inertia;
mod race;
#[cfg(feature = "mutations")]
mod without;

use race::{Act, Beside, Race, check};

#[test]
fn no_read_is_older_than_a_removal_of_its_key() {
    check(Race { acts: &[Act::Remove, Act::Remove], ..Race::default() });
}

#[test]
fn no_read_is_older_than_an_expiry_of_its_key() {
    check(Race { acts: &[Act::Expire, Act::Expire], ..Race::default() });
}

#[test]
fn no_read_is_older_than_a_set_of_its_key() {
    check(Race { acts: &[Act::Set, Act::Remove], ..Race::default() });
    check(Race { acts: &[Act::Remove, Act::Set], ..Race::default() });
}

#[test]
fn no_read_is_older_than_an_act_on_its_tag() {
    check(Race { acts: &[Act::RemoveTag, Act::ExpireTag], ..Race::default() });
}

#[test]
fn no_read_is_older_than_an_act_on_its_cache() {
    check(Race { acts: &[Act::Clear, Act::ExpireAll], ..Race::default() });
}

#[test]
fn no_read_is_older_than_an_act_on_what_it_was_computed_from() {
    check(Race { acts: &[Act::Remove, Act::Expire], depth: 1, ..Race::default() });
    check(Race { acts: &[Act::Set, Act::Clear], depth: 1, ..Race::default() });
}

#[test]
fn no_read_is_older_than_an_act_two_steps_away() {
    check(Race { acts: &[Act::Remove, Act::RemoveTag], depth: 2, ..Race::default() });
}

#[test]
fn none_of_it_depends_on_what_is_evicted() {
    check(Race { acts: &[Act::Remove, Act::Set], beside: &[Beside::Evictor], ..Race::default() });
    check(Race { acts: &[Act::Remove], depth: 1, beside: &[Beside::Evictor], ..Race::default() });
}

#[test]
fn none_of_it_depends_on_a_warm_start_or_on_fences_of_its_own() {
    for bits in [0, 10] {
        check(Race { acts: &[Act::Remove], warm: true, bits, ..Race::default() });
        check(Race { acts: &[Act::Expire], depth: 1, warm: true, bits, ..Race::default() });
    }
}

#[test]
fn two_writers_on_two_keys_do_not_undo_each_others_fences() {
    check(Race { acts: &[Act::Remove], beside: &[Beside::Writer], bits: 0, ..Race::default() });
    check(Race { acts: &[Act::Remove], beside: &[Beside::Writer], bits: 0, depth: 1, ..Race::default() });
}

#[test]
fn no_read_is_older_than_a_doubt_about_it() {
    check(Race { acts: &[Act::Doubt, Act::Doubt], warm: true, ..Race::default() });
    check(Race { acts: &[Act::Doubt, Act::Repair], warm: true, ..Race::default() });
    check(Race { acts: &[Act::Doubt, Act::Repair], depth: 1, warm: true, ..Race::default() });
}

#[test]
fn no_read_is_older_than_the_first_fill_that_is_allowed() {
    check(Race { acts: &[Act::AllowFills], ..Race::default() });
    check(Race { acts: &[Act::AllowFills], depth: 1, ..Race::default() });
}

#[test]
fn none_of_it_depends_on_leaders_that_stay() {
    check(Race { acts: &[Act::Remove], beside: &[Beside::Quitter], ..Race::default() });
    check(Race { acts: &[Act::ExpireTag], depth: 1, beside: &[Beside::Quitter], ..Race::default() });
}

#[test]
fn no_read_is_older_than_an_act_on_one_of_many_parts() {
    check(Race { acts: &[Act::Remove, Act::RemoveTag], depth: 1, wide: true, warm: true, ..Race::default() });
}
