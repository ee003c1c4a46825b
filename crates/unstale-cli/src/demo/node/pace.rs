//! Paced work.

use std::time::Duration;

use tokio::time::Instant;

/// Paced work is done in bursts this far apart: fewer wakes leave the machine to the caches.
const BURST: Duration = Duration::from_millis(8);

/// Who is this far behind gives up what was due: a paused process does not make up for lost time.
const BEHIND_MAX: Duration = Duration::from_millis(500);

/// Says when the next piece of work is due.
#[derive(Debug)]
pub(super) struct Pace {
    every: Duration,
    due: Instant,
}

impl Pace {
    /// One piece every so often, from now on.
    pub(super) fn new(every: Duration) -> Self {
        Self { every, due: Instant::now() }
    }

    /// Returns when the next piece is due: on the average `every` apart.
    pub(super) async fn next(&mut self) {
        let now = Instant::now();
        if self.due > now {
            tokio::time::sleep_until(self.due.max(now + BURST)).await;
        } else if now - self.due > BEHIND_MAX {
            self.due = now;
        }
        self.due += self.every;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn pieces_in(pace: &mut Pace, length: Duration) -> u32 {
        let end = Instant::now() + length;
        let mut pieces = 0;
        while Instant::now() < end {
            pace.next().await;
            pieces += 1;
        }
        pieces
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_is_kept_on_the_average() {
        let mut pace = Pace::new(Duration::from_millis(4));
        let pieces = pieces_in(&mut pace, Duration::from_secs(10)).await;
        assert!((2_490..=2_510).contains(&pieces), "{pieces}");
    }

    #[tokio::test(start_paused = true)]
    async fn lost_time_is_not_made_up_for() {
        let mut pace = Pace::new(Duration::from_millis(100));
        pace.next().await;
        tokio::time::advance(Duration::from_secs(60)).await;
        let pieces = pieces_in(&mut pace, Duration::from_secs(1)).await;
        assert!((9..=12).contains(&pieces), "{pieces}");
    }
}
