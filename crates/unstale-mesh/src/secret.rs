//! The secret that the nodes of a cluster share.

use std::fmt;
use std::path::Path;

use snow::params::HashChoice;
use snow::resolvers::{CryptoResolver, DefaultResolver};
use unstale_port::{Error, Kind, Retry};
use zeroize::Zeroizing;

/// What a secret needs to have before it may guard a listener that others than this host can reach.
pub(crate) const STRONG_BYTES_MIN: usize = 16;

const LABEL: &[u8] = b"unstale-mesh key 1";

/// The secret that all nodes of a cluster share.
///
/// It is stretched into a key of 32 bytes at once; the text itself is not kept, the key is wiped when dropped, and
/// neither is ever shown. A key is as hard to guess as its text: whoever records a handshake can try guesses against it at
/// leisure, so take 32 random bytes (`openssl rand -hex 32`). Fewer than 16 bytes are refused beyond loopback.
#[derive(Clone)]
pub struct Secret {
    key: Zeroizing<[u8; 32]>,
    strong: bool,
}

impl Secret {
    /// The secret with this text.
    ///
    /// # Errors
    /// `Config` if it is empty.
    pub fn new(text: impl AsRef<[u8]>) -> Result<Self, Error> {
        let text = text.as_ref();
        if text.is_empty() {
            return Err(config("the shared secret is empty"));
        }
        let mut key = Zeroizing::new([0; 32]);
        let mut hash =
            DefaultResolver.resolve_hash(&HashChoice::Blake2s).expect("snow is built with BLAKE2s");
        hash.hkdf(LABEL, text, 1, key.as_mut(), &mut [], &mut []);
        Ok(Self { key, strong: text.len() >= STRONG_BYTES_MIN })
    }

    /// The secret in an environment variable, without white space around it; `None` if the variable is not set.
    ///
    /// # Errors
    /// `Config` if the variable is set but empty, or not Unicode.
    pub fn from_env(name: &str) -> Result<Option<Self>, Error> {
        let Some(text) = std::env::var_os(name) else { return Ok(None) };
        let text = Zeroizing::new(
            text.into_string().map_err(|_| config(format!("the secret in {name} is not Unicode text")))?,
        );
        Self::new(text.trim())
            .map(Some)
            .map_err(|_| config(format!("{name} is set but empty: it should hold the shared secret")))
    }

    /// The secret in a file, without white space around it.
    ///
    /// # Errors
    /// `Config` if the file cannot be read or is empty.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|cause| {
            config(format!("cannot read the secret file {}", path.display())).with_source(cause)
        })?;
        let bytes = Zeroizing::new(bytes);
        Self::new(bytes.trim_ascii())
            .map_err(|_| config(format!("the secret file {} is empty", path.display())))
    }

    /// The key that those without a secret use, on loopback only: it proves nothing and keeps the wire the same.
    pub(crate) fn known_to_all() -> Self {
        Self { key: Zeroizing::new([0; 32]), strong: false }
    }

    pub(crate) fn key(&self) -> &[u8; 32] {
        &self.key
    }

    pub(crate) fn is_strong(&self) -> bool {
        self.strong
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn config(detail: impl Into<String>) -> Error {
    Error::new(Kind::Config, Retry::Never, "mesh secret", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown_and_never_empty() {
        let secret = Secret::new("correct horse").expect("not empty");
        assert_eq!(format!("{secret:?}"), "Secret(..)");
        assert!(Secret::new("").is_err());
    }

    #[test]
    fn one_text_gives_one_key_and_another_text_another() {
        let key = |text: &str| *Secret::new(text).expect("not empty").key();
        assert_eq!(key("one"), key("one"));
        assert_ne!(key("one"), key("two"));
        assert_ne!(key("one"), *Secret::known_to_all().key());
    }

    #[test]
    fn a_variable_that_is_not_set_is_no_secret() {
        assert!(Secret::from_env("UNSTALE_MESH_SECRET_THAT_NOBODY_SETS").expect("no error").is_none());
    }
}
