//! Acts on all caches of all nodes.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::timeout;
use unstale_core::Batch;
use unstale_l1::LocalActs;

use super::Node;
use crate::{Error, ErrorKind, Receipt};

/// How long the store may take for one of these acts.
const STORE_TIMEOUT: Duration = Duration::from_secs(1);

impl Node {
    /// Removes whatever carries `tag`, in every cache of every node and in the store. O(1) here, however many entries there
    /// are: readers see it. When it returns, nothing that was loaded before with that tag is served here any more.
    /// Cancelled before it returns, it may or may not have taken place.
    ///
    /// # Errors
    /// [`ErrorKind::Store`] if the store did not take it: memory on all nodes is as after a success, but what the store holds
    /// may come back until the call is repeated. [`ErrorKind::Unannounced`] with [`crate::Writes::Refuse`], before anything
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

    /// Removes everything from every cache of every node and from the store. As [`Node::remove_tag`] otherwise.
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
        let stored = self.raise_in_store(operation, tag).await;
        let committed = shared.domain.commit(acts, Batch::Loose, shared.wall_ms());
        let committed = committed.unwrap_or_else(|| unreachable!("a batch of one act"));
        let receipt = shared.receipt(&committed.appended, committed.present > 0);
        stored.map(|()| receipt)
    }

    async fn raise_in_store(&self, operation: &'static str, tag: Option<Bytes>) -> Result<(), Error> {
        let shared = self.shared();
        let Some(store) = shared.store() else {
            return Ok(());
        };
        let detail = "the store did not take the act; memory did, on every node";
        match timeout(STORE_TIMEOUT, store.raise(None, tag, shared.stamp().0)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Error::caused(ErrorKind::Store, operation, detail, error)),
            Err(elapsed) => Err(Error::caused(ErrorKind::Store, operation, detail, elapsed)),
        }
    }
}
