//! The connections of a backplane, from the time that all are there until one breaks.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{BufMut, Bytes};
use tokio::time::{Instant, timeout};
use unstale_port::{Error, Frame, Kind, Retry};

use super::envelope::Head;
use super::feed::{FIELD, Feed};
use super::names::{Names, Process};
use super::register::{Asked, SCRIPT};
use crate::dial;
use crate::error::{timed_out, unavailable};
use crate::reply::{Value, head, string};
use crate::settings::Settings;
use crate::wire::Wire;

/// A connection that was silent for this long is asked whether it is there.
const PING_AFTER: Duration = Duration::from_millis(500);
/// How long it may take to answer: a half-open connection is noticed within 2 s.
const ANSWER_MAX: Duration = Duration::from_secs(1);
/// How much may wait to be written, and how many answers may be outstanding, while links have room.
const OUTGOING_BYTES_MAX: usize = 1 << 20;
const AWAITED_MAX: usize = 4_096;
/// The most bytes of a message, of whomever; one that has more costs the connection.
const MESSAGE_BYTES_MAX: usize = 8 << 20;
/// The most bytes of a reply with entries of a stream: as many of the largest frames as are asked for, and what is around them.
const ENTRIES_BYTES_MAX: usize = 72 << 20;

/// Connections that are coming up.
pub(crate) type Opening = Pin<Box<dyn Future<Output = Result<Opened, Error>> + Send>>;

/// Connections that are there.
pub(crate) struct Opened {
    pub(crate) session: Session,
    pub(crate) feed: Feed,
    pub(crate) notes: Vec<(&'static str, String)>,
}

/// Open connections.
pub(crate) struct Session {
    /// The server's run id.
    pub(crate) run: Bytes,
    /// When it is looked for what is due.
    pub(crate) tick_at: Instant,
    sha: Bytes,
    publisher: Wire,
    answered: Alive,
    awaited: VecDeque<(Awaited, Instant)>,
    subscriber: Wire,
    heard: Alive,
    pinged: Option<Instant>,
    /// Which connection is read first.
    turn: Turn,
    /// Reads the stream, if there is one.
    reader: Option<Wire>,
    read: Alive,
}

/// Connections are read in turn, or a flood on one would look like silence on the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Subscriber,
    Reader,
    Publisher,
}

/// When bytes were last seen to have come in. A large reply over a slow link is no silence.
#[derive(Clone, Copy, Debug)]
struct Alive {
    bytes: u64,
    at: Instant,
}

/// What a reply of the publisher answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    /// A letter over this link.
    Letter(u64),
    /// A frame for all, by how many units were sent with it.
    Common(u64),
    /// A reading of the register.
    Reading(u64),
    /// Nothing that matters unless it is an error.
    Nothing,
}

/// What came in.
pub(crate) enum Taken {
    Pushed {
        channel: Bytes,
        message: Bytes,
    },
    /// Messages out of the stream.
    Fed(Vec<Bytes>),
    Reply(Awaited, Value),
}

/// Opens all connections, to one server.
pub(crate) async fn open(
    settings: Settings,
    names: Names,
    me: Process,
    mut feed: Feed,
) -> Result<Opened, Error> {
    let key = names.register();
    let (publisher, subscriber) =
        tokio::join!(dial::open_for(&settings, &key), dial::open_for(&settings, &key));
    let (mut publisher, mut subscriber) = (publisher?, subscriber?);
    let limit = settings.connect_timeout;
    let prepared = timeout(limit, async {
        let run = run_id(&mut publisher).await?;
        is_of(&mut subscriber, &run).await?;
        let loaded = publisher.ask("load the script", &[b"SCRIPT", b"LOAD", SCRIPT.as_bytes()]).await?;
        let sha = loaded.bytes().cloned().unwrap_or_default();
        let mut channels = vec![names.inbox(me)];
        if feed.is_pubsub() {
            channels.push(names.all());
        }
        subscriber.limit(MESSAGE_BYTES_MAX);
        subscribe(&mut subscriber, &channels).await?;
        Ok((run, sha))
    });
    let (run, sha) = prepared.await.unwrap_or_else(|_| Err(timed_out("subscribe", limit)))?;
    let (mut reader, mut notes) = (None, Vec::new());
    if !feed.is_pubsub() {
        let mut wire = dial::open_for(&settings, &key).await?;
        let found = timeout(limit, async {
            is_of(&mut wire, &run).await?;
            feed.find(&mut wire, &sha).await
        });
        notes.extend(found.await.unwrap_or_else(|_| Err(timed_out("read the stream", limit)))?);
        wire.limit(ENTRIES_BYTES_MAX);
        feed.ask(&mut wire);
        reader = Some(wire);
    }
    let now = Instant::now();
    let session = Session {
        run,
        tick_at: now,
        sha,
        publisher,
        awaited: VecDeque::new(),
        answered: Alive { bytes: 0, at: now },
        subscriber,
        heard: Alive { bytes: 0, at: now },
        pinged: None,
        turn: Turn::Subscriber,
        reader,
        read: Alive { bytes: 0, at: now },
    };
    Ok(Opened { session, feed, notes })
}

