//! Which programs are on this machine, and what happens to a test that needs one that is not.

use std::env;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A program that tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// `redis-server`, from Debian's package of that name; found by `PATH`.
    RedisServer,
    /// A live .NET FusionCache node; found by `FUSIONCACHE_NODE`, or in `../shared/peers/fusioncache-node/` beside the
    /// repository.
    FusionNode,
}

impl Program {
    /// Where it is, if it is there.
    pub fn path(self) -> Option<PathBuf> {
        match self {
            Self::RedisServer => in_path("redis-server"),
            Self::FusionNode => {
                let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
                let beside = repository.join("../shared/peers/fusioncache-node/fusioncache-node");
                let chosen = env::var_os("FUSIONCACHE_NODE").map_or(beside, PathBuf::from);
                chosen.is_file().then_some(chosen)
            }
        }
    }

    /// Whether it is there. If not, `test` is listed as skipped: a line in the file that `UNSTALE_SKIPPED` names, and one
    /// on standard error.
    ///
    /// # Panics
    /// With `CI=true`, for a program that Debian has: there it has to be installed.
    pub fn is_here_for(self, test: &str) -> bool {
        if self.path().is_some() {
            return true;
        }
        let test = test.trim_end_matches("::here").replace("::{{closure}}", "");
        let why = self.missing();
        let is_ci = env::var_os("CI").is_some_and(|ci| ci == "true");
        assert!(!(is_ci && self.is_in_debian()), "{test}: {why}");
        let line = format!("{test}: {why}\n");
        let listed = env::var_os("UNSTALE_SKIPPED").map_or(Ok(()), |file| append(&file, &line));
        if let Err(error) = listed {
            panic!("{test} cannot be listed as skipped: {error}");
        }
        let said = std::io::stderr().write_all(format!("skipped: {line}").as_bytes());
        drop(said); // nobody is left to tell
        false
    }

    /// That it is missing, and how to get it.
    pub fn missing(self) -> &'static str {
        match self {
            Self::RedisServer => "redis-server is not installed (apt-get install redis-server)",
            Self::FusionNode => {
                "no FusionCache node (FUSIONCACHE_NODE, or ../shared/peers/fusioncache-node/fusioncache-node)"
            }
        }
    }

    fn is_in_debian(self) -> bool {
        match self {
            Self::RedisServer => true,
            Self::FusionNode => false,
        }
    }
}

/// Returns from the calling test, listed as skipped, where a [`Program`] is missing.
///
/// ```no_run
/// # use unstale_servers::{Program, Redis, needs};
/// async fn a_test() {
///     needs!(Program::RedisServer);
///     let redis = Redis::start().await.expect("redis starts");
/// }
/// ```
#[macro_export]
macro_rules! needs {
    ($program:expr) => {
        let is_here = {
            fn here() {}
            $crate::Program::is_here_for($program, ::std::any::type_name_of_val(&here))
        };
        if !is_here {
            return;
        }
    };
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

fn append(file: &OsStr, line: &str) -> std::io::Result<()> {
    // One write, so that lines of tests that run at once stay whole.
    OpenOptions::new().create(true).append(true).open(file)?.write_all(line.as_bytes())
}
