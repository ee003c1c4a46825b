//! Suspects (P-19, P-20, P-25).

use unstale_core::{Act, DigestRow, Subject, SuspectFilter, Verb};
use unstale_l1::{DomainConfig, Fills, Joined, Landed, Lookup, Refusal, Scope, Suspects, TableConfig, Tick};

use crate::hooked::{Hooked, when_encoded};
use crate::world::{OLD, TAG, World, ensure, is_stale, is_suspect, lead, name, plain, read, shows, stored};

const UNTIL: Tick = Tick(500);

/// Users 7 (tagged) and 8 (not), order 9 made of user 7, order 10 made of nothing.
fn cached() -> World {
    let world = World::new(DomainConfig::default());
    world.load_user(7, OLD);
    stored(world.lead_user(8).land(plain(OLD).fail_safe(Tick(900))));
    let scope = Scope::new(&world.orders);
    scope.run(|| world.users.get(&7));
    stored(lead(world.order_loads.join(&9)).land(plain(OLD).fail_safe(Tick(900)).parts(scope.recorded())));
    stored(lead(world.order_loads.join(&10)).land(plain(OLD).fail_safe(Tick(900))));
    world
}

/// Which of users 7, 8, orders 9, 10 are suspects; the others are hits.
fn suspects(world: &World) -> Vec<u64> {
    let all = [(&world.users, 7), (&world.users, 8), (&world.orders, 9), (&world.orders, 10)];
    let (suspect, sound): (Vec<_>, Vec<_>) =
        all.into_iter().partition(|(table, key)| is_suspect(table, *key));
    assert!(sound.into_iter().all(|(table, key)| read(table, key) == Some(OLD)));
    suspect.into_iter().map(|(_, key)| key).collect()
}

fn digest(subjects: &[Subject]) -> SuspectFilter {
    let mut filter = SuspectFilter::default();
    filter.add(&subjects.iter().map(DigestRow::of).collect::<Vec<_>>());
    filter
}

fn user(key: u64) -> Subject {
    Subject::Key { cache: name("users"), key: key.to_be_bytes().to_vec().into() }
}

#[test]
fn everything_is_a_suspect_until_it_was_loaded_again() {
    let world = cached();
    world.domain.distrust(1, Suspects::Everything, UNTIL);
    assert_eq!(suspects(&world), [7, 8, 9, 10]);
    assert!(matches!(world.users.lookup(&7), Lookup::Suspect(_, UNTIL)));
    assert_eq!(world.users.len(), 2);
    // A suspect is no hit: whoever joins loads it again.
    stored(world.lead_user(7).land(world.user(OLD)));
    assert_eq!(suspects(&world), [8, 9, 10]);
}

#[test]
fn a_cache_and_what_was_computed_from_it_are_suspects() {
    let world = cached();
    world.domain.distrust(1, Suspects::Caches(&[name("users")]), UNTIL);
    assert_eq!(suspects(&world), [7, 8, 9]);
}

#[test]
fn what_a_digest_names_and_what_was_computed_from_it_are_suspects() {
    let tag = |cache| Subject::Tag { cache, tag: TAG.into() };
    let users = name("users");
    for (subjects_touched, expected) in [
        (vec![user(7)], vec![7, 9]),
        (vec![user(8), user(1)], vec![8]),
        (vec![user(1)], vec![]),
        (vec![tag(Some(users.clone()))], vec![7, 9]),
        (vec![tag(None)], vec![7, 9]),
        (vec![tag(Some(name("orders")))], vec![]),
        (vec![Subject::Cache { cache: users.clone() }], vec![7, 8, 9]),
        (vec![Subject::Cache { cache: name("orders") }], vec![9, 10]),
        (vec![Subject::All], vec![7, 8, 9, 10]),
    ] {
        let world = cached();
        world.domain.distrust(1, Suspects::Hashes(&digest(&subjects_touched)), UNTIL);
        assert_eq!(suspects(&world), expected, "{subjects_touched:?}");
        // Once found innocent, an entry stays so without another look, until doubt grows.
        assert_eq!(suspects(&world), expected, "{subjects_touched:?}");
        world.domain.distrust(2, Suspects::Hashes(&digest(&[user(8)])), UNTIL);
        assert!(is_suspect(&world.users, 8));
    }
}

