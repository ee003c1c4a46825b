//! Acts: their numbers, their order, and what a batch does.

use std::cell::OnceCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use unstale_core::{Act, Batch, Seq, Subject, Verb};
use unstale_l1::{
    DomainConfig, Flights, Key, Landed, LocalActs, Lookup, NewEntry, Scope, Table, TableConfig, Tick,
};

use crate::hooked::{Hooked, when_decoded, when_hashed};
use crate::world::{OLD, TAG, World, did, ensure, is_stale, lead, name, plain, read, shows};

#[test]
fn an_act_returns_its_number_and_whether_the_key_was_there() {
    let world = World::new(DomainConfig::default());
    world.load_user(7, OLD);
    let removed = world.users.remove(&7, 1_000);
    assert_eq!((removed.present, removed.appended.range.last), (true, Seq(1)));
    let again = world.users.remove(&7, 1_000);
    assert_eq!((again.present, again.appended.range.last), (false, Seq(2)));
    assert!(!world.users.set(&7, plain(2), 1_000).present);
    assert!(world.users.set(&7, plain(3), 1_000).present);
    assert!(world.users.expire(&7, 1_000).present);
    let frames = world.domain.with_log(unstale_core::ActLog::drain);
    let verbs: Vec<_> = frames.iter().flat_map(|frame| &frame.acts).map(|act| act.verb).collect();
    assert_eq!(verbs, [Verb::Remove, Verb::Remove, Verb::Set, Verb::Set, Verb::Expire]);
    let subject = Subject::Key { cache: name("users"), key: 7_u64.to_be_bytes().to_vec().into() };
    assert!(frames.iter().flat_map(|frame| &frame.acts).all(|act| act.subject == subject));
}

#[test]
fn a_batch_is_one_frame_over_all_caches() {
    let world = World::new(DomainConfig::default());
    world.load_user(7, OLD);
    let mut acts = LocalActs::new();
    world.users.remove_in(&mut acts, &7);
    world.orders.set_in(&mut acts, 9, plain(3));
    world.users.expire_tag_in(&mut acts, TAG);
    world.orders.clear_in(&mut acts);
    world.users.expire_all_in(&mut acts);
    world.users.remove_tag_in(&mut acts, TAG);
    acts.expire_tag("x");
    assert_eq!((acts.len(), acts.is_empty()), (7, false));
    let committed = world.domain.commit(acts, Batch::Whole, 0).unwrap();
    assert_eq!((committed.present, committed.appended.range.count()), (1, 7));
    let frames = world.domain.with_log(unstale_core::ActLog::drain);
    assert_eq!((frames.len(), frames[0].batch, frames[0].acts.len()), (1, Batch::Whole, 7));
    assert!(world.domain.commit(LocalActs::new(), Batch::Whole, 0).is_none());
    assert!(world.users.remove_many([0_u64; 0].iter(), 0).is_none());
}

#[test]
fn acts_on_one_key_take_effect_in_the_order_of_the_batch() {
    let world = World::new(DomainConfig::default());
    let mut acts = LocalActs::new();
    world.users.remove_in(&mut acts, &7);
    world.users.set_in(&mut acts, 7, plain(2));
    world.users.set_in(&mut acts, 8, plain(2));
    world.users.remove_in(&mut acts, &8);
    world.users.set_in(&mut acts, 9, plain(2));
    world.users.set_in(&mut acts, 9, plain(3));
    world.users.set_in(&mut acts, 10, plain(2).fail_safe(Tick(900)));
    world.users.expire_in(&mut acts, &10);
    assert!(world.domain.commit(acts, Batch::Whole, 0).is_some());
    assert_eq!([7, 8, 9, 10].map(|key| read(&world.users, key)), [Some(2), None, Some(3), None]);
    assert!(is_stale(&world.users, 10));
}

#[test]
fn a_batch_of_any_size_is_applied_whole() {
    let world = World::new(DomainConfig::default());
    for key in 0..1_000 {
        world.load_user(key, OLD);
    }
    let before = world.domain.token();
    let keys: Vec<u64> = (0..999).collect();
    let committed = world.users.remove_many(&keys, 0).unwrap();
    assert_eq!((committed.present, committed.appended.range.count()), (999, 999));
    assert!(world.domain.token() > before);
    assert_eq!(world.users.iter().map(|(key, _)| key).collect::<Vec<_>>(), [999]);

    let acts: Vec<_> = (0..1_000_u64).map(|key| remote(Verb::Remove, &key.to_be_bytes())).collect();
    assert_eq!(world.domain.apply(&acts).undecodable, 0);
    assert!(world.users.is_empty());
}

