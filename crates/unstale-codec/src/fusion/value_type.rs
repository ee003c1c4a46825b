//! Types of values, in few words.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The type of a value: what MemoryPack needs to find a value's end, and what says how a value reads in words.
///
/// | word | .NET |
/// |---|---|
/// | `bool` `i8` `i16` `i32` `i64` `u8` `u16` `u32` `u64` `f32` `f64` | `bool`, integers, floating point |
/// | `string` `bytes` `guid` `datetime` | `string`, `byte[]`, `Guid`, `DateTime` |
/// | `list<T>` `map<K,V>` | `T[]` or `List<T>`, `Dictionary<K,V>` |
/// | `{Id:i32,Name:string}` | a class with these members, in this order (protobuf fields 1, 2 and so on) |
/// | `T?` | the same, or null |
/// | `Person` | [`ValueType::PERSON`], the class of the examples |
///
/// ```
/// use unstale_codec::fusion::ValueType;
///
/// let parsed: ValueType = "map<string, list<i32?>>".parse()?;
/// assert_eq!(parsed.to_string(), "map<string,list<i32?>>");
/// # Ok::<(), unstale_codec::fusion::TypeError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ValueType {
    /// What has no parts.
    Scalar(Scalar),
    /// Text.
    Text,
    /// Bytes.
    Bytes,
    /// The same, or null.
    Nullable(Box<ValueType>),
    /// Elements of one type.
    List(Box<ValueType>),
    /// Keys of one type with values of another.
    Map(Box<ValueType>, Box<ValueType>),
    /// A class: its members by name.
    Object(Vec<(String, ValueType)>),
}

/// A type whose values have no parts and one size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scalar {
    /// True or false.
    Bool,
    /// A signed integer of 8 bits.
    I8,
    /// A signed integer of 16 bits.
    I16,
    /// A signed integer of 32 bits.
    I32,
    /// A signed integer of 64 bits.
    I64,
    /// An unsigned integer of 8 bits.
    U8,
    /// An unsigned integer of 16 bits.
    U16,
    /// An unsigned integer of 32 bits.
    U32,
    /// An unsigned integer of 64 bits.
    U64,
    /// A floating-point number of 32 bits.
    F32,
    /// A floating-point number of 64 bits.
    F64,
    /// A globally unique identifier.
    Guid,
    /// A date with a time of day.
    DateTime,
}

/// Words that are no type.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("no type at character {offset} of {text:?}: {reason}")]
pub struct TypeError {
    /// The words, or their beginning.
    pub text: String,
    /// Where it goes wrong, in bytes.
    pub offset: usize,
    /// Why.
    pub reason: &'static str,
}

/// How deep types nest at most.
pub(super) const TYPE_DEPTH_MAX: usize = 16;
const TEXT_BYTES_MAX: usize = 4_096;
/// MemoryPack has one byte for it, and six values of that for itself.
const MEMBERS_MAX: usize = 249;

impl Scalar {
    const ALL: [(&str, Self); 13] = [
        ("bool", Self::Bool),
        ("i8", Self::I8),
        ("i16", Self::I16),
        ("i32", Self::I32),
        ("i64", Self::I64),
        ("u8", Self::U8),
        ("u16", Self::U16),
        ("u32", Self::U32),
        ("u64", Self::U64),
        ("f32", Self::F32),
        ("f64", Self::F64),
        ("guid", Self::Guid),
        ("datetime", Self::DateTime),
    ];
}

impl ValueType {
    /// The members of `Person`, the class of the examples in docs/formats/fusion.md.
    pub const PERSON: &str =
        "{Id:i32,Name:string?,Score:f64,Active:bool,Labels:list<string>?,Born:datetime,Big:i64,Maybe:i32?}";
}