#[test]
fn a_lifted_distrust_leaves_what_other_doubts_and_acts_say() {
    let world = cached();
    world.domain.distrust(1, Suspects::Everything, UNTIL);
    world.domain.distrust(2, Suspects::Hashes(&digest(&[user(8)])), Tick(400));
    assert!(matches!(world.users.lookup(&8), Lookup::Suspect(_, Tick(400))));
    world.domain.lift(1);
    assert_eq!(suspects(&world), [8]);
    world.domain.lift(2);
    assert_eq!(suspects(&world), [0_u64; 0]);
    world.domain.distrust(3, Suspects::Everything, UNTIL);
    let _ = world.users.clear(0);
    world.domain.lift(3);
    assert!(read(&world.users, 7).is_none());
    assert!(!is_stale(&world.users, 7));
    assert_eq!(read(&world.orders, 10), Some(OLD));
}

#[test]
fn a_load_that_began_before_a_distrust_comes_in_as_a_suspect() {
    let world = cached();
    let lead = lead(world.user_loads.refresh(&8));
    world.domain.distrust(1, Suspects::Everything, UNTIL);
    // Nobody boards it any more.
    assert!(matches!(world.user_loads.refresh(&8), Joined::Lead(_)));
    let landed = lead.land(plain(2).fail_safe(Tick(900)));
    assert!(matches!(landed, Landed::Stored(_)), "{landed:?}");
    assert!(matches!(world.users.lookup(&8), Lookup::Suspect(two, _) if *two == 2));
    world.domain.lift(1);
    assert_eq!(read(&world.users, 8), Some(2));
}

#[test]
fn what_is_old_or_gone_is_no_suspect() {
    let world = cached();
    world.domain.distrust(1, Suspects::Everything, UNTIL);
    let _ = world.users.expire(&7, 0);
    assert!(is_stale(&world.users, 7));
    let _ = world.users.remove(&8, 0);
    assert!(matches!(world.users.lookup(&8), Lookup::Miss));
    assert!(is_suspect(&world.orders, 10));
    let _ = world.orders.expire_all(0);
    assert!(is_stale(&world.orders, 10));
    world.domain.distrust(2, Suspects::Everything, UNTIL);
    world.load_user(8, OLD);
    world.domain.distrust(3, Suspects::Everything, UNTIL);
    assert!(is_suspect(&world.users, 8));
    world.wait(100);
    assert!(is_stale(&world.users, 8));
}

#[test]
fn many_distrusts_are_bounded_and_none_is_forgotten() {
    let world = cached();
    for id in 0..1_000 {
        let touched = if id == 3 { user(8) } else { user(100 + id) };
        world.domain.distrust(
            id,
            Suspects::Hashes(&digest(&[touched])),
            Tick(u32::try_from(500 + id).unwrap()),
        );
    }
    assert_eq!(suspects(&world), [8]);
    // It was merged with others, so it cannot be lifted: precision is lost, not the doubt (S5).
    world.domain.lift(3);
    assert_eq!(suspects(&world), [8]);
    assert!(matches!(world.users.lookup(&8), Lookup::Suspect(_, Tick(500))));
}