fn remote(verb: Verb, key: &[u8]) -> Act {
    Act { verb, subject: Subject::Key { cache: name("users"), key: key.to_vec().into() } }
}

#[test]
fn remote_acts_on_unknown_caches_and_impossible_keys_do_no_harm() {
    let world = World::new(DomainConfig::default());
    world.load_user(7, OLD);
    let elsewhere = Subject::Key { cache: name("elsewhere"), key: "7".into() };
    let acts = [remote(Verb::Remove, b"seven"), Act { verb: Verb::Remove, subject: elsewhere }];
    assert_eq!(world.domain.apply(&acts).undecodable, 1);
    assert_eq!(read(&world.users, 7), Some(OLD));
    assert_eq!(world.domain.with_log(|log| log.last()), Seq::ZERO, "remote acts get no numbers here");
}

#[test]
fn remote_acts_find_keys_of_every_kind_by_their_bytes() {
    fn check<K: Key>(keys: &[K; 3], impossible: Option<&'static [u8]>) {
        let world = World::new(DomainConfig::default());
        let table: Table<K, u64> = world.domain.table(name("keys"), TableConfig::default()).unwrap();
        for key in keys {
            let _ = table.set(key, plain(OLD).fail_safe(Tick(900)), 0);
        }
        let act = |verb, key| Act { verb, subject: Subject::Key { cache: name("keys"), key } };
        let mut acts = vec![act(Verb::Remove, keys[0].encode()), act(Verb::Expire, keys[1].encode())];
        acts.extend(impossible.map(|bytes| act(Verb::Remove, bytes.into())));
        let undecodable = usize::from(impossible.is_some());
        assert_eq!(world.domain.apply(&acts).undecodable, undecodable);
        assert!(matches!(table.lookup(&keys[0]), Lookup::Miss));
        assert!(matches!(table.lookup(&keys[1]), Lookup::Stale(_)));
        assert!(matches!(table.lookup(&keys[2]), Lookup::Hit(_)));
    }
    let texts = ["", "ab", "longer than the 24 bytes that lie in a table"];
    check(&texts.map(String::from), Some(&[0xff]));
    check(&texts.map(Arc::<str>::from), Some(&[0xff]));
    check(&texts.map(|text| text.as_bytes().to_vec()), None);
    check(&texts.map(|text| Bytes::from_static(text.as_bytes())), None);
    check(&[1_u32, 2, 3], Some(b"123"));
    check(&[[1_u8, 1], [1, 2], [2, 1]], Some(b"1"));
    check(&texts.map(|text| (String::from(text), 7_u8)), Some(b"1"));
}

#[test]
fn remote_acts_reach_a_cache_that_comes_while_they_are_decoded() {
    let world = World::new(DomainConfig::default());
    let parts = hooked(&world);
    let domain = world.domain.clone();
    let kept = Rc::new(OnceCell::new());
    let keeping = Rc::clone(&kept);
    when_decoded(7, 1, move || {
        let late: Table<u64, u64> = domain.table(name("late"), TableConfig::default()).unwrap();
        let loads: Flights<u64, u64, ()> = Flights::new(&late);
        let _ = lead(loads.join(&8)).land(plain(OLD));
        assert!(keeping.set(late).is_ok());
    });
    let remove = |cache, key: u64| {
        let subject = Subject::Key { cache: name(cache), key: key.to_be_bytes().to_vec().into() };
        Act { verb: Verb::Remove, subject }
    };
    let _ = world.domain.apply(&[remove("hooked", 7), remove("late", 8)]);
    assert_eq!(read(kept.get().unwrap(), 8), None, "its load began before the acts were done");
    assert!(parts.is_empty());
}

#[test]
fn a_name_belongs_to_one_pair_of_types_as_long_as_somebody_holds_the_table() {
    let world = World::new(DomainConfig::default());
    world.load_user(7, OLD);
    let same: Table<u64, u64> = world.domain.table(name("users"), TableConfig::default()).unwrap();
    assert_eq!(read(&same, 7), Some(OLD));
    let other = world.domain.table::<u64, String>(name("users"), TableConfig::default());
    assert_eq!(
        other.unwrap_err().to_string(),
        "cache users holds (u64, u64) in this process, not (u64, alloc::string::String)"
    );
    let short = world.domain.table::<u64, u64>(name("short"), TableConfig::default()).unwrap();
    drop(short);
    assert!(world.domain.table::<u64, String>(name("short"), TableConfig::default()).is_ok());
}

