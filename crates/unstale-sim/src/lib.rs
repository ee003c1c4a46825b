//! The deterministic simulator: the shipping code under virtual time and every fault, each read checked by a reference
//! model that was written apart from it.

pub mod protocol;
pub mod violation;
