//! What happens by the clock: deadlines of connections, signs of life, dials that are due.

use std::future::Future;
use std::task::Context;
use std::time::Duration;

use tokio::time::Instant;

use super::Mesh;
use crate::link::{Fault, Link, Stage};

/// The clock's turn. Ages are counted in turns, see [`crate::link::Ages`].
const TURN: Duration = Duration::from_millis(100);
/// 5 s: how long an accepted connection may take to authenticate.
const HANDSHAKE_TURNS_MAX: u32 = 50;
/// 2 s: how long a dialled one may take; a fresh attempt is better than waiting for lost packets.
const DIALLED_TURNS_MAX: u32 = 20;
/// 2 s: a link that says nothing for so long is dead.
const SILENT_TURNS_MAX: u32 = 20;
/// 5 s: a peer that takes no bytes for so long is as good as dead.
const STUCK_TURNS_MAX: u32 = 50;
/// 0.5 s: a link on which the owner has nothing to say shows that it lives.
const IDLE_TURNS_MAX: u32 = 5;

impl Mesh {
    pub(super) fn turn_timer(&mut self) {
        let now = Instant::now();
        if self.turn_at <= now && self.listener.is_some() {
            self.turn_at = now + TURN;
            self.age_links();
            // A listener that failed is tried again.
            self.listener_waker.wake_by_ref();
            if let Some(census) = &mut self.census {
                census.turn(now);
            }
        }
        let dial_at = self.dial_due(now);
        self.timer.as_mut().reset(dial_at.map_or(self.turn_at, |at| at.min(self.turn_at)));
        if self.listener.is_some()
            && self.timer.as_mut().poll(&mut Context::from_waker(&self.timer_waker)).is_ready()
        {
            self.timer_waker.wake_by_ref();
        }
    }

    pub(super) fn age_links(&mut self) {
        let mut faults = Vec::new();
        for (id, link) in &mut self.links {
            match age(link) {
                Some(fault) => faults.push((*id, fault)),
                None if link.is_up() && link.outbox.is_empty() && link.ages.sent >= IDLE_TURNS_MAX => {
                    if let Some((session, outbox)) = link.session_and_outbox() {
                        session.seal_idle(&mut self.scratch.plain, outbox);
                        link.waker.wake_by_ref();
                    }
                }
                None => {}
            }
        }
        for (id, fault) in faults {
            self.end_link(id, fault);
        }
    }
}

/// Counts a turn; says what is overdue.
fn age(link: &mut Link) -> Option<Fault> {
    let ages = &mut link.ages;
    ages.opened = ages.opened.saturating_add(1);
    ages.heard += 1;
    ages.sent += 1;
    ages.stuck = if link.outbox.is_empty() { 0 } else { ages.stuck + 1 };
    match link.stage {
        Stage::Up { .. } if ages.heard > SILENT_TURNS_MAX => {
            Some(Fault::counted("link-silent", "nothing came in for 2 s"))
        }
        Stage::Up { .. } if ages.stuck > STUCK_TURNS_MAX => {
            Some(Fault::counted("link-stuck", "nothing could be written for 5 s"))
        }
        Stage::Up { .. } => None,
        Stage::Accepted | Stage::Greeted(_) | Stage::Keyed { .. } => {
            let turns_max = if link.target.is_some() { DIALLED_TURNS_MAX } else { HANDSHAKE_TURNS_MAX };
            let why = "the handshake took too long";
            (ages.opened > turns_max).then(|| Fault::counted("handshake-timeout", why))
        }
    }
}
