//! What people read in a terminal.

use std::fmt::Display;
use std::io::{self, Write};

use crate::exit::Exit;

/// A line without what moves the cursor of a terminal: others named what is in it.
pub(crate) fn plain(line: &str) -> String {
    line.chars()
        .map(|letter| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter })
        .collect()
}

/// Says on standard error what is wrong, and gives how the command ends for it.
pub(crate) fn complain(command: &str, error: impl Display, exit: Exit) -> Exit {
    // Where standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr(), "unstale {command}: {}", plain(&error.to_string()));
    exit
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_named_moves_no_cursor() {
        assert_eq!(plain("v2:a\u{1b}[2J\r\n\u{9b}1mé ü"), "v2:a\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}1mé ü");
    }
}
