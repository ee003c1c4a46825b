//! The backplane over one Redis. It owns its connections and works only while its owner polls.

mod builder;
mod common_link;
mod envelope;
mod feed;
mod links;
mod names;
mod notes;
mod register;
mod session;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};
use unstale_port::{Backplane, Error, Event, Frame, Kind, LinkId, Properties, RegisterRequest, Retry};

pub use builder::Builder;
use common_link::Common;
pub(crate) use envelope::Head;
use envelope::{What, units};
use feed::Feed;
use links::Links;
use names::{Names, Process};
use notes::Notes;
use register::Register;
use session::{Awaited, Opening, Session, Taken};

use crate::backoff::Backoff;
use crate::health::{Health, Pulse};
use crate::settings::Settings;

/// How often what is due is looked for.
const TICK: Duration = Duration::from_millis(100);
/// The largest frame.
pub(crate) const FRAME_BYTES_MAX: usize = 1 << 20;

/// Links to the processes of a group over one Redis; see the crate for what it promises.
///
/// Two connections are open, or with a stream three; when one of them breaks, all links are down, since frames may be
/// lost, and the connections are made again for ever, with a wait drawn between 0 and at most 1 s. [`Event::Note`] is said
/// for every failed connection and whatever the server refuses, with details once a minute. Dropping it closes everything.
pub struct RedisBackplane {
    properties: Properties,
    settings: Settings,
    names: Names,
    me: Process,
    /// The channels that are heard.
    inbox: Bytes,
    all: Bytes,
    line: Line,
    links: Links,
    common: Common,
    register: Register,
    feed: Feed,
    backoff: Backoff,
    pulse: Pulse,
    notes: Notes,
    timer: Pin<Box<Sleep>>,
}

/// How far the connections are.
enum Line {
    /// Until the next try.
    Waiting(Instant),
    Opening(Opening),
    Open(Box<Session>),
    Closed,
}

/// What a [`RedisBackplane`] starts from, checked.
struct Setup {
    properties: Properties,
    settings: Settings,
    names: Names,
    me: Process,
    feed: Feed,
}

impl RedisBackplane {
    /// A builder with the defaults.
    pub fn builder(settings: Settings) -> Builder {
        Builder::new(settings)
    }

    /// How the connections are.
    pub fn health(&self) -> Health {
        self.pulse.read()
    }

