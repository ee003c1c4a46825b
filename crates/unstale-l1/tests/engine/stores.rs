//! Every act during a load, for every way to store what a load brings (F-4).

use unstale_core::{Act, Batch, Subject, Verb};
use unstale_l1::{DomainConfig, Found, LocalActs, Scope};

use crate::world::{OLD, Shown, TAG, World, did, ensure, lead, name, plain, read, shows};

type ActOn = (&'static str, fn(&World));

/// Everything that makes the value of user 7, which carries [`TAG`], old.
const ACTS: [ActOn; 20] = [
    ("remove", |world| did(world.users.remove(&7, 0))),
    ("expire", |world| did(world.users.expire(&7, 0))),
    ("set", |world| did(world.users.set(&7, world.user(2), 0))),
    ("remove of the tag", |world| did(world.users.remove_tag(TAG, 0))),
    ("expire of the tag", |world| did(world.users.expire_tag(TAG, 0))),
    ("clear", |world| did(world.users.clear(0))),
    ("expire of all", |world| did(world.users.expire_all(0))),
    ("remove of many", |world| did(world.users.remove_many([&6, &7, &8], 0))),
    ("set of many", |world| did(world.users.set_many([(7, plain(2)), (8, plain(2))], 0))),
    ("remove of the tag in the node", |world| commit(world, |acts| acts.remove_tag(TAG))),
    ("expire of the tag in the node", |world| commit(world, |acts| acts.expire_tag(TAG))),
    ("clear of the node", |world| commit(world, LocalActs::clear)),
    ("expire of the node", |world| commit(world, LocalActs::expire_all)),
    ("remote remove", |world| apply(world, Verb::Remove, key())),
    ("remote expire", |world| apply(world, Verb::Expire, key())),
    ("remote set", |world| apply(world, Verb::Set, key())),
    ("remote remove of the tag", |world| {
        apply(world, Verb::Remove, Subject::Tag { cache: Some(name("users")), tag: TAG.into() });
    }),
    ("remote expire of the tag in the node", |world| {
        apply(world, Verb::Expire, Subject::Tag { cache: None, tag: TAG.into() });
    }),
    ("remote clear", |world| apply(world, Verb::Remove, Subject::Cache { cache: name("users") })),
    ("remote clear of the node", |world| apply(world, Verb::Remove, Subject::All)),
];

fn key() -> Subject {
    Subject::Key { cache: name("users"), key: 7_u64.to_be_bytes().to_vec().into() }
}

fn commit(world: &World, add: impl FnOnce(&mut LocalActs)) {
    let mut acts = LocalActs::new();
    add(&mut acts);
    assert!(world.domain.commit(acts, Batch::Whole, 0).is_some());
}

fn apply(world: &World, verb: Verb, subject: Subject) {
    assert_eq!(world.domain.apply(&[Act { verb, subject }]).undecodable, 0);
}

/// The way is taken in a new cache of the node for every act; no read that begins after the act sees the old value.
fn keeps_out(mechanisms: &[&str], way: impl Fn(&World, &dyn Fn())) {
    shows(mechanisms, |first| {
        for (act_name, act) in ACTS {
            // Each act has a world of its own, with the mechanisms of the first.
            let world = first.renewed();
            way(&world, &|| act(&world));
            for (table, key) in [(&world.users, 7), (&world.orders, 9)] {
                ensure(read(table, key) != Some(OLD), format!("{act_name}: {} {key}", table.name()))?;
            }
        }
        Shown::Ok(())
    });
}

// The check after the put in table/store.rs, `if checks && !ok(slot.head())`, and the token of the flight.
#[test]
fn a_load_that_began_before_an_act_is_not_served_after_it() {
    keeps_out(&["check-at-store", "token-before-read"], |world, act| {
        let lead = world.lead_user(7);
        act();
        let _ = lead.land(world.user(OLD));
    });
}

#[test]
fn an_eager_refresh_that_began_before_an_act_is_not_served_after_it() {
    keeps_out(&["check-at-store", "token-before-read"], |world, act| {
        world.load_user(7, OLD);
        let lead = world.user_loads.try_refresh(&7).unwrap();
        act();
        let _ = lead.land(world.user(OLD));
    });
}

#[test]
fn a_load_that_ends_in_the_background_keeps_the_token_of_its_start() {
    keeps_out(&["check-at-store", "token-before-read"], |world, act| {
        let lead = world.lead_user(7);
        let entry = world.user(OLD);
        act();
        // Its caller timed out and went on.
        std::thread::spawn(move || did(lead.land(entry))).join().unwrap();
    });
}

#[test]
fn a_value_confirmed_as_not_modified_before_an_act_is_not_served_after_it() {
    keeps_out(&["check-at-store", "not-modified-under-lock"], |world, act| {
        let old = world.load_user(7, OLD);
        world.wait(200);
        let lead = world.lead_user(7);
        assert!(world.users.may_confirm(&7, &old));
        act();
        let _ = lead.land(world.user(*old).like(&old));
    });
}

#[test]
fn a_load_of_many_is_refused_where_an_act_came_and_stored_where_not() {
    keeps_out(&["check-at-store", "token-before-read"], |world, act| {
        let leads = [6, 7].map(|key| world.lead_user(key));
        act();
        for lead in leads {
            let _ = lead.land(world.user(OLD));
        }
    });
    shows(&["check-at-store"], |world| {
        let leads = [6, 7].map(|key| world.lead_user(key));
        let _ = world.users.remove(&7, 0);
        for lead in leads {
            let _ = lead.land(world.user(OLD));
        }
        ensure(read(&world.users, 6) == Some(OLD), "nothing came for 6")?;
        ensure(read(&world.users, 7).is_none(), "7 was removed")
    });
}

#[test]
fn what_was_computed_from_a_cached_value_is_not_served_after_an_act_on_that() {
    keeps_out(&["token-at-start", "token-before-read"], |world, act| {
        world.load_user(7, OLD);
        let lead = lead(world.order_loads.join(&9));
        let scope = Scope::new(&world.orders);
        assert_eq!(scope.run(|| read(&world.users, 7)), Some(OLD));
        act();
        let _ = lead.land(plain(OLD).parts(scope.recorded()));
    });
}

// `Subjects` of the entry and `Head::subjects_moved` in the readers.
#[test]
fn what_was_computed_and_stored_goes_with_what_it_was_computed_from() {
    keeps_out(&["reader-recheck"], |world, act| {
        world.load_user(7, OLD);
        let lead = lead(world.order_loads.join(&9));
        let scope = Scope::new(&world.orders);
        scope.run(|| read(&world.users, 7));
        let _ = lead.land(plain(OLD).parts(scope.recorded()));
        assert_eq!(read(&world.orders, 9), Some(OLD));
        act();
    });
}

#[test]
fn what_a_dependency_was_loaded_for_is_not_served_after_an_act_during_that_load() {
    keeps_out(&["check-at-store"], |world, act| {
        let outer = lead(world.order_loads.join(&9));
        let scope = Scope::new(&world.orders);
        let inner = world.lead_user(7);
        act();
        let landed = inner.land(world.user(OLD));
        scope.run(|| world.users.record(&7, &landed.into_found()));
        let _ = outer.land(plain(OLD).parts(scope.recorded()));
    });
}

#[test]
fn what_was_computed_from_an_absence_is_not_served_after_an_act_on_the_key() {
    shows(&["set-fences"], |world| {
        let lead = lead(world.order_loads.join(&9));
        let scope = Scope::new(&world.orders);
        ensure(scope.run(|| read(&world.users, 7)).is_none(), "nothing is there")?;
        let _ = world.users.set(&7, plain(2), 0);
        let _ = lead.land(plain(OLD).parts(scope.recorded()));
        ensure(read(&world.orders, 9).is_none(), "it was computed without the user")
    });
}

// The floor in `Inner::is_fresh`.
#[test]
fn a_resident_value_is_not_served_after_an_act() {
    keeps_out(&["reader-recheck", "floor-recheck"], |world, act| {
        world.load_user(7, OLD);
        act();
    });
}

#[test]
fn nothing_is_refused_that_no_act_touched() {
    let world = World::new(DomainConfig::default());
    let lead = world.lead_user(5);
    for (_, act) in
        ACTS.iter().filter(|(name, _)| matches!(*name, "remove" | "expire" | "set" | "remote set"))
    {
        act(&world);
    }
    let _ = lead.land(world.user(3));
    assert_eq!(read(&world.users, 5), Some(3));
}

#[test]
fn a_refused_leader_gets_what_is_newer_or_else_its_own_value() {
    shows(&["check-at-store"], |world| {
        let lead = world.lead_user(7);
        let _ = world.users.set(&7, plain(2), 0);
        let landed = lead.land(world.user(OLD));
        ensure(
            matches!(&landed, unstale_l1::Landed::Newer(Found::Value(two)) if **two == 2),
            format!("{landed:?}"),
        )?;

        let lead = world.lead_user(8);
        let _ = world.users.remove(&8, 0);
        let landed = lead.land(world.user(OLD));
        ensure(
            matches!(&landed, unstale_l1::Landed::Refused(Found::Value(one), _) if **one == OLD),
            format!("{landed:?}"),
        )
    });
}
