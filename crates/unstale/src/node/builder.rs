//! How a node is configured and started.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use unstale_core::{Mechanisms, Name, Slot};
use unstale_port::{Backplane, Peer, Peers, Properties, Store};

use super::clock::Clock;
use super::nowhere::Nowhere;
use super::scopes::Scopes;
use super::{Node, start};
use crate::{Error, ErrorKind, StoreBreaker};

/// Who decides that a silent member has ended, and whether writes can be announced (PROTOCOL.md, "What users choose").
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Membership {
    /// No peers. Everything is proven, every write announced.
    Alone,
    /// These peers, oneself not among them. With two or more of them a majority ends a silent member after 3 s; with one,
    /// a silent peer is waited for until it says goodbye, its successor proves its death, or an operator ends it.
    Fixed(Vec<Peer>),
    /// Whoever comes. Nobody is ended by a vote.
    Elastic,
    /// Whoever is in the register that the backplane's broker keeps. The broker ends a silent member after 3 s.
    Registered,
}

/// What becomes of a write that cannot be announced (P-31).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Writes {
    /// It is applied here and sent all the same, and its receipt says so. Coherence of plain reads never waits for
    /// membership.
    #[default]
    Apply,
    /// It is refused with [`ErrorKind::Unannounced`] before anything is done. Ask [`Node::writable`] before the
    /// transaction that it belongs to.
    Refuse,
}

/// Configures a [`Node`].
#[must_use = "a builder does nothing before `start`"]
pub struct NodeBuilder {
    cluster: String,
    name: Option<String>,
    backplane: Option<Box<dyn Backplane>>,
    membership: Option<Membership>,
    store: Option<Arc<dyn Store>>,
    breaker: StoreBreaker,
    recovery_file: Option<PathBuf>,
    writes: Writes,
    writes_only: Option<Vec<String>>,
    drain_deadline: Duration,
    seed: Option<u64>,
    clock: Option<Arc<dyn Clock>>,
    mechanisms: Mechanisms,
    #[cfg(feature = "mutations")]
    engine_without: Option<unstale_l1::Mechanism>,
}

impl NodeBuilder {
    const DRAIN_DEADLINE: Duration = Duration::from_secs(2);

    pub(super) fn new(cluster: String) -> Self {
        Self {
            cluster,
            name: None,
            backplane: None,
            membership: None,
            store: None,
            breaker: StoreBreaker::default(),
            recovery_file: None,
            writes: Writes::default(),
            writes_only: None,
            drain_deadline: Self::DRAIN_DEADLINE,
            seed: None,
            clock: None,
            mechanisms: Mechanisms::default(),
            #[cfg(feature = "mutations")]
            engine_without: None,
        }
    }

    /// The node's name: the slot that it takes in the cluster. At most 255 bytes; the default is the address that the
    /// backplane advertises, else a random one. Two live nodes of one name are reported by both.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// The links to other nodes. Without one the node is alone.
    pub fn backplane(mut self, backplane: impl Backplane) -> Self {
        self.backplane = Some(Box::new(backplane));
        self
    }

    /// Who the members are. The default follows the peers that the backplane was configured with.
    pub fn membership(mut self, membership: Membership) -> Self {
        self.membership = Some(membership);
        self
    }

    /// The second level (L2), shared by all nodes.
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// When a store is not asked for a while since it fails; for each store of the node's caches. Default: after 5 failures in a
    /// row, for 1 s.
    pub const fn store_breaker(mut self, breaker: StoreBreaker) -> Self {
        self.breaker = breaker;
        self
    }

