//! Faults: what is done to processes, links, clocks and loaders.

use super::{Later, MS, World};
use crate::dice::Dice;
use crate::fault::Fault;
use crate::mutation::Mutation;
use crate::network::Storm;
use crate::process::Process;
use crate::schedule::{Action, WorldKind, Write};

/// From then on links that were hindered are well again, dialled included.
const DIALLED: u64 = 1_100 * MS;

/// A journal of 4 MiB holds no more acts of this size.
const JOURNAL_ACTS: u32 = 60_000;

/// Some operators are quick.
const OPERATOR_COMES: u64 = 700 * MS;

impl World {
    pub(super) fn suffer(&mut self, action: Action) {
        let now = self.now;
        self.story.note(now);
        let count = match action {
            Action::Crash { node, loses, back } => {
                let back = back.map(|back| now + back.as_nanos() as u64);
                self.crash(node, loses, back)
            }
            Action::Pause { node, time, counted } => {
                let until = now + time.as_nanos() as u64;
                self.pause(node, until, counted)
            }
            Action::Partition { node, time, noticed } => {
                let until = now + time.as_nanos() as u64;
                self.network.cut_from_broker(node, until);
                for other in (0..self.seats.len()).filter(|other| *other != node) {
                    self.network.cut(node, other, until, noticed.as_nanos() as u64);
                }
                self.ill(until + DIALLED);
                Some(Fault::Partition)
            }
            Action::CutPair { a, b, time, noticed } => {
                let until = now + time.as_nanos() as u64;
                self.network.cut(a, b, until, noticed.as_nanos() as u64);
                self.ill(until + DIALLED);
                Some(Fault::CutPair)
            }
            Action::Stall { from, to, time } => {
                self.network.stall(from, to, now + time.as_nanos() as u64);
                self.ill(now + time.as_nanos() as u64);
                Some(Fault::OneWay)
            }
            Action::Storm { storm, time } => {
                self.network.storm(storm, now + time.as_nanos() as u64);
                self.ill(now + time.as_nanos() as u64 + late(storm));
                Some(match storm {
                    Storm::Loss(_) => Fault::Loss,
                    Storm::Twice(_) => Fault::Duplicate,
                    Storm::Delay(_) => Fault::Delay,
                })
            }
            Action::WallClock { node, skew_ms } => {
                self.seats[node].clock.2 = skew_ms;
                if let Some(process) = &self.seats[node].process {
                    process.clock.skew(skew_ms);
                }
                Some(Fault::ClockJump)
            }
            Action::Weather { manner, time } => {
                self.database.behave(manner);
                self.later(now + time.as_nanos() as u64, Later::FairWeather);
                Some(Fault::SlowLoader)
            }
            Action::Flood { node, acts } => self.flood(node, acts),
            Action::Haunt { node } => self.network.haunt(node).then_some(Fault::IncarnationReuse),
            Action::Cancel { node } => {
                let cancelled = self.seats[node].process.as_mut().map_or(0, Process::cancel);
                self.faults.count_many(Fault::Cancel, cancelled);
                None
            }
            Action::LoseRegister => {
                self.network.lose_register();
                Some(Fault::RegisterLost)
            }
            Action::RestartBroker { time, empty } => {
                let until = now + time.as_nanos() as u64;
                for node in 0..self.seats.len() {
                    self.network.cut_from_broker(node, until);
                }
                if empty {
                    self.network.lose_register();
                }
                self.ill(until + DIALLED);
                Some(Fault::BrokerRestart)
            }
            Action::DropSubscriber { node, time } => {
                let until = now + time.as_nanos() as u64;
                self.network.drop_subscriber(node, until);
                self.ill(until);
                Some(Fault::SubscriberDropped)
            }
            Action::Leave { node, back } => {
                let back = back.map(|back| now + back.as_nanos() as u64);
                self.leave(node, back)
            }
            Action::Join { node } => {
                self.later(now, Later::Start(node));
                self.start(node);
                Some(Fault::Join)
            }
            Action::Reads { .. } | Action::Write { .. } => None,
        };
        if let Some(fault) = count {
            self.faults.count(fault);
            self.story.tell(now, None, || format!("{}: {action:?}", fault.name()));
        }
    }

    /// In an elastic mesh, and in a list of two, nobody ends a member that is known by hearsay only, but an operator: there is no
    /// majority, and no successor can prove to hold what nobody here knew it to have held (P-30). They come once all faults have healed: whoever is unheard for seconds then, while all else of its name is heard, is dead.
    pub(super) fn call_operators(&mut self) {
        let healed = self.schedule.healed * MS;
        let is_time = (healed + 1_500 * MS..healed + 3_000 * MS).contains(&self.now);
        let is_mesh = self.schedule.shape.kind == WorldKind::Mesh;
        if !is_time || self.schedule.shape.kind == WorldKind::Hub || !(is_mesh || self.seats.len() == 2) {
            return;
        }
        for seat in &mut self.seats {
            let Some(process) = &mut seat.process else { continue };
            let status = process.node.status();
            let of = |name: &unstale::Name| {
                let members = status.members.iter().filter(move |member| member.name == *name);
                members.map(|member| member.heard_ago.as_millis()).collect::<Vec<_>>()
            };
            for dead in status.members.iter().filter(|member| member.heard_ago.as_millis() > 2_000) {
                // In a list a link may only be late: who was heard once is left to the rules.
                if !is_mesh && (dead.admitted || dead.proof_age.is_some()) {
                    continue;
                }
                if of(&dead.name).iter().all(|heard_ms| *heard_ms < 100 || *heard_ms > 2_000) {
                    process.end_member(dead.name.as_str().to_owned());
                }
            }
        }
    }

