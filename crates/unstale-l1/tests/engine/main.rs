//! The engine through its public face, every interleaving forced by hand: no threads race and nothing sleeps.
//!
//! Each scenario names the mechanisms without which it fails; with the feature `mutations` that is run, too.
#![cfg(not(feature = "shuttle"))]
#![expect(clippy::unwrap_used, reason = "a scenario that cannot be set up has failed")]

mod acts;
mod capacity;
mod dependencies;
mod distrust;
mod fail_safe;
mod flights;
mod hooked;
mod stores;
mod world;
