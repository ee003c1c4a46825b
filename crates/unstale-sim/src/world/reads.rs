//! Reads: most are answered at once, the others when their process has run.

use std::time::Duration;

use unstale::{ErrorKind, Freshness, SessionToken};

use super::{MS, World, claimed};
use crate::dice::Dice;
use crate::layout::{Shown, Subject};
use crate::model::{Claim, Expected};
use crate::process::{Answered, Ask};
use crate::violation::{Promise, Violation};

/// What bounded reads demand, in milliseconds.
const DEMANDS: [u64; 6] = [0, 60, 150, 250, 1_000, 3_000];

/// What is left to do after a burst.
#[derive(Clone, Copy)]
struct Miss {
    ask: Ask,
    since: Option<Duration>,
}

impl World {
    /// A burst of reads on a node, all of one request: they share its instant.
    pub(super) fn burst(&mut self, node: usize, count: u32, salt: u64) -> Result<(), Violation> {
        if !self.is_running(node) {
            return Ok(());
        }
        let mut dice = Dice::new(salt);
        let mut misses = Vec::new();
        let (layout, now) = (self.layout(), self.now);
        let seat = &mut self.seats[node];
        let lonely = seat.lonely;
        let Some(process) = &mut seat.process else { return Ok(()) };
        let (model, story) = (&self.model, &mut self.story);
        let mut checked = 0;
        let at = process.within(|process| process.node.now());
        let outcome = process.within(|process| {
            for _ in 0..count {
                let word = dice.next();
                let subject = pick(word, layout.subjects());
                let (kind, key) = layout.place(subject);
                let cache = process.caches.of(kind);
                let kind_of_read = (word >> 32) % 100;
                let memorised = process.caches.memorised(subject);
                if let Some(shown) = memorised {
                    let naive = process.caches.is_naive() && kind_of_read >= 70;
                    let claim = if naive { Claim::Proven } else { Claim::Fresh };
                    checked += 1;
                    let since = naive.then(|| before(now, Duration::from_secs(1)));
                    model.check_now(node, subject, &shown, claim, since)?;
                } else if kind_of_read < 70 {
                    match cache.get(&key) {
                        Some(value) => {
                            checked += 1;
                            story.note(fact(&value));
                            model.check_now(node, subject, &value, Claim::Fresh, None).inspect_err(|_| {
                                story.tell(now, None, || {
                                    format!("n{node} gets {} plainly", layout.name(subject))
                                });
                            })?;
                        }
                        None if (word >> 40).is_multiple_of(3) => {
                            misses.push(Miss { ask: plain(subject), since: None });
                        }
                        None => {}
                    }
                } else if kind_of_read < 95 {
                    let within = Duration::from_millis(DEMANDS[(word >> 40) as usize % DEMANDS.len()]);
                    if let Some(read) = cache.get_within(&key, at, within) {
                        checked += 1;
                        story.note(fact(&read));
                        let since = (!lonely).then(|| before(now, within));
                        model.check_now(node, subject, &read, Claim::Proven, since).inspect_err(|_| {
                            story.tell(now, None, || {
                                format!("n{node} gets {} within {within:?}", layout.name(subject))
                            });
                        })?;
                    }
                } else {
                    misses.push(Miss { ask: plain(subject), since: None });
                }
            }
            Ok(())
        });
        self.reads_checked += checked;
        self.operations += u64::from(count);
        outcome?;
        for miss in misses {
            self.ask(node, miss, &mut dice);
        }
        Ok(())
    }

