//! Real servers and real peers, started, killed, paused and cut off by tests, benches and demos of unstale.
//!
//! Each server is a child of this process, on a free loopback port, with its data in a directory that goes with it: it is
//! waited for after it was killed, so that it can be started again at once, and stopped when its value is dropped. A
//! start returns when the server answers, or fails with the last lines of its log as soon as it has died.
//!
//! ```
//! use unstale_servers::{Data, Program, Redis};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> std::io::Result<()> {
//! # if Program::RedisServer.path().is_none() { return Ok(()); }
//! let mut redis = Redis::options().append_only().start().await?;
//! redis.command(&["SET", "a", "1"]).await?;
//! redis.kill();
//! redis.restart(Data::Kept).await?;
//! assert_eq!(redis.command(&["GET", "a"]).await?.text(), Some("1"));
//! # Ok(())
//! # }
//! ```
//!
//! A test that needs a program begins with [`needs!`]: where the program is missing the test is listed as skipped, unless
//! `CI=true` and Debian has it. [`Proxy`] stands between a client and a server and makes the network bad.

mod child;
mod cluster;
mod fusion_node;
mod port;
mod program;
mod proxy;
mod redis;
mod reply;
mod sentinel;

pub use cluster::Cluster;
pub use fusion_node::FusionNode;
pub use program::Program;
pub use proxy::{Proxy, Way};
pub use redis::{Data, Redis, RedisOptions, TlsFiles};
pub use reply::Reply;
pub use sentinel::Sentinel;
