//! The register of a broker: who takes part, the lease of this node's entry, and ends by the arbiter (P-28, P-30, P-31).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::output::SelfEnd;
use super::{Event, Listed, Listing, Machine, Membership, Output, RegisterRequest, State, WakeReason};
use crate::{EndCause, Ended, Entry, Instant, Mechanism, MemberInfo, Name, Seq, Stream};

/// What this node knows of the register.
#[derive(Debug, Default)]
pub(super) struct Register {
    /// The number of the last reading that was asked for.
    reading: u64,
    /// When the readings were asked for that are not answered.
    asked: VecDeque<(u64, Instant)>,
    era: Option<Era>,
    /// Members, and entries of members and of streams that ended, with their counts of renewals.
    watched: BTreeMap<Stream, Watched>,
    /// The ends that the last listing of this era had: they are known, and may be listed for longer than they are remembered.
    ended: BTreeSet<Stream>,
    /// Since when nobody can have joined unseen: the latest reading that listed this node, all others being tracked or ended, began then.
    pub(super) read: Instant,
    /// The same, of this era and this stream only.
    sound: Instant,
    /// When the latest reading began that renewed this node's entry: the lease (P-31).
    pub(super) renewed: Instant,
}

/// One life of the register.
#[derive(Debug)]
struct Era {
    number: u64,
    /// When its first listing was here.
    seen: Instant,
    /// Whether it has lasted for L: whoever is not listed has no lease of an earlier one.
    settled: bool,
}

/// An entry, or a member without one.
#[derive(Debug)]
struct Watched {
    renewals: Option<u64>,
    /// Since when the count stands still, at the earliest.
    since: Instant,
}

impl Register {
    /// Readings that may be under way; the oldest are forgotten, and prove nothing when they come after all.
    const ASKED_MAX: usize = 16;

    fn ask(&mut self, now: Instant) -> u64 {
        self.reading += 1;
        if self.asked.len() == Self::ASKED_MAX {
            self.asked.pop_front();
        }
        self.asked.push_back((self.reading, now));
        self.reading
    }

    /// When a reading was asked for, if no later one was answered.
    fn answer(&mut self, reading: u64) -> Option<Instant> {
        let (_, began) = self.asked.iter().find(|(asked, _)| *asked == reading).copied()?;
        self.asked.retain(|(asked, _)| *asked > reading);
        Some(began)
    }

    /// Whether a count has changed, or is seen for the first time.
    fn watch(&mut self, stream: Stream, renewals: Option<u64>, now: Instant) -> bool {
        let is_still = self.watched.get(&stream).is_some_and(|watched| watched.renewals == renewals);
        if !is_still {
            self.watched.insert(stream, Watched { renewals, since: now });
        }
        !is_still
    }

    /// The count of who is watched, if it stood still for so long when a reading began.
    fn still(&self, stream: Stream, patience: Duration, began: Instant) -> Option<&Watched> {
        self.watched.get(&stream).filter(|watched| watched.since.plus(patience) <= began)
    }

    /// Whether somebody said, or this node saw, that this era has lasted for L.
    pub(super) fn settle(&mut self, number: u64) {
        if let Some(era) = self.era.as_mut().filter(|era| era.number == number) {
            era.settled = true;
        }
    }

    /// The era, once it has lasted for L.
    pub(super) fn settled_era(&self) -> Option<u64> {
        self.era.as_ref().filter(|era| era.settled).map(|era| era.number)
    }

    pub(super) fn era(&self) -> Option<u64> {
        self.era.as_ref().map(|era| era.number)
    }

    /// Leases belong to a stream, and are lost with it.
    pub(super) fn forget_own(&mut self) {
        (self.sound, self.renewed) = (Instant::ZERO, Instant::ZERO);
    }
}

impl Machine {
    pub(super) fn is_registered(&self) -> bool {
        self.config.membership == Membership::Registered
    }

    /// H, above 100 members 1 ms for each of them (P-9).
    pub(super) fn period(&self) -> Duration {
        let members = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        self.config.timing.beat.max(Duration::from_millis(1).saturating_mul(members))
    }

