//! Hybrid logical stamps (streams.md 37 as PROTOCOL.md clause M-9): for "which value is newer" only; no proof uses them.

/// A hybrid logical clock's reading: 48 bits of milliseconds since the Unix epoch, 16 bits of count.
///
/// Source: S. Kulkarni et al., "Logical Physical Clocks", 2014.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub u64);