    /// Where what the store did not take is written down, so that a node that is restarted makes it good: a file of this node's
    /// own, made if it is not there (docs/formats/recovery.md). It survives the end of the process, not of the machine.
    /// Without it debts are kept in memory. What a cache's own store is owed has a file of its own
    /// ([`crate::CacheBuilder::recovery_file`]).
    pub fn recovery_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.recovery_file = Some(path.into());
        self
    }

    /// What becomes of writes that cannot be announced; the default is [`Writes::Apply`].
    pub const fn writes(mut self, writes: Writes) -> Self {
        self.writes = writes;
        self
    }

    /// Declares which caches this node writes (sets, removes, expires, clears); none at all is a node that only reads. Acts on
    /// others, and acts on all caches at once, are refused with [`ErrorKind::NotDeclared`]. The default is that it may write all.
    ///
    /// When a node dies uncleanly, the others distrust what it may have written until it is revalidated: with a declaration
    /// only these caches. Where another node declares less than it writes, nothing is lost, since it cannot.
    pub fn writes_only(mut self, caches: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.writes_only = Some(caches.into_iter().map(Into::into).collect());
        self
    }

    /// How long [`Node::shutdown`] tries to hand what is left to the peers; the default is 2 s.
    pub const fn drain_deadline(mut self, deadline: Duration) -> Self {
        self.drain_deadline = deadline;
        self
    }

    /// Makes identity, jitter and every other random choice a function of `seed`, for tests and simulation. Two nodes of
    /// one seed would be taken for one: never use it in production.
    pub const fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Where time comes from; the default is [`crate::BootClock`].
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Switches a mechanism of the protocol off, to show what it is for.
    #[cfg(feature = "mutations")]
    pub const fn without(mut self, mechanism: unstale_core::Mechanism) -> Self {
        self.mechanisms = Mechanisms::without(Some(mechanism));
        self
    }

    /// Switches a mechanism of the first level off, to show what it is for.
    #[cfg(feature = "mutations")]
    pub const fn engine_without(mut self, mechanism: unstale_l1::Mechanism) -> Self {
        self.engine_without = Some(mechanism);
        self
    }

    /// Checks the configuration and starts the node's driver on the current tokio runtime. A node that is alone is ready
    /// when this returns; others are not waited for: see [`Node::joined`].
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a bad name, a peer listed twice, a backplane that cannot carry the protocol, or outside of a
    /// tokio runtime; it names all that is wrong, not only the first. Or for a recovery file that cannot be used.
    ///
    /// # Panics
    /// On a runtime whose time is not enabled.
    #[expect(clippy::unused_async, reason = "with a register of members, starting will wait for it")]
    pub async fn start(self) -> Result<Node, Error> {
        start::start(self.plan()?)
    }

    fn plan(self) -> Result<Plan, Error> {
        let mut wrong = Vec::new();
        let company = if self.backplane.is_some() { Company::Possible } else { Company::Never };
        let backplane = self.backplane.unwrap_or_else(|| Box::new(Nowhere::new()));
        let seed = self.seed.map_or_else(random_seed, |seed| Ok(Seed::Given(seed))).unwrap_or_else(|error| {
            wrong.push(error);
            Seed::Given(0)
        });
        let properties = backplane.properties();
        let name = self.name.or_else(|| properties.advertised.clone());
        let name = name.unwrap_or_else(|| format!("node-{:08x}", seed.for_name()));
        let own_address = properties.advertised.clone();
        let membership = self.membership.unwrap_or_else(|| default_membership(properties));
        let cluster = checked("cluster", &self.cluster, &mut wrong);
        let name = checked("node", &name, &mut wrong);
        let membership = slots(membership, own_address.as_deref(), &mut wrong);
        let scopes = match self.writes_only {
            None => Scopes::Everything,
            Some(caches) => {
                let caches = caches.iter().filter_map(|cache| checked("cache", cache, &mut wrong));
                Scopes::Declared(caches.collect())
            }
        };
        wrong.extend(unfit(properties, &membership));
        if self.store.is_none() && self.recovery_file.is_some() {
            wrong.push("recovery file for a store, but the node has no store".to_owned());
        }
        let (Some(cluster), Some(name), true) = (cluster, name, wrong.is_empty()) else {
            return Err(Error::new(ErrorKind::Config, "start", wrong.join("; ")));
        };
        Ok(Plan {
            cluster,
            name,
            membership,
            backplane,
            company,
            store: self.store,
            breaker: self.breaker,
            recovery_file: self.recovery_file,
            writes: self.writes,
            scopes,
            drain_deadline: self.drain_deadline,
            seed,
            clock: super::clock::chosen(self.clock, self.mechanisms),
            mechanisms: self.mechanisms,
            #[cfg(feature = "mutations")]
            engine_without: self.engine_without,
        })
    }
}

impl fmt::Debug for NodeBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeBuilder")
            .field("cluster", &self.cluster)
            .field("name", &self.name)
            .field("membership", &self.membership)
            .field("writes", &self.writes)
            .field("drain_deadline", &self.drain_deadline)
            .finish_non_exhaustive()
    }
}

/// A configuration that was found to make sense.
pub(super) struct Plan {
    pub(super) cluster: Name,
    pub(super) name: Name,
    pub(super) membership: unstale_core::Membership,
    pub(super) backplane: Box<dyn Backplane>,
    pub(super) company: Company,
    pub(super) store: Option<Arc<dyn Store>>,
    pub(super) breaker: StoreBreaker,
    pub(super) recovery_file: Option<PathBuf>,
    pub(super) writes: Writes,
    pub(super) scopes: Scopes,
    pub(super) drain_deadline: Duration,
    pub(super) seed: Seed,
    pub(super) clock: Arc<dyn Clock>,
    #[cfg(feature = "mutations")]
    pub(super) engine_without: Option<unstale_l1::Mechanism>,
    pub(super) mechanisms: Mechanisms,
}

