//! Redis for unstale: backplane, register of members, second level with fill leases.
//!
//! [`Settings`] say where a Redis is: one server, the master of a service that sentinels watch, or a cluster.
//! [`RedisBackplane`] is an [`unstale_port::Backplane`] over one: an inbox for each process, one channel or stream for all,
//! the register of members with its arbiter. [`Connection`] is for commands: kept up in the background, its [`Health`]
//! readable. [`Subscription`] hears channels, and [`Overheard`] is what tools hear there of a group. [`RedisStore`] is the
//! second level. [`SharedRedis`] is a Redis that programs of others use too. The guide is `docs/redis.md`, bytes and keys
//! are described in `docs/formats/redis.md` and `docs/formats/redis-store.md`.
//!
//! The backplane delivers first in, first out: while a link is up nothing over it is lost, repeated or overtaken, and
//! what Redis lost shows as a link that went down. Everything happens inside [`unstale_port::Backplane::poll_event`] of the
//! owner's task: there are no tasks, channels or locks between the owner and its sockets.
//!
//! ```
//! use unstale_port::{Backplane, Peers};
//! use unstale_redis::{RedisBackplane, Settings};
//!
//! # fn main() -> Result<(), unstale_port::Error> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
//! # let _entered = runtime.enter();
//! let settings = Settings::parse("redis://cache.internal")?;
//! let backplane = RedisBackplane::builder(settings).group("shop").start()?;
//! assert_eq!(backplane.properties().peers, Peers::Registered);
//! # Ok(())
//! # }
//! ```
//!
//! | limit | value | at the limit |
//! |---|---|---|
//! | a frame | 1 MiB | `TooLarge` when sent; when received counted as `message-strange` |
//! | under way to one process | 256 KiB and one frame | its link is not writable |
//! | under way to all | 4 MiB and one frame | the common link is not writable |
//! | waiting for the socket | 1 MiB and a frame for each link | no link is writable; requests to the register are lost, counted as `register-busy` |
//! | an answer | 1 s | the connections are made again, counted as `redis-unavailable` |
//! | entries of a register, ends | 1,024, 4,096 | refused, counted as `redis-refused`; the oldest end goes |
//!
//! | feature | what |
//! |---|---|
//! | `tls` | `rediss` URLs: TLS by rustls, with ring |

mod address;
mod backoff;
mod backplane;
mod connection;
mod dial;
mod error;
mod health;
mod login;
mod overheard;
#[cfg(not(feature = "tls"))]
mod plain;
mod reply;
mod settings;
mod shared;
mod store;
mod stream;
mod subscription;
#[cfg(feature = "tls")]
mod tls;
mod url;
mod wire;

pub use backplane::{Builder, RedisBackplane};
pub use connection::Connection;
pub use health::{Health, Pulse, State};
pub use overheard::Overheard;
pub use settings::{Role, Settings};
pub use shared::SharedRedis;
pub use store::{RedisStore, RedisStoreOptions};
pub use subscription::{Notice, Subscription, Topic};
#[cfg(feature = "tls")]
pub use tls::Tls;