impl FromStr for ValueType {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Self, TypeError> {
        let mut parser = Parser { text, at: 0 };
        if text.len() > TEXT_BYTES_MAX {
            return Err(parser.wrong("longer than 4096 bytes"));
        }
        let parsed = parser.value_type(TYPE_DEPTH_MAX)?;
        if parser.at < text.len() { Err(parser.wrong("more after its end")) } else { Ok(parsed) }
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nullable(inner) => write!(f, "{inner}?"),
            Self::List(element) => write!(f, "list<{element}>"),
            Self::Map(key, value) => write!(f, "map<{key},{value}>"),
            Self::Object(members) => {
                for (index, (name, member)) in members.iter().enumerate() {
                    write!(f, "{}{name}:{member}", if index == 0 { '{' } else { ',' })?;
                }
                f.write_str("}")
            }
            Self::Scalar(scalar) => {
                let name = Scalar::ALL.iter().find(|(_, known)| known == scalar).map(|(name, _)| *name);
                f.write_str(name.unwrap_or_default())
            }
            Self::Text => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
        }
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn value_type(&mut self, depth: usize) -> Result<ValueType, TypeError> {
        let Some(deeper) = depth.checked_sub(1) else { return Err(self.wrong("nested too deep")) };
        let start = self.at;
        let mut parsed = if self.take('{') {
            self.object(deeper)?
        } else {
            match self.word() {
                "list" => {
                    self.demand('<', "`<` is missing")?;
                    let element = self.value_type(deeper)?;
                    self.demand('>', "`>` is missing")?;
                    ValueType::List(Box::new(element))
                }
                "map" => {
                    self.demand('<', "`<` is missing")?;
                    let key = self.value_type(deeper)?;
                    self.demand(',', "`,` is missing")?;
                    let value = self.value_type(deeper)?;
                    self.demand('>', "`>` is missing")?;
                    ValueType::Map(Box::new(key), Box::new(value))
                }
                "Person" => ValueType::PERSON.parse()?,
                "string" => ValueType::Text,
                "bytes" => ValueType::Bytes,
                word => {
                    let Some((_, scalar)) = Scalar::ALL.iter().find(|(name, _)| *name == word) else {
                        self.at = start;
                        return Err(self.wrong("unknown word"));
                    };
                    ValueType::Scalar(*scalar)
                }
            }
        };
        if self.take('?') {
            parsed = ValueType::Nullable(Box::new(parsed));
        }
        Ok(parsed)
    }

    fn object(&mut self, depth: usize) -> Result<ValueType, TypeError> {
        let mut members = Vec::new();
        loop {
            let name = self.word().to_owned();
            if name.is_empty() || members.len() == MEMBERS_MAX {
                return Err(self.wrong("1 to 249 members with names"));
            }
            self.demand(':', "`:` is missing")?;
            members.push((name, self.value_type(depth)?));
            if self.take('}') {
                return Ok(ValueType::Object(members));
            }
            self.demand(',', "`,` or `}` is missing")?;
        }
    }

    /// The letters, digits and underlines that follow, with the blanks around them passed over.
    fn word(&mut self) -> &'a str {
        self.pass_blanks();
        let rest = &self.text[self.at..];
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let word = rest.split_once(|c| !is_part(c)).map_or(rest, |(word, _)| word);
        self.at += word.len();
        self.pass_blanks();
        word
    }

    /// Whether `sign` follows; passes over it and the blanks after it.
    fn take(&mut self, sign: char) -> bool {
        let follows = self.text[self.at..].starts_with(sign);
        if follows {
            self.at += sign.len_utf8();
            self.pass_blanks();
        }
        follows
    }

    fn demand(&mut self, sign: char, reason: &'static str) -> Result<(), TypeError> {
        if self.take(sign) { Ok(()) } else { Err(self.wrong(reason)) }
    }

    fn pass_blanks(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches(' ').len();
    }

    fn wrong(&self, reason: &'static str) -> TypeError {
        let text = self.text.chars().take(200).collect();
        TypeError { text, offset: self.at, reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        text.parse::<ValueType>().map_or_else(|error| error.to_string(), |parsed| parsed.to_string())
    }

    #[test]
    fn types_are_read_and_shown_in_their_one_form() {
        for text in ["i32", "string?", "list<list<i32>>", "map<string,i32>", "{Id:i32,Tags:list<string>?}?"] {
            assert_eq!(shown(text), text);
        }
        assert_eq!(shown(" map < string , i32 ? > "), "map<string,i32?>");
        assert_eq!(shown("list<Person>"), format!("list<{}>", ValueType::PERSON));
    }

    #[test]
    fn what_is_no_type_is_said_with_its_place() {
        for (text, part) in [
            ("", "at character 0"),
            ("int", "at character 0 of \"int\": unknown word"),
            ("list<int>", "at character 5"),
            ("list<i32", "at character 8 of \"list<i32\": `>` is missing"),
            ("map<i32>", "`,` is missing"),
            ("i32??", "at character 4 of \"i32??\": more after its end"),
            ("{}", "members with names"),
            ("{a:i32", "`,` or `}` is missing"),
            ("é", "unknown word"),
            (&"list<".repeat(17), "nested too deep"),
            (&"x".repeat(5_000), "longer than 4096 bytes"),
        ] {
            let error = shown(text);
            assert!(error.contains(part) && error.len() < 400, "{text}: {error}");
        }
    }
}
