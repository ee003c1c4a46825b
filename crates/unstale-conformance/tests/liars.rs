//! Adapters that break a promise: the suites have to notice.

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use unstale_conformance::{BackplaneFixture, RegisterFixture, StoreFixture, backplane, register, store};
use unstale_port::memory::{Broker, BrokerBackplane, Hub, HubOptions, MemoryBackplane, MemoryStore};
use unstale_port::{
    Backplane, Condition, Delivery, Entry, Error, Event, Faults, Faulty, Frame, Intent, Lease, LinkId,
    Lookup, Properties, Record, RegisterRequest, Store, StoreFuture, Turn, Written,
};

/// Says that it is first in, first out, and is not.
struct Liar {
    inner: Faulty<MemoryBackplane>,
    properties: Properties,
}

impl Backplane for Liar {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.inner.poll_event(cx)
    }

    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error> {
        self.inner.send(link, frame)
    }

    fn close(&mut self, link: LinkId) {
        self.inner.close(link);
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_close(cx)
    }
}

struct Liars {
    faults: Faults,
    queue_frames: usize,
}

impl BackplaneFixture for Liars {
    type Backplane = Liar;

    async fn start(&mut self, count: usize) -> Vec<Liar> {
        let hub = Hub::with(HubOptions { queue_frames: self.queue_frames, ..HubOptions::default() });
        let join = |node: usize| {
            let inner = Faulty::new(hub.join(node.to_string()), self.faults, node as u64);
            let properties = Properties { delivery: Delivery::Fifo, ..inner.properties().clone() };
            Liar { inner, properties }
        };
        (0..count).map(join).collect()
    }
}

#[tokio::test]
#[should_panic(expected = "lost, repeated or out of order")]
async fn a_link_that_overtakes_is_not_fifo() {
    let faults = Faults { reorder: 0.1, ..Faults::default() };
    backplane::frames_arrive_whole_and_in_order(&mut Liars { faults, queue_frames: 16 }).await;
}

#[tokio::test]
#[should_panic(expected = "lost, repeated or out of order")]
async fn a_link_that_repeats_is_not_fifo() {
    let faults = Faults { repeat: 0.1, ..Faults::default() };
    backplane::frames_arrive_whole_and_in_order(&mut Liars { faults, queue_frames: 16 }).await;
}

#[tokio::test]
#[should_panic(expected = "were taken for a peer that does not read")]
async fn a_queue_without_a_bound_is_noticed() {
    let mut endless = Liars { faults: Faults::default(), queue_frames: usize::MAX };
    backplane::a_peer_that_does_not_read_takes_a_bounded_number_of_bytes(&mut endless).await;
}

/// Breaks a promise of its register.
struct Clerk {
    inner: BrokerBackplane,
    entered: Option<Entry>,
    vice: Vice,
}

#[derive(Clone, Copy)]
enum Vice {
    /// Writes the entry again whenever it reads.
    Diligent,
    /// Ends whom it is told to end, whatever has changed.
    Ruthless,
    /// Ends nobody that is not listed.
    Lenient,
}

impl Backplane for Clerk {
    fn properties(&self) -> &Properties {
        self.inner.properties()
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        self.inner.poll_event(cx)
    }

    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error> {
        self.inner.send(link, frame)
    }

    fn close(&mut self, link: LinkId) {
        self.inner.close(link);
    }

    fn register(&mut self, request: RegisterRequest) {
        match (self.vice, &request) {
            (_, RegisterRequest::Enter(entry)) => self.entered = Some(entry.clone()),
            (Vice::Diligent, RegisterRequest::Read { .. }) => {
                if let Some(entry) = self.entered.clone() {
                    self.inner.register(RegisterRequest::Enter(entry));
                }
            }
            (Vice::Ruthless, RegisterRequest::Expel { entry, .. }) => {
                return self.inner.register(RegisterRequest::Retire(entry.clone()));
            }
            (Vice::Lenient, RegisterRequest::Expel { renewals: None, .. }) => return,
            _ => {}
        }
        self.inner.register(request);
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_close(cx)
    }
}

struct Clerks(Broker, Vice);

impl BackplaneFixture for Clerks {
    type Backplane = Clerk;

    async fn start(&mut self, count: usize) -> Vec<Clerk> {
        let join = |node: usize| Clerk { inner: self.0.join(node.to_string()), entered: None, vice: self.1 };
        (0..count).map(join).collect()
    }
}

impl RegisterFixture for Clerks {
    async fn lose_register(&mut self) {
        self.0.lose_register();
    }
}

