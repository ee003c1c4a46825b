//! One node of the world: a machine with its act log and driver, and the checks of what it says.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use unstale_core::{
    Act, ActLog, Announce, Appended, Batch, Config, Event, Frame, Input, Instant, LinkId, Machine, Message,
    Name, Output, Proof, RegisterRequest, Seq, State, Stream, Subject, Suspects, Verb, Via,
};

use super::ledger::Ledger;
use super::truth::Truth;
use crate::violation::{Promise, Violation};

/// A node, alive.
pub struct Node {
    /// What it was told once.
    pub config: Config,
    /// The shipping machine.
    pub machine: Machine,
    /// The shipping act log.
    pub log: ActLog,
    /// Its clock is the world's plus this.
    pub offset: u64,
    /// How far its wall clock is off, in milliseconds.
    pub wall_skew_ms: i64,
    /// Whether the process is stopped.
    pub paused: bool,
    /// What came in while it was.
    pub inbox: VecDeque<Input>,
    /// Its links, and who is at their other end.
    pub links: BTreeMap<LinkId, usize>,
    /// The link that reaches all.
    pub common: Option<LinkId>,
    /// What it asks of the register.
    pub requests: Vec<RegisterRequest>,
    /// What it said it is.
    pub state: State,
    /// What it said it can prove.
    pub proof: Proof,
    /// Until when it said that its acts are announced.
    pub announce: Announce,
    /// The greatest number that it said another member counts.
    pub confirmed: Seq,
    /// What it counts.
    pub counted: BTreeMap<Stream, Seq>,
    /// Its events.
    pub events: Vec<Event>,
    /// Its distrusts.
    pub distrusts: Vec<Output>,
    /// The distrusts that it lifted.
    pub lifts: Vec<u64>,
    /// The ends that it said.
    pub ended: Vec<Output>,
    /// The exchanges that are over.
    pub exchanged: Vec<(u64, Proof)>,
    /// How many frames it applied.
    pub applied: usize,
    /// How many of them were answers to a repair.
    pub repaired: usize,
    /// Acts of others since it stores.
    pub missing: Ledger,
    /// Since when it stores.
    pub stores: Option<u64>,
    /// When its next tick is planned.
    pub(super) tick_at: Option<u64>,
    /// The first promise that it broke.
    pub violation: Option<Violation>,
    settled: BTreeSet<Stream>,
}

impl Node {
    /// A process that starts now.
    pub fn new(config: Config, stream: Stream, offset: u64, now: u64) -> Self {
        let machine = Machine::new(config.clone(), stream, stream.process.0 as u64, Instant(now + offset));
        let log = ActLog::new(stream).with_mechanisms(config.mechanisms);
        Self {
            config,
            machine,
            log,
            offset,
            wall_skew_ms: 0,
            paused: false,
            inbox: VecDeque::new(),
            links: BTreeMap::new(),
            common: None,
            requests: Vec::new(),
            state: State::Joining,
            proof: Proof::None,
            announce: Announce::Never,
            confirmed: Seq::ZERO,
            counted: BTreeMap::new(),
            events: Vec::new(),
            distrusts: Vec::new(),
            lifts: Vec::new(),
            ended: Vec::new(),
            exchanged: Vec::new(),
            applied: 0,
            repaired: 0,
            missing: Ledger::default(),
            stores: None,
            tick_at: None,
            violation: None,
            settled: BTreeSet::new(),
        }
    }

    /// Its clock.
    pub fn local(&self, now: u64) -> Instant {
        Instant(now + self.offset)
    }

    /// Its wall clock.
    pub fn wall_ms(&self, now: u64) -> u64 {
        true_wall_ms(now).saturating_add_signed(self.wall_skew_ms)
    }

    /// Hands an input to the machine and carries out what it says.
    pub fn handle(&mut self, now: u64, input: Input, truth: &Truth) {
        self.machine.handle(self.local(now), input);
        self.drain(now, truth);
    }

    /// Carries out what the machine says.
    pub fn drain(&mut self, now: u64, truth: &Truth) {
        while let Some(output) = self.machine.poll_output() {
            if let Err(violation) = self.take(now, output, truth) {
                self.blame(violation);
            }
        }
    }

    /// Appends acts as one call does, and says whether they were announced.
    pub fn append(&mut self, now: u64, acts: &[Act], batch: Batch) -> (Appended, bool) {
        let appended = self.log.append(acts, batch, self.wall_ms(now));
        (appended, self.announces(now))
    }

    /// The driver drains the log.
    pub fn hand_over(&mut self, now: u64, truth: &Truth) {
        let frames = self.log.drain();
        if !frames.is_empty() {
            self.handle(now, Input::Local { frames }, truth);
        }
    }

    /// The next message for a link.
    pub fn transmit(&mut self, now: u64, link: LinkId) -> Option<Message> {
        let last = self.log.last();
        let instant = self.local(now);
        let wants = self.machine.wants_to_transmit(instant, link);
        let message = self.machine.poll_transmit(instant, link, last);
        if !wants && message.is_some() {
            let text = format!("{} sends what it did not want to: {message:?}", self.config.name);
            self.blame(Violation::new(Promise::P7, text));
        }
        message
    }

    /// How old the proof is.
    pub fn proof_age_ms(&self, now: u64) -> Option<u64> {
        match self.proof {
            Proof::None => None,
            Proof::Instant(instant) => Some(self.local(now).since(instant).as_millis() as u64),
            Proof::Present => Some(0),
        }
    }

