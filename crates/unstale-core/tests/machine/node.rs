//! One node of the world: a machine with its act log and driver, and the checks of what it says.

use std::collections::{BTreeMap, VecDeque};

use unstale_core::{
    Act, ActLog, Announce, Batch, Config, Event, Frame, Input, Instant, LinkId, Machine, Message, Name,
    Output, Proof, Range, Seq, State, Stream, Subject, Suspects, Verb,
};

/// An act of the whole world, as the checks know it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) stream: Stream,
    pub(crate) seq: Seq,
    pub(crate) subject: Subject,
    /// World time.
    pub(crate) at: u64,
    pub(crate) announced: bool,
}

/// A node, alive.
pub(crate) struct Node {
    pub(crate) config: Config,
    pub(crate) machine: Machine,
    pub(crate) log: ActLog,
    /// Its clock is the world's plus this.
    pub(crate) offset: u64,
    pub(crate) paused: bool,
    pub(crate) inbox: VecDeque<Input>,
    pub(crate) links: BTreeMap<LinkId, usize>,
    pub(crate) state: State,
    pub(crate) proof: Proof,
    pub(crate) announce: Announce,
    pub(crate) confirmed: Seq,
    pub(crate) counted: BTreeMap<Stream, Seq>,
    pub(crate) events: Vec<Event>,
    pub(crate) distrusts: Vec<Output>,
    pub(crate) lifts: Vec<u64>,
    pub(crate) ended: Vec<Output>,
    pub(crate) exchanged: Vec<(u64, Proof)>,
    pub(crate) applied: usize,
    pub(crate) repaired: usize,
    /// Acts of others since it stores, neither applied nor covered by a distrust. Indexes into the records.
    pub(crate) missing: Vec<usize>,
    /// Since when it stores.
    pub(crate) stores: Option<u64>,
    pub(crate) tick_at: Option<u64>,
}

impl Node {
    pub(crate) fn new(config: Config, stream: Stream, offset: u64, now: u64) -> Self {
        let machine = Machine::new(config.clone(), stream, stream.process.0 as u64, Instant(now + offset));
        Self {
            config,
            machine,
            log: ActLog::new(stream),
            offset,
            paused: false,
            inbox: VecDeque::new(),
            links: BTreeMap::new(),
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
            missing: Vec::new(),
            stores: None,
            tick_at: None,
        }
    }

    pub(crate) fn local(&self, now: u64) -> Instant {
        Instant(now + self.offset)
    }

    pub(crate) fn handle(&mut self, now: u64, input: Input, records: &[Record]) {
        self.machine.handle(self.local(now), input);
        self.drain(now, records);
    }

    pub(crate) fn drain(&mut self, now: u64, records: &[Record]) {
        while let Some(output) = self.machine.poll_output() {
            self.take(now, output, records);
        }
    }

    /// Appends acts as one call does, and says whether they were announced.
    pub(crate) fn append(&mut self, now: u64, acts: &[Act]) -> (Stream, Range, bool) {
        let appended = self.log.append(acts, Batch::Loose, now / 1_000_000);
        let announced = match self.announce {
            Announce::Never => false,
            Announce::Until(until) => self.local(now) < until,
            Announce::Always => true,
        };
        (appended.stream, appended.range, announced)
    }

    pub(crate) fn hand_over(&mut self, now: u64, records: &[Record]) {
        let frames = self.log.drain();
        if !frames.is_empty() {
            self.handle(now, Input::Local { frames }, records);
        }
    }

    pub(crate) fn transmit(&mut self, now: u64, link: LinkId) -> Option<Message> {
        let last = self.log.last();
        let instant = self.local(now);
        let wants = self.machine.wants_to_transmit(instant, link);
        let message = self.machine.poll_transmit(instant, link, last);
        assert!(wants || message.is_none(), "transmits what it did not want to: {message:?}");
        message
    }

    /// How old the proof is.
    pub(crate) fn proof_age_ms(&self, now: u64) -> Option<u64> {
        match self.proof {
            Proof::None => None,
            Proof::Instant(instant) => Some(self.local(now).since(instant).as_millis() as u64),
            Proof::Present => Some(0),
        }
    }

