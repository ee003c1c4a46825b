//! Acts on all caches of all nodes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use unstale_core::{Batch, Voided};
use unstale_l1::LocalActs;

use super::Node;
use crate::cache::all;
use crate::level::{Debt, Level};
use crate::{Error, ErrorKind, Receipt};

/// How long the store may take for one of these acts.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

impl Node {
    /// Removes whatever carries `tag`, in every cache of every node and in the stores. O(1) here, however many entries there
    /// are: readers see it. When it returns, nothing that was loaded before with that tag is served here any more.
    /// Cancelled before it returns, it may or may not have taken place.
    ///
    /// # Errors
    /// [`ErrorKind::Store`] if the store did not take it: as [`crate::Cache::set`] says. [`ErrorKind::Unannounced`] with [`crate::Writes::Refuse`], before anything
    /// is done.
    pub async fn remove_tag(&self, tag: impl Into<Bytes>) -> Result<Receipt, Error> {
        let tag = tag.into();
        let mut acts = LocalActs::new();
        acts.remove_tag(tag.clone());
        self.act("remove_tag", acts, Some(tag)).await
    }

    /// Makes stale whatever carries `tag`, in every cache of every node; fail-safe may still serve it. In the store it is
    /// removed. As [`Node::remove_tag`] otherwise.
    ///
    /// # Errors
    /// Those of [`Node::remove_tag`].
    pub async fn expire_tag(&self, tag: impl Into<Bytes>) -> Result<Receipt, Error> {
        let tag = tag.into();
        let mut acts = LocalActs::new();
        acts.expire_tag(tag.clone());
        self.act("expire_tag", acts, Some(tag)).await
    }

    /// Removes everything from every cache of every node and from the stores. As [`Node::remove_tag`] otherwise.
    ///
    /// # Errors
    /// Those of [`Node::remove_tag`].
    pub async fn clear(&self) -> Result<Receipt, Error> {
        let mut acts = LocalActs::new();
        acts.clear();
        self.act("clear", acts, None).await
    }

    async fn act(
        &self,
        operation: &'static str,
        acts: LocalActs,
        tag: Option<Bytes>,
    ) -> Result<Receipt, Error> {
        let shared = self.shared();
        shared.scopes.admit(operation, None)?;
        shared.admit_write(operation)?;
        // The store first: what is loaded from it after the act must not be older than the act (P-24).
        let voided = self.raise_in_stores(tag).await;
        let committed = shared.domain.commit(acts, Batch::Loose, shared.told(voided));
        let committed = committed.unwrap_or_else(|| unreachable!("a batch of one act"));
        let receipt = shared.receipt(&committed.appended, committed.present > 0);
        match voided {
            Voided::Yes => Ok(receipt),
            Voided::Owed => {
                let detail = "the store did not take the act; memory did, on every node";
                Err(Error::new(ErrorKind::Store, operation, detail))
            }
        }
    }

    /// In the node's store and in those of its caches side by side; each owes what it did not take.
    async fn raise_in_stores(&self, tag: Option<Bytes>) -> Voided {
        let levels = self.shared().levels();
        if levels.is_empty() {
            return Voided::Yes;
        }
        let stamp = self.shared().stamp().0;
        let owed = AtomicBool::new(false);
        all(levels.iter().map(|level| async {
            if raise(level, tag.clone(), stamp).await == Voided::Owed {
                owed.store(true, Ordering::Relaxed);
            }
        }))
        .await;
        if owed.into_inner() { Voided::Owed } else { Voided::Yes }
    }
}

async fn raise(level: &Level, tag: Option<Bytes>, stamp: u64) -> Voided {
    match level.call(STORE_TIMEOUT, level.store().raise(None, tag.clone(), stamp)).await {
        Ok(()) => Voided::Yes,
        Err(failure) => {
            tracing::debug!(%failure, "a store did not take an act on every cache");
            level.owe(&tag.map_or(Debt::All, |tag| Debt::Tag(None, tag)), stamp);
            Voided::Owed
        }
    }
}
