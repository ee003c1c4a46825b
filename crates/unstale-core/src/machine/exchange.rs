//! Exchanges: a proof from now on, for one round trip (P-15).

use std::collections::VecDeque;

use super::broadcast::BEATS_AT_ONCE;
use super::link::BeatDue;
use super::{Machine, Output, Proof, WakeReason};
use crate::Instant;

/// Reads that wait, by when they asked.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    waiting: VecDeque<(u64, Instant)>,
}

impl Machine {
    pub(super) fn on_exchange(&mut self, id: u64) {
        let full = self.exchanges.waiting.len() >= self.config.limits.exchanges;
        if full || !self.joining.is_joined() {
            let proof = self.proof();
            return self.put(Output::Exchanged { id, proof });
        }
        self.exchanges.waiting.push_back((id, self.now));
        self.timers.set_if_none(WakeReason::Exchange, self.now.plus(self.config.timing.exchange));
        self.read_register();
        // While no rounds come it waits in vain: beats of all to all, for each read, are more than a broker bears (P-28b).
        if self.common.is_some() && self.members.len() > BEATS_AT_ONCE {
            self.hurry_rounds();
        } else {
            self.owe_beats(BeatDue::Asking);
        }
        self.answer_exchanges();
    }

    /// Answers those whose proof has come.
    pub(super) fn answer_exchanges(&mut self) {
        let proof = self.said.proof;
        self.answer_while(|asked| match proof {
            Proof::None => false,
            Proof::Instant(instant) => asked <= instant,
            Proof::Present => true,
        });
    }

    pub(super) fn on_exchange_late(&mut self) {
        let (now, patience) = (self.now, self.config.timing.exchange);
        self.answer_while(|asked| now >= asked.plus(patience));
        if let Some((_, asked)) = self.exchanges.waiting.front() {
            self.timers.set(WakeReason::Exchange, asked.plus(patience));
        }
    }

    fn answer_while(&mut self, is_due: impl Fn(Instant) -> bool) {
        while let Some((id, asked)) = self.exchanges.waiting.front().copied() {
            if !is_due(asked) {
                return;
            }
            self.exchanges.waiting.pop_front();
            let proof = self.said.proof;
            self.put(Output::Exchanged { id, proof });
        }
    }
}
