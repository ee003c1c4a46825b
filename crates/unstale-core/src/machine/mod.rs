//! The coherence machine: streams, holes, proof and membership of one node.
//!
//! One module for each noun of the protocol; `P-n` names the clause of PROTOCOL.md that a line is for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::{Frame, Instant, Journal, LinkId, Mechanism, Message, Seq, Stamp, Stream};

mod beat;
mod broadcast;
mod config;
mod count;
mod ends;
mod exchange;
mod hello;
mod hole;
mod incarnation;
mod input;
mod join;
mod lease;
mod link;
mod member;
mod output;
mod pace;
mod proof;
mod register;
mod rollcall;
mod round;
mod serve;
mod silence;
mod slots;
mod status;
mod timers;
mod tombs;
mod transmit;
mod view;
mod votes;
mod vouch;
mod waiting;

pub use config::{Config, Limits, Membership, Slot, Timing};
pub use input::{Input, Listed, Listing, Order};
pub use output::{
    Announce, Closed, DistrustCause, Event, Output, Proof, Refused, RegisterRequest, SelfEnd, State,
    Suspects, Via,
};
pub use status::{MemberStatus, RegisterStatus, RoundStatus, SlotStatus, Status};
pub use timers::WakeReason;

use self::broadcast::Common;
use self::exchange::Exchanges;
use self::hello::PROTOCOL;
use self::incarnation::Life;
use self::join::Joining;
use self::link::Link;
use self::member::Member;
use self::pace::Pace;
use self::register::Register;
use self::round::Rounds;
use self::slots::Slots;
use self::timers::Timers;
use self::tombs::Tombs;
use self::view::Roster;
use self::votes::Votes;
use self::vouch::Rows;

/// The protocol's side of one node: told what happens ([`Machine::handle`]), it says what is to be done
/// ([`Machine::poll_output`]), what is to be sent ([`Machine::poll_transmit`]) and when it wants to be woken
/// ([`Machine::poll_timeout`]). No clock, no randomness, no sockets: the same inputs give the same outputs, byte for byte.
///
/// Its owner, after each input, first drains the outputs and then transmits. Instants must not go back.
///
/// ```
/// use unstale_core::{Config, Instant, Machine, Membership, Name, Output, ProcessId, Proof, Stream};
///
/// let name = |text: &'static str| Name::new(text.as_bytes()).unwrap();
/// let config = Config::new(name("shop"), name("a"), Membership::Alone);
/// let mut machine = Machine::new(config, Stream::first(ProcessId(1)), 7, Instant(1_000));
/// let outputs: Vec<_> = std::iter::from_fn(|| machine.poll_output()).collect();
/// assert!(outputs.contains(&Output::Proof(Proof::Present)));
/// ```
#[derive(Debug)]
pub struct Machine {
    config: Config,
    me: Stream,
    now: Instant,
    life: Life,
    joining: Joining,
    links: BTreeMap<LinkId, Link>,
    /// The link that reaches all peers, while it is up.
    common: Option<Common>,
    members: BTreeMap<Stream, Member>,
    roster: Roster,
    tombs: Tombs,
    slots: Slots,
    votes: Votes,
    own: Own,
    journal: Journal,
    rows: Rows,
    register: Register,
    rounds: Rounds,
    pace: Pace,
    /// Whom a beat went to last, where they take turns.
    beaten: Stream,
    exchanges: Exchanges,
    timers: Timers,
    outputs: VecDeque<Output>,
    said: Said,
    distrusts: u64,
}

/// What this node wrote.
#[derive(Debug, Default)]
struct Own {
    /// The last number known to have been given out.
    last: Seq,
    /// The last number handed over.
    handed: Seq,
    /// The newest stamp.
    stamp: Stamp,
    /// The greatest number that another member counts.
    confirmed: Seq,
}

/// What was said last, so that only changes are.
#[derive(Debug)]
struct Said {
    proof: Proof,
    announce: Announce,
}

impl Machine {
    /// A node that joins. `stream` must never have been used; `seed` sets the phase of its beats.
    pub fn new(config: Config, stream: Stream, seed: u64, now: Instant) -> Self {
        let mut machine = Self {
            me: stream,
            now,
            life: Life::new(now),
            joining: Joining::new(now),
            links: BTreeMap::new(),
            common: None,
            members: BTreeMap::new(),
            roster: Roster::alone(stream),
            tombs: Tombs::default(),
            slots: Slots::new(&config.membership, now),
            votes: Votes::default(),
            own: Own::default(),
            journal: Journal::with_bound(config.limits.journal).with_mechanisms(config.mechanisms),
            rows: Rows::default(),
            register: Register::default(),
            rounds: Rounds::default(),
            pace: Pace::default(),
            beaten: stream,
            exchanges: Exchanges::default(),
            timers: Timers::default(),
            outputs: VecDeque::new(),
            said: Said { proof: Proof::None, announce: Announce::Never },
            distrusts: 0,
            config,
        };
        machine.begin(seed);
        machine
    }

