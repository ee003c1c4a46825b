//! Who shares a load with whom (F-5).

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use unstale_l1::{DomainConfig, Found, Joined, Landed, Scope, Tick, Wait, Waited};

use crate::world::{OLD, TAG, World, ensure, lead, plain, read, shows, stored};

type UserWait = Wait<u64, u64, &'static str>;

fn wait(joined: Joined<u64, u64, &'static str>) -> UserWait {
    match joined {
        Joined::Wait(wait) => wait,
        Joined::Hit(_) | Joined::Lead(_) => panic!("nothing to wait for"),
    }
}

fn poll(wait: &mut UserWait) -> Poll<Waited<u64, &'static str>> {
    Pin::new(wait).poll(&mut Context::from_waker(Waker::noop()))
}

fn landed(waited: &Poll<Waited<u64, &'static str>>) -> Option<u64> {
    match waited {
        Poll::Ready(Waited::Landed(Found::Value(value))) => Some(**value),
        Poll::Ready(_) | Poll::Pending => None,
    }
}

fn is_again(waited: &Poll<Waited<u64, &'static str>>) -> bool {
    matches!(waited, Poll::Ready(Waited::Again))
}

#[test]
fn callers_of_one_key_share_a_load() {
    let world = World::new(DomainConfig::default());
    let lead = world.lead_user(7);
    let mut waits: Vec<_> = (0..10).map(|_| wait(world.user_loads.join(&7))).collect();
    assert!(waits.iter_mut().all(|wait| poll(wait).is_pending()));
    assert!(lead.has_waiters());
    assert_eq!(world.user_loads.len(), 1);
    stored(lead.land(world.user(3)));
    assert!(waits.iter_mut().all(|wait| landed(&poll(wait)) == Some(3)));
    assert!(world.user_loads.is_empty());
    assert!(matches!(world.user_loads.join(&7), Joined::Hit(Found::Value(three)) if *three == 3));
}

#[test]
fn a_caller_that_comes_after_an_act_on_the_key_joins_no_older_flight() {
    // Flights::may_join.
    shows(&["no-old-flight"], |world| {
        let old = world.lead_user(7);
        let mut aboard = wait(world.user_loads.join(&7));
        let _ = world.users.remove(&7, 0);
        let joined = world.user_loads.join(&7);
        ensure(matches!(joined, Joined::Lead(_)), "it joined the old flight")?;
        let new = lead(joined);
        let _ = old.land(world.user(OLD));
        // Those aboard asked before the act, so they may have the old value.
        ensure(landed(&poll(&mut aboard)) == Some(OLD), "the old flight lands for those aboard")?;
        ensure(read(&world.users, 7).is_none(), "it is not stored")?;
        // The old one, landing, left the new one in the table.
        let mut later = wait(world.user_loads.join(&7));
        stored(new.land(world.user(2)));
        ensure(landed(&poll(&mut later)) == Some(2), "the new flight is joined")
    });
}

#[test]
fn a_caller_that_comes_after_an_act_on_a_tag_does_not_take_what_the_flight_brings() {
    // Wait::is_new: nobody knew the tag before the flight landed.
    shows(&["join-checks-subjects"], |world| {
        let old = world.lead_user(7);
        let mut before = wait(world.user_loads.join(&7));
        let _ = world.users.remove_tag(TAG, 0);
        let mut after = wait(world.user_loads.join(&7));
        let _ = old.land(world.user(OLD));
        ensure(landed(&poll(&mut before)) == Some(OLD), "it asked before the act")?;
        ensure(is_again(&poll(&mut after)), "it asked after the act")?;
        // The next flight is younger than this caller: it loads at most twice.
        let next = world.lead_user(7);
        let _ = world.users.remove_tag(TAG, 0);
        let refused = next.land(world.user(2));
        ensure(matches!(refused, Landed::Refused(..)), format!("{refused:?}"))
    });
}

#[test]
fn a_caller_that_comes_after_an_act_on_something_else_takes_what_the_flight_brings() {
    let world = World::new(DomainConfig::default());
    let lead = world.lead_user(7);
    let _ = world.users.remove(&8, 0);
    let mut wait = wait(world.user_loads.join(&7));
    stored(lead.land(world.user(3)));
    assert_eq!(landed(&poll(&mut wait)), Some(3));
}

