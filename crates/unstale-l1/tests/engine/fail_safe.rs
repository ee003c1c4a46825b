//! Stale values: what may be served once more, what may be confirmed, what is swept.

use unstale_l1::{DomainConfig, Landed, Lookup, NewEntry, Refusal, Scope, Table, TableConfig, Tick};

use crate::hooked::{Hooked, when_hashed};
use crate::world::{OLD, TAG, World, did, ensure, is_stale, lead, name, plain, read, shows, stored};

#[test]
fn an_expired_value_is_stale_until_its_horizon() {
    let world = World::new(DomainConfig::default());
    let user = world.load_user(7, OLD);
    world.wait(99);
    assert_eq!(read(&world.users, 7), Some(OLD));
    world.wait(1);
    assert_eq!(read(&world.users, 7), None);
    assert!(is_stale(&world.users, 7));
    assert!(world.users.may_revive(&7, &user));
    world.wait(900);
    assert!(matches!(world.users.lookup(&7), Lookup::Miss));
    assert!(!world.users.may_revive(&7, &user));
}

#[test]
fn an_expire_leaves_a_stale_value_and_a_remove_leaves_none() {
    shows(&["gone-before-revive"], |world| {
        let ends: [fn(&World); 6] = [
            |world| did(world.users.remove(&7, 0)),
            |world| did(world.users.remove_tag(TAG, 0)),
            |world| did(world.users.clear(0)),
            |world| did(world.users.set(&7, plain(2), 0)),
            |world| did(world.orders.remove(&3, 0)),
            |world| did(world.orders.clear(0)),
        ];
        for (index, end) in ends.into_iter().enumerate() {
            let world = world.renewed();
            let scope = Scope::new(&world.users);
            world.orders.depend_on(&3, &scope);
            let user = stored(world.lead_user(7).land(world.user(OLD).parts(scope.recorded())));
            let _ = world.users.expire(&7, 0);
            ensure(is_stale(&world.users, 7), "an expire keeps it")?;
            let _ = world.orders.expire(&3, 0);
            let _ = world.users.expire_all(0);
            let _ = world.users.expire_tag(TAG, 0);
            ensure(is_stale(&world.users, 7), "expires of all kinds keep it")?;
            ensure(world.users.may_revive(&7, &user), "and let it be served")?;
            end(&world);
            ensure(!is_stale(&world.users, 7), format!("end {index} leaves it in the table"))?;
            ensure(!world.users.may_revive(&7, &user), format!("end {index} leaves it with its holders"))?;
        }
        Ok(())
    });
}

#[test]
fn a_value_without_a_time_to_live_is_stale_from_the_start() {
    let world = World::new(DomainConfig::default());
    let user = stored(world.lead_user(7).land(NewEntry::value(OLD).fail_safe(Tick(50))));
    assert!(user.is_marked_stale());
    assert!(is_stale(&world.users, 7));
    world.wait(50);
    assert!(!is_stale(&world.users, 7));
}

#[test]
fn a_value_is_confirmed_if_nothing_that_it_depends_on_moved() {
    shows(&["not-modified-keeps-fences"], |world| {
        let load = |world: &World| {
            let scope = Scope::new(&world.orders);
            world.users.depend_on(&7, &scope);
            let tag = world.orders.tag_subject(TAG);
            stored(
                lead(world.order_loads.refresh(&9))
                    .land(plain(OLD).fail_safe(Tick(900)).tags([tag]).parts(scope.recorded())),
            )
        };
        // Its own expiry, and that of a tag: the authority was asked after it.
        let order = load(world);
        let _ = world.orders.expire(&9, 0);
        let _ = world.orders.expire_tag(TAG, 0);
        let refresh = lead(world.order_loads.join(&9));
        ensure(world.orders.may_confirm(&9, &order), "nothing that it depends on moved")?;
        stored(refresh.land(plain(*order)));
        ensure(read(&world.orders, 9) == Some(OLD), "confirmed")?;

        let moves: [fn(&World); 6] = [
            |world| did(world.users.expire(&7, 0)),
            |world| did(world.users.expire_all(0)),
            |world| did(world.orders.remove(&9, 0)),
            |world| did(world.orders.remove_tag(TAG, 0)),
            |world| did(world.orders.expire_all(0)),
            |world| did(world.orders.clear(0)),
        ];
        for (index, act) in moves.into_iter().enumerate() {
            let world = world.renewed();
            let order = load(&world);
            act(&world);
            ensure(!world.orders.may_confirm(&9, &order), format!("act {index} made its parts old"))?;
        }
        Ok(())
    });
}

