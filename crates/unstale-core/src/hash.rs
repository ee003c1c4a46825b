//! A hash that every node computes alike: XXH64 over canonical bytes (formats/native.md).

/// XXH64 of `bytes` with seed 0. Source: Y. Collet, "xxHash fast digest algorithm", version 0.1.1.
///
/// ```
/// assert_eq!(unstale_core::xxh64(b""), 0xef46_db37_51d8_e999);
/// ```
pub fn xxh64(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks();
    xxh64_of(bytes.len(), |index| u64::from_le_bytes(words[index]), rest)
}

/// XXH64 of `len` bytes that need not lie in one piece: as many little-endian words as fit, and what is left.
#[inline]
pub(crate) fn xxh64_of(len: usize, word: impl Fn(usize) -> u64, rest: &[u8]) -> u64 {
    let stripes = len / 32;
    let mut hash = if stripes == 0 {
        PRIME_5
    } else {
        let mut lanes = [PRIME_1.wrapping_add(PRIME_2), PRIME_2, 0, PRIME_1.wrapping_neg()];
        for stripe in 0..stripes {
            for (index, lane) in lanes.iter_mut().enumerate() {
                *lane = round(*lane, word(4 * stripe + index));
            }
        }
        merge(lanes)
    };
    hash = hash.wrapping_add(len as u64);

    for index in 4 * stripes..len / 8 {
        let lane = round(0, word(index));
        hash = (hash ^ lane).rotate_left(27).wrapping_mul(PRIME_1).wrapping_add(PRIME_4);
    }
    let (halves, rest) = rest.as_chunks();
    for four in halves {
        hash ^= u64::from(u32::from_le_bytes(*four)).wrapping_mul(PRIME_1);
        hash = hash.rotate_left(23).wrapping_mul(PRIME_2).wrapping_add(PRIME_3);
    }
    for byte in rest {
        hash = (hash ^ u64::from(*byte).wrapping_mul(PRIME_5)).rotate_left(11).wrapping_mul(PRIME_1);
    }
    avalanche(hash)
}

const PRIME_1: u64 = 0x9E37_79B1_85EB_CA87;
const PRIME_2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const PRIME_3: u64 = 0x1656_67B1_9E37_79F9;
const PRIME_4: u64 = 0x85EB_CA77_C2B2_AE63;
const PRIME_5: u64 = 0x27D4_EB2F_1656_67C5;

const fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(PRIME_2)).rotate_left(31).wrapping_mul(PRIME_1)
}

fn merge(lanes: [u64; 4]) -> u64 {
    let [a, b, c, d] = lanes;
    let sum = a
        .rotate_left(1)
        .wrapping_add(b.rotate_left(7))
        .wrapping_add(c.rotate_left(12))
        .wrapping_add(d.rotate_left(18));
    lanes.iter().fold(sum, |hash, lane| (hash ^ round(0, *lane)).wrapping_mul(PRIME_1).wrapping_add(PRIME_4))
}

const fn avalanche(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(PRIME_2);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(PRIME_3);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
    use super::xxh64;

    #[test]
    fn published_values_of_xxh64_come_out() {
        assert_eq!(xxh64(b""), 0xef46_db37_51d8_e999);
        assert_eq!(xxh64(b"a"), 0xd24e_c4f1_a98c_6e5b);
        assert_eq!(xxh64(b"abc"), 0x44bc_2cf5_ad77_0999);
        assert_eq!(xxh64(b"Nobody inspects the spammish repetition"), 0xfbce_a83c_8a37_8bf1);
    }
}
