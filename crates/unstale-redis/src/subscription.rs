//! A subscription to channels and patterns, kept up in the background.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use unstale_port::Error;

use crate::backoff::Backoff;
use crate::dial;
use crate::error::{refused, timed_out, unavailable};
use crate::reply::Value;
use crate::settings::Settings;
use crate::wire::Wire;

/// How often the server is asked whether it is there while nothing comes.
const PING_EVERY: Duration = Duration::from_millis(500);
/// How long it may say nothing after that: with the interval, a dead connection is noticed within 2 s.
const PING_MAX: Duration = Duration::from_secs(1);
/// How many notices wait for their reader, and how many bytes of messages; a reader that is slower than this makes the
/// connection wait, and Redis drop it.
const WAITING_MAX: usize = 16_384;
const WAITING_BYTES_MAX: u32 = 8 << 20;
/// The most bytes of a message; one that has more costs the connection.
const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// What is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// One channel, literally.
    Channel(Bytes),
    /// Every channel whose name fits, as `PSUBSCRIBE` has it: `*`, `?`, `[ab]`.
    Pattern(Bytes),
}

/// What a subscription says.
#[derive(Debug)]
pub enum Notice {
    /// The server has confirmed all topics: every message published after this comes, until it is lost.
    Began,
    /// A message. One that fits several topics comes once for each.
    Message {
        /// Where it was published.
        channel: Bytes,
        /// What was published.
        payload: Bytes,
    },
    /// The subscription is lost, or could not be made; messages may be missed until it begins anew.
    Lost(Error),
}

/// A subscription with a connection of its own, made again for ever whenever it is lost. Dropped, it ends.
///
/// Redis carries messages at most once; what is lost with a connection is not told, but that one was lost is. A connection
/// that is silently dead is noticed within 2 s. 16,384 notices and 8 MiB of messages wait for a slow reader; then the server
/// has to keep what follows, and ends the connection when that is more than its own limit. A message of more than 8 MiB, its
/// channel included, costs the connection. Needs a tokio runtime.
///
/// ```no_run
/// use unstale_redis::{Notice, Settings, Subscription, Topic};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), unstale_port::Error> {
/// let settings = Settings::parse("redis://127.0.0.1")?;
/// let mut heard = Subscription::open(settings, [Topic::Pattern("*.Backplane:v2".into())]);
/// while let Notice::Message { channel, payload } = heard.next().await {
///     println!("{} bytes on {channel:?}", payload.len());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Subscription {
    notices: mpsc::Receiver<Waiting>,
    keeper: JoinHandle<()>,
}

/// A notice that waits, and the room that it takes up.
type Waiting = (Notice, Option<OwnedSemaphorePermit>);

impl Subscription {
    /// Begins to subscribe, in the background.
    pub fn open(settings: Settings, topics: impl IntoIterator<Item = Topic>) -> Self {
        let (sender, notices) = mpsc::channel(WAITING_MAX);
        let room = Arc::new(Semaphore::new(WAITING_BYTES_MAX as usize));
        let keeper = tokio::spawn(keep(settings, topics.into_iter().collect(), Teller { sender, room }));
        Self { notices, keeper }
    }

