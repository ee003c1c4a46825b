//! The rivals: caches of the registry, each used as its documentation says.

use crate::reader::Maker;
use crate::workload::BenchKey;

mod amalgam;
mod foyer;
mod hydracache;
mod moka;
mod over_redis;

pub(crate) use over_redis::pairs as over_redis;

/// Rivals that take any key.
pub(crate) fn generic<K: BenchKey>() -> Vec<Maker<K>> {
    vec![
        Maker { name: "moka-sync", make: moka::Sync::<K>::make },
        Maker { name: "moka-future", make: moka::Future::<K>::make },
        Maker { name: "foyer", make: foyer::Foyer::<K>::make },
    ]
}

/// Rivals whose keys are text.
pub(crate) fn textual() -> Vec<Maker<String>> {
    vec![
        Maker { name: "amalgam-cache", make: amalgam::Amalgam::make },
        Maker { name: "hydracache", make: hydracache::Hydracache::make },
    ]
}

/// A runtime of this thread alone, on which a rival's futures are awaited.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime of one thread starts")
}
