//! A way to a broken promise, for a person to read.

use crate::promise::{Breach, Promise};
use crate::proof::Beat;
use crate::protocol::Protocol;
use crate::state::{Phase, State};
use crate::step::Step;

/// How a promise is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counterexample {
    /// The promise.
    pub promise: Promise,
    /// How many steps it takes.
    pub steps: usize,
    /// The steps, each with its clause, then what is wrong.
    pub lines: Vec<String>,
}

impl Counterexample {
    pub(crate) fn new(protocol: &Protocol, way: &[(Option<Step>, State)]) -> Self {
        let mut lines = Vec::new();
        for (place, pair) in way.windows(2).enumerate() {
            let (before, (step, after)) = (&pair[0].1, &pair[1]);
            if let Some(step) = step {
                let (clause, what) = Telling { before, after }.tell(*step);
                lines.push(format!("{:>3}  {clause:<11} {what}", place + 1));
            }
        }
        let last = &way[way.len() - 1].1;
        let promise = protocol.broken(last).expect("it is broken there");
        lines.extend(ending(protocol, promise, last));
        Self { promise, steps: way.len() - 1, lines }
    }
}

fn ending(protocol: &Protocol, promise: Promise, state: &State) -> Vec<String> {
    let judge = protocol.judge(state);
    let names = Names(state);
    let mut lines = Vec::new();
    if let Some(Breach { at, act }) = judge.breach(promise) {
        if promise == Promise::S1 {
            let members = state.life(at).view.members;
            lines.extend(
                members.iter().filter_map(|of| judge.best_beat(at, of)).map(|beat| believed(names, at, beat)),
            );
        }
        let (at, act) = (names.life(at), names.act(act));
        lines.push(format!("     {} broken: {at} still serves what {act} made stale", promise.name()));
    } else if let Some(at) = judge.unsettled() {
        let at = names.life(at);
        lines.push(format!(
            "     {} broken: nothing more happens, and {at} does not come to rest",
            promise.name()
        ));
    }
    lines.push(format!("     ({}: {})", promise.name(), promise.says()));
    lines
}

/// A beat, as its receiver takes it.
fn believed(names: Names<'_>, at: usize, beat: Beat) -> String {
    let (at, from) = (names.life(at), names.life(usize::from(beat.from)));
    let Beat { echo, built, last, .. } = beat;
    let by = beat
        .vouched_by
        .map(|by| format!(", passed on by {}", names.life(usize::from(by))))
        .unwrap_or_default();
    format!(
        "     P9Beat      {from}'s beat{by}, built when {built} acts had happened, says {last} and echoes {at} from when {echo} had; \
         P10Count: {at} counts {from} to there"
    )
}

/// What nodes and acts are called.
#[derive(Clone, Copy)]
struct Names<'a>(&'a State);

impl Names<'_> {
    /// `A` is the first life of the first node, `A2` its second.
    fn life(self, life: usize) -> String {
        let slot = self.0.life(life).slot;
        let number = (0..=life).filter(|other| self.0.life(*other).slot == slot).count();
        let letter = char::from(b'A' + slot);
        if number == 1 { letter.to_string() } else { format!("{letter}{number}") }
    }

    fn act(self, act: usize) -> String {
        let of = usize::from(self.0.acts[act].origin);
        if !self.0.acts[act].numbered {
            return format!("{}'s act without a number", self.life(of));
        }
        let number = self.0.acts_of(of).iter().filter(|other| *other <= act).count();
        format!("{}:{number}", self.life(of))
    }
}

struct Telling<'a> {
    before: &'a State,
    after: &'a State,
}

impl Telling<'_> {
    fn tell(&self, step: Step) -> (&'static str, String) {
        let names = Names(self.after);
        let life = |life: usize| names.life(life);
        let joins = self.joins();
        match step {
            Step::P3Act { by } => ("P3Act", self.act(by)),
            Step::P2Frame { to, first, last } => {
                let range = if first == last {
                    names.act(last)
                } else {
                    format!("{} to {}", names.act(first), names.act(last))
                };
                ("P2Frame", format!("{} gets a frame with {range}", life(to)))
            }
            Step::Lose { to, act } => {
                ("loss", format!("the frame with {} will not come to {} by itself", names.act(act), life(to)))
            }
            Step::P17Want { by, from, of } => {
                ("P17Want", format!("{} asks {} for what it misses of {}", life(by), life(from), life(of)))
            }
            Step::P18Digest { by, from, of } => {
                ("P18Digest", format!("{} answers {} with a digest of {}", life(from), life(by), life(of)))
            }
            Step::P20Distrust { by, of } => (
                "P20Distrust",
                format!("{} distrusts what it misses of {}, and counts it", life(by), life(of)),
            ),
            Step::P21View { by, from } => {
                ("P21View", format!("{} takes in whom {} knows{joins}", life(by), life(from)))
            }
            Step::P25Start { .. } => {
                ("P25Start", format!("{} starts{joins}", life(usize::from(self.before.born))))
            }
            Step::P26Admit { by, to } => (
                "P26Admit",
                format!("{} hears the hello of {}, tracks it from 0, and answers{joins}", life(by), life(to)),
            ),
            Step::P25Base { at, from } => {
                let last = self.before.life(at).admits[from].last;
                (
                    "P25Base",
                    format!("{} gets {}'s admission: the last number is {last}{joins}", life(at), life(from)),
                )
            }
            Step::P25Unjoined { at } => ("P25Unjoined", format!("{} waits no longer, and stores", life(at))),
            Step::P29Bye { by } => ("P29Bye", format!("{} says goodbye", life(by))),
            Step::P29End { at, of } => {
                ("P29End", format!("{} ends {}, which said its last number{joins}", life(at), life(of)))
            }
            Step::P34Lift { at, of } => {
                ("P34Lift", format!("{} lifts its doubts about {}", life(at), life(of)))
            }
            Step::P30Vote { by, on } => {
                ("P30Vote", format!("{} votes on {}, unheard for L", life(by), life(on)))
            }
            Step::P30End { at, of } => {
                ("P30End", format!("{} ends {}, as a majority voted{joins}", life(at), life(of)))
            }
            Step::P30Death { at, of } => {
                ("P30Death", format!("{} ends {}, as its successor proves{joins}", life(at), life(of)))
            }
            Step::P34Reset { of } => (
                "P34Reset",
                format!("{} goes on as {}{joins}", life(of), life(usize::from(self.before.born))),
            ),
            Step::Crash { of } => ("crash", format!("{} is killed", life(of))),
        }
    }

    fn act(&self, by: usize) -> String {
        let names = Names(self.after);
        let act = usize::from(self.before.now);
        let announced = if self.after.acts[act].announced { "announced" } else { "unannounced" };
        format!("{} acts: {}, {announced}", names.life(by), names.act(act))
    }

    /// Who joined by this step.
    fn joins(&self) -> String {
        let joined = |state: &State, life: &usize| state.life(*life).phase == Phase::Joined;
        let newly =
            self.after.alive().iter().filter(|life| joined(self.after, life) && !joined(self.before, life));
        newly.fold(String::new(), |said, life| format!("{said}; {} has joined", Names(self.after).life(life)))
    }
}