/// A cache whose keys let a scenario in while an act is under way.
fn hooked(world: &World) -> Table<Hooked, u64> {
    world.domain.table(name("hooked"), TableConfig::default()).unwrap()
}

#[test]
fn what_is_computed_in_the_middle_of_an_act_is_not_served_after_it() {
    // `Section` publishes the count last: this load's token is the one before.
    shows(&["count-last"], |world| {
        let parts = hooked(world);
        let _ = parts.set(&Hooked(7), plain(OLD), 0);
        let (loads, reading, orders) = (world.order_loads.clone(), parts.clone(), world.orders.clone());
        // The fences of 7 are raised, its entry is there yet.
        when_hashed(7, 1, move || {
            let order = lead(loads.join(&9));
            let scope = Scope::new(&orders);
            let part = scope.run(|| reading.get(&Hooked(7)));
            let landing = NewEntry::value(part.map_or(0, |part| *part)).time_to_live(Tick(100));
            let _ = order.land(landing.parts(scope.recorded()));
        });
        let _ = parts.remove(&Hooked(7), 0);
        ensure(world.orders.get(&9).is_none(), "it was computed from what was removed")
    });
}

#[test]
fn what_lands_in_the_middle_of_a_batch_is_not_served_after_it() {
    // `Section::raise_then_drop`.
    shows(&["drop-after-raise"], |world| {
        let parts = hooked(world);
        let loads: Flights<Hooked, u64, ()> = Flights::new(&parts);
        let seven = lead(loads.join(&Hooked(7)));
        // The entry of 7 was looked for and not found, the one of 8 was not looked for yet.
        when_hashed(8, 1, move || did(seven.land(plain(OLD))));
        assert!(parts.remove_many([&Hooked(7), &Hooked(8)], 0).is_some());
        ensure(parts.get(&Hooked(7)).is_none(), "its load began before")
    });
}

#[test]
fn a_removal_between_the_check_and_the_put_is_seen_by_the_check_after_it() {
    shows(&["check-at-store"], |world| {
        let parts = hooked(world);
        let loads: Flights<Hooked, u64, ()> = Flights::new(&parts);
        let seven = lead(loads.join(&Hooked(7)));
        let removing = parts.clone();
        // `Inner::put` checks, then the map hashes the key.
        when_hashed(7, 1, move || did(removing.remove(&Hooked(7), 0)));
        let landed = seven.land(plain(OLD));
        ensure(matches!(landed, Landed::Refused(..)), format!("{landed:?}"))?;
        ensure(parts.get(&Hooked(7)).is_none(), "it was removed")?;
        // A reader that had found it in the map must not find it published later on.
        let withdrawn = landed.into_found().value();
        ensure(withdrawn.is_some_and(|value| value.deadline() == Tick::ZERO), "it was published")
    });
}

#[test]
fn an_act_that_panics_is_over_and_what_is_loaded_after_it_is_stored() {
    let world = World::new(DomainConfig::default());
    let parts = hooked(&world);
    let loads: Flights<Hooked, u64, ()> = Flights::new(&parts);
    let _ = parts.set(&Hooked(7), plain(OLD), 0);
    // Its fences are raised, its entry is there yet.
    when_hashed(7, 1, || std::panic::resume_unwind(Box::new("a key cannot be hashed")));
    assert!(catch_unwind(AssertUnwindSafe(|| parts.remove(&Hooked(7), 0))).is_err());
    let landed = lead(loads.refresh(&Hooked(7))).land(plain(2));
    assert!(matches!(landed, Landed::Stored(_)), "{landed:?}");
    assert!(parts.remove(&Hooked(7), 0).present);
}

#[test]
fn a_set_of_what_was_read_before_another_act_only_removes() {
    shows(&["set-since"], |world| {
        let (first, second) = (world.domain.token(), world.domain.token());
        // Two writers, and the one that wrote last announces first.
        let _ = world.users.set_since(&7, plain(2).fail_safe(Tick(900)), second, 0);
        ensure(read(&world.users, 7) == Some(2), "nothing came before")?;
        let late = world.users.set_since(&7, plain(OLD), first, 0);
        ensure(late.present && late.appended.range.last == Seq(2), "it is an act")?;
        ensure(
            matches!(world.users.lookup(&7), Lookup::Miss),
            "what it sets may be older, what was there is gone",
        )?;
        let _ = world.users.set_since(&7, plain(3), world.domain.token(), 0);
        ensure(read(&world.users, 7) == Some(3), "nothing came since")
    });
}