    /// A read that may have to load.
    fn ask(&mut self, node: usize, miss: Miss, dice: &mut Dice) {
        let Miss { mut ask, mut since } = miss;
        match dice.below(10) {
            0..5 => {}
            5..8 => {
                let within = Duration::from_millis(dice.pick(&DEMANDS));
                let mut freshness = Freshness::within(within);
                freshness = match dice.below(3) {
                    0 => freshness.or_bypass(),
                    1 => freshness.or_flag(),
                    _ => freshness.or_error(),
                };
                if dice.hits(400) {
                    freshness = freshness.or_wait();
                }
                ask.freshness = Some(freshness);
                since = Some(within);
            }
            _ => {
                let newest = self.sessions.len().saturating_sub(8);
                if let Some((token, subjects)) = self.sessions.get(newest + dice.below(8) as usize) {
                    ask.session = Some(*token);
                    ask.subject = subjects[dice.below(subjects.len() as u64) as usize];
                }
            }
        }
        ask.repeat = dice.hits(200);
        let began = self.now;
        let lonely = self.seats[node].lonely;
        let since = since.filter(|_| !lonely).map(|within| before(began, within));
        let expected = self.model.expect(node, ask.subject, since, ask.session);
        let Some(process) = &mut self.seats[node].process else { return };
        let at = process.within(|process| process.node.now());
        process.read(ask, at, began, expected);
    }

    /// Checks the answer to such a read.
    pub(super) fn answered(
        &mut self,
        node: usize,
        expected: &Expected,
        began: u64,
        answer: Result<Answered, ErrorKind>,
        session: Option<SessionToken>,
    ) -> Result<(), Violation> {
        let name = self.layout().name(expected.subject());
        let Answered { shown, claim, age } = match answer {
            Ok(answered) => answered,
            Err(kind) => {
                self.story.note(kind as u64);
                self.story
                    .tell(self.now, Some(expected.subject()), || format!("n{node} reads {name}: {kind:?}"));
                return self.may_fail(kind, &name);
            }
        };
        self.reads_checked += 1;
        self.story.note(fact(&shown) ^ claim as u64);
        self.story.tell(self.now, Some(expected.subject()), || {
            let version =
                shown.parts().iter().map(|part| part.version.to_string()).collect::<Vec<_>>().join(",");
            let session = if session.is_some() { " after a session's write" } else { "" };
            format!(
                "n{node} reads {name}{session}, asked at {} ms: version {version}, {}",
                began / MS,
                claimed(claim)
            )
        });
        let expected = &match age {
            Some(age) if expected.since().is_none() && !self.seats[node].lonely => {
                expected.clone().since_at(before(began, age))
            }
            _ => expected.clone(),
        };
        self.model.check(expected, &shown, claim)
    }

    fn may_fail(&self, kind: ErrorKind, name: &str) -> Result<(), Violation> {
        let shape = &self.schedule.shape;
        let of_loader = matches!(kind, ErrorKind::Load | ErrorKind::Timeout);
        let always = matches!(kind, ErrorKind::NotProven | ErrorKind::ShutDown | ErrorKind::Refused);
        let by_loader =
            shape.manner.fails > 0 || shape.manner.conditional > 0 || shape.terms.hard_timeout.is_some();
        let may = always || (of_loader && by_loader);
        if may {
            return Ok(());
        }
        Err(Violation::new(
            Promise::P9,
            format!("a read of {name} failed with {kind:?}, though no loader does"),
        ))
    }
}

fn plain(subject: Subject) -> Ask {
    Ask { subject, freshness: None, session: None, repeat: false }
}

/// The smaller of two: low numbers are read more often.
const fn pick(word: u64, of: u16) -> Subject {
    let one = ((word & 0xffff) * of as u64) >> 16;
    let other = (((word >> 16) & 0xffff) * of as u64) >> 16;
    if one < other { one as Subject } else { other as Subject }
}

/// The world's time a demand before `now`; a little earlier, since clocks drift and are read in whole nanoseconds.
fn before(now: u64, within: Duration) -> u64 {
    let nanos = within.as_nanos() as u64;
    now.saturating_sub(nanos + nanos / 1_000 + 1_000)
}

fn fact(shown: &Shown) -> u64 {
    shown.parts().iter().fold(0, |fact, part| {
        fact.wrapping_mul(31)
            .wrapping_add(part.began << 20 ^ u64::from(part.version) << 8 ^ u64::from(part.subject))
    })
}
