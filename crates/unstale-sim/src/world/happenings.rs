//! What a process did while it ran: calls that returned, and what its node reports.

use unstale::{Event, ProtocolEvent, State};

use super::{World, short, told};
use crate::process::Done;
use crate::schedule::WorldKind;
use crate::violation::{Promise, Violation};

impl World {
    pub(super) fn take_done(&mut self, node: usize, until: u64) -> Result<(), Violation> {
        let Some(process) = &mut self.seats[node].process else { return Ok(()) };
        for done in process.take_done() {
            match done {
                Done::Read { expected, began, answer, session } => {
                    self.answered(node, &expected, began, answer, session)?;
                }
                Done::Written { act, rows, receipt } => self.written(node, act, &rows, receipt, until),
                Done::Left => self.left(node),
            }
        }
        Ok(())
    }

    pub(super) fn take_events(&mut self, node: usize, step: u64, until: u64) {
        let mut ended = Vec::new();
        let is_mesh = self.schedule.shape.kind == WorldKind::Mesh;
        let seat = &mut self.seats[node];
        let lonely = &mut seat.lonely;
        let Some(process) = &mut seat.process else { return };
        while let Some(event) = process.next_event() {
            match event {
                Event::Applied { stream, range, .. } => {
                    self.model.applied(node, stream, range, step);
                    self.story.note(range.last.0 ^ stream.process.0 as u64);
                    self.story.tell(until, None, || {
                        format!(
                            "n{node} has applied {}..{} of {}",
                            range.first.0,
                            range.last.0,
                            short(stream)
                        )
                    });
                }
                Event::Protocol(ProtocolEvent::MemberEnded { stream, cause, .. }) => {
                    ended.push(stream);
                    self.story
                        .tell(until, None, || format!("n{node} has ended {} ({cause:?})", short(stream)));
                }
                Event::State(state) => {
                    *lonely = is_mesh && state == State::Alone;
                    self.story.tell(until, None, || format!("n{node} is {state:?}"));
                }
                Event::Distrusted { cause, .. } => {
                    self.story.tell(until, None, || told(&format!("n{node} distrusts: {cause:?}")));
                    if self.gentle {
                        let text = format!(
                            "n{node} distrusts what it holds ({cause:?}), though nothing was lost for good"
                        );
                        self.needless = Some(Violation::new(Promise::P3, text));
                    }
                }
                Event::Cache { .. } => {}
                other @ (Event::Unannounced { .. }
                | Event::Lifted { .. }
                | Event::Protocol(_)
                | Event::FrameBad { .. }
                | Event::Closed
                | Event::Missed { .. }
                | _) => self.story.tell(until, None, || told(&format!("n{node}: {other:?}"))),
            }
        }
        for stream in ended {
            // What it announced before this moment; a stream that lives on announces nothing without its lease.
            self.model.ended(node, stream, self.now);
        }
    }
}
