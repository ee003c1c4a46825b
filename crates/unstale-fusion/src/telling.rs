//! Messages: what is published, and what was heard.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use unstale_codec::fusion::{Action, BackplaneMessage, Text, Ticks, extension, put_extension};
use unstale_port::{Error, Kind, ProcessBytes, Retry};

/// What nodes of ours say among themselves, behind a message: who they are, and of which act it is. That has no number yet:
/// the second level is voided, and the message published with it, before the number is drawn (P-24). The bytes are those of
/// docs/formats/fusion.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ours {
    /// The process, as its streams name it; zeros if it has no node.
    pub process: ProcessBytes,
    /// The stamp of the act; 0 where there is none.
    pub stamp: u64,
    /// How many relays it came through.
    pub hops: u8,
}

impl Ours {
    const BYTES: usize = 16 + 8 + 1;

    /// What stands behind a message, if it is of a node of ours. What follows it is of later versions. Never panics, and
    /// allocates nothing.
    pub fn behind(message: &BackplaneMessage) -> Option<Self> {
        let mut bytes = extension(&message.rest).filter(|bytes| bytes.len() >= Self::BYTES)?;
        let mut process = [0; 16];
        bytes.copy_to_slice(&mut process);
        Some(Self { process, stamp: bytes.get_u64_le(), hops: bytes.get_u8() })
    }

    fn bytes(self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(Self::BYTES);
        bytes.put_slice(&self.process);
        bytes.put_u64_le(self.stamp);
        bytes.put_u8(self.hops);
        bytes.freeze()
    }
}

/// The bytes of a message of ours.
pub(crate) fn message(
    source_id: &str,
    action: Action,
    cache_key: &Text,
    timestamp: Ticks,
    ours: Ours,
) -> Result<Bytes, Error> {
    let refused = |error: String| Error::new(Kind::TooLarge, Retry::Never, "publish", error);
    let mut rest = BytesMut::new();
    put_extension(&ours.bytes(), &mut rest).map_err(|error| refused(error.to_string()))?;
    let message = BackplaneMessage {
        source_id: source_id.into(),
        timestamp,
        action,
        cache_key: cache_key.clone(),
        rest: rest.freeze(),
    };
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes).map_err(|error| refused(error.to_string()))?;
    Ok(bytes.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_message_comes_back_and_anything_else_is_nobody_of_ours() {
        let ours = Ours { process: [7; 16], stamp: 9, hops: 1 };
        let bytes = message("id", Action::Remove, &"k".into(), Ticks(5), ours).expect("a message");
        let mut heard = BackplaneMessage::decode(bytes).expect("a message");
        // docs/formats/fusion.md
        let said = [&b"\xf5un\x01\x19\0\0\0"[..], &[7; 16], &[9, 0, 0, 0, 0, 0, 0, 0], &[1]].concat();
        assert_eq!(heard.rest, said);
        assert_eq!(Ours::behind(&heard), Some(ours));
        heard.rest = heard.rest.slice(..heard.rest.len() - 1);
        assert_eq!(Ours::behind(&heard), None);
        heard.rest = Bytes::new();
        assert_eq!(Ours::behind(&heard), None);
    }
}
