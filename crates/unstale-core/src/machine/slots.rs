//! The slots of a fixed list (P-25a).

use bytes::Bytes;

use super::Membership;
use crate::{Instant, Name, Stream};

/// The configured peers, this node not among them.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Place>,
}

/// One configured peer, and who took its place.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, not states of one thing")]
pub(super) struct Place {
    pub(super) name: Option<Name>,
    pub(super) address: Bytes,
    /// Whether the configuration says the name: then it is not learnt.
    is_named: bool,
    /// The stream that took it last, alive or ended; none if it never came up, or was ended long ago.
    pub(super) stream: Option<Stream>,
    /// Whether that one said so itself and has not ended: then nobody else's word moves it.
    greeted: bool,
    pub(super) heard: Instant,
    /// Its member said goodbye: it is not of the electorate until its next hello.
    pub(super) left: bool,
    /// A majority found nobody there.
    pub(super) vacant: bool,
}

impl Place {
    /// What votes and reports call it.
    pub(super) fn label(&self) -> Option<Name> {
        self.name.clone().or_else(|| Name::new(self.address.clone()).ok())
    }

    /// Whether the configuration says its name.
    pub(super) const fn is_named(&self) -> bool {
        self.is_named
    }

    pub(super) fn is_empty(&self) -> bool {
        self.stream.is_none() && !self.left
    }
}

impl Slots {
    pub(super) fn new(membership: &Membership, now: Instant) -> Self {
        let configured: &[_] = match membership {
            Membership::Fixed(slots) => slots,
            Membership::Alone | Membership::Elastic | Membership::Registered => &[],
        };
        let place = |slot: &super::Slot| Place {
            name: slot.name.clone(),
            address: slot.address.clone(),
            is_named: slot.name.is_some(),
            stream: None,
            greeted: false,
            heard: now,
            left: false,
            vacant: false,
        };
        Self { slots: configured.iter().map(place).collect() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Place> {
        self.slots.iter()
    }

    pub(super) const fn count(&self) -> usize {
        self.slots.len()
    }

    /// Whether a majority can end somebody: two nodes have none that means anything (P-30).
    pub(super) fn can_vote(&self) -> bool {
        self.slots.len() >= 2
    }

    /// The configured peers and oneself, without those that said goodbye.
    pub(super) fn electorate(&self) -> usize {
        1 + self.slots.iter().filter(|place| !place.left).count()
    }

    pub(super) fn majority(&self) -> usize {
        self.electorate() / 2 + 1
    }

    pub(super) fn have_all_left(&self) -> bool {
        self.slots.iter().all(|place| place.left)
    }

    pub(super) fn is_any_vacant(&self) -> bool {
        self.slots.iter().any(|place| place.vacant)
    }

    /// The place that a stream took.
    pub(super) fn of(&self, stream: Stream) -> Option<usize> {
        self.slots.iter().position(|place| place.stream == Some(stream))
    }

    pub(super) fn named(&self, label: &Name) -> Option<usize> {
        self.slots.iter().position(|place| place.label().as_ref() == Some(label))
    }

    pub(super) fn get(&self, index: usize) -> Option<&Place> {
        self.slots.get(index)
    }

    pub(super) fn declare_vacant(&mut self, index: usize) {
        if let Some(place) = self.slots.get_mut(index) {
            place.vacant = true;
        }
    }

    /// A stream was told of: it takes its place, if it can be found by name or address, unless somebody is there who said hello: who
    /// is told of may be the predecessor, told of by somebody who does not know of its end.
    pub(super) fn occupy(&mut self, stream: Stream, name: &Name, address: Option<&Bytes>) {
        if let Some(place) = self.find(name, address, None).filter(|place| !place.greeted) {
            place.take(stream);
        }
    }

    /// A stream said hello, perhaps over a link that was dialled to its place.
    pub(super) fn greet(
        &mut self,
        stream: Stream,
        name: &Name,
        address: Option<&Bytes>,
        dialled: Option<&Bytes>,
        now: Instant,
    ) {
        if let Some(place) = self.find(name, address, dialled) {
            if !place.is_named {
                place.name = Some(name.clone());
            }
            place.heard = now;
            place.take(stream);
            place.greeted = true;
        }
    }

    /// A stream ended: its place is known to be empty.
    pub(super) fn end(&mut self, stream: Stream, name: &Name, leaves: Leaves) {
        let Some(place) = self.find(name, None, None) else { return };
        if place.stream.is_none() {
            place.stream = Some(stream);
        }
        if place.stream == Some(stream) {
            place.greeted = false;
            place.left |= leaves == Leaves::Electorate;
        }
    }

    /// A stream's end is forgotten.
    pub(super) fn forget(&mut self, stream: Stream) {
        for place in self.slots.iter_mut().filter(|place| place.stream == Some(stream)) {
            place.stream = None;
            place.greeted = false;
        }
    }

    pub(super) fn hear(&mut self, stream: Stream, now: Instant) {
        for place in self.slots.iter_mut().filter(|place| place.stream == Some(stream)) {
            place.heard = now;
        }
    }

    fn find(&mut self, name: &Name, address: Option<&Bytes>, dialled: Option<&Bytes>) -> Option<&mut Place> {
        let by_name = self.slots.iter().position(|place| place.name.as_ref() == Some(name));
        let at = |wanted: Option<&Bytes>| {
            let is_there = |place: &Place| !place.is_named && Some(&place.address) == wanted;
            wanted.and_then(|_| self.slots.iter().position(is_there))
        };
        let index = by_name.or_else(|| at(dialled)).or_else(|| at(address))?;
        self.slots.get_mut(index)
    }
}

/// Whether an end takes the place out of the electorate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    Nothing,
    Electorate,
}

impl Place {
    fn take(&mut self, stream: Stream) {
        self.stream = Some(stream);
        self.left = false;
        self.vacant = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ProcessId, machine};

    const NOW: Instant = Instant(1);

    fn stream(process: u128) -> Stream {
        Stream::first(ProcessId(process))
    }

    fn two_slots() -> Slots {
        let slot = |name: &str| machine::Slot {
            name: Some(Name::new(name.to_owned()).expect("a name")),
            address: name.to_owned().into(),
        };
        Slots::new(&Membership::Fixed(vec![slot("b"), slot("c")]), NOW)
    }

    #[test]
    fn word_of_a_predecessor_does_not_put_a_node_that_said_hello_out_of_its_slot() {
        let (mut slots, b) = (two_slots(), Name::new("b").expect("a name"));
        let (first, second) = (stream(1), stream(2));
        slots.greet(second, &b, None, None, NOW);
        slots.occupy(first, &b, None);
        assert_eq!(slots.of(second), Some(0));
        // Its goodbye is its own: the electorate stays.
        slots.end(first, &b, Leaves::Electorate);
        assert_eq!((slots.of(second), slots.electorate()), (Some(0), 3));
    }

    #[test]
    fn a_successor_that_is_told_of_takes_the_slot_of_one_that_ended() {
        let (mut slots, b) = (two_slots(), Name::new("b").expect("a name"));
        let (first, second) = (stream(1), stream(2));
        slots.greet(first, &b, None, None, NOW);
        slots.end(first, &b, Leaves::Electorate);
        assert_eq!(slots.electorate(), 2);
        slots.occupy(second, &b, None);
        assert_eq!((slots.of(second), slots.electorate()), (Some(0), 3));
    }
}
