//! What each decorator does to what it wraps, by a clock that is moved by hand.

use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use unstale_port::memory::{Hub, HubOptions, MemoryBackplane, MemoryStore};
use unstale_port::{
    Backplane, Condition, Event, Faults, Faulty, FaultyStore, Intent, Kind, Lease, LinkId, Lookup,
    ManualTimer, Metered, Record, Store, StoreFaults, StoreFuture, Throttled, Timer, Written,
};

fn poll<T>(mut future: StoreFuture<'_, T>) -> Poll<Result<T, unstale_port::Error>> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

fn next<B: Backplane>(backplane: &mut B) -> Option<Event> {
    match backplane.poll_event(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(event) => Some(event),
        Poll::Pending => None,
    }
}

/// The first link of a node, once it is up and writable.
fn writable<B: Backplane>(backplane: &mut B) -> LinkId {
    loop {
        let event = next(backplane).expect("a link comes up and is writable");
        if let Event::Writable { link } = event {
            return link;
        }
    }
}

/// A link between a sender and a receiver that holds many frames.
fn pair(timer: &ManualTimer) -> (MemoryBackplane, MemoryBackplane) {
    let timer = Arc::new(timer.clone());
    let hub = Hub::with(HubOptions { queue_frames: 100_000, timer, ..HubOptions::default() });
    (hub.join("sender"), hub.join("receiver"))
}

fn send_numbers(sender: &mut MemoryBackplane, count: u32) {
    let link = writable(sender);
    for number in 0..count {
        sender.send(link, Bytes::copy_from_slice(&number.to_be_bytes())).expect("it is writable");
        assert!(matches!(next(sender), Some(Event::Writable { .. })));
    }
}

fn received<B: Backplane>(backplane: &mut B) -> Vec<u32> {
    let mut numbers = Vec::new();
    while let Some(event) = next(backplane) {
        if let Event::Received { frame, .. } = event {
            numbers.push(u32::from_be_bytes(frame[..].try_into().expect("four bytes")));
        }
    }
    numbers
}

/// What arrives of `count` frames under `faults`, at once and after a second.
fn under(faults: Faults, seed: u64, count: u32) -> (Vec<u32>, Vec<u32>) {
    let timer = ManualTimer::new();
    let (mut sender, receiver) = pair(&timer);
    let mut receiver = Faulty::with_timer(receiver, faults, seed, Arc::new(timer.clone()));
    send_numbers(&mut sender, count);
    let at_once = received(&mut receiver);
    timer.advance(Duration::from_secs(1));
    (at_once, received(&mut receiver))
}

#[test]
fn lost_frames_never_arrive_in_about_the_share_asked_for() {
    let (at_once, later) = under(Faults { lose: 0.25, ..Faults::default() }, 1, 4_000);
    assert!((2_800..3_200).contains(&at_once.len()), "{} arrived", at_once.len());
    assert!(at_once.is_sorted() && later.is_empty());
}

#[test]
fn repeated_frames_arrive_twice_and_each_at_least_once() {
    let (mut all, again) = under(Faults { repeat: 0.25, ..Faults::default() }, 2, 4_000);
    assert!((800..1_200).contains(&again.len()), "{} repeats", again.len());
    all.extend(again);
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), 4_000);
}

#[test]
fn overtaken_frames_all_arrive_out_of_order() {
    let (mut all, last) = under(Faults { reorder: 0.25, ..Faults::default() }, 3, 1_000);
    assert!(!all.is_sorted());
    all.extend(last);
    all.sort_unstable();
    assert_eq!(all, (0..1_000).collect::<Vec<_>>());
}

#[test]
fn delayed_frames_wait_for_their_time() {
    let (at_once, mut later) =
        under(Faults { delay: Duration::from_millis(10), ..Faults::default() }, 4, 500);
    assert_eq!(at_once.len(), 0);
    later.sort_unstable();
    assert_eq!(later, (0..500).collect::<Vec<_>>());
}

#[test]
fn what_is_held_back_is_bounded() {
    let (at_once, later) = under(Faults { delay: Duration::from_millis(10), ..Faults::default() }, 5, 5_000);
    assert!((3_900..=5_000).contains(&at_once.len()) && later.len() <= 1_100, "{} held", later.len());
    assert_eq!(at_once.len() + later.len(), 5_000);
}

#[test]
fn the_same_seed_makes_the_same_faults() {
    let faults = Faults { lose: 0.1, repeat: 0.1, reorder: 0.1, delay: Duration::ZERO };
    assert_eq!(under(faults, 6, 1_000), under(faults, 6, 1_000));
    assert_ne!(under(faults, 6, 1_000), under(faults, 7, 1_000));
}

#[test]
fn a_throttled_link_is_writable_when_its_last_frame_is_through() {
    let timer = ManualTimer::new();
    let (sender, _receiver) = pair(&timer);
    let mut sender = Throttled::with_timer(sender, 1_000, Arc::new(timer.clone()));
    let link = writable(&mut sender);
    sender.send(link, Bytes::from(vec![0; 500])).expect("it is writable");
    timer.advance(Duration::from_millis(499));
    assert!(next(&mut sender).is_none());
    let early = sender.send(link, Bytes::from_static(b"early")).expect_err("not writable yet");
    assert_eq!(early.kind(), Kind::Rejected);
    timer.advance(Duration::from_millis(1));
    assert!(matches!(next(&mut sender), Some(Event::Writable { .. })));
}

