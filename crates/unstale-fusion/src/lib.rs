//! One Redis for unstale nodes and .NET FusionCache nodes: second level and backplane of FusionCache v2.
//!
//! A [`FusionCache`] is a cache that both sides read and write. unstale nodes use it as a cache with foreign writers
//! (`CacheBuilder::foreign`): its [`FusionStore`] keeps entries in the layout of .NET, with our leases, stamps and fences in
//! fields and keys that .NET never reads, and publishes what .NET nodes have to know; its feed hears what they do.
//!
//! What both sides promise one another, and what they do not, is in docs/fusion.md.
//!
//! ```no_run
//! use unstale_fusion::{Format, FusionCache, FusionSettings};
//! use unstale_redis::{Settings, SharedRedis};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), unstale_port::Error> {
//! let redis = SharedRedis::open(Settings::parse("redis://127.0.0.1")?)?;
//! let settings = FusionSettings::new("Products", Format::SystemTextJson).key_prefix("shop:");
//! let products = FusionCache::open(redis, settings)?;
//! // let cache: Cache<String, Product> = node.cache("products").stored_as(Json).foreign(products).build()?;
//! # Ok(())
//! # }
//! ```

mod cache;
mod clock;
mod entry;
mod feed;
mod identity;
mod layout;
mod marks;
mod recent;
mod replies;
mod scripts;
mod settings;
mod store;
mod telling;

pub use cache::{FusionCache, FusionCounts};
pub use settings::{FusionSettings, HOLD_OFF_DEFAULT, SKEW_MAX};
pub use store::FusionStore;
pub use telling::Ours;
pub use unstale_codec::fusion::{Format, InternalStrings, KeyModifier, ValueType};
