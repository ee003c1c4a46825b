//! Scopes: what is recorded, how far it carries, and what taints.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use unstale_core::{Act, Subject, Verb};
use unstale_l1::{DomainConfig, Landed, NewEntry, Refusal, SUBJECTS_MAX, Scope, Tick};

use crate::world::{OLD, TAG, World, ensure, is_stale, lead, name, plain, read, shows, stored};

/// Computes order 9 from user 7.
fn order_from_user(world: &World) {
    let lead = lead(world.order_loads.join(&9));
    let scope = Scope::new(&world.orders);
    assert!(scope.run(|| world.users.get(&7)).is_some());
    stored(lead.land(plain(OLD).parts(scope.recorded())));
}

#[test]
fn a_value_goes_with_what_its_parts_were_computed_from() {
    // Scope::record: the subjects of the entry that was read.
    shows(&["flatten"], |world| {
        world.load_user(7, OLD);
        order_from_user(world);
        let bill = lead(world.order_loads.join(&10));
        let scope = Scope::new(&world.orders);
        scope.run(|| world.orders.get(&9));
        stored(bill.land(plain(OLD).parts(scope.recorded())));
        let _ = world.users.remove(&7, 0);
        ensure(read(&world.orders, 9).is_none(), "computed from the user")?;
        ensure(read(&world.orders, 10).is_none(), "computed from what was computed from the user")
    });
}

#[test]
fn a_set_makes_what_was_computed_from_the_old_value_stale() {
    shows(&["set-fences", "reader-recheck"], |world| {
        world.load_user(7, OLD);
        order_from_user(world);
        let _ = world.users.set(&7, plain(2), 0);
        ensure(read(&world.orders, 9).is_none(), "computed from the old value")?;
        ensure(read(&world.users, 7) == Some(2), "the set itself stands")
    });
}

#[test]
fn a_reload_of_a_part_without_an_act_leaves_what_was_computed_from_it() {
    let world = World::new(DomainConfig::default());
    world.load_user(7, OLD);
    order_from_user(&world);
    stored(world.user_loads.try_refresh(&7).unwrap().land(world.user(2)));
    assert_eq!(read(&world.orders, 9), Some(OLD));
}

#[test]
fn an_act_on_a_cache_reaches_what_other_caches_computed_from_it() {
    // P-2: an act on a key may come as one on its cache.
    shows(&["reader-recheck"], |world| {
        world.load_user(7, OLD);
        order_from_user(world);
        let act = Act { verb: Verb::Set, subject: Subject::Cache { cache: name("users") } };
        let _ = world.domain.apply(&[act]);
        ensure(read(&world.orders, 9).is_none(), "computed from that cache")
    });
}

#[test]
fn what_used_a_stale_value_is_answered_as_stale_and_never_stored() {
    shows(&["taint"], |world| {
        let user = world.load_user(7, OLD);
        let _ = world.users.expire(&7, 0);
        ensure(is_stale(&world.users, 7), "fail-safe has it")?;
        let order = lead(world.order_loads.join(&9));
        let scope = Scope::new(&world.orders);
        // What a cache does that serves it.
        scope.run(|| world.users.record(&7, &unstale_l1::Found::Value(user.clone())));
        let landed = order.land(plain(OLD).parts(scope.recorded()));
        ensure(matches!(landed, Landed::Refused(_, Refusal::Tainted)), format!("{landed:?}"))?;
        ensure(landed.into_found().is_marked_stale(), "what reads it is tainted, too")?;
        ensure(read(&world.orders, 9).is_none(), "not stored")
    });
}

#[test]
fn what_only_looked_at_a_stale_value_depends_on_its_key_and_is_not_tainted() {
    let world = World::new(DomainConfig::default());
    world.load_user(7, OLD);
    let _ = world.users.expire(&7, 0);
    let scope = Scope::new(&world.orders);
    assert!(scope.run(|| is_stale(&world.users, 7)));
    let recorded = scope.recorded();
    assert!(!recorded.is_tainted());
    assert!(recorded.subjects().any(|subject| subject == world.users.key_subject(&7)));
    assert!(!recorded.subjects().any(|subject| subject == world.users.tag_subject(TAG)));
}

#[test]
fn a_value_lives_no_longer_and_is_no_younger_than_its_parts() {
    let world = World::new(DomainConfig::default());
    let user = world.load_user(7, OLD);
    world.wait(90);
    order_from_user(&world);
    let order = world.orders.get(&9).unwrap();
    assert_eq!(order.deadline(), user.deadline());
    assert_eq!(order.began(), user.began());
    world.wait(10);
    assert_eq!(read(&world.orders, 9), None);
}

#[test]
fn a_value_of_unknown_age_is_never_young() {
    let world = World::new(DomainConfig::default());
    let lead = world.lead_user(7);
    let user = stored(lead.land(world.user(OLD).of_unknown_age()));
    assert_eq!(user.began(), Tick::ZERO);
}

