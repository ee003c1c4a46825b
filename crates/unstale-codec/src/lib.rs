//! Bytes to coherence messages and back.
//!
//! [`native`] is unstale's own format, described byte by byte in docs/formats/native.md. [`fusion`] is FusionCache v2 of .NET,
//! described in docs/formats/fusion.md.
//!
//! Any bytes give a message or an error with its offset; nothing is allocated by a length that the bytes only claim.

pub mod fusion;
pub mod native;
