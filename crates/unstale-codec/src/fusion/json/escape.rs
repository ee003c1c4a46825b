//! Texts in JSON, escaped as each serializer escapes them.

use std::fmt::Write;

/// Whose escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::fusion) enum Escapes {
    /// System.Text.Json by default: everything beyond ASCII and what HTML gives a meaning, in upper-case digits.
    SystemTextJson,
    /// Newtonsoft.Json by default: what JSON demands and three line separators, in lower-case digits.
    Newtonsoft,
}

/// Appends `text` as a JSON text. Writes to memory alone, which takes everything.
pub(in crate::fusion) fn put_text(text: &str, escapes: Escapes, out: &mut impl Write) {
    let _ = out.write_char('"');
    let mut rest = text;
    while let Some((plain, c, after)) = split(rest, escapes) {
        let _ = out.write_str(plain);
        put_escaped(c, escapes, out);
        rest = after;
    }
    let _ = out.write_str(rest);
    let _ = out.write_char('"');
}

/// The text at its first character that needs an escape.
fn split(text: &str, escapes: Escapes) -> Option<(&str, char, &str)> {
    let (at, c) = text.char_indices().find(|(_, c)| needs_escape(*c, escapes))?;
    Some((&text[..at], c, &text[at + c.len_utf8()..]))
}

fn needs_escape(c: char, escapes: Escapes) -> bool {
    match escapes {
        Escapes::SystemTextJson => {
            !matches!(c, ' '..='~') || matches!(c, '"' | '&' | '\'' | '+' | '<' | '>' | '\\' | '`')
        }
        Escapes::Newtonsoft => matches!(c, '\0'..='\x1f' | '"' | '\\' | '\u{85}' | '\u{2028}' | '\u{2029}'),
    }
}

fn put_escaped(c: char, escapes: Escapes, out: &mut impl Write) {
    let short = match c {
        '\x08' => Some("\\b"),
        '\t' => Some("\\t"),
        '\n' => Some("\\n"),
        '\x0c' => Some("\\f"),
        '\r' => Some("\\r"),
        '\\' => Some("\\\\"),
        '"' if escapes == Escapes::Newtonsoft => Some("\\\""),
        _ => None,
    };
    if let Some(short) = short {
        let _ = out.write_str(short);
        return;
    }
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = match escapes {
            Escapes::SystemTextJson => write!(out, "\\u{unit:04X}"),
            Escapes::Newtonsoft => write!(out, "\\u{unit:04x}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HARD: &str = "a\0\u{8}\t\n\u{c}\r\u{1f}\"&'+<>\\`/\u{7f}\u{85}é東\u{2028}🙂";

    fn escaped(escapes: Escapes) -> String {
        let mut out = String::new();
        put_text(HARD, escapes, &mut out);
        out
    }

    #[test]
    fn each_serializer_has_its_own_escapes_and_both_are_json() {
        let system = r#""a\u0000\b\t\n\f\r\u001F\u0022\u0026\u0027\u002B\u003C\u003E\\\u0060/\u007F\u0085\u00E9\u6771\u2028\uD83D\uDE42""#;
        assert_eq!(escaped(Escapes::SystemTextJson), system);
        let newtonsoft = "\"a\\u0000\\b\\t\\n\\f\\r\\u001f\\\"&'+<>\\\\`/\u{7f}\\u0085é東\\u2028🙂\"";
        assert_eq!(escaped(Escapes::Newtonsoft), newtonsoft);
        for escapes in [Escapes::SystemTextJson, Escapes::Newtonsoft] {
            let back: String = serde_json::from_str(&escaped(escapes)).expect("it is JSON");
            assert_eq!(back, HARD);
        }
    }
}
