//! Who asks: what marks a turn as one reader's, and comes back inside the lease.

use std::sync::atomic::{AtomicU64, Ordering};

use unstale_port::Lease;

use super::calls::fresh;

/// Names that nobody else has: mixed of a random beginning and a count.
#[derive(Debug)]
pub(super) struct Tokens {
    seed: u64,
    count: AtomicU64,
}

impl Tokens {
    pub(super) fn new() -> Self {
        Self { seed: u64::from_be_bytes(fresh()), count: AtomicU64::new(0) }
    }

    pub(super) fn next(&self) -> Token {
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        // One to one, so that a store never names two reads alike.
        let mut name = self.seed.wrapping_add(count.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        name = (name ^ (name >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        name = (name ^ (name >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Token(name ^ (name >> 31))
    }
}

/// The name of one read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token(u64);

/// What stands under a key while a reader has its turn: shorter than any record.
pub(super) type Mark = [u8; 9];

impl Token {
    pub(super) const fn mark(self) -> Mark {
        let mut mark = [b'T'; 9];
        let (_, name) = mark.split_at_mut(1);
        name.copy_from_slice(&self.0.to_be_bytes());
        mark
    }

    /// The lease of this read: its name, and the count of changes that it saw.
    pub(super) const fn lease(self, count: u64) -> Lease {
        Lease((self.0 as u128) << 64 | count as u128)
    }

    /// The name and the count of a lease.
    pub(super) const fn of(lease: Lease) -> (Self, u64) {
        (Self((lease.0 >> 64) as u64), lease.0 as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_holds_name_and_count() {
        let token = Token(u64::MAX - 1);
        assert_eq!(Token::of(token.lease(7)), (token, 7));
        assert_eq!(token.mark()[..3], [b'T', 0xff, 0xff]);
    }
}
