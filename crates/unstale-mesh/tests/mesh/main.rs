//! Meshes that talk over loopback.

mod harness;
mod links;
