//! Whether a node is ready, and why, for `/readyz` and for people.

use std::fmt::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use unstale_core::{State, Status};

use super::shared::{Shared, state_word};
use super::words::Lease;
use crate::metrics::{Metrics, names};

/// What a node tells a load balancer: its state, members and limits, its proof and its lease. See [`crate::Node::ready`].
#[derive(Clone, Debug)]
pub struct Readiness {
    status: Arc<Status>,
    proof_age: Option<Duration>,
    writable: bool,
    lease: Option<Duration>,
}

impl Readiness {
    pub(super) fn of(shared: &Shared) -> Self {
        let status = Arc::clone(&shared.status.borrow());
        let now = shared.now();
        let lease = match shared.words.lease() {
            Lease::None | Lease::Endless => None,
            Lease::Until(until) => Some(until.since(now)),
        };
        Self {
            status,
            proof_age: shared.proof().age(now).duration(),
            writable: shared.words.announces_at(now),
            lease,
        }
    }

    /// Joined or alone, and not cut off from its members: writes are announced, fills are stored, proofs go on.
    pub fn is_ready(&self) -> bool {
        matches!(self.state(), State::Joined | State::Alone) && self.writable
    }

    /// What the node is in its cluster.
    pub fn state(&self) -> State {
        self.status.state
    }

    /// How old the proof is; nothing without one. A read within less than this is not provable now.
    pub const fn proof_age(&self) -> Option<Duration> {
        self.proof_age
    }

    /// Whether a write would be announced now.
    pub const fn is_writable(&self) -> bool {
        self.writable
    }

    /// Everything the protocol machine knows.
    pub const fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// One JSON object: `ready`, `state`, `name`, `stream`, `writable`, `lease_ms` and `proof_age_ms` (absent where there is none),
    /// `electorate`, `members`, `slots`, `register` (its era, whether that has lasted long enough, and the age of the last reading and of
    /// the last renewal) and `rounds` (the pacemaker, the number and age of its newest round, whom it waits for) where there are such,
    /// `limits`.
    pub fn to_json(&self) -> String {
        let status = &*self.status;
        let mut json = String::from("{");
        let _ = write!(json, "\"ready\":{},\"state\":\"{}\"", self.is_ready(), state_word(status.state));
        let _ = write!(json, ",\"name\":{},\"stream\":\"{}\"", Quoted(status.name.as_str()), status.stream);
        let _ = write!(json, ",\"writable\":{}", self.writable);
        write_millis(&mut json, "lease_ms", self.lease);
        write_millis(&mut json, "proof_age_ms", self.proof_age);
        let _ = write!(json, ",\"electorate\":{},\"members\":[", status.electorate);
        for (index, member) in status.members.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(json, "{comma}{{\"name\":{}", Quoted(member.name.as_str()));
            let _ = write!(json, ",\"stream\":\"{}\",\"have\":{}", member.stream, member.have.0);
            let _ =
                write!(json, ",\"latest\":{},\"heard_ms\":{}", member.latest.0, member.heard_ago.as_millis());
            let _ = write!(json, ",\"linked\":{},\"in_repair\":{}", member.linked, member.in_repair);
            write_millis(&mut json, "proof_age_ms", member.proof_age);
            json.push('}');
        }
        json.push_str("],\"slots\":[");
        for (index, slot) in status.slots.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let address = String::from_utf8_lossy(&slot.address);
            let _ = write!(json, "{comma}{{\"address\":{}", Quoted(&address));
            let _ = write!(json, ",\"taken\":{},\"vacant\":{}}}", slot.member.is_some(), slot.vacant);
        }
        json.push(']');
        write_register(&mut json, status);
        let limits = &status.limits;
        let _ = write!(json, ",\"limits\":{{\"members\":{},\"links\":{}", limits.members, limits.links);
        let _ = write!(json, ",\"ended\":{},\"message_bytes\":{}", limits.ended, limits.message_bytes);
        let _ = write!(json, ",\"peer_queue_bytes\":{}}}}}", limits.peer_queue.bytes);
        json
    }

    pub(super) fn collect(&self, metrics: &mut Metrics) {
        let members = if self.state() == State::Left { 0 } else { self.status.members.len() + 1 };
        metrics.push_count(names::MEMBERS, vec![], members as u64);
        for state in [State::Joining, State::Joined, State::Alone, State::Unjoined, State::Left] {
            let labels = vec![(names::STATE, state_word(state).to_owned())];
            metrics.push_count(names::NODE_STATE, labels, u64::from(state == self.state()));
        }
        if let Some(age) = self.proof_age {
            metrics.push_seconds(names::PROOF_AGE_SECONDS, vec![], age);
        }
    }
}

/// Who takes part, and what proves, where members are registered (P-28).
fn write_register(json: &mut String, status: &Status) {
    if let Some(register) = &status.register {
        let _ = write!(json, ",\"register\":{{\"settled\":{},\"arbiter\":\"register\"", register.settled);
        if let Some(era) = register.era {
            let _ = write!(json, ",\"era\":\"{era:016x}\"");
        }
        write_millis(json, "read_ms", register.read_ago);
        write_millis(json, "renewed_ms", register.renewed_ago);
        json.push('}');
    }
    if let Some(rounds) = &status.rounds {
        let _ = write!(json, ",\"rounds\":{{\"pacemaker\":{}", Quoted(rounds.name.as_str()));
        let _ = write!(json, ",\"term\":\"{}\",\"number\":{}", rounds.pacemaker, rounds.number);
        write_millis(json, "ago_ms", Some(rounds.ago));
        json.push_str(",\"awaited\":[");
        for (index, name) in rounds.awaited.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(json, "{comma}{}", Quoted(name.as_str()));
        }
        json.push_str("]}");
    }
}

fn write_millis(json: &mut String, name: &str, duration: Option<Duration>) {
    if let Some(duration) = duration {
        let _ = write!(json, ",\"{name}\":{}", duration.as_millis());
    }
}

/// A JSON string.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                control if u32::from(control) < 0x20 => write!(f, "\\u{:04x}", u32::from(control))?,
                plain => f.write_char(plain)?,
            }
        }
        f.write_char('"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_json_wants_it() {
        assert_eq!(Quoted("a\"b\\c\n").to_string(), "\"a\\\"b\\\\c\\u000a\"");
    }
}
