//! Changes to sound bytes that make hostile ones, for every format's fuzz targets.

use bolero::TypeGenerator;
use bytes::Bytes;

/// A change to the bytes of a message.
#[derive(Clone, Copy, Debug, TypeGenerator)]
pub(crate) enum Spoil {
    Set {
        at: u16,
        to: u8,
    },
    /// A value of the kind that lengths and counts break at.
    SetEdge {
        at: u16,
        edge: u8,
    },
    Insert {
        at: u16,
        byte: u8,
    },
    Cut {
        at: u16,
    },
    Repeat {
        from: u16,
        to: u16,
    },
    /// A length of nine bytes that nothing follows.
    Announce {
        at: u16,
    },
}

const EDGES: [u8; 6] = [0, 1, 0x7f, 0x80, 0xa1, 0xff];

/// The bytes after some changes.
pub(crate) fn spoilt(mut bytes: Vec<u8>, spoils: &[Spoil]) -> Bytes {
    for spoil in spoils {
        let place = |at: u16| usize::from(at) % (bytes.len() + 1);
        match *spoil {
            Spoil::Set { at, to } => set(&mut bytes, at, to),
            Spoil::SetEdge { at, edge } => set(&mut bytes, at, EDGES[usize::from(edge) % EDGES.len()]),
            Spoil::Insert { at, byte } => bytes.insert(place(at), byte),
            Spoil::Cut { at } => bytes.truncate(place(at)),
            Spoil::Repeat { from, to } => {
                let (from, to) = (place(from), place(to));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                bytes.extend(part);
            }
            Spoil::Announce { at } => {
                let at = place(at);
                bytes.splice(at..at, [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
            }
        }
    }
    bytes.into()
}

fn set(bytes: &mut [u8], at: u16, to: u8) {
    if !bytes.is_empty() {
        let at = usize::from(at) % bytes.len();
        bytes[at] = to;
    }
}
