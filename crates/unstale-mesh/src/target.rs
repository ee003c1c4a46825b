//! Addresses to dial: one at a time each, for ever, with jittered backoff.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, timeout};

use crate::handshake::Identity;

/// How long one address may take to accept a connection.
const CONNECT_MAX: Duration = Duration::from_secs(1);
/// The shortest pause before dialling again, before jitter.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// The pause before looking again whether an address that led here still does.
const PAUSE_OWN: Duration = Duration::from_secs(60);

/// Which addresses may be dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialling {
    /// Any.
    Anywhere,
    /// Loopback only, as nothing proves who is there.
    Loopback,
}

type Dial = Pin<Box<dyn Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send>>;

/// One address that is dialled whenever no link to the mesh behind it lives.
pub(crate) struct Target {
    pub(crate) address: String,
    /// The mesh that was found there, last time.
    pub(crate) identity: Option<Identity>,
    waker: Waker,
    state: State,
    pause: Duration,
}

enum State {
    Resting {
        until: Instant,
    },
    Dialling(Dial),
    /// A connection came of it and has not ended.
    Connected,
}

impl Target {
    pub(crate) fn new(address: String, waker: Waker, now: Instant) -> Self {
        Self { address, identity: None, waker, state: State::Resting { until: now }, pause: PAUSE_MIN }
    }

    /// When it wants to dial.
    pub(crate) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Resting { until } => Some(until),
            State::Dialling(_) | State::Connected => None,
        }
    }

    /// Begins to dial.
    pub(crate) fn dial(&mut self, dialling: Dialling) {
        self.state = State::Dialling(Box::pin(dial(self.address.clone(), dialling)));
        self.waker.wake_by_ref();
    }

    /// Goes on dialling. With a connection, it is connected until [`Self::rest`].
    pub(crate) fn poll_dial(&mut self) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        let State::Dialling(dial) = &mut self.state else { return Poll::Pending };
        let dialled = dial.as_mut().poll(&mut Context::from_waker(&self.waker));
        if dialled.is_ready() {
            self.state = State::Connected;
        }
        dialled
    }

    /// Dials again after a pause that doubles each time up to a second; `dice` is a random number for the jitter.
    pub(crate) fn rest(&mut self, now: Instant, dice: u64) {
        let half = self.pause / 2;
        let jitter = half.mul_f64((dice % 1_024) as f64 / 1_024.0);
        self.state = State::Resting { until: now + half + jitter };
        self.pause = (self.pause * 2).min(PAUSE_MAX);
    }

    /// Nobody but oneself is there.
    pub(crate) fn rest_as_own(&mut self, now: Instant) {
        self.state = State::Resting { until: now + PAUSE_OWN };
    }

    /// A link that held gives new hope.
    pub(crate) fn forget_failures(&mut self) {
        self.pause = PAUSE_MIN;
    }
}

async fn dial(address: String, dialling: Dialling) -> io::Result<(TcpStream, SocketAddr)> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for found in lookup_host(address).await? {
        if dialling == Dialling::Loopback && !found.ip().to_canonical().is_loopback() {
            last = io::Error::other(format!("{found} is beyond loopback and there is no shared secret"));
            continue;
        }
        last = match timeout(CONNECT_MAX, TcpStream::connect(found)).await {
            // A dial to a port where nobody listens may meet itself.
            Ok(Ok(stream)) if stream.local_addr()? == found => io::ErrorKind::ConnectionRefused.into(),
            Ok(Ok(stream)) => return Ok((stream, found)),
            Ok(Err(cause)) => cause,
            Err(_) => {
                io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {CONNECT_MAX:?}"))
            }
        };
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_second_and_jitter_keeps_at_least_half() {
        let now = Instant::now();
        let mut target = Target::new("127.0.0.1:1".to_owned(), Waker::noop().clone(), now);
        let mut pause = |dice| {
            target.rest(now, dice);
            target.due().expect("resting") - now
        };
        assert_eq!(pause(0), PAUSE_MIN / 2);
        assert_eq!(pause(0), PAUSE_MIN);
        for _ in 0..10 {
            let pause = pause(1_023);
            assert!(pause > PAUSE_MIN && pause <= PAUSE_MAX, "{pause:?}");
        }
        assert_eq!(pause(0), PAUSE_MAX / 2);
        target.forget_failures();
        target.rest(now, 0);
        assert_eq!(target.due(), Some(now + PAUSE_MIN / 2));
    }
}
