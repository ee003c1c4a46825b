//! What happened, for people, and a hash of all of it.

use crate::dice::mix;
use crate::layout::Subject;

/// Keeps the hash of a history always, and its lines if they are wanted.
#[derive(Debug)]
pub struct Story {
    hash: u64,
    lines: Option<Vec<(u64, Option<Subject>, String)>>,
}

impl Story {
    /// A story of which only the hash is kept, or all.
    pub fn new(told: bool) -> Self {
        Self { hash: 0, lines: told.then(Vec::new) }
    }

    /// Adds a fact to the hash.
    #[inline]
    pub fn note(&mut self, fact: u64) {
        self.hash = mix(self.hash ^ fact);
    }

    /// Tells a fact about everything, or about a subject alone.
    pub fn tell(&mut self, now: u64, subject: Option<Subject>, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((now, subject, line()));
        }
    }

    /// The hash of what was noted so far.
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// What was told, about everything and about these subjects.
    pub fn lines(&self, of: &[Subject]) -> Vec<String> {
        let lines = self.lines.iter().flatten();
        let lines = lines.filter(|(_, subject, _)| subject.is_none_or(|subject| of.contains(&subject)));
        lines.map(|(now, _, line)| format!("{:>9.3} ms  {line}", *now as f64 / 1e6)).collect()
    }
}