#[test]
fn what_depends_on_too_much_is_answered_and_not_stored() {
    let world = World::new(DomainConfig::default());
    let load = |parts: u64| {
        let scope = Scope::new(&world.orders);
        for key in 0..parts {
            world.orders.depend_on(&key, &scope);
        }
        lead(world.order_loads.refresh(&9)).land(plain(OLD).parts(scope.recorded()))
    };
    stored(load(SUBJECTS_MAX as u64));
    let landed = load(SUBJECTS_MAX as u64 + 1);
    assert!(matches!(landed, Landed::Refused(_, Refusal::TooManySubjects)), "{landed:?}");
}

#[test]
fn a_long_list_of_dependencies_is_looked_through_again_after_every_act() {
    let world = World::new(DomainConfig::default());
    let scope = Scope::new(&world.orders);
    for key in 0..100_u64 {
        world.users.depend_on(&key, &scope);
    }
    stored(lead(world.order_loads.join(&9)).land(plain(OLD).parts(scope.recorded())));
    for other in 100..110_u64 {
        let _ = world.users.remove(&other, 0);
        assert_eq!(read(&world.orders, 9), Some(OLD));
        assert_eq!(read(&world.orders, 9), Some(OLD));
    }
    let _ = world.users.remove(&99, 0);
    assert_eq!(read(&world.orders, 9), None);
}

#[test]
fn a_value_is_stored_though_one_of_its_parts_is_older_than_an_act_on_its_tag() {
    // With the least of its parts' tokens it would never be stored again.
    shows(&["own-token"], |world| {
        world.load_user(7, OLD);
        let _ = world.orders.expire_tag(TAG, 0);
        let lead = lead(world.order_loads.join(&9));
        let scope = Scope::new(&world.orders);
        scope.run(|| world.users.get(&7));
        let tag = world.orders.tag_subject(TAG);
        let landed = lead.land(plain(OLD).tags([tag]).parts(scope.recorded()));
        ensure(matches!(landed, Landed::Stored(_)), format!("{landed:?}"))
    });
}

#[test]
fn a_thousand_keys_under_change_starve_hardly_any_other_key() {
    // In 2^12 lines, by chance: hardly any, and 22 % if nothing told those of one line apart.
    shows(&["subjects-apart"], |world| {
        let leads: Vec<_> = (0..500).map(|key| world.lead_user(key)).collect();
        let hot: Vec<u64> = (1_000..2_000).collect();
        assert!(world.users.remove_many(&hot, 0).is_some());
        let landed = leads.into_iter().map(|lead| lead.land(plain(OLD)));
        let refused = landed.filter(|landed| matches!(landed, Landed::Refused(..))).count();
        ensure(refused <= 10, format!("{refused} of 500 were refused"))
    });
}

#[test]
fn a_scope_is_current_only_while_its_future_is_polled() {
    let world = World::new(DomainConfig::default());
    let (outer, inner) = (Scope::new(&world.orders), Scope::new(&world.users));
    let mut once = false;
    let future = async {
        world.users.get(&1);
        // A load inside a load has its own scope.
        inner.run(|| world.users.get(&2));
        world.users.get(&5);
        std::future::poll_fn(|_| {
            let ready = std::mem::replace(&mut once, true);
            if ready { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        world.users.get(&3);
    };
    let mut held = pin!(outer.clone().hold(future));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(held.as_mut().poll(&mut cx).is_pending());
    assert!(Scope::current().is_none());
    world.users.get(&4);
    assert!(held.as_mut().poll(&mut cx).is_ready());

    let has = |scope: &Scope, key: u64| {
        let subject = world.users.key_subject(&key);
        scope.recorded().subjects().any(|recorded| recorded == subject)
    };
    assert_eq!([1, 2, 3, 4, 5].map(|key| has(&outer, key)), [true, false, true, false, true]);
    assert_eq!([1, 2, 3, 4, 5].map(|key| has(&inner, key)), [false, true, false, false, false]);
}

#[test]
fn a_spawned_part_of_a_load_is_recorded_if_the_scope_is_carried_there() {
    let world = World::new(DomainConfig::default());
    let scope = Scope::new(&world.orders);
    let users = world.users.clone();
    scope.run(|| {
        let carried = Scope::current().unwrap();
        std::thread::spawn(move || carried.run(|| users.get(&7).is_none())).join().unwrap()
    });
    assert_eq!(scope.recorded().subjects().next().map(|_| ()), Some(()));
    let order = lead(world.order_loads.join(&9));
    let _ = world.users.remove(&7, 0);
    // The token is of after the act here, so this one is stored; a second act ends it.
    stored(order_after(&world, order, &scope));
    let _ = world.users.remove(&7, 0);
    assert_eq!(read(&world.orders, 9), None);
}

fn order_after(world: &World, before: crate::world::UserLead, scope: &Scope) -> Landed<u64> {
    drop(before);
    lead(world.order_loads.join(&9))
        .land(NewEntry::value(OLD).time_to_live(Tick(100)).parts(scope.recorded()))
}
