//! What sees a node's frames before it does, and spoils them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use unstale::{Lookup, Stream};
use unstale_codec::native;
use unstale_core::{Act, Frame, Message, Subject as ActSubject, Verb};
use unstale_l1::Key as _;

use super::Planted;
use super::memo::{About, Memo, Seen};
use crate::layout::Kind;
use crate::network::Tap;

/// Links that come up before a subscription gives up: those of the start, and a few tries.
const TRIES: u32 = 6;

pub(super) struct PlantedTap {
    bug: Planted,
    memo: Option<Arc<Memo>>,
    seen: Seen,
    frames: u64,
    links: u32,
    numbers: BTreeSet<u64>,
    newest: BTreeMap<Stream, u64>,
}

impl PlantedTap {
    pub(super) fn new(bug: Planted, memo: Option<Arc<Memo>>, seen: Seen) -> Self {
        Self { bug, memo, seen, frames: 0, links: 0, numbers: BTreeSet::new(), newest: BTreeMap::new() }
    }

    /// Which of its acts a frame loses on the way, though its numbers count.
    fn spoil(&mut self, frame: &mut Frame) {
        self.frames += 1;
        let newest = self.newest.entry(frame.stream).or_default();
        let is_late = frame.range.first.0 <= *newest;
        *newest = (*newest).max(frame.range.last.0);
        let is_known = !self.numbers.insert(frame.range.last.0);
        let losses = [
            (Planted::AcknowledgedAndLost, self.frames.is_multiple_of(16)),
            (Planted::NumberIsIdentity, is_known),
            (Planted::NoResync, is_late),
            (Planted::GivesUpSubscribing, self.links > TRIES),
        ];
        if losses.contains(&(self.bug, true)) {
            frame.acts.clear();
        }
        if self.bug == Planted::AbsentIgnored {
            frame.acts.retain(|act| self.is_cached(act));
        }
        if self.bug == Planted::WrongKey {
            for act in &mut frame.acts {
                if let ActSubject::Key { key, .. } = &mut act.subject {
                    *key = other_key(key);
                }
            }
        }
    }

    fn is_cached(&self, act: &Act) -> bool {
        let Some((caches, _)) = self.seen.get() else { return true };
        let ActSubject::Key { key, .. } = &act.subject else { return true };
        let Some(key) = u64::decode(key) else { return true };
        act.verb != Verb::Set && act.verb != Verb::Remove
            || !matches!(caches.of(Kind::Row).lookup(&key), Lookup::Miss)
    }

    /// What the memo makes of a frame.
    fn remember(&self, frame: &Frame) {
        let Some(memo) = &self.memo else { return };
        for act in &frame.acts {
            memo.act(about(act), frame.stamp.millis());
        }
    }
}

impl Tap for PlantedTap {
    fn incoming(&mut self, bytes: Bytes) -> Bytes {
        let Ok(Message::Frame(mut frame)) = native::decode(bytes.clone()) else { return bytes };
        self.spoil(&mut frame);
        self.remember(&frame);
        let mut buffer = BytesMut::new();
        match native::encode(&Message::Frame(frame), &mut buffer) {
            Ok(()) => buffer.freeze(),
            Err(_) => bytes,
        }
    }

    fn linked(&mut self) {
        self.links += 1;
    }
}

fn other_key(key: &Bytes) -> Bytes {
    u64::decode(key).map_or_else(|| key.clone(), |number| (number ^ 1).encode())
}

fn about(act: &Act) -> About {
    match &act.subject {
        ActSubject::Key { key, .. } => u64::decode(key).map_or(About::All, |row| About::Row(row as u16)),
        ActSubject::Tag { tag, .. } => {
            let number = std::str::from_utf8(tag).ok().and_then(|tag| tag.strip_prefix('t')?.parse().ok());
            number.map_or(About::All, About::Tag)
        }
        ActSubject::Cache { .. } | ActSubject::All => About::All,
    }
}
