//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// A product service that shares its cache with .NET FusionCache nodes.
#[derive(Debug, Parser)]
#[command(version)]
pub(crate) struct Flags {
    /// Where to serve HTTP; port 0 is any free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: String,
    /// The Redis that the .NET nodes use.
    #[arg(long, env = "REDIS", default_value = "redis://127.0.0.1")]
    pub(crate) redis: String,
    /// The SQLite file with the products.
    #[arg(long)]
    pub(crate) db: PathBuf,
    /// The longest that a factory of the .NET nodes runs, in milliseconds.
    #[arg(long, default_value_t = 30_000)]
    pub(crate) longest_factory_ms: u64,
}
