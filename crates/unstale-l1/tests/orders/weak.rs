//! Each order weakened, and mechanisms that show in few steps switched off: loom finds an execution that shows it (F-9).

use unstale_l1::Mechanism;

use crate::explore;
use crate::scenarios::SCENARIOS;

const CAUGHT: &[(Mechanism, &str)] = &[
    (Mechanism::TokenAcquire, "a load and the expiry of its tag"),
    (Mechanism::CountRelease, "a load and the expiry of its tag"),
    (Mechanism::PublishByCas, "a load and an expiry"),
    (Mechanism::ReaderAcquire, "two acts and two reads"),
    (Mechanism::ReaderAcquire, "two acts on two caches and two reads"),
    (Mechanism::FloorRecheck, "a hit on another thread after a clear"),
    (Mechanism::CheckAtStore, "a load and a removal"),
    (Mechanism::ReservationVisibleToDrops, "a load and a removal"),
    (Mechanism::DropAfterRaise, "a load and a removal"),
    (Mechanism::ExpireSeesUnpublished, "a load and an expiry"),
    (Mechanism::CountLast, "a composite and a removal"),
    (Mechanism::TokenAtStart, "a composite and a removal"),
    (Mechanism::CountBeforeList, "a long list and an act"),
];

#[test]
fn every_mechanism_of_order_has_a_scenario() {
    for mechanism in Mechanism::ALL.iter().filter(|mechanism| mechanism.is_memory_order()) {
        assert!(CAUGHT.iter().any(|(of, _)| of == mechanism), "{}", mechanism.name());
    }
}

#[test]
fn each_is_caught_by_its_scenario() {
    for (mechanism, name) in CAUGHT {
        let scenario = SCENARIOS.iter().find(|(of, _)| of == name).expect("a scenario of this name").1;
        let (executions, holds) = explore(scenario, Some(*mechanism));
        eprintln!("{} is caught by {name} in execution {executions}", mechanism.name());
        assert!(!holds, "{} is not caught by {name} in {executions} executions", mechanism.name());
    }
}