#[test]
fn a_meter_counts_both_ways() {
    let timer = ManualTimer::new();
    let (sender, receiver) = pair(&timer);
    let ((mut sender, sent), (mut receiver, came)) = (Metered::new(sender), Metered::new(receiver));
    let link = writable(&mut sender);
    sender.send(link, Bytes::from_static(b"12345")).expect("it is writable");
    assert!(sender.send(link, Bytes::from_static(b"no")).is_err());
    while next(&mut receiver).is_some() {}
    drop(receiver);
    while next(&mut sender).is_some() {}
    let (sent, came) = (sent.counts(), came.counts());
    assert_eq!((sent.frames_sent, sent.bytes_sent, sent.sends_failed), (1, 5, 1));
    assert_eq!((sent.ups, sent.downs), (1, 1));
    assert_eq!((came.frames_received, came.bytes_received), (1, 5));
}

fn record() -> Record {
    let (value, stamp) = (Some(Bytes::from_static(b"v")), 1);
    let (fresh_for, keep_for) = (Duration::from_secs(1), Duration::from_secs(1));
    let (tags, version, etag, last_modified) = (vec![], None, None, None);
    Record { value, stamp, fresh_for, keep_for, tags, version, etag, last_modified }
}

#[test]
fn a_refused_operation_does_not_take_place_and_one_whose_answer_is_lost_does() {
    let (store, faults) = FaultyStore::new(MemoryStore::new(), 1);
    let key = Bytes::from_static(b"k");
    let keys = [key.clone()];
    let put = || poll(store.put("c", key.clone(), record(), Condition::Newer));
    let there = || {
        let Poll::Ready(Ok(found)) = poll(store.get("c", &keys, Intent::Read)) else {
            panic!("no fault was asked for")
        };
        found[0].record.is_some()
    };

    faults.set(StoreFaults { refuse: 1.0, ..StoreFaults::default() });
    let Poll::Ready(Err(refused)) = put() else { panic!("not refused") };
    faults.set(StoreFaults::default());
    assert_eq!((refused.kind(), there()), (Kind::Unavailable, false));

    faults.set(StoreFaults { lose_answer: 1.0, ..StoreFaults::default() });
    let Poll::Ready(Err(lost)) = put() else { panic!("the answer was not lost") };
    faults.set(StoreFaults::default());
    assert_eq!((lost.kind(), there()), (Kind::Timeout, true));
    assert!(matches!(put(), Poll::Ready(Ok(Written::Refused))));
}

#[test]
fn a_delayed_operation_takes_place_after_its_time() {
    let timer = ManualTimer::new();
    let (store, faults) = FaultyStore::with_timer(MemoryStore::new(), 1, Arc::new(timer.clone()));
    faults.set(StoreFaults { delay: Duration::from_secs(1), ..StoreFaults::default() });
    let mut cx = Context::from_waker(Waker::noop());
    let mut put = store.put("c", Bytes::from_static(b"k"), record(), Condition::Newer);
    assert!(put.as_mut().poll(&mut cx).is_pending());
    timer.advance(Duration::from_secs(1));
    assert!(matches!(put.as_mut().poll(&mut cx), Poll::Ready(Ok(Written::Stored))));
    assert_eq!(timer.now(), Duration::from_secs(1));
}

/// Notes which of the two ways to raise it was asked for, and takes nothing.
#[derive(Clone, Default)]
struct Raised(Arc<Mutex<Vec<&'static str>>>);

impl Raised {
    fn note<'a>(&'a self, call: &'static str) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.0.lock().expect("no test panics with it").push(call);
            Ok(())
        })
    }
}

impl Store for Raised {
    fn get<'a>(&'a self, _: &'a str, _: &'a [Bytes], _: Intent) -> StoreFuture<'a, Vec<Lookup>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn release<'a>(&'a self, _: &'a str, _: Bytes, _: Lease) -> StoreFuture<'a, ()> {
        self.note("release")
    }

    fn put<'a>(&'a self, _: &'a str, _: Bytes, _: Record, _: Condition) -> StoreFuture<'a, Written> {
        Box::pin(async { Ok(Written::Refused) })
    }

    fn remove<'a>(&'a self, _: &'a str, _: &'a [Bytes], _: u64) -> StoreFuture<'a, ()> {
        self.note("remove")
    }

    fn expire<'a>(&'a self, _: &'a str, _: &'a [Bytes], _: u64) -> StoreFuture<'a, ()> {
        self.note("expire")
    }

    fn raise<'a>(&'a self, _: Option<&'a str>, _: Option<Bytes>, _: u64) -> StoreFuture<'a, ()> {
        self.note("raise")
    }

    fn raise_stale<'a>(&'a self, _: Option<&'a str>, _: Option<Bytes>, _: u64) -> StoreFuture<'a, ()> {
        self.note("raise_stale")
    }
}

#[test]
fn what_only_has_to_be_stale_is_not_asked_to_be_gone() {
    let inner = Raised::default();
    let (store, faults) = FaultyStore::new(inner.clone(), 1);
    assert!(matches!(poll(store.raise_stale(Some("c"), None, 1)), Poll::Ready(Ok(()))));
    assert!(matches!(poll(store.raise(Some("c"), None, 2)), Poll::Ready(Ok(()))));
    faults.set(StoreFaults { refuse: 1.0, ..StoreFaults::default() });
    assert!(matches!(poll(store.raise_stale(Some("c"), None, 3)), Poll::Ready(Err(_))));
    assert_eq!(*inner.0.lock().expect("no test panics with it"), ["raise_stale", "raise"]);
}