    /// Tells of the connections from elsewhere, as long as anybody asks.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    fn new(setup: Setup) -> Self {
        let Setup { properties, settings, names, me, feed } = setup;
        let now = Instant::now();
        let seed = me.0.iter().fold(0, |seed: u64, byte| seed.rotate_left(8) ^ u64::from(*byte));
        Self {
            properties,
            settings,
            inbox: names.inbox(me),
            all: names.all(),
            register: Register::new(names.register(), me),
            names,
            me,
            line: Line::Waiting(now),
            links: Links::new(me),
            common: Common::default(),
            feed,
            backoff: Backoff::new(seed),
            pulse: Pulse::new(),
            notes: Notes::default(),
            timer: Box::pin(sleep_until(now)),
        }
    }

    /// One step of the connections; pending when there is nothing to do.
    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.line {
            Line::Closed => Poll::Pending,
            Line::Waiting(until) => {
                let until = *until;
                if self.poll_timer(until, cx).is_pending() {
                    return Poll::Pending;
                }
                let opening =
                    session::open(self.settings.clone(), self.names.clone(), self.me, self.feed.clone());
                self.line = Line::Opening(Box::pin(opening));
                Poll::Ready(())
            }
            Line::Opening(opening) => {
                match std::task::ready!(opening.as_mut().poll(cx)) {
                    Ok(opened) => self.opened(opened),
                    Err(error) => self.lost(&error),
                }
                Poll::Ready(())
            }
            Line::Open(_) => self.poll_session(cx),
        }
    }

    fn poll_timer(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.timer.deadline() != due {
            self.timer.as_mut().reset(due);
        }
        self.timer.as_mut().poll(cx)
    }

    fn opened(&mut self, opened: session::Opened) {
        let session::Opened { session, feed, notes } = opened;
        for (what, detail) in notes {
            self.note(what, &detail);
        }
        if feed.is_pubsub() {
            self.links.forget_common();
        }
        self.feed = feed;
        self.line = Line::Open(Box::new(session));
        self.backoff.reset();
        self.pulse.up();
        let now = Instant::now();
        self.links.connected(now);
        self.common.rise(&mut self.links);
        self.post();
    }

    /// The connections could not be made, or are lost.
    fn lost(&mut self, error: &Error) {
        let now = Instant::now();
        self.pulse.down(error.to_string());
        self.note("redis-unavailable", &error.to_string());
        self.links.broken(&error.to_string(), now);
        self.common.fall(&mut self.links, &error.to_string());
        self.line = Line::Waiting(now + self.backoff.next());
    }

    fn poll_session(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let due = match &mut self.line {
            Line::Open(session) => session.tick_at,
            Line::Waiting(_) | Line::Opening(_) | Line::Closed => return Poll::Pending,
        };
        if self.poll_timer(due, cx).is_ready() {
            self.tick();
            return Poll::Ready(());
        }
        let Line::Open(session) = &mut self.line else { return Poll::Pending };
        match std::task::ready!(session.poll(cx, &mut self.feed)) {
            Ok(taken) => self.take(taken),
            Err(error) => self.lost(&error),
        }
        Poll::Ready(())
    }

    fn tick(&mut self) {
        let now = Instant::now();
        let Line::Open(session) = &mut self.line else { return };
        session.tick_at = now + TICK;
        if let Err(error) = session.check(now) {
            return self.lost(&error);
        }
        self.links.tick(now);
        self.post();
    }

    fn take(&mut self, taken: Taken) {
        match taken {
            Taken::Pushed { channel, message } => self.take_pushed(&channel, &message),
            Taken::Fed(messages) => messages.iter().for_each(|message| self.take_common(message)),
            Taken::Reply(awaited, reply) => self.take_reply(awaited, &reply),
        }
        self.post();
    }

    fn take_pushed(&mut self, channel: &Bytes, message: &Bytes) {
        if *channel == self.all {
            return self.take_common(message);
        }
        let Some((Head { from, what: What::Link(pair, kind) }, frame)) = Head::decode(message) else {
            return self.note("message-strange", "a message that is none of this version is in the inbox");
        };
        if frame.len() > FRAME_BYTES_MAX {
            return self.note("message-strange", "a message in the inbox exceeds the limit of a frame");
        }
        if *channel == self.inbox {
            self.links.receive(from, pair, kind, frame, Instant::now());
        }
    }

    fn take_common(&mut self, message: &Bytes) {
        let Some((Head { from, what: What::Common { sent } }, frame)) = Head::decode(message) else {
            return self.note("message-strange", "a message that is none of this version is for all");
        };
        if from == self.me {
            return self.common.passed(sent.saturating_add(units(&frame)));
        }
        if frame.len() > FRAME_BYTES_MAX {
            return self.note("message-strange", "a message for all exceeds the limit of a frame");
        }
        if self.links.misses_common(from, sent, &frame) {
            self.note("frames-lost", &format!("frames of inbox {from} for all did not come"));
            self.common.fall(&mut self.links, "frames were lost");
            self.common.rise(&mut self.links);
        }
        self.common.received(&mut self.links, frame);
    }

    fn take_reply(&mut self, awaited: Awaited, reply: &crate::reply::Value) {
        use crate::reply::Value;
        if let Value::Error(line) = reply {
            if line.starts_with("NOSCRIPT") {
                if let Line::Open(session) = &mut self.line {
                    session.load_script();
                }
                return;
            }
            let error = crate::error::refused("redis", line);
            if matches!(error.retry(), Retry::Reconnected) || line.starts_with("MOVED") {
                return self.lost(&error);
            }
            if let Awaited::Common(until) = awaited {
                // It never comes back. The others miss it by the count of the next one.
                self.common.passed(until);
            }
            return self.note("redis-refused", line);
        }
        match awaited {
            Awaited::Letter(link) => {
                if reply.number() == Some(0) && !self.settings.is_cluster() {
                    self.links.unreached(link, Instant::now());
                }
            }
            Awaited::Reading(reading) => match self.register.take(reading, reply) {
                Some(told) => {
                    if told.is_changed {
                        let mut listed: BTreeMap<Process, BTreeSet<Bytes>> = BTreeMap::new();
                        for (process, id) in self.register.processes() {
                            listed.entry(process).or_default().insert(id.clone());
                        }
                        self.links.list(&listed, &told.listing, Instant::now());
                    }
                    self.links.say(Event::Listed(told.listing));
                }
                None => self.note("register-strange", "the register holds what this version did not write"),
            },
            Awaited::Common(_) | Awaited::Nothing => {}
        }
    }

    /// Moves letters to what is written.
    fn post(&mut self) {
        let Line::Open(session) = &mut self.line else { return };
        while let Some(letter) = self.links.next_letter() {
            let What::Link(pair, _) = letter.head.what else { continue };
            let channel = self.names.inbox(letter.to);
            session.publish(&channel, &letter.head, &letter.frame, Awaited::Letter(pair.mine));
        }
    }

    /// Says which links have room. Not while the owner hands something over: it has not heard of the room then.
    fn grant(&mut self) {
        let Line::Open(session) = &mut self.line else { return };
        let has_room = session.has_room();
        self.links.grant(has_room);
        self.common.grant(&mut self.links, has_room);
    }

    fn note(&mut self, what: &'static str, detail: &str) {
        let event = self.notes.note(what, detail, Instant::now());
        self.links.say(event);
    }
}

