//! The server's clock against ours.

use std::time::{Duration, Instant, SystemTime};

use unstale_port::Error;

use super::report::Check;
use crate::server::Server;

const TRIES: u32 = 5;
/// .NET nodes order what they do by wall clocks: what is further apart than this goes wrong in daily work.
const APART_MAX: Duration = Duration::from_secs(1);

pub(super) async fn check(server: &Server) -> Check {
    let mut best: Option<Reading> = None;
    for _ in 0..TRIES {
        match Reading::take(server).await {
            Ok(reading) if best.is_none_or(|best| reading.round_trip < best.round_trip) => {
                best = Some(reading);
            }
            Ok(_) => {}
            Err(error) => return Check::warn("clock", format!("{error}: its clock is not known")),
        }
    }
    match best {
        Some(reading) => reading.check(),
        None => Check::warn("clock", "TIME is not answered with a time"),
    }
}

/// One look at both clocks.
#[derive(Clone, Copy, Debug)]
struct Reading {
    /// How far the server's is ahead of ours, in microseconds.
    ahead_us: i64,
    round_trip: Duration,
}

impl Reading {
    async fn take(server: &Server) -> Result<Self, Error> {
        let (began, before) = (Instant::now(), SystemTime::now());
        let theirs = server.time().await?.as_micros() as i64;
        let round_trip = began.elapsed();
        let middle = before + round_trip / 2;
        let ours = middle.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros() as i64;
        Ok(Self { ahead_us: theirs.saturating_sub(ours), round_trip })
    }

    fn check(self) -> Check {
        let apart = Duration::from_micros(self.ahead_us.unsigned_abs());
        let which = if self.ahead_us < 0 { "behind" } else { "ahead of" };
        let ms = apart.as_secs_f64() * 1e3;
        let error_ms = self.round_trip.as_secs_f64() * 5e2;
        let says = format!("its clock is {ms:.1} ms {which} this machine's, known to {error_ms:.1} ms");
        let check = if apart > APART_MAX + self.round_trip {
            Check::warn(
                "clock",
                format!(
                    "{says}: .NET nodes order acts by wall clocks, so synchronise clocks; unstale's promises do not depend on it"
                ),
            )
        } else {
            Check::ok("clock", says)
        };
        check.fact("ahead_ms", self.ahead_us as f64 / 1e3).fact("uncertainty_ms", error_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;

    #[test]
    fn clocks_that_are_apart_beyond_doubt_are_a_warning() {
        let at = |ahead_us, round_trip_ms| {
            Reading { ahead_us, round_trip: Duration::from_millis(round_trip_ms) }.check()
        };
        assert_eq!(at(900_000, 1).status, Status::Ok);
        assert_eq!(at(-1_200_000, 1).status, Status::Warn);
        assert_eq!(at(1_200_000, 500).status, Status::Ok);
        assert!(at(-1_200_000, 1).says.contains("1200.0 ms behind"));
    }
}
