//! Each mechanism that a race can show, switched off: within so many schedules a read is too old (F-9).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use unstale_l1::Mechanism;

use crate::course::Course;
use crate::race::Race;
use crate::scenarios::NAMED;
use crate::world::{Begun, SEED, run};

/// Which race shows a mechanism, and within how many schedules: ten times what it took when it was written, or more.
const CAUGHT: [(Mechanism, &str, usize); 35] = [
    (Mechanism::CountLast, "a removal of a part, warm", 100),
    (Mechanism::CountLast, "an expiry of a part", 4_000),
    (Mechanism::DropAfterRaise, "two removals", 2_000),
    (Mechanism::RaiseByMax, "acts on two keys, one of them a part", 1_000),
    (Mechanism::FloorBeforeLast, "a batch displaces the removal of a tag", 4_000),
    (Mechanism::TokenBeforeRead, "two removals", 1_000),
    (Mechanism::TokenBeforeRead, "a removal of a tag", 1_000),
    (Mechanism::CheckAtStore, "two removals", 1_000),
    (Mechanism::UnpublishedUntilChecked, "two removals", 1_000),
    (Mechanism::ReservationVisibleToDrops, "two removals", 2_000),
    (Mechanism::ReaderRecheck, "a removal of a tag", 1_000),
    (Mechanism::ReaderRecheck, "an expiry of a part", 100),
    (Mechanism::FloorRecheck, "a clear", 100),
    (Mechanism::FloorRecheck, "a doubt", 100),
    (Mechanism::NoOldFlight, "a removal", 100),
    (Mechanism::NoOldFlight, "an expiry", 100),
    (Mechanism::JoinChecksSubjects, "a removal of a tag", 1_000),
    (Mechanism::JoinChecksSubjects, "a removal of a part, cold", 100),
    (Mechanism::Flatten, "a removal two steps away", 100),
    (Mechanism::TokenAtStart, "a removal of a part, cold", 4_000),
    (Mechanism::SetFences, "a set beside an evictor", 26_000),
    (Mechanism::SetFences, "a set of a part", 100),
    (Mechanism::NotModifiedKeepsFences, "a confirmation of a composite", 100),
    (Mechanism::NotModifiedUnderLock, "a confirmation", 16_000),
    (Mechanism::GoneBeforeRevive, "a failing load after an expiry", 1_000),
    (Mechanism::Taint, "a failing load of a part", 100),
    (Mechanism::ExpireSeesUnpublished, "two expiries", 4_000),
    (Mechanism::PublishByCas, "two expiries", 2_000),
    (Mechanism::GreaterVersionStays, "two writers set versions", 100),
    (Mechanism::SetSince, "two writers set since", 1_000),
    (Mechanism::CountBeforeList, "many parts beside another act", 100),
    (Mechanism::CountBeforeList, "many parts, cold", 16_000),
    (Mechanism::GenerationBeforeDoubts, "a doubt after one about something else", 1_000),
    (Mechanism::VettingReadsKey, "a doubt and its repair", 100),
    (Mechanism::VettingReadsKey, "a suspect is refreshed eagerly", 1_000),
];

/// Without these nothing is too old: something is never stored. tests/engine shows them.
const OF_LIVENESS: [Mechanism; 2] = [Mechanism::OwnToken, Mechanism::SubjectsApart];

#[test]
fn every_mechanism_has_a_race_that_shows_it_or_shows_elsewhere() {
    for mechanism in Mechanism::ALL {
        let is_caught = CAUGHT.iter().any(|(of, ..)| of == mechanism);
        let is_elsewhere = mechanism.is_memory_order() || OF_LIVENESS.contains(mechanism);
        assert!(is_caught != is_elsewhere, "{}", mechanism.name());
    }
}

#[test]
fn each_mechanism_is_caught_within_its_schedules_which_show_nothing_with_it() {
    let next = AtomicUsize::new(0);
    let missed = Mutex::new(Vec::new());
    let catch = || {
        while let Some((mechanism, name, within)) = CAUGHT.get(next.fetch_add(1, Ordering::Relaxed)) {
            let race = race(name);
            let took = schedules_to_catch(race.without(*mechanism), *within);
            eprintln!("{} is caught by {name} at schedule {took:?} of {within}", mechanism.name());
            // The same schedules show nothing with everything on.
            if took.is_none_or(|took| schedules_to_catch(race, took).is_some()) {
                missed.lock().unwrap_or_else(PoisonError::into_inner).push((mechanism.name(), name));
            }
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(catch);
        scope.spawn(catch);
    });
    let missed = missed.into_inner().unwrap_or_else(PoisonError::into_inner);
    assert!(missed.is_empty(), "not caught, or also with everything on: {missed:?}");
}

fn race(name: &str) -> Race {
    let named = NAMED.into_iter().flatten().find(|(of, _)| *of == name);
    named.unwrap_or_else(|| panic!("no race is called {name}")).1
}

fn schedules_to_catch(race: Race, within: usize) -> Option<usize> {
    let begun = Arc::new(Begun::new(0));
    let caught =
        catch_unwind(AssertUnwindSafe(|| run(SEED, within, &begun, move || Course::new(race).run())));
    caught.is_err().then(|| begun.load(Ordering::Relaxed))
}
