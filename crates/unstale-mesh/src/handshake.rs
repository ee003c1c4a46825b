//! The handshake: who may talk, by which keys. Pure: bytes in, bytes out.
//!
//! Noise `NNpsk0`: both sides give a fresh key and prove that they know the shared one; nothing of an earlier connection
//! helps. The dialler is proven by its first sealed record, as its greeting alone could be a replay.

use std::fmt;

use snow::params::HashChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::{HandshakeState, TransportState};

use crate::record;
use crate::secret::Secret;
use crate::session::Session;

/// The longest message of a handshake, in bytes.
pub(crate) const MESSAGE_BYTES_MAX: usize = 1_024;

/// AES-GCM, as in pure Rust it seals a small frame in a fifth of the time of ChaCha20-Poly1305 (0.35 to 1.75 us) where the
/// processor helps, which those of servers do.
const PATTERN: &str = "Noise_NNpsk0_25519_AESGCM_BLAKE2s";
const PRIMITIVES: &str = "snow is built with the primitives of the pattern";
const MAGIC: &[u8; 7] = b"unstale";
/// The version of the wire.
const VERSION: u8 = 1;
const MARK_BYTES: usize = 8;
const PREAMBLE_BYTES: usize = MAGIC.len() + 1 + MARK_BYTES;
const IDENTITY_BYTES: usize = 16;
const NOISE_BYTES: usize = 32 + IDENTITY_BYTES + 16;

/// Which mesh this is, by chance alone: a restarted process is another one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Identity(pub(crate) [u8; IDENTITY_BYTES]);

impl Identity {
    /// A number from it, for jitter.
    pub(crate) fn as_seed(self) -> u64 {
        self.0.first_chunk().copied().map_or(0, u64::from_le_bytes)
    }
}

/// What this side brings to every handshake.
pub(crate) struct Terms {
    identity: Identity,
    version: u8,
    mark: [u8; MARK_BYTES],
    prologue: Vec<u8>,
    secret: Secret,
}

impl Terms {
    pub(crate) fn new(identity: Identity, cluster: &str, secret: Secret) -> Self {
        Self::of_version(VERSION, identity, cluster, secret)
    }

    fn of_version(version: u8, identity: Identity, cluster: &str, secret: Secret) -> Self {
        let mut prologue = MAGIC.to_vec();
        prologue.push(version);
        prologue.extend_from_slice(cluster.as_bytes());
        Self { identity, version, mark: mark(cluster), prologue, secret }
    }

    pub(crate) fn identity(&self) -> Identity {
        self.identity
    }

    /// Begins a handshake as the dialler; the greeting is appended to `out`.
    pub(crate) fn greet(&self, out: &mut Vec<u8>) -> Greeted {
        self.greet_with(self.noise().build_initiator().expect(PRIMITIVES), out)
    }

    fn greet_with(&self, mut noise: HandshakeState, out: &mut Vec<u8>) -> Greeted {
        record::append(out, PREAMBLE_BYTES + NOISE_BYTES, |body| {
            let (preamble, sealed) = body.split_at_mut(PREAMBLE_BYTES);
            preamble[..MAGIC.len()].copy_from_slice(MAGIC);
            preamble[MAGIC.len()] = self.version;
            preamble[MAGIC.len() + 1..].copy_from_slice(&self.mark);
            noise.write_message(&self.identity.0, sealed).map(|_| ())
        })
        .expect("a greeting has room");
        Greeted { noise }
    }

    /// Answers a greeting as the listener; the answer, or the refusal, is appended to `out`.
    pub(crate) fn answer(&self, greeting: &[u8], out: &mut Vec<u8>) -> Result<(Session, Identity), Refusal> {
        let answered = self.try_answer(greeting, out);
        if let Err(refusal) = &answered
            && let Some(code) = refusal.code()
        {
            out.clear();
            let Ok(()) = record::append(out, 1, |body| {
                body[0] = code;
                Ok::<(), std::convert::Infallible>(())
            });
        }
        answered
    }

    fn try_answer(&self, greeting: &[u8], out: &mut Vec<u8>) -> Result<(Session, Identity), Refusal> {
        let sealed = self.check_preamble(greeting)?;
        self.answer_with(self.noise().build_responder().expect(PRIMITIVES), sealed, out)
    }

