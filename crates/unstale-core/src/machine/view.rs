//! The view: who is a member here, and what others say about it (P-21, P-27).

use super::link::Control;
use super::member::Member;
use super::output::SelfEnd;
use super::{Event, Machine, Suspects, WakeReason};
use crate::{EndCause, Ended, Instant, LinkId, Mechanism, MemberInfo, Name, Seq, Stream, View, ViewWant};

/// The members, this node included, sorted.
#[derive(Debug)]
pub(super) struct Roster {
    streams: Vec<Stream>,
    hash: u64,
}

impl Roster {
    pub(super) fn alone(me: Stream) -> Self {
        Self::new(vec![me])
    }

    fn new(streams: Vec<Stream>) -> Self {
        let mut bytes = Vec::with_capacity(streams.len() * 20);
        for stream in &streams {
            bytes.extend_from_slice(&stream.process.0.to_be_bytes());
            bytes.extend_from_slice(&stream.incarnation.0.to_be_bytes());
        }
        Self { hash: crate::hash::xxh64(&bytes), streams }
    }

    /// What beats carry: XXH64 of the sorted streams, process and incarnation big-endian.
    pub(super) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Stream> {
        self.streams.iter()
    }

    pub(super) fn at(&self, index: u16) -> Option<Stream> {
        self.streams.get(usize::from(index)).copied()
    }
}

impl Machine {
    /// After a member came or went.
    pub(super) fn update_roster(&mut self) {
        let tracked =
            self.members.iter().filter(|(_, member)| member.is_tracked()).map(|(stream, _)| *stream);
        let mut streams: Vec<_> = tracked.chain([self.me]).collect();
        streams.sort_unstable();
        self.roster = Roster::new(streams);
        // What waited for this very view can be used now.
        let streams: Vec<_> = self.members.keys().copied().collect();
        for stream in streams {
            self.settle(stream);
        }
        self.use_answers();
        self.update_proof();
        self.update_announce();
        self.check_joined();
    }

    pub(super) fn is_member(&self, stream: Stream) -> bool {
        self.members.contains_key(&stream)
    }

    /// Tracks a stream from now on: it holds the proof at once (P-12). Its count begins at 0, and what is said to exist is a hole
    /// (P-26); only while this node joins, and so stores nothing, the count waits for the base in the admission (P-25).
    pub(super) fn track(&mut self, info: &MemberInfo) {
        let stream = info.stream;
        let based = !self.joining.takes_bases();
        let mut member = Member::new(info.name.clone(), self.now, self.inherited_count(stream), based);
        member.address.clone_from(&info.address);
        member.seen = self.inherited_echo(&info.name);
        self.members.insert(stream, member);
        self.timers.set(WakeReason::Silence(stream), self.now.plus(self.config.timing.unheard));
        self.slots.occupy(stream, &info.name, info.address.as_ref());
        self.votes.forget_predecessors(&info.name, stream);
        self.report(Event::MemberUp { stream, name: info.name.clone() });
        self.say_counted(stream);
        self.doubt_namesakes(stream, &info.name);
        self.doubt_predecessors(&info.name, stream);
        self.update_roster();
    }

    /// incarnation-in-key: nothing that was counted of a stream says anything about the next one of its process (P-11).
    fn inherited_count(&self, stream: Stream) -> Seq {
        if self.works(Mechanism::IncarnationInKey) {
            return Seq::ZERO;
        }
        let before = Stream { incarnation: crate::Incarnation(stream.incarnation.0 - 1), ..stream };
        let living = self.members.get(&before).map(Member::have);
        living.or_else(|| self.tombs.have(before)).unwrap_or_default()
    }

    /// echo-keyed-by-life: nor is an instant of one process an instant of another one of its name (P-11).
    fn inherited_echo(&self, name: &Name) -> Option<Instant> {
        if self.works(Mechanism::EchoKeyedByLife) {
            return None;
        }
        self.members.values().filter(|member| member.name == *name).filter_map(|member| member.seen).max()
    }

    pub(super) fn own_info(&self) -> MemberInfo {
        MemberInfo {
            stream: self.me,
            name: self.config.name.clone(),
            address: self.config.address.clone(),
            have: self.own.last,
        }
    }

    /// The members, this node not among them.
    pub(super) fn members_told(&self) -> Vec<MemberInfo> {
        let tracked = self.members.iter().filter(|(_, member)| member.is_tracked());
        tracked.map(|(stream, member)| member.info(*stream)).collect()
    }

