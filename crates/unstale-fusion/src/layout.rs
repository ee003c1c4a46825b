//! Where things are in Redis, and what keys and tags of a cache may be.

use bytes::Bytes;
use unstale_codec::fusion::{Subject, Text};
use unstale_port::{Error, Kind, Retry};

use crate::settings::FusionSettings;

/// What lies beside a key begins with this: .NET's keys begin with its instance name or its version.
const BESIDE: &str = "unstale:";

/// A key in its three forms.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// As messages have it.
    pub(crate) cache_key: Text,
    pub(crate) hash: Bytes,
    pub(crate) side: Bytes,
}

impl FusionSettings {
    /// The place of a key.
    pub(crate) fn place(&self, key: &Bytes) -> Result<Place, Error> {
        let key = text(key, "key")?;
        let place = self.place_of(self.names.cache_key(key));
        match self.names.subject(&place.cache_key.to_string()) {
            Some(Subject::Key(_)) if !place.cache_key.is_empty() => Ok(place),
            _ => Err(refused("the key is empty or begins as marks do".to_owned())),
        }
    }

    /// The place of a key as messages have it.
    pub(crate) fn place_of(&self, cache_key: String) -> Place {
        let hash = self.names.store_key(&cache_key);
        let side = format!("{BESIDE}{hash}");
        Place { cache_key: cache_key.into(), hash: hash.into(), side: side.into() }
    }

    /// The place of a tag's mark.
    pub(crate) fn mark_of(&self, tag: &Bytes) -> Result<Place, Error> {
        let tag = text(tag, "tag")?;
        let strings = &self.names.strings;
        if tag.is_empty() || tag == strings.clear_expire || tag == strings.clear_remove {
            return Err(refused("the tag is what .NET nodes clear with, or empty".to_owned()));
        }
        Ok(self.place_of(self.names.tag_mark(tag)))
    }

    /// The marks of clears: what removes everything, what expires everything.
    pub(crate) fn clears(&self) -> [Place; 2] {
        [self.names.clear_remove_mark(), self.names.clear_expire_mark()].map(|mark| self.place_of(mark))
    }
}

fn text<'a>(bytes: &'a Bytes, what: &str) -> Result<&'a str, Error> {
    std::str::from_utf8(bytes).map_err(|_| refused(format!("{what} is no UTF-8, as .NET nodes need it")))
}

fn refused(detail: String) -> Error {
    Error::new(Kind::Config, Retry::Never, "name", detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    #[test]
    fn what_net_would_take_for_a_mark_is_no_key_and_no_tag() {
        let settings = FusionSettings::new("c", Format::SystemTextJson).key_prefix("p:").instance_name("i:");
        let place = settings.place(&Bytes::from_static(b"k")).expect("a key");
        assert_eq!((&place.hash[..], &place.side[..]), (&b"i:v2:p:k"[..], &b"unstale:i:v2:p:k"[..]));
        for wrong in [&b"__fc:t:x"[..], b"\xff"] {
            assert!(settings.place(&Bytes::from_static(wrong)).is_err(), "{wrong:?}");
        }
        for wrong in [&b"*"[..], b"!", b"", b"\xff"] {
            assert!(settings.mark_of(&Bytes::from_static(wrong)).is_err(), "{wrong:?}");
        }
        assert!(FusionSettings::new("c", Format::SystemTextJson).place(&Bytes::new()).is_err());
    }
}
