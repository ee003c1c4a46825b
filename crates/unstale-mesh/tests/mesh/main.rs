//! Meshes that talk over loopback.

mod harness;
mod hostile;
mod links;
mod proxy;
mod recovery;
