//! The fault schedule: what happens to which node, and when.
//!
//! A run is: a start without faults, a window with faults, five seconds in which everything settles, and a tail in which
//! every read must answer as the database does; the writers fall quiet within that tail.

use std::time::Duration;

use super::kinds::{Kind, Kinds};
use super::random::Random;

pub(crate) use unstale_audit::SETTLING;

/// The silence after which a node is ended by a majority of the others (L in the protocol).
pub(crate) const SILENCE: Duration = Duration::from_secs(3);

/// How long what was said last may be under way before every node has to show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From node to node.
    Direct,
    /// Through a server that all of them share with all that is sent, also to close a hole.
    ByHub,
}

impl Way {
    /// The shortest run that has room for faults.
    pub(crate) const fn shortest_with_faults(self) -> Duration {
        match self {
            Self::Direct => Duration::from_secs(10),
            Self::ByHub => Duration::from_secs(18),
        }
    }

    /// From the reading of the database at the end to reads that have to show it.
    pub(crate) const fn arrived(self) -> Duration {
        match self {
            Self::Direct => millis(200),
            // A hole is closed within a second (S4).
            Self::ByHub => millis(1_500),
        }
    }

    /// How long a process may need to take the place of one that was killed, beyond its start.
    const fn succession(self) -> Duration {
        match self {
            // It listens where the dead one did, which proves its end.
            Self::Direct => Duration::ZERO,
            // The dead one is ended by its silence.
            Self::ByHub => SILENCE.saturating_add(millis(1_000)),
        }
    }

    /// How long the writers are quiet at the end, so that nothing is under way while all is compared.
    fn quiet(self, length: Duration) -> Duration {
        match self {
            Self::Direct => (length / 15).clamp(millis(800), millis(2_000)),
            Self::ByHub => millis(3_500).min(length / 2),
        }
    }
}

/// How a link is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The connections stay, and what is sent vanishes.
    Swallow,
    /// The connections break, what was under way is lost, and new ones are refused.
    Refuse,
}

/// What is done to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// SIGKILL; healed by a new process that listens on the same address.
    Kill,
    /// SIGSTOP; healed by SIGCONT.
    Pause,
    /// All its links cut; healed by letting them through again.
    Cut(Cut),
}

impl Fault {
    /// Its kind.
    pub(crate) const fn kind(self) -> Kind {
        match self {
            Self::Kill => Kind::Kill,
            Self::Pause => Kind::Pause,
            Self::Cut(_) => Kind::Cut,
        }
    }
}

/// A fault of the schedule; instants count from the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// When it begins.
    pub(crate) begins: Duration,
    /// When it is healed.
    pub(crate) heals: Duration,
    /// The index of the node that it happens to.
    pub(crate) node: usize,
    /// What happens.
    pub(crate) fault: Fault,
}

impl Planned {
    /// How long it lasts.
    pub(crate) fn length(&self) -> Duration {
        self.heals.saturating_sub(self.begins)
    }

    /// Whether it is a cut after which the node was ended by the others.
    pub(crate) fn is_long_cut(&self) -> bool {
        self.fault.kind() == Kind::Cut && self.length() > SILENCE
    }
}

/// What will happen in a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    /// The faults, by their beginning.
    pub(crate) faults: Vec<Planned>,
    /// When the writers stop.
    pub(crate) quiet: Duration,
    /// When the run ends.
    pub(crate) end: Duration,
    /// How the nodes reach each other.
    pub(crate) way: Way,
}

impl Schedule {
    /// The schedule of a run; `None` if `length` has no room for the faults.
    pub(crate) fn new(
        length: Duration,
        nodes: usize,
        kinds: Kinds,
        way: Way,
        random: Random,
    ) -> Option<Self> {
        let faults = match kinds {
            Kinds::NONE => Vec::new(),
            _ if length < way.shortest_with_faults() => return None,
            kinds => Planner::new(length, nodes, kinds, way, random).plan(),
        };
        Some(Self { faults, quiet: length.saturating_sub(way.quiet(length)), end: length, way })
    }

    /// When the last fault is healed.
    pub(crate) fn last_heal(&self) -> Option<Duration> {
        self.faults.iter().map(|planned| planned.heals).max()
    }
}

