//! The cache under test: unstale, or a naive one in its place.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::coherent::Coherent;
use super::dotnet::Dotnet;
use super::log::Log;
use super::naive::Naive;
use super::source::{Row, Source};
use crate::demo::database::Version;
use crate::demo::line::{ActNumber, Start, Strategy};

/// What a read asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// Whatever the cache holds.
    Plain,
    /// An answer proven within this time, else any, with a flag.
    ProvenOrFlag(Duration),
    /// An answer proven within this time, else a load.
    ProvenOrBypass(Duration),
    /// At least as new as a write.
    Session {
        /// What the write made of the row.
        version: Version,
        /// The write's token.
        token: String,
    },
}

/// What a read was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    /// The row.
    pub(super) row: Row,
    /// Whether the cache said that it may be stale.
    pub(super) said_stale: bool,
    /// The age within which the answer was called proven: of a bypass, none at all.
    pub(super) proven_within: Option<Duration>,
}

/// What a write was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Receipt {
    /// Whether the act is announced.
    pub(super) announced: bool,
    /// Its number.
    pub(super) act: ActNumber,
    /// The session token; empty for none.
    pub(super) token: String,
}

/// The cache.
#[derive(Debug)]
pub(super) enum Subject {
    /// unstale.
    Coherent(Coherent),
    /// A map with fire-and-forget invalidation.
    Naive(Naive),
    /// A live FusionCache node.
    Dotnet(Box<Dotnet>),
}

impl Subject {
    /// Begins to join the peers; the address is where it listens, if it does.
    pub(super) async fn start(
        start: &Start,
        source: Arc<Source>,
        log: Arc<Log>,
    ) -> Result<(Self, Option<SocketAddr>), Box<dyn std::error::Error + Send + Sync>> {
        match &start.strategy {
            Strategy::Coherent => {
                let (coherent, address) = Coherent::start(start, source, log).await?;
                Ok((Self::Coherent(coherent), address))
            }
            Strategy::Naive => {
                let (naive, address) = Naive::start(start, source, log).await?;
                Ok((Self::Naive(naive), Some(address)))
            }
            Strategy::Dotnet(program) => {
                Ok((Self::Dotnet(Box::new(Dotnet::start(program, start, source).await?)), None))
            }
        }
    }

    /// Returns once the peers are joined, or did not answer for a while.
    pub(super) async fn joined(&self) {
        match self {
            Self::Coherent(coherent) => coherent.joined().await,
            Self::Naive(_) | Self::Dotnet(_) => {}
        }
    }

    /// Reads a row; `None` if that failed.
    pub(super) async fn read(&self, row: u32, ask: Ask) -> Option<Answer> {
        match self {
            Self::Coherent(coherent) => coherent.read(row, ask).await,
            // It has no proofs and no tokens: whoever asks for them gets what there is.
            Self::Naive(naive) => {
                let row = naive.get_or_load(row).await.ok()?;
                Some(Answer { row, said_stale: false, proven_within: None })
            }
            Self::Dotnet(dotnet) => {
                let row = dotnet.get_or_load(row).await.ok()?;
                Some(Answer { row, said_stale: false, proven_within: None })
            }
        }
    }

    /// Makes every node forget a row; `None` if that failed.
    pub(super) async fn remove(&self, row: u32) -> Option<Receipt> {
        match self {
            Self::Coherent(coherent) => coherent.remove(row).await.ok(),
            Self::Naive(naive) => {
                Some(Receipt { announced: true, act: naive.remove(row), token: String::new() })
            }
            Self::Dotnet(dotnet) => {
                let act = dotnet.remove(row).await.ok()?;
                Some(Receipt { announced: true, act, token: String::new() })
            }
        }
    }

    /// The row, if it would be answered without a load.
    pub(super) fn hit(&self, row: u32) -> Option<Row> {
        match self {
            Self::Coherent(coherent) => coherent.hit(row),
            Self::Naive(naive) => naive.resident(row),
            // Asking would be a read of its own.
            Self::Dotnet(_) => None,
        }
    }

    /// Whether the row is there at all, trusted or not.
    pub(super) fn resident(&self, row: u32) -> bool {
        match self {
            Self::Coherent(coherent) => coherent.resident(row),
            Self::Naive(naive) => naive.resident(row).is_some(),
            Self::Dotnet(_) => false,
        }
    }

    /// How the node stands with its peers, in one word.
    pub(super) fn state(&self) -> &'static str {
        match self {
            Self::Coherent(coherent) => coherent.state(),
            Self::Naive(_) | Self::Dotnet(_) => "up",
        }
    }

    /// Entries that are distrusted now.
    pub(super) fn suspects(&self) -> u64 {
        match self {
            Self::Coherent(coherent) => coherent.suspects(),
            Self::Naive(_) | Self::Dotnet(_) => 0,
        }
    }

    /// Says goodbye to the peers.
    pub(super) async fn leave(&self) {
        match self {
            Self::Coherent(coherent) => coherent.leave().await,
            Self::Naive(_) | Self::Dotnet(_) => {}
        }
    }
}