impl Session {
    /// Whether links may hand over more.
    pub(crate) fn has_room(&mut self) -> bool {
        self.publisher.outgoing().len() < OUTGOING_BYTES_MAX && self.awaited.len() < AWAITED_MAX
    }

    /// Whether everything that was asked was answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.awaited.is_empty()
    }

    pub(crate) fn publish(&mut self, channel: &[u8], envelope: &Head, frame: &Frame, awaited: Awaited) {
        let out = self.publisher.outgoing();
        head(b'*', 3, out);
        string(b"PUBLISH", out);
        string(channel, out);
        put_message(envelope, frame, out);
        self.await_answer(awaited);
    }

    /// Adds a message to a stream of about so many entries.
    pub(crate) fn add(
        &mut self,
        (stream, entries_max): (&Bytes, u64),
        envelope: &Head,
        frame: &Frame,
        awaited: Awaited,
    ) {
        let out = self.publisher.outgoing();
        head(b'*', 8, out);
        string(b"XADD", out);
        string(stream, out);
        string(b"MAXLEN", out);
        string(b"~", out);
        string(entries_max.to_string().as_bytes(), out);
        string(b"*", out);
        string(FIELD, out);
        put_message(envelope, frame, out);
        self.await_answer(awaited);
    }

    /// Asks something of the register.
    pub(crate) fn ask(&mut self, asked: &Asked) {
        let out = self.publisher.outgoing();
        head(b'*', 3 + asked.words.len(), out);
        string(b"EVALSHA", out);
        string(&self.sha, out);
        string(b"1", out);
        for word in &asked.words {
            string(word, out);
        }
        self.await_answer(asked.reading.map_or(Awaited::Nothing, Awaited::Reading));
    }

    pub(crate) fn load_script(&mut self) {
        self.publisher.push(&[b"SCRIPT", b"LOAD", SCRIPT.as_bytes()]);
        self.await_answer(Awaited::Nothing);
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.publisher.poll_flush(cx)
    }

    /// The next thing that came in; what waits is written before. An error is the end of the session.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, feed: &mut Feed) -> Poll<Result<Taken, Error>> {
        if let Poll::Ready(Err(cause)) = self.publisher.poll_flush(cx) {
            return Poll::Ready(Err(unavailable("publish", cause)));
        }
        for _ in 0..3 {
            let turn = self.turn;
            self.turn = turn.next();
            let taken = match turn {
                Turn::Subscriber => self.poll_subscriber(cx),
                Turn::Reader => self.poll_reader(cx, feed),
                Turn::Publisher => self.poll_publisher(cx),
            };
            if taken.is_ready() {
                return taken;
            }
        }
        Poll::Pending
    }

    /// Asks silent connections whether they are there.
    ///
    /// # Errors
    /// `Timeout` if one did not answer in time.
    pub(crate) fn check(&mut self, now: Instant) -> Result<(), Error> {
        self.answered.see(&self.publisher, now);
        self.heard.see(&self.subscriber, now);
        let is_late = |since: Instant, alive: Alive| now.duration_since(since.max(alive.at)) > ANSWER_MAX;
        if self.awaited.front().is_some_and(|(_, since)| is_late(*since, self.answered)) {
            return Err(timed_out("publish", ANSWER_MAX));
        }
        if self.awaited.is_empty() && now.duration_since(self.answered.at) > PING_AFTER {
            self.publisher.push(&[b"PING"]);
            self.await_answer(Awaited::Nothing);
        }
        if self.pinged.is_some_and(|since| is_late(since, self.heard)) {
            return Err(timed_out("subscribe", ANSWER_MAX));
        }
        if self.pinged.is_none() && now.duration_since(self.heard.at) > PING_AFTER {
            self.subscriber.push(&[b"PING"]);
            self.pinged = Some(now);
        }
        if let Some(reader) = &self.reader {
            self.read.see(reader, now);
            if now.duration_since(self.read.at) > PING_AFTER + ANSWER_MAX {
                return Err(timed_out("read the stream", ANSWER_MAX));
            }
        }
        Ok(())
    }

    fn await_answer(&mut self, awaited: Awaited) {
        self.awaited.push_back((awaited, Instant::now()));
    }

    fn poll_publisher(&mut self, cx: &mut Context<'_>) -> Poll<Result<Taken, Error>> {
        let value = std::task::ready!(self.publisher.poll_value(cx));
        let value = value.map_err(|cause| unavailable("publish", cause))?;
        let unasked = || {
            let detail = "an answer to nothing that was asked";
            Error::new(Kind::Rejected, Retry::Reconnected, "publish", detail)
        };
        let (awaited, _) = self.awaited.pop_front().ok_or_else(unasked)?;
        Poll::Ready(Ok(Taken::Reply(awaited, value)))
    }

    fn poll_reader(&mut self, cx: &mut Context<'_>, feed: &mut Feed) -> Poll<Result<Taken, Error>> {
        let Some(reader) = &mut self.reader else { return Poll::Pending };
        let failed = |cause| unavailable("read the stream", cause);
        if let Poll::Ready(Err(cause)) = reader.poll_flush(cx) {
            return Poll::Ready(Err(failed(cause)));
        }
        let value = std::task::ready!(reader.poll_value(cx));
        if value.as_ref().is_err_and(|cause| cause.kind() == io::ErrorKind::InvalidData) {
            feed.skip();
        }
        Poll::Ready(value.map_err(failed).and_then(|value| fed(reader, feed, &value)))
    }

    fn poll_subscriber(&mut self, cx: &mut Context<'_>) -> Poll<Result<Taken, Error>> {
        let failed = |cause| unavailable("subscribe", cause);
        if let Poll::Ready(Err(cause)) = self.subscriber.poll_flush(cx) {
            return Poll::Ready(Err(failed(cause)));
        }
        loop {
            let value = std::task::ready!(self.subscriber.poll_value(cx)).map_err(failed)?;
            self.pinged = None;
            if let Some(taken) = pushed(value) {
                return Poll::Ready(Ok(taken));
            }
        }
    }
}