impl Backplane for RedisBackplane {
    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Event> {
        loop {
            if let Some(event) = self.links.next_event() {
                return Poll::Ready(event);
            }
            let polled = self.poll_line(cx);
            self.grant();
            if polled.is_pending() {
                return self.links.next_event().map_or(Poll::Pending, Poll::Ready);
            }
        }
    }

    fn send(&mut self, link: LinkId, frame: Frame) -> Result<(), Error> {
        if frame.len() > FRAME_BYTES_MAX {
            let detail = format!("frame of {} bytes exceeds limit of {FRAME_BYTES_MAX}", frame.len());
            return Err(Error::new(Kind::TooLarge, Retry::Never, "send", detail));
        }
        if !self.common.is(link) {
            self.links.send(link, frame)?;
            self.post();
            return Ok(());
        }
        let (sent, until) = self.common.send(&frame)?;
        let head = Head { from: self.me, what: What::Common { sent } };
        if let Line::Open(session) = &mut self.line {
            match self.feed.stream() {
                None => session.publish(&self.all, &head, &frame, Awaited::Common(until)),
                Some(stream) => session.add(stream, &head, &frame, Awaited::Common(until)),
            }
        }
        Ok(())
    }

    fn close(&mut self, link: LinkId) {
        if self.common.is(link) {
            self.common.fall(&mut self.links, "closed by the owner");
            if matches!(self.line, Line::Open(_)) {
                self.common.rise(&mut self.links);
            }
        } else {
            self.links.close(link, Instant::now());
        }
        self.post();
    }

    fn register(&mut self, request: RegisterRequest) {
        let Line::Open(session) = &mut self.line else { return };
        // Without random numbers there is no number that was never used.
        let Ok(never) = getrandom::u64() else { return };
        if !session.has_room() {
            return self.note("register-busy", "a request to the register found too much under way");
        }
        match self.register.ask(request, &session.run, never) {
            Some(asked) => session.ask(&asked),
            None => self.note("register-oversized", "an entry exceeds the limits of a register"),
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if matches!(self.line, Line::Open(_)) {
            self.links.close_all(Instant::now());
            self.post();
        }
        // What the server has answered it has taken; it is not waited for longer than for any answer.
        while let Line::Open(session) = &mut self.line {
            if session.is_answered() {
                break;
            }
            std::task::ready!(self.poll_line(cx));
        }
        self.line = Line::Closed;
        self.links = Links::new(self.me);
        self.common = Common::default();
        Poll::Ready(())
    }
}

impl Drop for RedisBackplane {
    /// Peers are told, if that goes at once.
    fn drop(&mut self) {
        if matches!(self.line, Line::Open(_)) {
            self.links.close_all(Instant::now());
            self.post();
        }
        if let Line::Open(session) = &mut self.line {
            let _ = session.poll_flush(&mut Context::from_waker(Waker::noop()));
        }
    }
}
