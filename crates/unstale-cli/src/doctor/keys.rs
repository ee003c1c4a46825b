//! Keys and channels that the doctor makes itself.

/// Names that nobody else has, under a prefix that an access list may ask for.
#[derive(Clone, Debug)]
pub(super) struct Own {
    stem: String,
}

/// For how long a key of ours may be left behind by a doctor that was killed.
pub(super) const LIFE_SECONDS: &str = "60";

impl Own {
    pub(super) fn new(prefix: &str) -> Self {
        // Without random numbers the time tells one doctor from another well enough.
        let random = getrandom::u64().unwrap_or_else(|_| std::process::id().into());
        // One hash tag, so that a cluster keeps the keys together.
        Self { stem: format!("{prefix}{{{random:016x}}}") }
    }

    pub(super) fn key(&self, what: &str) -> String {
        format!("{}:{what}", self.stem)
    }

    pub(super) fn channel(&self) -> String {
        self.stem.clone()
    }
}