    pub(super) fn view(&self) -> View {
        let mut members = self.members_told();
        members.push(self.own_info());
        members.sort_unstable_by_key(|info| info.stream);
        View { stream: self.me, view: self.roster.hash(), members, ended: self.ended_told() }
    }

    pub(super) fn on_view_want(&mut self, link: LinkId, want: ViewWant) {
        if let Some(link) = self.links.get_mut(&link).filter(|link| link.peer == Some(want.stream)) {
            link.push(Control::View);
        }
    }

    pub(super) fn on_view(&mut self, view: &View) {
        self.compare(view.stream, Some(view.view), &view.members, &view.ended);
    }

    /// Takes in what another node knows of members and ends: what only one side knows is tracked or ended by the other, too (P-21).
    pub(super) fn compare(
        &mut self,
        from: Stream,
        hash: Option<u64>,
        members: &[MemberInfo],
        ended: &[Ended],
    ) {
        let me = self.me;
        for end in ended {
            self.learn_end(Some(from), end);
        }
        if self.me != me {
            return;
        }
        self.forget_unlisted(from, members);
        for info in members.iter().filter(|info| info.stream.process != me.process) {
            if self.is_member(info.stream) {
                self.note_holder(info.stream, from, info.have);
            } else if !self.tombs.contains(info.stream) && !self.is_full() {
                self.track(info);
                self.note_holder(info.stream, from, info.have);
            }
        }
        if members.iter().all(|info| self.has_known(info.stream))
            && let Some(member) = self.members.get_mut(&from)
        {
            member.compared = hash.or(member.compared);
        }
        self.settle(from);
    }

    pub(super) fn is_full(&self) -> bool {
        self.members.len() >= self.config.limits.members
    }

    /// Whether a stream is this process's, tracked, or remembered as ended.
    pub(super) fn has_known(&self, stream: Stream) -> bool {
        stream.process == self.me.process || self.is_member(stream) || self.tombs.contains(stream)
    }

    /// Believes that a stream ended, as a member or the register says.
    pub(super) fn learn_end(&mut self, from: Option<Stream>, end: &Ended) {
        if end.stream == self.me {
            return self.take_next_incarnation(SelfEnd::Ended);
        }
        if !self.works(Mechanism::DeadOriginsInVector) {
            return;
        }
        if !self.has_known(end.stream) {
            return self.learn_unknown_end(from, end);
        }
        match end.cause {
            EndCause::Bye | EndCause::Reset => {
                // Who carried the end out counts all of it.
                if let Some(from) = from {
                    self.note_holder(end.stream, from, end.last);
                }
                self.end_cleanly(end.stream, end.last, end.cause);
            }
            cause @ (EndCause::Majority
            | EndCause::SuccessorHolds
            | EndCause::Operator
            | EndCause::Arbiter) => {
                if self.members.get(&end.stream).is_some_and(Member::is_live) {
                    self.end_in_doubt(end.stream, cause);
                }
            }
        }
    }

    /// dead-origins-in-vector: whoever is silent here and not listed there may be alive, so only its end, told, is believed (P-21).
    fn forget_unlisted(&mut self, from: Stream, members: &[MemberInfo]) {
        if self.works(Mechanism::DeadOriginsInVector) {
            return;
        }
        let is_listed = |stream: Stream| stream == from || members.iter().any(|info| info.stream == stream);
        let unlisted = self.members.iter().filter(|(stream, member)| member.silent && !is_listed(**stream));
        for stream in unlisted.map(|(stream, _)| *stream).collect::<Vec<_>>() {
            self.end_cleanly(stream, Seq::ZERO, EndCause::Bye);
        }
    }

    /// A stream lived and died unseen. Whoever stores has missed what it wrote: that is repaired if its last
    /// number is known, else all it may have written is distrusted.
    fn learn_unknown_end(&mut self, from: Option<Stream>, end: &Ended) {
        let is_before_all = self.now.since(self.joining.stores_since()) <= end.ago();
        let wrote_nothing = end.last == Seq::ZERO && end.is_clean();
        if self.joining.takes_bases() || is_before_all || wrote_nothing {
            self.bury(end, Vec::new());
        } else if end.is_clean() && !self.is_full() {
            self.members.insert(end.stream, Member::new(end.name.clone(), self.now, Seq::ZERO, true));
            if let Some(from) = from {
                self.note_holder(end.stream, from, end.last);
            }
            self.end_cleanly(end.stream, end.last, end.cause);
            self.update_roster();
        } else {
            let doubt = self.doubt(end.stream, &end.name, end.cause);
            let id = self.distrust(Suspects::Everything, doubt);
            self.bury(end, vec![id]);
        }
    }
}
