//! Runs the code of documents outside of the crate.

#[doc = include_str!("../../../README.md")]
struct Readme;

#[doc = include_str!("../../../docs/from-moka.md")]
struct FromMoka;

#[doc = include_str!("../../../docs/from-fusioncache.md")]
struct FromFusionCache;