#[test]
fn a_value_is_not_confirmed_if_a_part_moved_by_a_tag_that_both_carry() {
    let world = World::new(DomainConfig::default());
    let tag = world.orders.tag_subject(TAG);
    stored(lead(world.order_loads.join(&3)).land(plain(OLD).tags([tag])));
    let scope = Scope::new(&world.orders);
    assert!(scope.run(|| world.orders.get(&3)).is_some());
    let order = stored(
        lead(world.order_loads.join(&9))
            .land(plain(OLD).fail_safe(Tick(900)).tags([tag]).parts(scope.recorded())),
    );
    assert!(world.orders.may_confirm(&9, &order));
    let _ = world.orders.expire_tag(TAG, 0);
    assert!(!world.orders.may_confirm(&9, &order), "nobody was asked about the part");
}

#[test]
fn a_sweep_drops_the_dead_and_nothing_else() {
    let world = World::new(DomainConfig::default());
    for key in 0..100 {
        world.load_user(key, OLD);
    }
    let _ = world.users.expire(&1, 0);
    assert_eq!(sweep(&world), 0);
    world.wait(1_000);
    for key in 0..10 {
        world.load_user(key, 2);
    }
    assert_eq!(sweep(&world), 90);
    assert_eq!(world.users.len(), 10);
    let _ = world.users.clear(0);
    world.load_user(3, 4);
    assert_eq!(sweep(&world), 9);
    assert_eq!(
        world.users.iter().map(|(key, found)| (key, *found.value().unwrap())).collect::<Vec<_>>(),
        [(3, 4)]
    );
}

fn sweep(world: &World) -> usize {
    let mut sweep = world.users.sweep();
    let mut dropped = 0;
    loop {
        let swept = sweep.step(16);
        dropped += swept.dropped;
        if swept.seen < 16 {
            return dropped;
        }
    }
}

#[test]
fn a_sweep_leaves_what_came_in_the_place_of_the_dead() {
    let world = World::new(DomainConfig::default());
    let table: Table<Hooked, u64> = world.domain.table(name("hooked"), TableConfig::default()).unwrap();
    let _ = table.set(&Hooked(7), plain(OLD), 0);
    world.wait(100);
    let setting = table.clone();
    // It was found dead and is about to be dropped.
    when_hashed(7, 1, move || did(setting.set(&Hooked(7), plain(2), 0)));
    let swept = table.sweep().step(10);
    assert_eq!((swept.seen, swept.dropped), (1, 0));
    assert_eq!(table.get(&Hooked(7)).as_deref(), Some(&2));
}

#[test]
fn a_tainted_value_is_not_kept_for_fail_safe_either() {
    let world = World::new(DomainConfig::default());
    let scope = Scope::new(&world.users);
    scope.taint();
    let landed = world.lead_user(7).land(world.user(OLD).parts(scope.recorded()));
    assert!(matches!(landed, Landed::Refused(..)));
    assert!(matches!(world.users.lookup(&7), Lookup::Miss));
}

#[test]
fn a_confirmed_value_keeps_its_subjects_and_the_age_of_its_parts() {
    let world = World::new(DomainConfig::default());
    let scope = Scope::new(&world.orders);
    world.users.depend_on(&7, &scope);
    let tag = world.orders.tag_subject(TAG);
    let old = stored(
        lead(world.order_loads.join(&9)).land(plain(OLD).tags([tag]).version(4).parts(scope.recorded())),
    );
    let alone = stored(lead(world.order_loads.join(&10)).land(plain(OLD)));
    world.wait(100);
    let now = world.domain.clock().now();

    let again = stored(lead(world.order_loads.join(&9)).land(plain(*old).like(&old)));
    assert_eq!((again.version(), again.began()), (Some(4), old.began()));
    let alone = stored(lead(world.order_loads.join(&10)).land(plain(*alone).like(&alone)));
    assert_eq!(alone.began(), now);

    assert_eq!(read(&world.orders, 9), Some(OLD));
    let _ = world.orders.expire_tag(TAG, 0);
    assert_eq!(read(&world.orders, 9), None);
    stored(lead(world.order_loads.join(&9)).land(plain(*old).like(&old)));
    let _ = world.users.remove(&7, 0);
    assert_eq!(read(&world.orders, 9), None);
}

#[test]
fn what_its_loader_keeps_out_is_answered_only() {
    let world = World::new(DomainConfig::default());
    let landed = world.lead_user(7).land(plain(OLD).unstored());
    assert!(matches!(landed, Landed::Refused(_, Refusal::Unstored)), "{landed:?}");
    assert!(world.users.is_empty());
    // A set of that kind fences, and leaves nothing.
    world.load_user(7, OLD);
    let _ = world.users.set(&7, plain(2).unstored(), 0);
    assert!(world.users.is_empty());
}