/// Whether there can be other nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    Possible,
    /// Without a backplane nobody will ever be told of an act.
    Never,
}

/// Where identity and random choices come from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seed {
    /// A test's.
    Given(u64),
    /// The system's: 128 bits of identity, and 64 for everything else.
    Drawn(u128, u64),
}

impl Seed {
    /// The identity of the process: never used twice.
    pub(super) fn process(self) -> u128 {
        match self {
            Self::Given(seed) => u128::from(mix(seed)) << 64 | u128::from(mix(!seed)),
            Self::Drawn(process, _) => process,
        }
    }

    /// The start of the sequence of random choices.
    pub(super) const fn choices(self) -> u64 {
        match self {
            Self::Given(seed) | Self::Drawn(_, seed) => seed,
        }
    }

    /// The seed, if a test gave it.
    pub(super) const fn of_tests(self) -> Option<u64> {
        match self {
            Self::Given(seed) => Some(seed),
            Self::Drawn(..) => None,
        }
    }

    fn for_name(self) -> u32 {
        (self.process() >> 96) as u32
    }
}

/// Splitmix64's output function.
pub(super) const fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

fn random_seed() -> Result<Seed, String> {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).map_err(|error| format!("the system gives no random bytes: {error}"))?;
    let (process, choices) = bytes.split_at(16);
    let process = process.iter().fold(0, |word, &byte| word << 8 | u128::from(byte));
    let choices = choices.iter().fold(0, |word, &byte| word << 8 | u64::from(byte));
    Ok(Seed::Drawn(process, choices))
}

/// The smallest frame that a backplane has to carry: what the members of a large cluster say of one another fits into it.
const FRAME_BYTES_MIN: usize = 64 << 10;

fn unfit(properties: &Properties, membership: &unstale_core::Membership) -> impl Iterator<Item = String> {
    // P-28: who is in a register is a member, and without one nobody can be registered.
    let has_register = properties.peers == Peers::Registered;
    let is_registered = *membership == unstale_core::Membership::Registered;
    let registered = (has_register != is_registered).then(|| {
        let keeps = if has_register { "a" } else { "no" };
        format!("the backplane keeps {keeps} register of members, and the membership is another one")
    });
    let frames = properties.frame_bytes_max;
    let small = (frames < FRAME_BYTES_MIN)
        .then(|| format!("the backplane carries frames of {frames} bytes, {FRAME_BYTES_MIN} are needed"));
    registered.into_iter().chain(small)
}

fn default_membership(properties: &Properties) -> Membership {
    match &properties.peers {
        Peers::Fixed(peers) if peers.is_empty() => Membership::Alone,
        Peers::Fixed(peers) => Membership::Fixed(peers.clone()),
        Peers::Elastic => Membership::Elastic,
        Peers::Registered => Membership::Registered,
    }
}

fn checked(what: &str, name: &str, wrong: &mut Vec<String>) -> Option<Name> {
    Name::new(Bytes::copy_from_slice(name.as_bytes()))
        .map_err(|error| wrong.push(format!("the name {name:?} of the {what}: {error}")))
        .ok()
}

fn slots(
    membership: Membership,
    own_address: Option<&str>,
    wrong: &mut Vec<String>,
) -> unstale_core::Membership {
    let peers = match membership {
        Membership::Alone => return unstale_core::Membership::Alone,
        Membership::Elastic => return unstale_core::Membership::Elastic,
        Membership::Registered => return unstale_core::Membership::Registered,
        Membership::Fixed(peers) => peers,
    };
    let mut slots: Vec<Slot> = Vec::with_capacity(peers.len());
    for peer in peers {
        let address = Bytes::from(peer.address.clone().into_bytes());
        if own_address == Some(peer.address.as_str()) {
            wrong.push(format!("the peer {:?} is the node itself", peer.address));
        }
        if slots.iter().any(|slot| slot.address == address) {
            wrong.push(format!("the peer {:?} is listed twice", peer.address));
        }
        let name = peer.name.as_deref().and_then(|name| checked("peer", name, wrong));
        if name.is_some() && slots.iter().any(|slot| slot.name == name) {
            wrong.push(format!("the name {:?} of a peer is given twice", peer.name.unwrap_or_default()));
        }
        slots.push(Slot { name, address });
    }
    unstale_core::Membership::Fixed(slots)
}