    /// What it says next. Cancel-safe.
    pub async fn next(&mut self) -> Notice {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// What it says next.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Notice> {
        match self.notices.poll_recv(cx) {
            Poll::Ready(Some((notice, _))) => Poll::Ready(notice),
            // The keeper ends with its runtime only: nothing is heard any more, and nobody is left to say so.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

/// Nobody reads any more.
struct Gone;

/// Where notices wait for their reader.
struct Teller {
    sender: mpsc::Sender<Waiting>,
    /// Bytes of messages that may still wait.
    room: Arc<Semaphore>,
}

impl Teller {
    /// Waits for room.
    async fn tell(&self, notice: Notice) -> Result<(), Gone> {
        let room = match &notice {
            Notice::Message { channel, payload } => {
                let bytes = (channel.len() + payload.len()).min(WAITING_BYTES_MAX as usize) as u32;
                Some(Arc::clone(&self.room).acquire_many_owned(bytes).await.map_err(|_| Gone)?)
            }
            Notice::Began | Notice::Lost(_) => None,
        };
        self.sender.send((notice, room)).await.map_err(|_| Gone)
    }
}

/// Subscribes, listens, subscribes again.
async fn keep(settings: Settings, topics: Vec<Topic>, teller: Teller) {
    let mut backoff = Backoff::new(getrandom::u64().unwrap_or_default());
    loop {
        let error = match subscribe(&settings, &topics).await {
            Ok(mut wire) => {
                backoff.reset();
                if teller.tell(Notice::Began).await.is_err() {
                    return;
                }
                match listen(&mut wire, &teller).await {
                    Ok(error) => error,
                    Err(Gone) => return,
                }
            }
            Err(error) => error,
        };
        tracing::debug!(redis = %settings, %error, "not subscribed");
        if teller.tell(Notice::Lost(error)).await.is_err() {
            return;
        }
        sleep(backoff.next()).await;
    }
}

/// A connection that has confirmed all topics. What comes before the last confirmation, on topics that were confirmed
/// earlier, is dropped: the subscription begins with the last one.
async fn subscribe(settings: &Settings, topics: &[Topic]) -> Result<Wire, Error> {
    let mut wire = dial::open(settings).await?;
    wire.limit(MESSAGE_BYTES_MAX);
    let limit = settings.connect_timeout;
    let confirmed = timeout(limit, async {
        for topic in topics {
            let (command, name): (&[u8], _) = match topic {
                Topic::Channel(name) => (b"SUBSCRIBE", name),
                Topic::Pattern(name) => (b"PSUBSCRIBE", name),
            };
            wire.push(&[command, name]);
        }
        poll_fn(|cx| wire.poll_flush(cx)).await.map_err(|cause| unavailable("subscribe", cause))?;
        let mut left = topics.len();
        while left > 0 {
            let value = poll_fn(|cx| wire.poll_value(cx)).await;
            let value = value.map_err(|cause| unavailable("subscribe", cause))?;
            if let Value::Error(line) = &value {
                return Err(refused("subscribe", line));
            }
            // Else it is a message on a topic that is confirmed already: from before the beginning.
            if is_confirmation(&value) {
                left -= 1;
            }
        }
        Ok(())
    });
    confirmed.await.map_err(|_| timed_out("subscribe", limit))??;
    Ok(wire)
}

fn is_confirmation(value: &Value) -> bool {
    let Value::Push(parts) = value else { return false };
    matches!(parts.first().and_then(Value::text), Some("subscribe" | "psubscribe"))
}

/// Until the connection is lost or its server says nothing any more; what it is lost by.
async fn listen(wire: &mut Wire, teller: &Teller) -> Result<Error, Gone> {
    let mut is_asked = false;
    let mut last = Instant::now();
    loop {
        let patience = if is_asked { PING_MAX } else { PING_EVERY };
        match timeout_at(last + patience, poll_fn(|cx| wire.poll_value(cx))).await {
            Ok(Ok(Value::Error(line))) => return Ok(refused("listen", &line)),
            Ok(Ok(Value::Push(parts))) => {
                if let Some(notice) = notice(&parts) {
                    teller.tell(notice).await?;
                }
                (is_asked, last) = (false, Instant::now());
            }
            Ok(Ok(_)) => (is_asked, last) = (false, Instant::now()),
            Ok(Err(cause)) => return Ok(unavailable("listen", cause)),
            Err(_) if is_asked => return Ok(timed_out("ping", PING_MAX)),
            Err(_) => {
                (is_asked, last) = (true, Instant::now());
                wire.push(&[b"PING"]);
                match timeout(PING_MAX, poll_fn(|cx| wire.poll_flush(cx))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(cause)) => return Ok(unavailable("ping", cause)),
                    Err(_) => return Ok(timed_out("ping", PING_MAX)),
                }
            }
        }
    }
}

/// What a push says; nothing for what is no message.
fn notice(parts: &[Value]) -> Option<Notice> {
    let (kind, parts) = parts.split_first()?;
    let (("message", [channel, payload]) | ("pmessage", [_, channel, payload])) = (kind.text()?, parts)
    else {
        return None;
    };
    Some(Notice::Message { channel: channel.bytes()?.clone(), payload: payload.bytes()?.clone() })
}
