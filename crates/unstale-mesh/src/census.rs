//! The peers behind a DNS name, asked again and again.

use std::collections::BTreeSet;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::net::lookup_host;
use tokio::time::Instant;

/// How long an answer counts.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// How many addresses of an answer count.
pub(crate) const ADDRESSES_MAX: usize = 1_024;

type Lookup = Pin<Box<dyn Future<Output = io::Result<BTreeSet<SocketAddr>>> + Send>>;
type Ask = Box<dyn FnMut() -> Lookup + Send>;

/// Who a name stands for.
pub(crate) struct Census {
    pub(crate) name: String,
    ask: Ask,
    waker: Waker,
    state: State,
}

enum State {
    Resting { until: Instant },
    Asking(Lookup),
}

impl Census {
    /// Asks the system's resolver for `name`, at once and then every five seconds.
    pub(crate) fn of_name(name: String, waker: Waker, now: Instant) -> Self {
        let asked = name.clone();
        let ask = move || -> Lookup {
            let name = asked.clone();
            Box::pin(async move { Ok(lookup_host(name).await?.take(ADDRESSES_MAX).collect()) })
        };
        Self::new(name, Box::new(ask), waker, now)
    }

    fn new(name: String, ask: Ask, waker: Waker, now: Instant) -> Self {
        Self { name, ask, waker, state: State::Resting { until: now } }
    }

    /// Asks if it is time to.
    pub(crate) fn turn(&mut self, now: Instant) {
        if let State::Resting { until } = self.state
            && until <= now
        {
            self.state = State::Asking((self.ask)());
            self.waker.wake_by_ref();
        }
    }

    /// The answer, once there is one.
    pub(crate) fn poll_answer(&mut self, now: Instant) -> Poll<io::Result<BTreeSet<SocketAddr>>> {
        let State::Asking(lookup) = &mut self.state else { return Poll::Pending };
        let answer = lookup.as_mut().poll(&mut Context::from_waker(&self.waker));
        if answer.is_ready() {
            self.state = State::Resting { until: now + ASK_EVERY };
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_asked_at_once_and_again_every_five_seconds() {
        let start = Instant::now();
        let mut port = 7_000;
        let ask = move || -> Lookup {
            port += 1;
            Box::pin(std::future::ready(Ok(BTreeSet::from([SocketAddr::from(([127, 0, 0, 1], port))]))))
        };
        let mut census =
            Census::new("shop.invalid:7000".to_owned(), Box::new(ask), Waker::noop().clone(), start);
        let mut answer_at = |seconds| {
            let now = start + Duration::from_secs(seconds);
            census.turn(now);
            match census.poll_answer(now) {
                Poll::Ready(answer) => answer.ok().and_then(|answer| answer.first().map(SocketAddr::port)),
                Poll::Pending => None,
            }
        };
        assert_eq!(answer_at(0), Some(7_001));
        assert_eq!(answer_at(4), None);
        assert_eq!(answer_at(5), Some(7_002));
    }
}
