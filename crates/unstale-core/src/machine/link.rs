//! One link, and what is to be sent over it besides live frames.

use std::collections::VecDeque;

use bytes::Bytes;

use super::input::Order;
use super::round::Hurry;
use crate::{Instant, Message, PeerQueue, Range, Size, Stream};

#[derive(Debug)]
pub(super) struct Link {
    pub(super) order: Order,
    pub(super) dialled: Option<Bytes>,
    pub(super) up: Instant,
    /// Who said hello or admitted this node over it.
    pub(super) peer: Option<Stream>,
    /// Whether this node's hello was answered.
    pub(super) answered: bool,
    /// When a stranger on it was last told what he is.
    pub(super) told: Instant,
    pub(super) control: VecDeque<Control>,
    pub(super) beat: BeatDue,
    /// How many beats were due since the last frame of a burst.
    pub(super) tails_sent: usize,
    pub(super) asked: VecDeque<Asked>,
    /// Frames of the first asked range.
    pub(super) replay: PeerQueue,
    /// Whose turn it is when live and replayed frames wait.
    pub(super) turn: Turn,
    pub(super) farewell: Farewell,
}

/// A message that goes before frames. Those that speak of the present are built when they are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Control {
    Hello,
    Admit {
        to: Stream,
        known: bool,
    },
    View,
    /// The answer to the newest round of this pacemaker.
    Answer {
        pacemaker: Stream,
        hurry: Hurry,
    },
    Ready(Box<Message>),
}

/// Whether a beat is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum BeatDue {
    No,
    Yes,
    /// One that asks for a beat at once (P-15).
    Asking,
}

/// What the peer asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) stream: Stream,
    pub(super) range: Range,
    pub(super) form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Frames,
    Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Live,
    Replay,
}

/// Whether a goodbye is to be sent when all else was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    No,
    Due,
    Said,
}

impl Link {
    /// What a peer may ask for at once; beyond it the asker's own time-out goes on.
    pub(super) const ASKED_MAX: usize = 128;

    pub(super) fn new(order: Order, dialled: Option<Bytes>, now: Instant, replay: Size) -> Self {
        Self {
            order,
            dialled,
            up: now,
            peer: None,
            answered: false,
            told: Instant::ZERO,
            control: VecDeque::new(),
            beat: BeatDue::No,
            tails_sent: 0,
            asked: VecDeque::new(),
            replay: PeerQueue::with_bound(replay),
            turn: Turn::Live,
            farewell: Farewell::No,
        }
    }

    /// Adds a message; it takes the place of one that says the like, so there is one for each kind and subject.
    pub(super) fn push(&mut self, control: Control) {
        match self.control.iter_mut().find(|waiting| waiting.is_replaced_by(&control)) {
            Some(waiting) => *waiting = control,
            None => self.control.push_back(control),
        }
    }

    pub(super) fn ask(&mut self, asked: Asked) {
        if self.asked.len() < Self::ASKED_MAX && !self.asked.contains(&asked) {
            self.asked.push_back(asked);
        }
    }
}

impl Control {
    pub(super) fn ready(message: Message) -> Self {
        Self::Ready(Box::new(message))
    }

    fn is_replaced_by(&self, newer: &Self) -> bool {
        match (self, newer) {
            (Self::Hello, Self::Hello) | (Self::View, Self::View) => true,
            (Self::Admit { to, .. }, Self::Admit { to: newer, .. }) => to == newer,
            (Self::Ready(older), Self::Ready(newer)) => match (&**older, &**newer) {
                (Message::Want(want), Message::Want(newer)) => want.stream == newer.stream,
                (older, newer) => older == newer,
            },
            (older, newer) => older == newer,
        }
    }
}