#[test]
fn doubts_that_became_one_are_about_all_that_each_was_about() {
    let tag = digest(&[Subject::Tag { cache: None, tag: TAG.into() }]);
    let eight = digest(&[user(8)]);
    let doubts = [(Suspects::Everything, vec![7, 8, 9, 10]), (Suspects::Hashes(&tag), vec![7, 9])];
    for (doubt, expected) in doubts {
        // Before and after another one, since either may be the one that takes the other in.
        for before in [0, 1] {
            let world = cached();
            for id in 0..100 {
                match id {
                    _ if id == before => world.domain.distrust(id, doubt, UNTIL),
                    0 | 1 => {
                        let other = digest(&[user(100), Subject::Tag { cache: None, tag: "other".into() }]);
                        world.domain.distrust(id, Suspects::Hashes(&other), UNTIL);
                    }
                    _ => world.domain.distrust(id, Suspects::Hashes(&digest(&[user(100 + id)])), UNTIL),
                }
            }
            assert_eq!(suspects(&world), expected, "{before}");
        }
    }
    let world = cached();
    world.domain.distrust(1, Suspects::Hashes(&tag), UNTIL);
    world.domain.distrust(2, Suspects::Hashes(&eight), UNTIL);
    // The later one is lifted, the earlier one stands.
    world.domain.lift(2);
    assert_eq!(suspects(&world), [7, 9]);
}

#[test]
fn what_was_loaded_after_a_doubt_is_no_suspect_of_it_when_another_doubt_comes() {
    let world = cached();
    world.domain.distrust(1, Suspects::Hashes(&digest(&[user(7)])), UNTIL);
    stored(world.lead_user(7).land(world.user(OLD)));
    world.domain.distrust(2, Suspects::Hashes(&digest(&[user(8)])), UNTIL);
    assert_eq!(suspects(&world), [8, 9]);
}

#[test]
fn nothing_is_stored_before_fills_are_allowed_nor_what_began_before() {
    // P-25: acts of others may be missed until then.
    let world = World::new(DomainConfig { fills: Fills::Refused, ..DomainConfig::default() });
    let landed = world.lead_user(7).land(world.user(OLD));
    assert!(matches!(landed, Landed::Refused(_, Refusal::FillsRefused)), "{landed:?}");
    let _ = world.users.set(&7, plain(OLD), 0);
    assert_eq!(read(&world.users, 7), None);
    let before = world.lead_user(7);
    world.domain.allow_fills();
    let landed = before.land(world.user(OLD));
    assert!(matches!(landed, Landed::Refused(_, Refusal::Moved)), "{landed:?}");
    world.load_user(7, 2);
    world.domain.forbid_fills();
    assert_eq!(read(&world.users, 7), Some(2));
    let _ = world.users.set(&7, plain(3), 0);
    assert_eq!(read(&world.users, 7), None);
}

#[test]
fn what_a_reader_holds_of_a_key_that_was_removed_is_not_found_innocent() {
    shows(&["vetting-reads-key"], |world| {
        let keys = [7, 8].map(Hooked);
        let table = world.domain.table(name("hooked"), TableConfig::default()).unwrap();
        for key in &keys {
            let _ = table.set(key, plain(OLD), 0);
        }
        world.domain.distrust(1, Suspects::Everything, UNTIL);
        // The reader has the entry of 7 in its hand and is about to look at it.
        let (domain, removing) = (world.domain.clone(), table.clone());
        when_encoded(7, 1, move || {
            let _ = removing.remove(&Hooked(7), 0);
            domain.lift(1);
        });
        ensure(table.get(&keys[0]).is_none(), "it was removed")?;
        ensure(table.get(&keys[1]).is_some(), "nothing came for 8")
    });
}

#[test]
fn an_act_during_distrust_is_an_act() {
    let world = cached();
    world.domain.distrust(1, Suspects::Caches(&[name("users")]), UNTIL);
    let _ = world.domain.apply(&[Act { verb: Verb::Remove, subject: user(7) }]);
    world.domain.lift(1);
    assert_eq!(read(&world.users, 7), None);
    assert_eq!(read(&world.orders, 9), None);
    assert_eq!(read(&world.users, 8), Some(OLD));
}