impl Turn {
    fn next(self) -> Self {
        match self {
            Self::Subscriber => Self::Reader,
            Self::Reader => Self::Publisher,
            Self::Publisher => Self::Subscriber,
        }
    }
}

impl Alive {
    fn see(&mut self, wire: &Wire, now: Instant) {
        if wire.read() != self.bytes {
            *self = Self { bytes: wire.read(), at: now };
        }
    }
}

async fn run_id(wire: &mut Wire) -> Result<Bytes, Error> {
    let info = wire.ask("ask who is there", &[b"INFO", b"server"]).await?;
    let run = info.text().and_then(|info| info.lines().find_map(|line| line.strip_prefix("run_id:")));
    let none = || Error::new(Kind::Rejected, Retry::Never, "ask who is there", "the server names no run_id");
    run.map(|run| Bytes::copy_from_slice(run.trim_end().as_bytes())).ok_or_else(none)
}

/// Whether a connection leads to the server of this run id.
async fn is_of(wire: &mut Wire, run: &Bytes) -> Result<(), Error> {
    if run_id(wire).await? == *run {
        return Ok(());
    }
    Err(Error::new(Kind::Unavailable, Retry::Reconnected, "connect", "two servers answered for one"))
}

async fn subscribe(wire: &mut Wire, channels: &[Bytes]) -> Result<(), Error> {
    let mut command: Vec<&[u8]> = vec![b"SUBSCRIBE"];
    command.extend(channels.iter().map(|channel| &channel[..]));
    let mut reply = wire.call("subscribe", &command).await?;
    for left in (0..channels.len()).rev() {
        if let Value::Error(line) = &reply {
            return Err(crate::error::refused("subscribe", line));
        }
        if left > 0 {
            reply = wire.next("subscribe").await?;
        }
    }
    Ok(())
}

/// A message of a channel; anything else that a subscriber hears means no more than that the server is there.
fn pushed(value: Value) -> Option<Taken> {
    let Value::Push(push) = value else { return None };
    let [kind, channel, message] = &push[..] else { return None };
    if kind.text() != Some("message") {
        return None;
    }
    Some(Taken::Pushed { channel: channel.bytes()?.clone(), message: message.bytes()?.clone() })
}

fn fed(reader: &mut Wire, feed: &mut Feed, reply: &Value) -> Result<Taken, Error> {
    if let Value::Error(line) = reply {
        return Err(crate::error::refused("read the stream", line));
    }
    let strange =
        || Error::new(Kind::Rejected, Retry::Reconnected, "read the stream", "a reply that is no stream's");
    let messages = feed.take(reply).ok_or_else(strange)?;
    feed.ask(reader);
    Ok(Taken::Fed(messages))
}

fn put_message(envelope: &Head, frame: &Frame, out: &mut bytes::BytesMut) {
    head(b'$', envelope.length() + frame.len(), out);
    envelope.encode(out);
    out.put_slice(frame);
    out.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