const fn millis(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const SHORT_CUT: Duration = millis(2_000);
const LONG_CUT: Duration = millis(10_000);
/// The time after a cut in which nothing else happens, so that what is measured about it is about it.
/// (On top of what is between any two faults.)
const AFTER_SHORT_CUT: Duration = millis(700);
const AFTER_LONG_CUT: Duration = millis(3_000);
const DOWN: Duration = millis(1_000);
/// Two kills, the second one when the first is healed.
const KILLS: Duration = millis(2_100);
const PAUSE: Duration = millis(1_250);
/// Longer than the silence after which a node is ended by the others.
const LONG_PAUSE: Duration = millis(4_000);
const BETWEEN: Duration = millis(500);
/// With fewer nodes than this, no second fault joins the long cut: a majority stays in reach.
const NODES_FOR_TWO_FAULTS: usize = 5;

struct Planner {
    faults: Vec<Planned>,
    nodes: usize,
    kinds: Kinds,
    random: Random,
    cursor: Duration,
    /// No fault is healed later than this.
    deadline: Duration,
}

impl Planner {
    fn new(length: Duration, nodes: usize, kinds: Kinds, way: Way, random: Random) -> Self {
        let start = (length / 10).clamp(millis(500), millis(3_000));
        let settled = way.quiet(length) + (length / 30).clamp(millis(400), millis(1_000));
        Self {
            faults: Vec::new(),
            nodes,
            kinds,
            random,
            cursor: start,
            deadline: length.saturating_sub(SETTLING + settled + way.succession()),
        }
    }

    fn plan(mut self) -> Vec<Planned> {
        if self.room() < millis(7_500) {
            self.compact();
        } else {
            self.episodes();
        }
        self.faults.sort_by_key(|planned| (planned.begins, planned.node));
        self.faults
    }

    /// One fault of each kind, one after the other, as long as the room allows.
    fn compact(&mut self) {
        let kinds: Vec<_> = Kind::ALL.into_iter().filter(|kind| self.kinds.has(*kind)).collect();
        let share = self.room() / kinds.len() as u32;
        for kind in kinds {
            let fault = self.fault_of(kind);
            self.add(fault, share.mul_f64(0.8).min(SHORT_CUT), Duration::ZERO);
            self.cursor += share;
        }
    }

    fn episodes(&mut self) {
        if self.kinds.has(Kind::Cut) {
            self.short_cut();
            // The long cut comes before the kills where there is time for both: what it leaves is then about it alone.
            if self.fits(LONG_CUT + AFTER_LONG_CUT + self.kill_and_pause_length()) {
                self.long_cut();
            } else if self.nodes < NODES_FOR_TWO_FAULTS {
                self.kill_and_pause();
                if self.fits(LONG_CUT) {
                    self.long_cut();
                }
            }
        }
        self.kill_and_pause();
        for turn in 0.. {
            let before = self.cursor;
            match turn % 4 {
                0 | 2 => self.kill_and_pause(),
                1 if self.kinds.has(Kind::Cut) && self.fits(SHORT_CUT) => self.short_cut(),
                3 if self.kinds.has(Kind::Pause) && self.fits(LONG_PAUSE) => {
                    self.alone(Fault::Pause, LONG_PAUSE);
                }
                3 if self.kinds.has(Kind::Cut) && self.fits(LONG_CUT) => self.long_cut(),
                _ => {}
            }
            if self.cursor == before && turn % 4 == 3 {
                break;
            }
        }
    }

    fn short_cut(&mut self) {
        self.alone(Fault::Cut(Cut::Swallow), SHORT_CUT);
        self.cursor += AFTER_SHORT_CUT;
    }

    fn long_cut(&mut self) {
        let how = if self.random.below(2) == 0 { Cut::Swallow } else { Cut::Refuse };
        let is_later = self.faults.iter().any(Planned::is_long_cut);
        self.add(Fault::Cut(how), LONG_CUT, Duration::ZERO);
        if self.nodes >= NODES_FOR_TWO_FAULTS {
            if self.kinds.has(Kind::Pause) {
                self.add(Fault::Pause, PAUSE, millis(1_000));
            }
            // The first one is measured: a kill meanwhile would make the cut node distrust everything for another reason.
            if self.kinds.has(Kind::Kill) && is_later {
                self.add(Fault::Kill, DOWN, millis(3_400));
                self.add(Fault::Kill, DOWN, millis(5_600));
            }
        }
        self.cursor += LONG_CUT + AFTER_LONG_CUT;
    }

    fn kill_and_pause_length(&self) -> Duration {
        match (self.kinds.has(Kind::Kill), self.kinds.has(Kind::Pause)) {
            (true, true) if self.nodes >= NODES_FOR_TWO_FAULTS => KILLS,
            (true, true) => DOWN + BETWEEN + PAUSE,
            (true, false) => DOWN,
            (false, true) => PAUSE,
            (false, false) => Duration::ZERO,
        }
    }

    /// A kill, and where there are nodes enough a pause of another one meanwhile, and the kill of a third one.
    fn kill_and_pause(&mut self) {
        let (kill, pause) = (self.kinds.has(Kind::Kill), self.kinds.has(Kind::Pause));
        if kill && pause && self.nodes >= NODES_FOR_TWO_FAULTS {
            if self.fits(KILLS) {
                self.add(Fault::Kill, DOWN, Duration::ZERO);
                self.add(Fault::Pause, PAUSE, millis(400));
                self.add(Fault::Kill, DOWN, KILLS.saturating_sub(DOWN));
                self.cursor += KILLS + BETWEEN;
            }
            return;
        }
        if kill && self.fits(DOWN) {
            self.alone(Fault::Kill, DOWN);
        }
        if pause && self.fits(PAUSE) {
            self.alone(Fault::Pause, PAUSE);
        }
    }

    fn alone(&mut self, fault: Fault, length: Duration) {
        self.add(fault, length, Duration::ZERO);
        self.cursor += length + BETWEEN;
    }

    fn room(&self) -> Duration {
        self.deadline.saturating_sub(self.cursor)
    }

    fn fits(&self, length: Duration) -> bool {
        self.cursor + length <= self.deadline
    }

    fn fault_of(&mut self, kind: Kind) -> Fault {
        match kind {
            Kind::Kill => Fault::Kill,
            Kind::Pause => Fault::Pause,
            Kind::Cut if self.random.below(2) == 0 => Fault::Cut(Cut::Swallow),
            Kind::Cut => Fault::Cut(Cut::Refuse),
        }
    }

    /// Plans a fault of a node that has no other one meanwhile.
    fn add(&mut self, fault: Fault, length: Duration, offset: Duration) {
        let begins = self.cursor + offset;
        let heals = begins + length;
        let free: Vec<_> = (0..self.nodes).filter(|node| self.is_free(*node, begins, heals)).collect();
        if let Some(node) = free.get(self.random.below(free.len() as u64) as usize) {
            self.faults.push(Planned { begins, heals, node: *node, fault });
        }
    }

    fn is_free(&self, node: usize, begins: Duration, heals: Duration) -> bool {
        let overlaps = |planned: &Planned| planned.begins < heals && begins < planned.heals;
        !self.faults.iter().any(|planned| planned.node == node && overlaps(planned))
    }
}

#[cfg(test)]
mod tests;