    /// Nobody is asked to know anything in time before this moment is long past.
    pub(super) fn ill(&mut self, until: u64) {
        for seat in &mut self.seats {
            seat.well_since = seat.well_since.max(until);
        }
    }

    fn crash(&mut self, node: usize, loses: bool, back: Option<u64>) -> Option<Fault> {
        let process = self.seats[node].process.take()?;
        self.seats[node].stopped = None;
        self.bury(node, process, loses);
        if let Some(back) = back {
            self.later(back, Later::Start(node));
            if self.schedule.shape.kind != WorldKind::Hub {
                self.later(self.now + OPERATOR_COMES, Later::EndedByOperator(node));
            }
        }
        Some(Fault::Crash)
    }

    /// Every node is told that the process of a name is dead. It is: nobody has started under that name yet.
    pub(super) fn end_by_operator(&mut self, dead: usize) {
        if self.seats[dead].process.is_some() {
            return;
        }
        let name = super::name_of(dead);
        for node in 0..self.seats.len() {
            if self.is_running(node)
                && let Some(process) = &mut self.seats[node].process
            {
                process.end_member(name.clone());
            }
        }
    }

    /// A process is gone. Its writes that had not returned hold no rows any more.
    fn bury(&mut self, node: usize, process: Process, loses: bool) {
        for row in std::mem::take(&mut self.seats[node].locked) {
            self.busy_rows[usize::from(row)] = false;
            // Committed, and nobody was told: not announced, and what the store holds of it is nobody's promise.
            self.untold.insert(row);
        }
        // Nobody may ever hear of what was not announced: its writer was told so.
        let unannounced = std::mem::take(&mut self.seats[node].unannounced);
        self.untold.extend(unannounced);
        if loses {
            self.network.lose_what_it_sent(process.life);
        }
        self.network.freeze(process.life, false);
        drop(process);
        self.ill(self.now + DIALLED);
        self.story.tell(self.now, None, || format!("n{node}'s process is gone"));
    }

    fn pause(&mut self, node: usize, until: u64, counted: bool) -> Option<Fault> {
        let seat = &mut self.seats[node];
        if seat.stopped.is_some() || seat.leaving {
            return None;
        }
        let process = seat.process.as_ref()?;
        seat.stopped = Some((until, self.now, counted));
        self.network.freeze(process.life, true);
        self.ill(until + DIALLED);
        self.later(until, Later::Wake(node));
        Some(if counted { Fault::Pause } else { Fault::Suspend })
    }

    /// A process goes on. The next step's requests may come before its driver runs (P-39): there are always some.
    pub(super) fn wake(&mut self, node: usize) {
        let now = self.now;
        let seat = &mut self.seats[node];
        let Some((until, since, counted)) = seat.stopped else { return };
        if until > now {
            return;
        }
        seat.stopped = None;
        let Some(process) = &mut seat.process else { return };
        let sleeps = !counted && self.mutation == Mutation::NotBoottime;
        process.stood_still(now - since, counted, sleeps);
        self.network.freeze(process.life, false);
        self.story.tell(now, None, || format!("n{node} goes on"));
        self.woken.push(node);
    }

    fn leave(&mut self, node: usize, back: Option<u64>) -> Option<Fault> {
        if !self.is_running(node) {
            return None;
        }
        let seat = &mut self.seats[node];
        seat.leaving = true;
        seat.process.as_mut()?.leave();
        if let Some(back) = back {
            // Never before the goodbye is over: two processes of one name are another matter.
            self.later(back.max(self.now + 2_500 * MS), Later::Start(node));
        }
        self.ill(self.now + DIALLED);
        Some(Fault::Leave)
    }

    /// A goodbye was said: the process ends.
    pub(super) fn left(&mut self, node: usize) {
        if let Some(process) = self.seats[node].process.take() {
            self.bury(node, process, false);
        }
    }

    /// Writes so many acts that journals and queues overflow.
    fn flood(&mut self, node: usize, acts: u32) -> Option<Fault> {
        if !self.is_running(node) {
            return None;
        }
        let mut dice = Dice::new(u64::from(acts) ^ self.now);
        let rows = u64::from(self.layout().rows);
        for _ in 0..acts {
            let row = dice.below(rows) as u16;
            if !self.busy_rows[usize::from(row)] {
                self.write_rows(node, Write::Remove, &[row], &mut dice);
            }
        }
        Some(if acts > JOURNAL_ACTS { Fault::JournalOverflow } else { Fault::QueueOverflow })
    }
}

const fn late(storm: Storm) -> u64 {
    match storm {
        Storm::Loss(_) | Storm::Twice(_) => 0,
        Storm::Delay(most) => most,
    }
}