#[test]
fn a_cancelled_leader_leaves_its_place_to_one_of_those_aboard() {
    let world = World::new(DomainConfig::default());
    let lead = world.lead_user(7);
    let mut waits = [(); 2].map(|()| wait(world.user_loads.join(&7)));
    assert!(waits.iter_mut().all(|wait| poll(wait).is_pending()));
    let _ = world.users.remove(&7, 0);
    drop(lead);
    assert!(waits.iter_mut().all(|wait| is_again(&poll(wait))));
    let next = world.lead_user(7);
    assert_eq!(next.token(), world.domain.token());
    assert!(matches!(world.user_loads.join(&7), Joined::Wait(_)));
}

#[test]
fn a_panic_of_a_leader_cancels_its_flight() {
    let world = World::new(DomainConfig::default());
    let lead = world.lead_user(7);
    let mut aboard = wait(world.user_loads.join(&7));
    let panicked = std::thread::spawn(move || {
        let _lead = lead;
        std::panic::resume_unwind(Box::new("the loader panicked"));
    });
    assert!(panicked.join().is_err());
    assert!(is_again(&poll(&mut aboard)));
    assert!(world.user_loads.is_empty());
}

#[test]
fn one_who_waits_may_go_and_the_others_are_woken() {
    let world = World::new(DomainConfig::default());
    let lead = world.lead_user(7);
    let mut waits: Vec<_> = (0..3).map(|_| wait(world.user_loads.join(&7))).collect();
    assert!(waits.iter_mut().all(|wait| poll(wait).is_pending()));
    drop(waits.remove(1));
    assert!(lead.has_waiters());
    drop(waits.remove(0));
    stored(lead.land(world.user(3)));
    assert_eq!(landed(&poll(&mut waits[0])), Some(3));

    let lead = world.lead_user(8);
    drop(wait(world.user_loads.join(&8)));
    assert!(!lead.has_waiters());
}

#[derive(Default)]
struct Counted(AtomicUsize);

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_landing_wakes_the_last_waker_of_each_one_aboard() {
    let world = World::new(DomainConfig::default());
    let lead = world.lead_user(7);
    let wakers: Vec<_> = (0..4).map(|_| Arc::new(Counted::default())).collect();
    let poll_by = |wait: &mut UserWait, by: usize| {
        let waker = Waker::from(Arc::clone(&wakers[by]));
        assert!(Pin::new(wait).poll(&mut Context::from_waker(&waker)).is_pending());
    };
    let mut waits: Vec<_> = (0..2).map(|_| wait(world.user_loads.join(&7))).collect();
    poll_by(&mut waits[0], 0);
    poll_by(&mut waits[1], 1);
    poll_by(&mut waits[0], 2);
    drop(waits.remove(1));
    // It has the place of the one who left.
    waits.push(wait(world.user_loads.join(&7)));
    poll_by(&mut waits[1], 3);
    stored(lead.land(world.user(3)));
    let woken: Vec<_> = wakers.iter().map(|waker| waker.0.load(Ordering::Relaxed)).collect();
    assert_eq!(woken, [0, 0, 1, 1]);
}

#[test]
fn a_failure_and_a_stale_answer_reach_all_aboard() {
    let world = World::new(DomainConfig::default());
    let failing = world.lead_user(7);
    let mut aboard = wait(world.user_loads.join(&7));
    failing.fail("the database is down");
    let scope = Scope::new(&world.orders);
    let waited = scope.run(|| poll(&mut aboard));
    assert!(matches!(waited, Poll::Ready(Waited::Failed("the database is down"))));
    // What does without it is not what it would be with it.
    assert!(scope.recorded().subjects().any(|subject| subject == world.users.key_subject(&7)));

    let old = world.load_user(8, OLD);
    world.wait(100);
    let lead = world.lead_user(8);
    let mut aboard = wait(world.user_loads.join(&8));
    lead.answer_stale(Found::Value(old));
    let scope = Scope::new(&world.orders);
    let waited = scope.run(|| poll(&mut aboard));
    assert!(matches!(waited, Poll::Ready(Waited::Stale(Found::Value(one))) if *one == OLD));
    assert!(scope.recorded().is_tainted());
}

#[test]
fn a_stale_answer_is_not_for_those_who_came_after_it_was_ended() {
    let world = World::new(DomainConfig::default());
    let old = world.load_user(7, OLD);
    world.wait(100);
    let lead = world.lead_user(7);
    let mut before = wait(world.user_loads.join(&7));
    let _ = world.users.remove_tag(TAG, 0);
    let mut after = wait(world.user_loads.join(&7));
    lead.answer_stale(Found::Value(old));
    assert!(matches!(poll(&mut before), Poll::Ready(Waited::Stale(_))));
    assert!(is_again(&poll(&mut after)));
}

