//! What stands for certificates where TLS was left out.

/// There are none.
#[derive(Clone, Debug)]
pub(crate) enum Tls {}
