//! What lies between two nodes, and the world's randomness.

use unstale_core::{LinkId, Message, Order};

use super::world::MS;

/// A wire between two nodes, `a < b`.
#[derive(Debug)]
pub struct Wire {
    /// How long a message takes.
    pub delay: u64,
    /// Additional delay, at random: with [`Order::Unordered`] it reorders.
    pub jitter: u64,
    /// How many of 1,000 messages are lost; only with [`Order::Unordered`].
    pub lost_of_1000: u64,
    /// In which order it delivers.
    pub order: Order,
    /// Time for each message; the rest waits in the machine.
    pub cost: u64,
    /// Whether there is no connection.
    pub is_cut: bool,
    /// Whether what is sent from the lower to the higher node, and back, is held.
    pub is_stalled: [bool; 2],
    pub(super) held: [Vec<(LinkId, usize, Message)>; 2],
    pub(super) arrival: [u64; 2],
    pub(super) free: [u64; 2],
    /// For when it was planned that it takes the next one.
    pub(super) planned: [u64; 2],
    /// The link over it that is up.
    pub link: Option<LinkId>,
}

impl Default for Wire {
    /// 200 us, in order, nothing lost.
    fn default() -> Self {
        Self {
            delay: MS / 5,
            jitter: 0,
            lost_of_1000: 0,
            order: Order::Fifo,
            cost: 0,
            is_cut: false,
            is_stalled: [false; 2],
            held: Default::default(),
            arrival: [0; 2],
            free: [0; 2],
            planned: [0; 2],
            link: None,
        }
    }
}

/// The key of the wire between two nodes.
pub fn pair(a: usize, b: usize) -> (usize, usize) {
    (a.min(b), a.max(b))
}

/// Which way of a wire leads from one to the other.
pub fn direction(from: usize, to: usize) -> usize {
    usize::from(from > to)
}

/// Splitmix64.
#[derive(Debug)]
pub struct Random(pub u64);

impl Random {
    /// The next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below the bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }
}