    /// Takes in what happened. O(members) at most, but for the work that a message itself asks for.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.observe_lateness(now);
        self.now = self.now.max(now);
        match input {
            Input::LinkUp { link, order, dialled } => self.on_link_up(link, order, dialled),
            Input::Recognised { link, dialled } => self.on_recognised(link, dialled),
            Input::LinkDown { link } if self.is_common(link) => self.on_common_down(),
            Input::LinkDown { link } => self.on_link_down(link),
            Input::CommonUp { link } => self.on_common_up(link),
            Input::Listed(listing) => self.on_listed(&listing),
            Input::Message { link, message } => self.on_message(link, message),
            Input::Local { frames } => self.on_local(frames),
            Input::Tick => self.on_tick(),
            Input::Exchange { id } => self.on_exchange(id),
            Input::Restarted { last } => self.on_restarted(last),
            Input::EndByOperator { name } => self.on_operator(&name),
            Input::Leave => self.on_leave(),
        }
    }

    /// What is to be done next. Drain it fully, in order, before anything is transmitted.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`Input::Tick`] is due, and why; it may come later, the later the worse.
    pub fn poll_timeout(&self) -> Option<(Instant, WakeReason)> {
        self.timers.first()
    }

    /// The stream that this node has now.
    pub const fn stream(&self) -> Stream {
        self.me
    }

    /// The highest version of the protocol that this machine speaks.
    pub const fn protocol() -> u16 {
        PROTOCOL.1
    }

    fn works(&self, mechanism: Mechanism) -> bool {
        self.config.mechanisms.on(mechanism)
    }

    fn begin(&mut self, seed: u64) {
        let phase = std::time::Duration::from_nanos(seed % self.config.timing.beat.as_nanos().max(1) as u64);
        self.timers.set(WakeReason::Beat, self.now.plus(phase));
        self.begin_joining();
        if self.is_registered() {
            self.on_register_due();
        }
    }

    fn on_message(&mut self, link: LinkId, message: Message) {
        let is_common = self.is_common(link);
        if !is_common && !self.links.contains_key(&link) {
            return;
        }
        if self.joining.state() == State::Left
            && !matches!(message, Message::Want(_) | Message::DigestWant(_))
        {
            return;
        }
        if is_common {
            return self.on_common(link, message);
        }
        match message {
            Message::Frame(frame) => self.on_frame(link, frame),
            Message::Beat(beat) => self.on_beat(link, &beat),
            Message::Hello(hello) => self.on_hello(link, hello),
            Message::Admit(admit) => self.on_admit(link, admit),
            Message::Want(want) => self.on_want(link, &want),
            Message::DigestWant(want) => self.on_digest_want(link, want),
            Message::Digest(digest) => self.on_digest(link, &digest),
            Message::Gone(gone) => self.on_gone(link, gone),
            Message::ViewWant(want) => self.on_view_want(link, want),
            Message::View(view) => self.on_view(&view),
            Message::Bye(bye) => self.on_bye(link, bye),
            Message::Reset(reset) => self.on_reset(link, reset),
            Message::Vote(vote) => self.on_vote(vote),
            Message::Round(round) => self.on_round(&round),
            Message::Answer(answer) => self.on_answer(link, &answer),
        }
    }

    /// Does what is due.
    fn on_tick(&mut self) {
        while let Some(reason) = self.timers.pop(self.now) {
            match reason {
                WakeReason::Beat => self.on_beat_due(),
                WakeReason::Tail(link) => self.on_tail_due(link),
                WakeReason::Hello(link) => self.on_hello_unanswered(link),
                WakeReason::Grace(stream) => self.on_grace_over(stream),
                WakeReason::Answer(stream) => self.on_answer_late(stream),
                WakeReason::Silence(stream) => self.on_silence(stream),
                WakeReason::Join => self.on_join_window(),
                WakeReason::Vacancy => self.on_vacancy(),
                WakeReason::Votes => self.on_votes_due(),
                WakeReason::Regret => self.on_regret(),
                WakeReason::Exchange => self.on_exchange_late(),
                WakeReason::Transaction(stream) => self.on_transaction_over(stream),
                WakeReason::Forget => self.on_forget(),
                WakeReason::Register => self.on_register_due(),
                WakeReason::Round => self.on_round_due(),
                WakeReason::CommonTail => self.on_common_tail_due(),
            }
        }
    }

    /// Frames that were appended here, in order.
    fn on_local(&mut self, frames: Vec<Frame>) {
        for frame in frames {
            let frame = Arc::new(frame);
            if frame.stream == self.me {
                self.own.handed = self.own.handed.max(frame.range.last);
                self.own.last = self.own.last.max(frame.range.last);
            }
            self.own.stamp = self.own.stamp.max(frame.stamp);
            self.journal.push_own(Arc::clone(&frame));
            if let Some(common) = &mut self.common {
                common.queue.push(frame);
                continue;
            }
            for outgoing in self.members.values_mut().filter_map(|member| member.outgoing.as_mut()) {
                outgoing.queue.push(Arc::clone(&frame));
            }
        }
    }

    fn put(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    fn report(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}
