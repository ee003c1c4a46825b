//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// A product service that stays coherent over several processes. The mesh's secret is read from UNSTALE_MESH_SECRET;
/// without one every address must be a loopback address.
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLE)]
pub(crate) struct Flags {
    /// Where to listen for HTTP
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: String,
    /// Where to listen for the other processes
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mesh: String,
    /// Where the other processes reach this one [default: the mesh address]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) advertise: Option<String>,
    /// The name of this node [default: the advertised address]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The advertised address of another process; repeat it for each one
    #[arg(long = "peer", value_name = "ADDRESS")]
    pub(crate) peers: Vec<String>,
    /// The SQLite file, made if it is absent
    #[arg(long, value_name = "FILE")]
    pub(crate) db: PathBuf,
    /// Record what is read and written to this file, for `unstale audit check`; one that is there is gone on with
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
}

const EXAMPLE: &str = "Example:
  unstale-example-http --listen 127.0.0.1:8001 --mesh 127.0.0.1:7001 --peer 127.0.0.1:7002 --db /tmp/shop.sqlite
  unstale-example-http --listen 127.0.0.1:8002 --mesh 127.0.0.1:7002 --peer 127.0.0.1:7001 --db /tmp/shop.sqlite";
