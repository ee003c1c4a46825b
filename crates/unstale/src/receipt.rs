//! What a write returns.

use crate::SessionToken;

/// What became of a write: applied here for certain, announced to the cluster or not, and the token that names it.
///
/// When the call returned, this node serves nothing older (also not a load that had begun before), and the act has its
/// number in this node's stream. It need not have left the machine yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an unannounced write is not covered by other nodes' proofs; see `Receipt::announced`"]
pub struct Receipt {
    session: SessionToken,
    announced: bool,
    present: bool,
}

impl Receipt {
    pub(crate) const fn new(session: SessionToken, announced: bool, present: bool) -> Self {
        Self { session, announced, present }
    }

    /// Whether other nodes' proofs cover this write from now on (P-31).
    ///
    /// `false` means: applied here, sent to everyone who can be reached, but this node could not know at the instant of
    /// the call that the cluster still counted it as a member. Ask [`crate::Node::writable`] before a transaction, or
    /// choose [`crate::Writes::Refuse`], to be told before anything is done.
    pub const fn announced(&self) -> bool {
        self.announced
    }

    /// Names this write for reads elsewhere that must see it.
    pub const fn session(&self) -> SessionToken {
        self.session
    }

    /// Whether something was there for the act to end: a key that was cached here. Always `false` for tags and clears.
    pub const fn present(&self) -> bool {
        self.present
    }
}
