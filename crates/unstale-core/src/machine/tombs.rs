//! Ended streams, remembered for a while so that others can learn of them (section 2).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{EndCause, Ended, Instant, Name, Ranges, Seq, Stream};

#[derive(Debug, Default)]
pub(super) struct Tombs {
    tombs: BTreeMap<Stream, Tomb>,
}

#[derive(Debug)]
pub(super) struct Tomb {
    pub(super) name: Name,
    pub(super) last: Seq,
    pub(super) cause: EndCause,
    pub(super) at: Instant,
    /// What is needed should the stream come back, if it was ended in doubt.
    pub(super) rest: Option<Rest>,
}

/// A stream that was ended in doubt: what was counted of it, and which distrusts stand.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) count: Ranges,
    pub(super) scopes: Vec<Name>,
    pub(super) doubts: Vec<u64>,
    /// Whether another process said hello under its name since.
    pub(super) succeeded: bool,
}

impl Tombs {
    /// Remembers an end. At the bound the oldest is forgotten.
    pub(super) fn insert(&mut self, stream: Stream, tomb: Tomb, max: usize) {
        self.tombs.insert(stream, tomb);
        while self.tombs.len() > max {
            let oldest = self.tombs.iter().min_by_key(|(_, tomb)| tomb.at).map(|(stream, _)| *stream);
            let Some(oldest) = oldest else { return };
            self.tombs.remove(&oldest);
        }
    }

    pub(super) fn contains(&self, stream: Stream) -> bool {
        self.tombs.contains_key(&stream)
    }

    pub(super) fn len(&self) -> usize {
        self.tombs.len()
    }

    pub(super) fn get(&self, stream: Stream) -> Option<&Tomb> {
        self.tombs.get(&stream)
    }

    pub(super) fn get_mut(&mut self, stream: Stream) -> Option<&mut Tomb> {
        self.tombs.get_mut(&stream)
    }

    /// Streams of this name that were ended while they may still have been alive, and did not come back, now that another process has
    /// the name. Each is said once.
    pub(super) fn succeed(&mut self, name: &Name, successor: Stream) -> Vec<Stream> {
        let mut silenced = Vec::new();
        for (stream, tomb) in &mut self.tombs {
            let in_doubt = matches!(tomb.cause, EndCause::Majority | EndCause::Operator | EndCause::Arbiter);
            if let Some(rest) = tomb.rest.as_mut().filter(|rest| !rest.succeeded)
                && in_doubt
                && tomb.name == *name
                && stream.process != successor.process
            {
                rest.succeeded = true;
                silenced.push(*stream);
            }
        }
        silenced
    }

    /// Up to where a stream was counted when it ended.
    pub(super) fn have(&self, stream: Stream) -> Option<Seq> {
        let tomb = self.tombs.get(&stream)?;
        Some(tomb.rest.as_ref().map_or(tomb.last, |rest| rest.count.have()))
    }

    /// How a stream ended, and its last number.
    pub(super) fn end(&self, stream: Stream) -> Option<(EndCause, Seq)> {
        self.tombs.get(&stream).map(|tomb| (tomb.cause, tomb.last))
    }

    /// What others are told: ends not older than `for_long`.
    pub(super) fn told(&self, now: Instant, for_long: Duration) -> Vec<Ended> {
        let recent = self.tombs.iter().filter(|(_, tomb)| now.since(tomb.at) < for_long);
        let ended = |(stream, tomb): (&Stream, &Tomb)| Ended {
            stream: *stream,
            name: tomb.name.clone(),
            last: tomb.last,
            cause: tomb.cause,
            ago_ms: u32::try_from(now.since(tomb.at).as_millis()).unwrap_or(u32::MAX),
        };
        recent.map(ended).collect()
    }

    /// Forgets what is older than `for_long`, and says what.
    pub(super) fn forget(&mut self, now: Instant, for_long: Duration) -> Vec<Stream> {
        let old: Vec<_> = self
            .tombs
            .iter()
            .filter(|(_, tomb)| now.since(tomb.at) >= for_long)
            .map(|(stream, _)| *stream)
            .collect();
        for stream in &old {
            self.tombs.remove(stream);
        }
        old
    }
}