#[test]
fn one_who_waited_has_what_was_set_meanwhile_and_depends_on_it() {
    let world = World::new(DomainConfig::default());
    let lead = world.lead_user(7);
    let _ = world.users.remove(&8, 0);
    let mut aboard = wait(world.user_loads.join(&7));
    let _ = world.users.set(&7, world.user(2), 0);
    let _ = lead.land(world.user(OLD));
    let scope = Scope::new(&world.orders);
    assert_eq!(landed(&scope.run(|| poll(&mut aboard))), Some(2));
    for subject in [world.users.key_subject(&7), world.users.tag_subject(TAG)] {
        assert!(scope.recorded().subjects().any(|recorded| recorded == subject));
    }
}

#[test]
fn a_bypass_joins_only_a_flight_that_began_after_its_mark() {
    let world = World::new(DomainConfig::default());
    world.load_user(7, OLD);
    let refreshing = world.user_loads.try_refresh(&7).unwrap();
    let mark = world.user_loads.mark();
    assert!(matches!(world.user_loads.refresh(&7), Joined::Wait(_)));
    let bypass = lead(world.user_loads.join_after(&7, mark));
    assert!(matches!(world.user_loads.join_after(&7, mark), Joined::Wait(_)));
    assert!(world.user_loads.try_refresh(&7).is_none());
    // The one that began later is the newer one, in whatever order they land.
    stored(bypass.land(world.user(3)));
    drop(refreshing);
    assert_eq!(read(&world.users, 7), Some(3));
}

#[test]
fn a_flight_that_began_earlier_does_not_replace_what_a_later_one_brought() {
    let world = World::new(DomainConfig::default());
    let earlier = world.lead_user(7);
    let _ = world.users.remove(&8, 0);
    let later = lead(world.user_loads.join_after(&7, world.user_loads.mark()));
    stored(later.land(world.user(2)));
    // No act says that it is old, but its read may have come first.
    let landed = earlier.land(world.user(OLD));
    assert!(matches!(landed, Landed::Newer(Found::Value(ref two)) if **two == 2), "{landed:?}");
    assert_eq!(read(&world.users, 7), Some(2));
}

#[test]
fn what_landed_since_a_caller_looked_is_a_hit() {
    let world = World::new(DomainConfig::default());
    assert!(world.users.get(&7).is_none());
    world.load_user(7, OLD);
    let scope = Scope::new(&world.orders);
    let joined = scope.run(|| world.user_loads.join(&7));
    assert!(matches!(joined, Joined::Hit(_)));
    assert!(scope.recorded().subjects().any(|subject| subject == world.users.key_subject(&7)));
}

#[test]
fn a_pause_lasts_until_its_tick_and_pauses_are_bounded() {
    let world = World::new(DomainConfig::default());
    let until = world.domain.clock().now().plus(Tick(30));
    world.user_loads.pause(&7, until);
    assert!(world.user_loads.is_paused(&7));
    assert!(!world.user_loads.is_paused(&8));
    world.wait(30);
    assert!(!world.user_loads.is_paused(&7));

    let until = world.domain.clock().now().plus(Tick(30));
    (0..100_000).for_each(|key| world.user_loads.pause(&key, until));
    let kept = (0..100_000).filter(|key| world.user_loads.is_paused(key)).count();
    assert!((10_000..=16_384).contains(&kept), "{kept}");
    // What is over makes room.
    world.wait(30);
    let until = world.domain.clock().now().plus(Tick(30));
    world.user_loads.pause(&200_000, until);
    assert!(world.user_loads.is_paused(&200_000));
}

#[test]
fn a_negative_answer_is_cached_and_fenced_like_a_value() {
    let world = World::new(DomainConfig::default());
    let nothing = || unstale_l1::NewEntry::nothing().time_to_live(Tick(100));
    let landed = world.lead_user(7).land(nothing());
    assert!(matches!(landed, Landed::Stored(Found::Nothing(_))));
    assert!(matches!(world.users.lookup(&7), unstale_l1::Lookup::Negative(_)));
    assert!(matches!(world.user_loads.join(&7), Joined::Hit(Found::Nothing(_))));
    let lead = lead(world.user_loads.refresh(&7));
    let _ = world.users.set(&7, plain(2), 0);
    let landed = lead.land(nothing());
    assert!(matches!(landed, Landed::Newer(Found::Value(_))), "{landed:?}");
    assert_eq!(read(&world.users, 7), Some(2));
}