#[tokio::test]
#[should_panic(expected = "entries are not written again by themselves")]
async fn an_entry_that_is_written_again_unasked_is_noticed() {
    register::a_lost_register_is_in_another_era(&mut Clerks(Broker::new(), Vice::Diligent)).await;
}

#[tokio::test]
#[should_panic(expected = "left: None")]
async fn an_arbiter_that_ends_what_was_renewed_is_noticed() {
    register::the_arbiter_ends_only_what_has_not_changed(&mut Clerks(Broker::new(), Vice::Ruthless)).await;
}

#[tokio::test]
#[should_panic(expected = "its end was of an earlier era")]
async fn an_arbiter_that_ends_by_what_an_earlier_era_said_is_noticed() {
    register::a_lost_register_is_in_another_era(&mut Clerks(Broker::new(), Vice::Ruthless)).await;
}

#[tokio::test]
#[should_panic(expected = "what is not listed has not ended")]
async fn an_arbiter_that_ends_nobody_who_is_not_listed_is_noticed() {
    register::what_is_not_listed_can_be_ended(&mut Clerks(Broker::new(), Vice::Lenient)).await;
}

/// Takes every write.
struct Gullible(MemoryStore);

impl Store for Gullible {
    fn get<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], intent: Intent) -> StoreFuture<'a, Vec<Lookup>> {
        self.0.get(cache, keys, intent)
    }

    fn release<'a>(&'a self, cache: &'a str, key: Bytes, lease: Lease) -> StoreFuture<'a, ()> {
        self.0.release(cache, key, lease)
    }

    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        _: Condition,
    ) -> StoreFuture<'a, Written> {
        Box::pin(async move {
            let keys = [key.clone()];
            let found = self.0.get(cache, &keys, Intent::Read).await?;
            let lease = found.first().map_or(Lease(0), |found| found.lease);
            self.0.put(cache, key, record, Condition::Lease(lease)).await
        })
    }

    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        self.0.remove(cache, keys, stamp)
    }

    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        self.0.expire(cache, keys, stamp)
    }

    fn raise<'a>(&'a self, cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()> {
        self.0.raise(cache, tag, stamp)
    }
}

struct GullibleStores;

impl StoreFixture for GullibleStores {
    type Store = Gullible;

    async fn start(&mut self) -> Gullible {
        Gullible(MemoryStore::new())
    }

    async fn pass(&mut self, _: Duration) {}
}

#[tokio::test]
#[should_panic(expected = "after change 0")]
async fn a_store_that_takes_a_voided_lease_is_noticed() {
    store::a_lease_from_before_a_change_fills_nothing(&mut GullibleStores).await;
}

#[tokio::test]
#[should_panic(expected = "stamp 99")]
async fn a_store_that_takes_an_older_stamp_is_noticed() {
    store::only_newer_stamps_replace(&mut GullibleStores).await;
}

/// Says that it is everybody's turn.
struct Generous(MemoryStore);

impl Store for Generous {
    fn get<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], intent: Intent) -> StoreFuture<'a, Vec<Lookup>> {
        Box::pin(async move {
            let found = self.0.get(cache, keys, intent).await?;
            Ok(found.into_iter().map(|found| Lookup { turn: Turn::Yours, ..found }).collect())
        })
    }

    fn release<'a>(&'a self, _: &'a str, _: Bytes, _: Lease) -> StoreFuture<'a, ()> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn put<'a>(
        &'a self,
        cache: &'a str,
        key: Bytes,
        record: Record,
        condition: Condition,
    ) -> StoreFuture<'a, Written> {
        self.0.put(cache, key, record, condition)
    }

    fn remove<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        self.0.remove(cache, keys, stamp)
    }

    fn expire<'a>(&'a self, cache: &'a str, keys: &'a [Bytes], stamp: u64) -> StoreFuture<'a, ()> {
        self.0.expire(cache, keys, stamp)
    }

    fn raise<'a>(&'a self, cache: Option<&'a str>, tag: Option<Bytes>, stamp: u64) -> StoreFuture<'a, ()> {
        self.0.raise(cache, tag, stamp)
    }
}

struct GenerousStores;

impl StoreFixture for GenerousStores {
    type Store = Generous;

    async fn start(&mut self) -> Generous {
        Generous(MemoryStore::new())
    }

    async fn pass(&mut self, _: Duration) {}
}

#[tokio::test]
#[should_panic(expected = "[Yours, Yours]")]
async fn a_store_that_lets_everybody_load_is_noticed() {
    store::one_reader_at_a_time_has_the_turn_to_load(&mut GenerousStores).await;
}
