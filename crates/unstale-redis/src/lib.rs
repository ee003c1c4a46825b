//! Redis for unstale: backplane, register of members, second level with fill leases.
//!
//! [`Settings`] say where a Redis is: one server, the master of a service that sentinels watch, or a cluster.
//! [`Connection`] is for commands: kept up in the background, its [`Health`] readable. [`Subscription`] hears channels.
//! [`RedisStore`] is the second level over it.
//!
//! | feature | what |
//! |---|---|
//! | `tls` | `rediss` URLs: TLS by rustls, with ring |

mod address;
mod backoff;
mod connection;
mod dial;
mod error;
mod health;
mod login;
#[cfg(not(feature = "tls"))]
mod plain;
mod reply;
mod settings;
mod store;
mod stream;
mod subscription;
#[cfg(feature = "tls")]
mod tls;
mod url;
mod wire;

pub use connection::Connection;
pub use health::{Health, State};
pub use settings::{Role, Settings};
pub use store::{RedisStore, RedisStoreOptions};
pub use subscription::{Notice, Subscription, Topic};
#[cfg(feature = "tls")]
pub use tls::Tls;
