//! What the process says by its exit code.

use std::process::ExitCode;

/// The end of a command, as its exit code says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done; for a verdict: yes.
    Fine,
    /// The verdict is no.
    No,
    /// The command line makes no sense.
    Usage,
    /// A file's bytes are not what they should be.
    Data,
    /// A file cannot be read.
    NoInput,
    /// Whom it talks to cannot be reached.
    Unavailable,
    /// Something that this program needs on this machine cannot be had, or the program has a bug.
    Bug,
    /// Stopped by SIGINT (130) or SIGTERM (143), as a shell would say it.
    Stopped(u8),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::No => 1,
            Exit::Usage => 64,
            Exit::Data => 65,
            Exit::NoInput => 66,
            Exit::Unavailable => 69,
            Exit::Bug => 70,
            Exit::Stopped(signal) => 128 + signal,
        })
    }
}