    pub(super) fn on_register_due(&mut self) {
        self.timers.set(WakeReason::Register, self.now.plus(self.period()));
        self.read_register();
    }

    /// Asks for a reading; one that begins from now on.
    pub(super) fn read_register(&mut self) {
        if !self.is_registered() || self.life.is_between() || self.joining.state() == State::Left {
            return;
        }
        if self.register.sound == Instant::ZERO {
            let entry = self.own_entry(None);
            self.put(Output::Register(RegisterRequest::Enter(entry)));
        }
        let reading = self.register.ask(self.now);
        self.put(Output::Register(RegisterRequest::Read { reading }));
    }

    fn own_entry(&self, end: Option<(EndCause, Seq)>) -> Entry {
        Entry { stream: self.me, name: self.config.name.clone(), scopes: self.config.scopes.clone(), end }
    }

    /// This node has left, and said so to all.
    pub(super) fn retire(&mut self) {
        if self.is_registered() {
            let entry = self.own_entry(Some((EndCause::Bye, self.own.last)));
            self.put(Output::Register(RegisterRequest::Retire(entry)));
        }
    }

    /// An earlier stream of this process has ended.
    pub(super) fn retire_stream(&mut self, stream: Stream, last: Seq) {
        if self.is_registered() {
            let entry = Entry { stream, ..self.own_entry(Some((EndCause::Reset, last))) };
            self.put(Output::Register(RegisterRequest::Retire(entry)));
        }
    }

    pub(super) fn on_listed(&mut self, listing: &Listing) {
        let Some(began) = self.register.answer(listing.reading) else { return };
        if self.life.is_between() || self.joining.state() == State::Left {
            return;
        }
        if self.has_lapsed(listing.era) {
            return self.take_next_incarnation(SelfEnd::Lapsed);
        }
        self.note_era(listing.era, began);
        let me = self.me;
        self.learn_ends(&listing.ended);
        if self.me != me {
            return;
        }
        let mut is_listed = false;
        let mut are_known = true;
        for listed in &listing.entries {
            is_listed |= listed.entry.stream == me;
            are_known &= self.take_entry(listed);
        }
        self.watch_absent(listing);
        if is_listed {
            self.note_renewed(began, are_known);
            self.expel_silent(listing, began);
        } else {
            self.register.sound = Instant::ZERO;
        }
        self.update_proof();
        self.update_announce();
        self.check_joined();
    }

    /// Takes in the ends. One that the last listing had, too, and that is forgotten here by now would look as if the stream had lived
    /// and died unseen.
    fn learn_ends(&mut self, ended: &[Ended]) {
        let me = self.me;
        for end in ended {
            if self.register.ended.contains(&end.stream) && !self.has_known(end.stream) {
                continue;
            }
            self.learn_end(None, end);
            if self.me != me {
                return;
            }
        }
        self.register.ended = ended.iter().map(|end| end.stream).collect();
    }

    /// Whether this node may have been ended in a way that no listing shows: its lease had run out before the register was lost, or so
    /// long ago that ends of that time are forgotten.
    fn has_lapsed(&self, era: u64) -> bool {
        let (away, timing) = (self.now.since(self.register.renewed), self.config.timing);
        let is_other = self.register.era().is_some_and(|before| before != era);
        self.register.renewed != Instant::ZERO
            && (is_other && away >= timing.lease() || away >= timing.tell_ended())
    }

    fn note_era(&mut self, number: u64, began: Instant) {
        let (now, silence) = (self.now, self.config.timing.silence);
        match &mut self.register.era {
            Some(era) if era.number == number => era.settled |= began >= era.seen.plus(silence),
            before => {
                let is_lost = before.is_some();
                *before = Some(Era { number, seen: now, settled: false });
                self.register.watched.clear();
                self.register.ended.clear();
                self.register.sound = Instant::ZERO;
                if is_lost {
                    self.report(Event::RegisterLost { era: number });
                }
            }
        }
    }

