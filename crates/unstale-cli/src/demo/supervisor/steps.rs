//! The schedule as steps in order of time, and how faults are done and healed.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::{RECOVERY, Standing, Supervisor, Warmth};
use crate::demo::clock;
use crate::demo::line::Order;
use crate::demo::proxy::Passage;
use crate::demo::schedule::{Cut, Fault, SETTLING, Schedule};

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// A fault begins, by its index.
    Begin(usize),
    /// It is healed.
    Heal(usize),
    /// How much is left of what was resident before that cut?
    Recall(usize),
    /// What the database holds now, every read must show that begins so much later.
    Settled(Duration),
    /// The writers stop.
    Quiet,
    /// Every node reads every row.
    Sweep,
    /// The run is over.
    End,
}

/// What comes between healing a cut and asking what is left: the links come up again within a second, and repair a second.
const RECALL: Duration = Duration::from_millis(1_100);
/// With all healed, a row may be so much older than the database while its writers are at work.
const UNDER_WAY: Duration = Duration::from_secs(1);
/// From the last heal to the reading of the database whose versions every read shows from [`SETTLING`] on.
const SETTLED: Duration = SETTLING.saturating_sub(UNDER_WAY);
/// From the writers' stop to the reading of the database: what they had begun is done.
const WRITES_DONE: Duration = Duration::from_millis(300);

/// The steps of a run, in order.
#[derive(Debug)]
pub(super) struct Steps {
    steps: std::vec::IntoIter<(Duration, Step)>,
}

impl Steps {
    /// The steps of `schedule`.
    pub(super) fn new(schedule: &Schedule) -> Self {
        let mut steps = Vec::new();
        for (index, planned) in schedule.faults.iter().enumerate() {
            steps.push((planned.begins, Step::Begin(index)));
            steps.push((planned.heals, Step::Heal(index)));
            if let Fault::Cut(_) = planned.fault {
                steps.push((planned.heals + RECALL, Step::Recall(index)));
            }
        }
        if let Some(heal) = schedule.last_heal() {
            steps.push((heal + SETTLED, Step::Settled(UNDER_WAY)));
        }
        steps.push((schedule.quiet, Step::Quiet));
        steps.push((schedule.quiet + WRITES_DONE, Step::Settled(schedule.way.arrived())));
        steps.push((schedule.quiet + WRITES_DONE + schedule.way.arrived(), Step::Sweep));
        steps.push((schedule.end, Step::End));
        steps.sort();
        Self { steps: steps.into_iter() }
    }
}

impl Iterator for Steps {
    type Item = (Duration, Step);

    fn next(&mut self) -> Option<Self::Item> {
        self.steps.next()
    }
}

impl Supervisor<'_> {
    /// A fault begins.
    pub(super) async fn begin(&mut self, index: usize) -> Result<(), String> {
        let planned = self.schedule.faults[index];
        let (now, kind) = (clock::now(), planned.fault.kind());
        self.troubles[index] = Some(self.checker.fault_begins(now));
        let what = format!("{} {}", kind.word(), self.names[planned.node]);
        self.recording.fault_begins(now, &what).map_err(|error| error.to_string())?;
        let seat = &mut self.seats[planned.node];
        match planned.fault {
            Fault::Kill => seat.kill().await,
            Fault::Pause => seat.pause().map_err(|error| error.to_string())?,
            Fault::Cut(how) => {
                seat.order(Order::Remember);
                seat.cut_off();
                self.links.set(planned.node, Passage::Cut(how));
            }
        }
        let seconds = planned.length().as_secs_f64();
        let what = match planned.fault {
            Fault::Kill => format!("killed, to be started again in {seconds:.1} s"),
            Fault::Pause => format!("paused for {seconds:.1} s"),
            Fault::Cut(Cut::Swallow) => format!("cut off for {seconds:.1} s: its links swallow what is sent"),
            Fault::Cut(Cut::Refuse) => format!("cut off for {seconds:.1} s: its links break and refuse"),
        };
        self.screen.event(self.started.elapsed(), &format!("{} is {what}", self.names[planned.node]));
        Ok(())
    }

    /// A fault is healed; a kill only begins to heal.
    pub(super) fn heal(&mut self, index: usize) -> Result<(), String> {
        let planned = self.schedule.faults[index];
        let recovered = clock::now() + clock::nanos(RECOVERY);
        let seat = &mut self.seats[planned.node];
        match planned.fault {
            Fault::Kill => {
                // Where nodes meet in a Redis they listen nowhere.
                let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let address = seat.address.unwrap_or(anywhere);
                return self.start(planned.node, address, Warmth::Cold);
            }
            Fault::Pause => seat.resume(recovered).map_err(|error| error.to_string())?,
            Fault::Cut(_) => {
                seat.link(recovered);
                self.links.set(planned.node, Passage::Open);
            }
        }
        self.healed(planned.node, |index_of| index_of == index)
    }

    /// A process is ready: the first one of its node, or after a kill the next one.
    pub(super) fn ready(&mut self, node: usize) -> Result<(), String> {
        if self.seats[node].next_life() == 1 {
            self.seats[node].standing = Standing::Ready;
            return Ok(());
        }
        // It may have been cut off while it started.
        if self.seats[node].standing == Standing::Starting {
            self.seats[node].standing = Standing::Up;
        }
        self.seats[node].order(Order::Go);
        let kills: Vec<_> = self.schedule.faults.iter().map(|planned| planned.fault == Fault::Kill).collect();
        self.healed(node, |index| kills[index])
    }

    /// Those faults that `node` had are over, by their index.
    fn healed(&mut self, node: usize, is_over: impl Fn(usize) -> bool) -> Result<(), String> {
        let now = clock::now();
        for (index, (planned, trouble)) in self.schedule.faults.iter().zip(&mut self.troubles).enumerate() {
            if planned.node == node
                && is_over(index)
                && let Some(trouble) = trouble.take()
            {
                self.checker.fault_heals(trouble, now);
                self.recording.fault_heals(trouble, now).map_err(|error| error.to_string())?;
            }
        }
        self.last_heal = self.last_heal.max(now);
        self.screen.event(self.started.elapsed(), &format!("{} is back", self.names[node]));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::kinds::Kinds;
    use crate::demo::random::Random;
    use crate::demo::schedule::Way;

    #[test]
    fn steps_come_in_order_and_the_sweep_is_the_last_one_before_the_end() {
        for seconds in [10, 12, 30, 60] {
            let length = Duration::from_secs(seconds);
            let schedule =
                Schedule::new(length, 6, Kinds::ALL, Way::Direct, Random::new(5)).expect("long enough");
            let steps: Vec<_> = Steps::new(&schedule).collect();
            assert!(steps.is_sorted());
            let last: Vec<_> = steps.iter().rev().take(4).map(|(_, step)| *step).collect();
            assert_eq!(last, [Step::End, Step::Sweep, Step::Settled(Way::Direct.arrived()), Step::Quiet]);
            let before_the_end = length.saturating_sub(steps[steps.len() - 2].0);
            assert!(before_the_end >= Duration::from_millis(300), "{before_the_end:?} for the sweep");
        }
    }
}
