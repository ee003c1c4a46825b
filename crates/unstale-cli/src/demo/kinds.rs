//! Which kinds of fault a run has.

use std::fmt;
use std::str::FromStr;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Kind {
    /// SIGKILL, and a new process in its place a little later.
    Kill,
    /// SIGSTOP, and SIGCONT a little later.
    Pause,
    /// All links of a node cut, and healed a little later.
    Cut,
}

impl Kind {
    /// Every kind.
    pub(crate) const ALL: [Self; 3] = [Self::Kill, Self::Pause, Self::Cut];

    /// The word for it on the command line and in JSON.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Pause => "pause",
            Self::Cut => "cut",
        }
    }
}

/// A set of kinds of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kinds {
    chosen: [bool; Kind::ALL.len()],
}

impl Kinds {
    /// Every kind.
    pub(crate) const ALL: Self = Self { chosen: [true; Kind::ALL.len()] };
    /// No fault at all.
    pub(crate) const NONE: Self = Self { chosen: [false; Kind::ALL.len()] };

    /// Whether `kind` is in it.
    pub(crate) const fn has(self, kind: Kind) -> bool {
        self.chosen[kind as usize]
    }

    /// Whether nothing is in it.
    pub(crate) fn is_none(self) -> bool {
        self == Self::NONE
    }
}

impl FromStr for Kinds {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, String> {
        if list == "none" {
            return Ok(Self::NONE);
        }
        let mut kinds = Self::NONE;
        for word in list.split(',') {
            let kind = Kind::ALL.into_iter().find(|kind| kind.word() == word.trim());
            let kind =
                kind.ok_or_else(|| format!("`{word}` is no fault: kill, pause, cut, or none alone"))?;
            kinds.chosen[kind as usize] = true;
        }
        Ok(kinds)
    }
}

impl fmt::Display for Kinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("none");
        }
        let words: Vec<_> = Kind::ALL.into_iter().filter(|kind| self.has(*kind)).map(Kind::word).collect();
        f.write_str(&words.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_faults_is_read_and_shown_again() {
        for list in ["none", "kill", "pause,cut", "kill,pause,cut"] {
            assert_eq!(list.parse::<Kinds>().map(|kinds| kinds.to_string()), Ok(list.to_owned()));
        }
    }

    #[test]
    fn an_unknown_fault_is_named_in_the_error() {
        for list in ["flood", "", "none,kill", "kill,"] {
            assert!(list.parse::<Kinds>().is_err(), "{list:?}");
        }
        assert!("kill,flood".parse::<Kinds>().is_err_and(|error| error.contains("`flood`")));
    }

    #[test]
    fn fuzz_any_list_reads_back_or_is_refused() {
        let budget = std::time::Duration::from_secs(1);
        bolero::check!().with_test_time(budget).with_type::<(Vec<u8>, Vec<u8>)>().for_each(
            |(picks, bytes)| {
                let words = ["kill", "pause", "cut", "none", ",", " ", "", "Kill", "é"];
                let list: String = picks.iter().map(|pick| words[usize::from(*pick) % words.len()]).collect();
                for text in [list, String::from_utf8_lossy(bytes).into_owned()] {
                    if let Ok(kinds) = text.parse::<Kinds>() {
                        assert_eq!(kinds.to_string().parse(), Ok(kinds), "{text:?}");
                        let named = Kind::ALL
                            .into_iter()
                            .filter(|kind| text.split(',').any(|word| word == kind.word()));
                        assert!(named.into_iter().all(|kind| kinds.has(kind)), "{text:?} is not {kinds}");
                        assert_eq!(kinds.is_none(), text == "none", "{text:?}");
                    }
                }
            },
        );
    }
}