    /// Takes in an entry of a listing: who was not known is tracked from now on. False if that is not possible.
    fn take_entry(&mut self, listed: &Listed) -> bool {
        let Listed { entry, renewals } = listed;
        let stream = entry.stream;
        if stream.process == self.me.process {
            if stream != self.me
                && let Some(last) = self.tombs.have(stream)
            {
                self.retire_stream(stream, last);
            }
            return true;
        }
        if self.tombs.contains(stream) {
            self.register.watch(stream, Some(*renewals), self.now);
            return true;
        }
        if !self.is_member(stream) {
            if self.is_full() {
                return false;
            }
            self.track(&MemberInfo { stream, name: entry.name.clone(), address: None, have: Seq::ZERO });
        }
        if let Some(member) = self.members.get_mut(&stream) {
            member.scopes.clone_from(&entry.scopes);
        }
        if self.register.watch(stream, Some(*renewals), self.now) {
            self.note_life(stream);
        }
        true
    }

    /// Watches members that are not listed: a register that was lost does not tell of those that died with it.
    fn watch_absent(&mut self, listing: &Listing) {
        let listed: BTreeSet<_> = listing.entries.iter().map(|listed| listed.entry.stream).collect();
        let members = &self.members;
        self.register.watched.retain(|stream, _| members.contains_key(stream) || listed.contains(stream));
        for stream in self.members.keys().filter(|stream| !listed.contains(stream)) {
            self.register.watch(*stream, None, self.now);
        }
    }

    fn note_renewed(&mut self, began: Instant, are_known: bool) {
        // lease-from-echoed-instant: not from when the listing came.
        let leased = if self.works(Mechanism::LeaseFromEchoedInstant) { began } else { self.now };
        self.register.renewed = self.register.renewed.max(leased);
        if are_known {
            self.register.read = self.register.read.max(began);
            self.register.sound = self.register.sound.max(began);
        }
        // It was not ended, and knows who is (P-41).
        self.life.note_compared(began);
    }

    /// Lets the arbiter end who was not heard for L, and whose count stood still for as long: a lease that counts from its last renewal
    /// has run out, whatever any other clock says (P-30a). So does an entry of a stream that is known to have ended, with the end that is
    /// known: whoever left may not have reached the broker any more.
    fn expel_silent(&mut self, listing: &Listing, began: Instant) {
        let timing = self.config.timing;
        // vote-after-silence
        let patience = if self.works(Mechanism::VoteAfterSilence) { timing.silence } else { timing.unheard };
        let mut silent = Vec::new();
        for (stream, member) in self.members.iter().filter(|(_, member)| member.is_live()) {
            let Some(watched) = self.register.still(*stream, patience, began) else { continue };
            if member.is_unheard(self.now, patience) {
                let end = Some((EndCause::Arbiter, member.have()));
                let (name, scopes) = (member.name.clone(), member.scopes.clone());
                silent.push((Entry { stream: *stream, name, scopes, end }, watched.renewals));
            }
        }
        for Listed { entry, .. } in &listing.entries {
            let Some(watched) = self.register.still(entry.stream, patience, began) else { continue };
            if let Some(end) = self.tombs.end(entry.stream) {
                silent.push((Entry { end: Some(end), ..entry.clone() }, watched.renewals));
            }
        }
        if silent.is_empty() {
            return;
        }
        for (entry, renewals) in silent {
            self.report(Event::ExpelAsked { stream: entry.stream, name: entry.name.clone() });
            self.put(Output::Register(RegisterRequest::Expel { era: listing.era, entry, renewals }));
        }
        self.read_register();
    }

    /// Whether a listing of a settled era, read while this node had its lease, shows nobody who is neither tracked nor ended. Whoever
    /// joins from then on has to be admitted by this node.
    pub(super) fn is_entered(&self) -> bool {
        self.register.settled_era().is_some()
            && self.register.sound != Instant::ZERO
            && self.register.sound.plus(self.config.timing.lease()) > self.now
    }

    /// The name of a stream that may be this node's own.
    pub(super) fn name_of(&self, stream: Stream) -> Name {
        self.members.get(&stream).map_or_else(|| self.config.name.clone(), |member| member.name.clone())
    }
}
