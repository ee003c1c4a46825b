//! What the fuzz targets of this crate share: `./fuzz` runs them for as long as wanted, `cargo test` for a second each.

use std::time::Duration;

use bolero::TypeGenerator;

pub(crate) const BUDGET: Duration = Duration::from_secs(1);

/// A change to bytes on their way.
#[derive(Clone, Copy, Debug, TypeGenerator)]
pub(crate) enum Spoil {
    Set {
        at: u16,
        to: u8,
    },
    Insert {
        at: u16,
        byte: u8,
    },
    Cut {
        at: u16,
    },
    /// The part between two places once more, at the end.
    Repeat {
        from: u16,
        to: u16,
    },
}

pub(crate) fn spoilt(mut bytes: Vec<u8>, spoils: &[Spoil]) -> Vec<u8> {
    for spoil in spoils {
        let place = |at: u16| usize::from(at) % (bytes.len() + 1);
        match *spoil {
            Spoil::Set { at, to } => {
                let at = place(at);
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = to;
                }
            }
            Spoil::Insert { at, byte } => bytes.insert(place(at), byte),
            Spoil::Cut { at } => bytes.truncate(place(at)),
            Spoil::Repeat { from, to } => {
                let (from, to) = (place(from), place(to));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.extend(part);
            }
        }
    }
    bytes
}
