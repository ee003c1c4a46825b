//! Answers to those who miss something (P-17, P-18). They are looked up piece by piece, when the link takes more.

use std::cmp::Ordering;

use super::Machine;
use super::link::{Asked, Form, Link};
use crate::{DigestWant, Found, Gone, LinkId, Mechanism, Message, Range, Seq, Stream, Want};

impl Machine {
    pub(super) fn on_want(&mut self, link: LinkId, want: &Want) {
        if self.life.must_compare() {
            return;
        }
        let Some(link) = self.links.get_mut(&link).filter(|link| link.peer.is_some()) else { return };
        for range in want.ranges.iter().take(Link::ASKED_MAX) {
            link.ask(Asked { stream: want.stream, range: *range, form: Form::Frames });
        }
    }

    pub(super) fn on_digest_want(&mut self, link: LinkId, want: DigestWant) {
        if self.life.must_compare() {
            return;
        }
        let Some(link) = self.links.get_mut(&link).filter(|link| link.peer.is_some()) else { return };
        link.ask(Asked { stream: want.stream, range: want.range, form: Form::Digest });
    }

    /// The next answer over a link: a frame, a digest, or that something is gone.
    pub(super) fn next_answer(&mut self, link: LinkId) -> Option<Message> {
        let bytes = self.config.limits.message_bytes;
        loop {
            let carrier = self.links.get_mut(&link)?;
            if let Some(frame) = carrier.replay.take(bytes) {
                return Some(Message::Frame(frame));
            }
            let asked = carrier.asked.pop_front()?;
            let (answer, answered) = self.look_up(asked);
            let carrier = self.links.get_mut(&link)?;
            if let Some(rest) = Range::new(answered.next(), asked.range.last) {
                carrier.asked.push_front(Asked { range: rest, ..asked });
            }
            match answer {
                Answer::Frames(frames) => carrier.replay.extend(frames),
                Answer::Message(message) => return Some(*message),
            }
        }
    }

    /// What is held about the beginning of what was asked for, and the last number that this answers.
    fn look_up(&self, asked: Asked) -> (Answer, Seq) {
        let Asked { stream, range, form } = asked;
        let bytes = self.config.limits.message_bytes;
        let found = match form {
            Form::Frames => self.journal.frames(stream, range, bytes),
            // digest-only-if-whole: a count with a hole proves nothing above it (P-18).
            Form::Digest if self.counts(stream, range.last) || !self.works(Mechanism::DigestOnlyIfWhole) => {
                match self.journal.digest(stream, range, bytes) {
                    Ok(digest) => Found::Digest(digest),
                    Err(gone) => Found::Gone(gone),
                }
            }
            Form::Digest => Found::Gone(Gone { stream, range, oldest: range.last.next() }),
        };
        match found {
            Found::Frames(frames) => {
                let last = frames.last().map_or(range.last, |frame| frame.range.last);
                (Answer::Frames(frames), last)
            }
            Found::Digest(digest) => {
                let last = digest.range.last;
                (Answer::Message(Box::new(Message::Digest(digest))), last)
            }
            Found::Gone(gone) => {
                let last = match gone.oldest.cmp(&range.first) {
                    Ordering::Greater => Seq(gone.oldest.0 - 1).min(range.last),
                    Ordering::Less | Ordering::Equal => range.last,
                };
                let range = Range { first: range.first, last };
                (Answer::Message(Box::new(Message::Gone(Gone { range, ..gone }))), last)
            }
        }
    }

    /// Whether this node's own count covers a stream up to `last`.
    fn counts(&self, stream: Stream, last: Seq) -> bool {
        stream.process == self.me.process
            || self.members.get(&stream).is_some_and(|member| member.based && member.have() >= last)
            || self.tombs.have(stream).is_some_and(|have| have >= last)
    }
}

enum Answer {
    Frames(Vec<std::sync::Arc<crate::Frame>>),
    Message(Box<Message>),
}