    fn answer_with(
        &self,
        mut noise: HandshakeState,
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(Session, Identity), Refusal> {
        let identity = read_identity(&mut noise, sealed)?;
        record::append(out, NOISE_BYTES, |body| noise.write_message(&self.identity.0, body).map(|_| ()))
            .map_err(|_| Refusal::Secret)?;
        Ok((session(noise)?, identity))
    }

    fn check_preamble<'a>(&self, greeting: &'a [u8]) -> Result<&'a [u8], Refusal> {
        let rest = greeting.strip_prefix(MAGIC).ok_or(Refusal::Garbage)?;
        let (version, rest) = rest.split_first().ok_or(Refusal::Garbage)?;
        if *version != self.version {
            return Err(Refusal::Version { theirs: *version, ours: self.version });
        }
        let (mark, sealed) = rest.split_first_chunk::<MARK_BYTES>().ok_or(Refusal::Garbage)?;
        if *mark == self.mark { Ok(sealed) } else { Err(Refusal::Cluster) }
    }

    /// A handshake that is to begin.
    fn noise(&self) -> snow::Builder<'_> {
        snow::Builder::new(PATTERN.parse().expect("the pattern is one that Noise knows"))
            .prologue(&self.prologue)
            .and_then(|builder| builder.psk(0, self.secret.key()))
            .expect("prologue and key are set once")
    }
}

/// A dialler that has greeted and waits for the answer.
pub(crate) struct Greeted {
    noise: HandshakeState,
}

impl Greeted {
    /// Ends the dialler's part: the listener is proven.
    pub(crate) fn read_answer(mut self, answer: &[u8]) -> Result<(Session, Identity), Refusal> {
        if let [code] = answer {
            return Err(Refusal::Told(*code));
        }
        let identity = read_identity(&mut self.noise, answer)?;
        Ok((session(self.noise)?, identity))
    }
}

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The bytes are no greeting.
    Garbage,
    /// Another version of the wire.
    Version { theirs: u8, ours: u8 },
    /// Another cluster.
    Cluster,
    /// Another secret, or damaged bytes: the two cannot be told apart.
    Secret,
    /// The listener said no, by this code; anybody on the way could have said it.
    Told(u8),
}

const CODE_VERSION: u8 = 1;
const CODE_CLUSTER: u8 = 2;
const CODE_SECRET: u8 = 3;

impl Refusal {
    /// What an operator counts.
    pub(crate) const fn note(self) -> &'static str {
        match self {
            Self::Garbage => "handshake-garbage",
            Self::Version { .. } => "handshake-version",
            Self::Cluster => "handshake-cluster",
            Self::Secret => "handshake-secret",
            Self::Told(_) => "handshake-refused",
        }
    }

    /// What the dialler is told, in clear; who sends garbage is told nothing.
    const fn code(self) -> Option<u8> {
        match self {
            Self::Garbage | Self::Told(_) => None,
            Self::Version { .. } => Some(CODE_VERSION),
            Self::Cluster => Some(CODE_CLUSTER),
            Self::Secret => Some(CODE_SECRET),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Garbage => write!(f, "the first bytes are no greeting of a mesh"),
            Self::Version { theirs, ours } => write!(f, "the peer speaks version {theirs}, this node {ours}"),
            Self::Cluster => write!(f, "the peer belongs to another cluster"),
            Self::Secret => write!(f, "the peer does not know the shared secret"),
            Self::Told(CODE_VERSION) => write!(f, "the listener says that it speaks another version"),
            Self::Told(CODE_CLUSTER) => write!(f, "the listener says that it belongs to another cluster"),
            Self::Told(CODE_SECRET) => write!(f, "the listener says that the shared secret is another"),
            Self::Told(code) => write!(f, "the listener refused with code {code}"),
        }
    }
}

/// What tells clusters apart in clear without saying the name.
fn mark(cluster: &str) -> [u8; MARK_BYTES] {
    let mut hash = DefaultResolver.resolve_hash(&HashChoice::Blake2s).expect("snow is built with BLAKE2s");
    let mut digest = [0; 32];
    hash.input(b"unstale-mesh cluster 1");
    hash.input(cluster.as_bytes());
    hash.result(&mut digest);
    *digest.first_chunk().expect("a digest is longer than a mark")
}

/// Reads a peer's handshake message; what later versions add after the identity is skipped.
fn read_identity(noise: &mut HandshakeState, sealed: &[u8]) -> Result<Identity, Refusal> {
    let mut plain = [0; MESSAGE_BYTES_MAX];
    let bytes = noise.read_message(sealed, &mut plain).map_err(|_| Refusal::Secret)?;
    plain[..bytes].first_chunk().copied().map(Identity).ok_or(Refusal::Garbage)
}

fn session(noise: HandshakeState) -> Result<Session, Refusal> {
    noise.into_transport_mode().map(|noise: TransportState| Session::new(noise)).map_err(|_| Refusal::Secret)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
