//! A Redis of this run.

use tokio::runtime::{Builder, Runtime};
use unstale_servers::{Program, Redis};

/// A server of this run, with a runtime that only starts and stops it.
pub(crate) struct Server {
    redis: Redis,
    _runtime: Runtime,
}

impl Server {
    /// Starts one.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn start() -> Result<Self, String> {
        if Program::RedisServer.path().is_none() {
            return Err(Program::RedisServer.missing().to_owned());
        }
        let runtime =
            Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
        let redis = runtime.block_on(Redis::start()).map_err(|error| error.to_string())?;
        Ok(Self { redis, _runtime: runtime })
    }

    /// Where it is, as a URL.
    pub(crate) fn url(&self) -> String {
        self.redis.url()
    }

    /// Where it is, as host and port.
    pub(crate) fn address(&self) -> String {
        self.redis.address()
    }
}