    /// Whether an act would be announced now.
    pub fn announces(&self, now: u64) -> bool {
        match self.announce {
            Announce::Never => false,
            Announce::Until(until) => self.local(now) < until,
            Announce::Always => true,
        }
    }

    /// Keeps the first promise that was broken.
    pub(super) fn blame(&mut self, violation: Violation) {
        self.violation.get_or_insert(violation);
    }

    fn take(&mut self, now: u64, output: Output, truth: &Truth) -> Result<(), Violation> {
        match output {
            Output::Apply { stream, range, acts, via, stamp, .. } => {
                self.applied += 1;
                self.repaired += usize::from(via == Via::Repair);
                let wall_ms = self.wall_ms(now);
                self.log.merge_stamp(stamp, wall_ms);
                self.missing.apply(truth, stream, range, &acts)?;
            }
            Output::Counted { stream, have } => {
                self.counted.insert(stream, have);
                self.check_count(truth, stream)?;
            }
            Output::Proof(proof) => {
                self.proof = proof;
                self.check_proof(now, truth)?;
            }
            Output::Distrust { id, ref what, .. } => {
                self.missing.distrust(truth, id, what);
                self.distrusts.push(output);
            }
            Output::Lift { id } => {
                self.lifts.push(id);
                self.missing.lift(id);
                self.check_lift(truth)?;
            }
            Output::Announce(announce) => self.announce = announce,
            Output::State(state) => {
                self.state = state;
                if state.stores(self.config.mechanisms) {
                    self.stores.get_or_insert(now);
                }
            }
            Output::Ended { stream, .. } => {
                self.ended.push(output);
                self.settled.insert(stream);
                self.check_end(truth, stream)?;
            }
            Output::NextStream { stream } => self.restart(now, stream),
            Output::Exchanged { id, proof } => self.exchanged.push((id, proof)),
            Output::Confirmed { seq } => self.confirmed = seq,
            Output::Register(request) => self.requests.push(request),
            Output::Stamp(stamp) => {
                let wall_ms = self.wall_ms(now);
                self.log.merge_stamp(stamp, wall_ms);
            }
            Output::Event(event) => self.events.push(event),
        }
        Ok(())
    }

    fn restart(&mut self, now: u64, stream: Stream) {
        let frames: Vec<Frame> = self.log.drain();
        self.machine.handle(self.local(now), Input::Local { frames });
        let (last, next) = self.log.restart();
        assert_eq!(next, stream, "the log and the machine go on under one stream");
        self.machine.handle(self.local(now), Input::Restarted { last });
    }

    /// S2: what is counted is here.
    pub(super) fn check_count(&self, truth: &Truth, stream: Stream) -> Result<(), Violation> {
        let Some(have) = self.counted.get(&stream) else { return Ok(()) };
        self.miss(truth, Promise::S2, &format!("counts {stream} up to {}", have.0), |act| {
            act.stream == stream && act.seq <= *have
        })
    }

    /// S3: of what has ended nothing is missing.
    fn check_end(&self, truth: &Truth, ended: Stream) -> Result<(), Violation> {
        self.miss(truth, Promise::S3, "waits for it no more", |act| act.stream == ended)
    }

    /// S3: nor is it after a distrust was taken back. What a stream went on to write after it was ended was not announced.
    fn check_lift(&self, truth: &Truth) -> Result<(), Violation> {
        self.miss(truth, Promise::S3, "lifted the distrust that covered it", |act| {
            act.announced && self.settled.contains(&act.stream)
        })
    }

    /// S1: everything announced before the proven instant is here. Of a stream that it knew and that nobody writes any more it is S3.
    pub(super) fn check_proof(&self, now: u64, truth: &Truth) -> Result<(), Violation> {
        let proven = match self.proof {
            Proof::None => return Ok(()),
            Proof::Instant(instant) => instant.0,
            Proof::Present => self.local(now).0,
        };
        let is_due = |at: u64, announced: bool| announced && at + self.offset < proven;
        let what = format!("proves {proven} (its clock is {} ahead)", self.offset);
        self.miss(truth, Promise::S3, &what, |act| {
            is_due(act.at, act.announced)
                && truth.gone.contains(&act.stream)
                && self.counted.contains_key(&act.stream)
        })?;
        self.miss(truth, Promise::S1, &what, |act| is_due(act.at, act.announced))
    }

    fn miss(
        &self,
        truth: &Truth,
        promise: Promise,
        what: &str,
        is_owed: impl Fn(&super::truth::Record) -> bool,
    ) -> Result<(), Violation> {
        match self.missing.find(truth, is_owed) {
            None => Ok(()),
            Some(act) => {
                let text = format!("{} {what}, and misses {act:?}", self.config.name);
                Err(Violation::new(promise, text))
            }
        }
    }
}

/// The wall clock of those whose clock is right, at this time of the world.
pub fn true_wall_ms(now: u64) -> u64 {
    1_700_000_000_000 + now / 1_000_000
}

/// A name.
pub fn name(text: &str) -> Name {
    Name::new(text.as_bytes().to_vec()).unwrap()
}

/// The removal of a key of the cache `users`.
pub fn key_act(key: u64) -> Act {
    act_in("users", key)
}

/// The removal of a key.
pub fn act_in(cache: &str, key: u64) -> Act {
    let subject = Subject::Key { cache: name(cache), key: key.to_be_bytes().to_vec().into() };
    Act { verb: Verb::Remove, subject }
}

/// What a distrust says is suspect.
pub fn suspects(output: &Output) -> Option<&Suspects> {
    if let Output::Distrust { what, .. } = output { Some(what) } else { None }
}
