//! The task that owns a node's machine and its backplane. Data flows one way: bytes in, inputs, outputs, bytes out.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{futures::OwnedNotified, mpsc, oneshot};
use tokio::time::{self, Sleep};
use unstale_core::{Input, Instant, Machine, Name, Seq, Stream};
use unstale_l1::{Fills, Tick};
use unstale_port::Backplane;

use super::links::Links;
use super::outputs::Repaired;
use super::shared::Shared;

/// Backplane events that are handled before what they gave is sent on.
const EVENTS_PER_TURN: usize = 64;
/// How often the status that others read is refreshed while nothing happens.
const STATUS_PERIOD: Duration = Duration::from_millis(250);

/// What calls ask of the driver.
pub(super) enum Command {
    /// Says goodbye, hands over what is left, and ends. Answered when done.
    Leave(oneshot::Sender<Farewell>),
    /// Ends a silent member by the operator's word.
    EndMember(Name),
}

/// How a node left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Farewell {
    /// Everything was handed to the backplane.
    Said,
    /// The deadline came first.
    CutShort,
}

/// Owns the machine (`&mut`), the backplane and the codec's buffer.
pub(super) struct Driver {
    pub(super) shared: Arc<Shared>,
    pub(super) machine: Machine,
    /// The stream that the act log writes, as the machine knows it.
    pub(super) stream: Stream,
    /// Whether the caches store what they load: not before the node has joined (P-25).
    pub(super) fills: Fills,
    /// When the status that others read is refreshed.
    pub(super) status_due: Instant,
    pub(super) links: Links,
    pub(super) repaired: Repaired,
    commands: mpsc::Receiver<Command>,
    drain_deadline: Duration,
    leaving: Option<Leaving>,
    /// However the driver ends, also by a panic or with its runtime: the node is closed then.
    _closes: CloseOnDrop,
}

/// The way out, and how long the last messages may take on it.
pub(super) struct Transport {
    pub(super) backplane: Box<dyn Backplane>,
    pub(super) drain_deadline: Duration,
}

struct Leaving {
    by: Instant,
    answer: Option<oneshot::Sender<Farewell>>,
}

impl Driver {
    pub(super) fn new(
        shared: Arc<Shared>,
        machine: Machine,
        stream: Stream,
        transport: Transport,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        let Transport { backplane, drain_deadline } = transport;
        let now = shared.now();
        let mut driver = Self {
            _closes: CloseOnDrop(Arc::clone(&shared)),
            shared,
            machine,
            stream,
            fills: Fills::Refused,
            status_due: Instant::ZERO,
            links: Links::new(backplane),
            repaired: Repaired { since: now, acts: 0 },
            commands,
            drain_deadline,
            leaving: None,
        };
        // So that a node that is alone is ready when it is handed out.
        driver.carry_out_all(now);
        driver.publish_status(now);
        driver
    }

    /// Runs until the node leaves.
    pub(super) async fn run(mut self) {
        let shared = Arc::clone(&self.shared);
        let mut woken = pin!(Arc::clone(&shared.wake).notified_owned());
        let mut timer = pin!(time::sleep(Duration::ZERO));
        let mut timer_at = Instant::ZERO;
        let farewell = loop {
            let now = shared.now();
            let due = self.turn(now);
            if let Some(farewell) = self.farewell(now) {
                break farewell;
            }
            if due < timer_at || timer.is_elapsed() {
                timer.as_mut().reset(time::Instant::now() + due.since(now));
                timer_at = due;
            }
            std::future::poll_fn(|cx| self.poll_inputs(cx, woken.as_mut(), timer.as_mut())).await;
            // A backplane that always has something must not starve the other tasks of this thread.
            tokio::task::consume_budget().await;
        };
        self.close(farewell).await;
    }

    /// Everything between two waits: clock, local acts, outputs, one message for each link with room. Returns when the
    /// next turn is due at the latest.
    fn turn(&mut self, now: Instant) -> Instant {
        let tick = self.shared.tick_of(now);
        self.shared.domain.clock().set(tick);
        if self.machine.poll_timeout().is_some_and(|(due, _)| due <= now) {
            self.input(now, Input::Tick);
        }
        if let Some(id) = self.shared.exchanges.begin() {
            self.input(now, Input::Exchange { id });
        }
        self.shared.words.publish_heard(self.links.ids().next().is_some());
        let own_last = self.drain_acts(now);
        self.transmit(now, own_last);
        if self.status_due <= now {
            self.publish_status(now);
        }
        let next_tick = self.shared.instant_of(tick.plus(Tick(1)));
        let timeout = self.machine.poll_timeout().map_or(next_tick, |(due, _)| due);
        timeout.min(next_tick)
    }

