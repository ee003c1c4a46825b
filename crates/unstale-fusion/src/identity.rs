//! The id of a process on the backplane.

/// .NET's ids are numbers in base 32 with these digits.
const DIGITS: &[u8; 32] = b"0123456789ABCDEFGHIJKLMNOPQRSTUV";
const BITS: u32 = 128;

/// 128 random bits in 26 digits, where .NET has a clock reading in 13.
pub(crate) fn draw() -> String {
    let mut bytes = [0; 16];
    // Without random numbers nothing tells this process from another, and nothing of it can be right.
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    let number = u128::from_be_bytes(bytes);
    let digit = |at: u32| char::from(DIGITS[(number >> (5 * at)) as usize % DIGITS.len()]);
    (0..BITS.div_ceil(5)).rev().map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_26_digits_of_net() {
        let id = draw();
        assert_eq!(id.len(), 26);
        assert!(id.bytes().all(|digit| DIGITS.contains(&digit)), "{id}");
    }
}