    pub(crate) fn announces(&self, now: u64) -> bool {
        match self.announce {
            Announce::Never => false,
            Announce::Until(until) => self.local(now) < until,
            Announce::Always => true,
        }
    }

    fn take(&mut self, now: u64, output: Output, records: &[Record]) {
        match output {
            Output::Apply { stream, range, acts, via, .. } => {
                self.applied += 1;
                self.repaired += usize::from(via == unstale_core::Via::Repair);
                self.missing.retain(|index| {
                    let record = &records[*index];
                    let here =
                        record.stream == stream && range.first <= record.seq && record.seq <= range.last;
                    assert!(
                        !here || acts.iter().any(|act| includes(&act.subject, &record.subject)),
                        "frame without {record:?}"
                    );
                    !here
                });
            }
            Output::Counted { stream, have } => {
                // S2
                self.counted.insert(stream, have);
                let hole = self
                    .missing
                    .iter()
                    .map(|index| &records[*index])
                    .find(|act| act.stream == stream && act.seq <= have);
                assert!(
                    hole.is_none(),
                    "S2: {} counts {stream} up to {have:?} without {hole:?}",
                    self.config.name
                );
            }
            Output::Proof(proof) => {
                self.proof = proof;
                self.check_proof(records);
            }
            Output::Distrust { ref what, .. } => {
                self.missing.retain(|index| !covers(what, &records[*index].subject));
                self.distrusts.push(output);
            }
            Output::Lift { id } => self.lifts.push(id),
            Output::Announce(announce) => self.announce = announce,
            Output::State(state) => {
                self.state = state;
                if state != State::Joining && self.stores.is_none() {
                    self.stores = Some(now);
                }
            }
            Output::Ended { stream, .. } => {
                // S3
                let lost = self.missing.iter().map(|index| &records[*index]).find(|act| act.stream == stream);
                assert!(lost.is_none(), "S3: {} ends {stream} without {lost:?}", self.config.name);
                self.ended.push(output);
            }
            Output::NextStream { stream } => {
                let frames: Vec<Frame> = self.log.drain();
                self.machine.handle(self.local(now), Input::Local { frames });
                let (last, next) = self.log.restart();
                assert_eq!(next, stream);
                self.machine.handle(self.local(now), Input::Restarted { last });
            }
            Output::Exchanged { id, proof } => self.exchanged.push((id, proof)),
            Output::Confirmed { seq } => self.confirmed = seq,
            Output::Stamp(_) => {}
            Output::Event(event) => self.events.push(event),
        }
    }

    /// S1: everything announced before the proven instant is here.
    pub(crate) fn check_proof(&self, records: &[Record]) {
        let Proof::Instant(proven) = self.proof else { return };
        let missed = self
            .missing
            .iter()
            .map(|index| &records[*index])
            .find(|act| act.announced && act.at + self.offset < proven.0);
        assert!(
            missed.is_none(),
            "S1: {} proves {proven:?} (offset {}) without {missed:?}",
            self.config.name,
            self.offset
        );
    }
}

fn includes(wider: &Subject, subject: &Subject) -> bool {
    wider == subject
        || match (wider, subject) {
            (Subject::All, _) => true,
            (Subject::Cache { cache }, Subject::Key { cache: of, .. }) => cache == of,
            _ => false,
        }
}

fn covers(what: &Suspects, subject: &Subject) -> bool {
    match (what, subject) {
        (Suspects::Everything, _) => true,
        (Suspects::Caches(caches), Subject::Key { cache, .. }) => caches.contains(cache),
        (Suspects::Hashes(filter), Subject::Key { cache, key }) => {
            filter.holds_cache(cache) || filter.holds_key(cache, key)
        }
        _ => false,
    }
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text.as_bytes().to_vec()).unwrap()
}

pub(crate) fn key_act(key: u64) -> Act {
    let subject = Subject::Key { cache: name("users"), key: key.to_be_bytes().to_vec().into() };
    Act { verb: Verb::Remove, subject }
}
