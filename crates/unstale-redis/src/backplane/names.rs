//! Keys and channels. All of a group carry one hash tag, so that a cluster keeps them on one node.

use std::fmt;

use bytes::Bytes;
use unstale_port::Error;

use crate::error::config;

const NAME_BYTES_MAX: usize = 64;
const PROCESS_BYTES: usize = 16;

/// A process: random, drawn at its start, and the name of its inbox.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Process(pub(crate) [u8; PROCESS_BYTES]);

impl Process {
    pub(crate) fn of_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Process({self})")
    }
}

/// What a group's keys and channels are called.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    /// `{PREFIX:GROUP}:`
    stem: String,
}

impl Names {
    pub(crate) fn new(prefix: &str, group: &str) -> Result<Self, Error> {
        for (what, name) in [("prefix", prefix), ("group", group)] {
            let is_fit = name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'{' | b'}' | b'*' | b'?'));
            if name.is_empty() || name.len() > NAME_BYTES_MAX || !is_fit {
                return Err(config(format!("{what} `{name}` is not 1 to {NAME_BYTES_MAX} plain characters")));
            }
        }
        Ok(Self { stem: format!("{{{prefix}:{group}}}:") })
    }

    /// The channel of what is for one process.
    pub(crate) fn inbox(&self, process: Process) -> Bytes {
        Bytes::from(format!("{}to:{process}", self.stem))
    }

    /// The channel of what is for all.
    pub(crate) fn all(&self) -> Bytes {
        Bytes::from(format!("{}all", self.stem))
    }

    /// The stream of what is for all.
    pub(crate) fn stream(&self) -> Bytes {
        Bytes::from(format!("{}stream", self.stem))
    }

    /// The register.
    pub(crate) fn register(&self) -> Bytes {
        Bytes::from(format!("{}register", self.stem))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_of_a_group_carry_its_hash_tag() {
        let names = Names::new("unstale", "shop").expect("plain");
        assert_eq!(names.register(), "{unstale:shop}:register");
        assert_eq!(names.all(), "{unstale:shop}:all");
        assert_eq!(names.inbox(Process([0xab; 16])), format!("{{unstale:shop}}:to:{}", "ab".repeat(16)));
        for bad in ["", "a b", "a{b", "a}", "a*", &"a".repeat(65)] {
            Names::new(bad, "shop").expect_err(bad);
        }
    }
}