    fn publish_status(&mut self, now: Instant) {
        self.shared.status.send_replace(Arc::new(self.machine.status(now)));
        self.status_due = now.plus(STATUS_PERIOD);
    }

    /// Hands what was appended since the last time to the machine. The last number is read in the same step, after every
    /// input so far was handled, so a beat built from it denies no act that was announced before what it echoes (P-9).
    fn drain_acts(&mut self, now: Instant) -> Seq {
        loop {
            // last-read-after-echo
            let (frames, stream, own_last) =
                self.shared.domain.with_log(|log| (log.drain(), log.stream(), log.last()));
            if !frames.is_empty() {
                self.input(now, Input::Local { frames });
            }
            // What was handed over may have made the node go on with the next incarnation.
            if stream == self.stream {
                return own_last;
            }
        }
    }

    /// Hands an input to the machine and carries out what it says, in order.
    pub(super) fn input(&mut self, now: Instant, input: Input) {
        self.machine.handle(now, input);
        self.carry_out_all(now);
    }

    fn carry_out_all(&mut self, now: Instant) {
        while let Some(output) = self.machine.poll_output() {
            self.carry_out(now, output);
        }
    }

    fn poll_inputs(
        &mut self,
        cx: &mut Context<'_>,
        mut woken: Pin<&mut OwnedNotified>,
        timer: Pin<&mut Sleep>,
    ) -> Poll<()> {
        let mut progress = Poll::Pending;
        for _ in 0..EVENTS_PER_TURN {
            let Poll::Ready(event) = self.links.backplane.poll_event(cx) else {
                break;
            };
            progress = Poll::Ready(());
            self.take_event(event);
        }
        if woken.as_mut().poll(cx).is_ready() {
            woken.set(Arc::clone(&self.shared.wake).notified_owned());
            progress = Poll::Ready(());
        }
        if timer.poll(cx).is_ready() {
            progress = Poll::Ready(());
        }
        while self.leaving.is_none()
            && let Poll::Ready(command) = self.commands.poll_recv(cx)
        {
            progress = Poll::Ready(());
            self.obey(command);
        }
        progress
    }
    /// A command, or the end of everyone who could give one: then the node leaves by itself.
    fn obey(&mut self, command: Option<Command>) {
        let now = self.shared.now();
        match command {
            Some(Command::EndMember(name)) => self.input(now, Input::EndByOperator { name }),
            Some(Command::Leave(answer)) => self.leave(now, Some(answer)),
            None => self.leave(now, None),
        }
    }

    fn leave(&mut self, now: Instant, answer: Option<oneshot::Sender<Farewell>>) {
        self.leaving = Some(Leaving { by: now.plus(self.drain_deadline), answer });
        // What was appended before the call has to leave before the goodbye, which names the last number.
        self.drain_acts(now);
        self.input(now, Input::Leave);
    }

    /// Whether a node that leaves is done.
    fn farewell(&self, now: Instant) -> Option<Farewell> {
        let leaving = self.leaving.as_ref()?;
        if !self.links.ids().any(|link| self.machine.wants_to_transmit(now, link)) {
            Some(Farewell::Said)
        } else if now >= leaving.by {
            Some(Farewell::CutShort)
        } else {
            None
        }
    }

    async fn close(mut self, farewell: Farewell) {
        let Some(leaving) = self.leaving.take() else {
            return;
        };
        // The goodbye was the last message; what follows it is for the register.
        let now = self.shared.now();
        self.carry_out_all(now);
        let left = leaving.by.since(now);
        let closed =
            time::timeout(left, std::future::poll_fn(|cx| self.links.backplane.poll_close(cx))).await;
        let farewell = if closed.is_ok() { farewell } else { Farewell::CutShort };
        tracing::info!(farewell = ?farewell, "node left");
        self.shared.close();
        if let Some(answer) = leaving.answer {
            // Who asked may have gone away meanwhile.
            let _ = answer.send(farewell);
        }
    }
}

/// Nothing is proven, announced or cached once this is dropped: closed, not open.
struct CloseOnDrop(Arc<Shared>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}
