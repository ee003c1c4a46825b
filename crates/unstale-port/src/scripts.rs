//! The contract of a server that runs scripts and carries messages: what a layout needs that programs of others share.

use std::task::{Context, Poll};

use bytes::Bytes;

use crate::{Error, StoreFuture};

/// A script in the server's language (Lua for Redis), known by its text.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Script {
    /// For errors and traces.
    pub name: &'static str,
    /// What the server runs.
    pub text: &'static str,
}

/// What a script answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing: a missing key, a field that is not there.
    Nothing,
    /// A number.
    Number(i64),
    /// Bytes.
    Bytes(Bytes),
    /// Several.
    List(Vec<Self>),
}

impl Reply {
    /// The number, if it is one.
    pub const fn number(&self) -> Option<i64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// The bytes, if it is some.
    pub const fn bytes(&self) -> Option<&Bytes> {
        if let Self::Bytes(bytes) = self { Some(bytes) } else { None }
    }

    /// The parts, if it has any.
    pub fn list(&self) -> &[Self] {
        if let Self::List(list) = self { list } else { &[] }
    }
}

/// A server that runs scripts atomically and carries messages, and that programs of others use too.
///
/// Promises: a script runs alone, all of it or (if the server refuses it) nothing; a message that a script publishes leaves
/// after everything that the script wrote. A cancelled or failed run may or may not have taken place. Messages are carried
/// at most once; what is lost is not noticed, but a lost subscription is, by [`Heard::Lost`].
pub trait Scripts: Send + Sync + 'static {
    /// Runs a script with its keys and arguments. One round trip, two for the first run of a script on a server.
    ///
    /// # Errors
    /// As [`crate::Kind`] says; `Rejected` also for a script that fails.
    fn run<'a>(
        &'a self,
        script: &'static Script,
        keys: &'a [Bytes],
        arguments: &'a [Bytes],
    ) -> StoreFuture<'a, Reply>;

    /// Subscribes to a channel, literally, and again whenever the subscription is lost. Begins at once, in the background.
    fn listen(&self, channel: &str) -> Box<dyn Listener>;
}

/// What a subscription hears.
#[derive(Debug)]
pub enum Heard {
    /// The server has confirmed the subscription: every message published after this comes, until it is lost.
    Began,
    /// A message.
    Message(Bytes),
    /// The subscription is lost, or could not be made; messages may be missed until it begins anew.
    Lost(Error),
}

/// A subscription. Dropped, it ends.
pub trait Listener: Send + 'static {
    /// What it hears next. A connection that is silently dead is noticed within 2 s.
    fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Heard>;
}
