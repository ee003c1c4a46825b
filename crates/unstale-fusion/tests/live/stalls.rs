//! A server that takes repairs and does not answer them.

use std::future::{pending, poll_fn};
use std::sync::Mutex;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::watch;
use tokio::time::timeout;
use unstale_codec::fusion::{Action, BackplaneMessage, Text, Ticks};
use unstale_fusion::{Format, FusionCache, FusionSettings};
use unstale_port::{
    Error, Foreign, ForeignAct, ForeignFeed, ForeignHeard, Heard, Kind, Listener, Reply, Retry, Script,
    Scripts, StoreFuture,
};

use crate::peer::PATIENCE;

/// Repairs that are under way at once.
const AT_ONCE_MAX: usize = 64;

/// A server whose scripts begin and end when the test lets them.
struct Stalled {
    answers: watch::Receiver<bool>,
    heard: Mutex<Option<UnboundedReceiver<Heard>>>,
}

struct Messages(UnboundedReceiver<Heard>);

impl Scripts for Stalled {
    fn run<'a>(
        &'a self,
        _script: &'static Script,
        _keys: &'a [Bytes],
        _arguments: &'a [Bytes],
    ) -> StoreFuture<'a, Reply> {
        let mut answers = self.answers.clone();
        Box::pin(async move {
            if answers.wait_for(|answers| *answers).await.is_err() {
                pending::<()>().await;
            }
            Ok(Reply::Number(0))
        })
    }

    fn listen(&self, _channel: &str) -> Box<dyn Listener> {
        Box::new(Messages(self.heard.lock().expect("no test panics with it").take().expect("one listener")))
    }
}

impl Listener for Messages {
    fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        match self.0.poll_recv(cx) {
            Poll::Ready(Some(heard)) => Poll::Ready(heard),
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

/// A feed on such a server, what it is to hear, and the way to let the server answer.
fn feed() -> (Box<dyn ForeignFeed>, UnboundedSender<Heard>, watch::Sender<bool>, FusionCache) {
    let (says, heard) = unbounded_channel();
    let answering = watch::Sender::new(false);
    let server = Stalled { answers: answering.subscribe(), heard: Mutex::new(Some(heard)) };
    let settings = FusionSettings::new("c", Format::SystemTextJson);
    let cache = FusionCache::open(server, settings).expect("sound settings");
    (cache.feed([1; 16]), says, answering, cache)
}

async fn next(feed: &mut Box<dyn ForeignFeed>) -> ForeignHeard {
    timeout(PATIENCE, poll_fn(|cx| feed.poll_heard(cx))).await.expect("something is heard")
}

/// What a .NET node publishes when it removes a key.
fn removal(n: usize) -> Heard {
    let message = BackplaneMessage {
        source_id: "theirs".into(),
        timestamp: Ticks(639_028_224_010_000_000),
        action: Action::Remove,
        cache_key: Text::from(n.to_string()),
        rest: Bytes::new(),
    };
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes).expect("a message");
    Heard::Message(bytes.freeze())
}

async fn hear_removals(feed: &mut Box<dyn ForeignFeed>, numbers: std::ops::RangeInclusive<usize>) {
    for n in numbers {
        let act = ForeignAct::Remove(n.to_string().into());
        assert_eq!(next(feed).await, ForeignHeard::Act { act, process: None });
    }
}

#[tokio::test]
async fn repairs_that_hold_up_the_hearing_are_told_as_its_loss() {
    let (mut feed, says, answering, cache) = feed();
    says.send(Heard::Began).expect("it listens");
    for n in 0..=AT_ONCE_MAX + 1 {
        says.send(removal(n)).expect("it listens");
    }
    assert_eq!(next(&mut feed).await, ForeignHeard::Began);
    // Each is heard before its repair begins; that of the last one of these finds no room.
    hear_removals(&mut feed, 0..=AT_ONCE_MAX).await;
    assert!(matches!(next(&mut feed).await, ForeignHeard::Lost(_)));
    assert_eq!(cache.counts().lost, 1);
    answering.send_replace(true);
    assert_eq!(next(&mut feed).await, ForeignHeard::Began);
    hear_removals(&mut feed, AT_ONCE_MAX + 1..=AT_ONCE_MAX + 1).await;
}

#[tokio::test]
async fn what_was_not_heard_anyway_does_not_begin_after_a_stall() {
    let (mut feed, says, answering, cache) = feed();
    says.send(Heard::Began).expect("it listens");
    let error = Error::new(Kind::Unavailable, Retry::Reconnected, "listen", "the link broke");
    says.send(Heard::Lost(error)).expect("it listens");
    for n in 0..=AT_ONCE_MAX + 1 {
        says.send(removal(n)).expect("it listens");
    }
    assert_eq!(next(&mut feed).await, ForeignHeard::Began);
    assert!(matches!(next(&mut feed).await, ForeignHeard::Lost(_)));
    hear_removals(&mut feed, 0..=AT_ONCE_MAX).await;
    // Longer than the feed waits before it says so.
    let stalled = timeout(std::time::Duration::from_millis(500), poll_fn(|cx| feed.poll_heard(cx)));
    assert!(stalled.await.is_err(), "it was said already");
    answering.send_replace(true);
    hear_removals(&mut feed, AT_ONCE_MAX + 1..=AT_ONCE_MAX + 1).await;
    assert_eq!(cache.counts().lost, 1);
}
