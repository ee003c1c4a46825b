//! One Rust file, split into shipping lines and test lines.

use std::path::{Path, PathBuf};

/// A Rust file of the workspace.
#[derive(Debug)]
pub struct Source {
    /// Its path from the workspace's root.
    pub path: PathBuf,
    /// Its lines, from 1, without those in `mod tests { … }` at its end.
    pub shipping: Vec<(usize, String)>,
    /// The lines of `mod tests { … }` at its end; all lines, if the file is a test.
    pub tests: Vec<(usize, String)>,
}

impl Source {
    /// Splits `text`, which stands at `path`.
    pub fn new(path: &Path, text: &str) -> Self {
        let lines: Vec<(usize, String)> =
            text.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned())).collect();
        let path_text = path.to_string_lossy();
        let is_test = path_text.contains("/tests/") || path_text.ends_with("/tests.rs");
        let cut = if is_test {
            0
        } else {
            let inline = lines.iter().rposition(|(_, line)| line.starts_with("mod tests {"));
            inline.unwrap_or(lines.len())
        };
        let tests = lines[cut..].to_vec();
        let mut shipping = lines;
        shipping.truncate(cut);
        Self { path: path.to_owned(), shipping, tests }
    }

    /// Whether the path begins with `prefix`.
    pub fn is_under(&self, prefix: &str) -> bool {
        self.path.starts_with(prefix)
    }

    /// How many of its shipping lines hold code, that is neither blank nor a comment.
    pub fn code_lines(&self) -> usize {
        self.shipping.iter().filter(|(_, line)| is_code(line)).count()
    }

    /// Where a shipping line of code holds `pattern`.
    pub fn find(&self, pattern: &str) -> Vec<usize> {
        find(&self.shipping, pattern)
    }

    /// Where a test line of code holds `pattern`.
    pub fn find_in_tests(&self, pattern: &str) -> Vec<usize> {
        find(&self.tests, pattern)
    }
}

fn find(lines: &[(usize, String)], pattern: &str) -> Vec<usize> {
    lines
        .iter()
        .filter(|(_, line)| is_code(line) && line.contains(pattern))
        .map(|(number, _)| *number)
        .collect()
}

fn is_code(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_tests_and_comments_are_no_shipping_code() {
        let text = "//! Doc.\nfn a() {}\n\n// why\nmod tests {\n    fn b() { sleep() }\n}\n";
        let source = Source::new(Path::new("crates/x/src/a.rs"), text);
        assert_eq!(source.code_lines(), 1);
        assert_eq!(source.find("sleep"), Vec::<usize>::new());
        assert_eq!(source.find_in_tests("sleep"), vec![6]);
    }

    #[test]
    fn a_file_below_tests_ships_nothing() {
        let source = Source::new(Path::new("crates/x/tests/a.rs"), "fn a() {}\n");
        assert_eq!((source.code_lines(), source.tests.len()), (0, 1));
    }
}
