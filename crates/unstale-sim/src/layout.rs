//! What is cached: rows, pages made of rows, books made of pages, and what a cached value says about itself.

use std::error::Error as StdError;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use unstale::Codec;

/// A row, a page or a book, by its place among all of them.
pub type Subject = u16;

/// A version of a row in the database; 0 is the one from before the world began.
pub type Version = u32;

/// Which subjects there are, and what is made of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Rows of the database.
    pub rows: u16,
    /// Values made of two rows each.
    pub pages: u16,
    /// Values made of two pages each.
    pub books: u16,
    /// Tags over the rows.
    pub tags: u16,
}

/// The three caches of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Copies of rows.
    Row,
    /// Values made of rows.
    Page,
    /// Values made of pages.
    Book,
}

impl Kind {
    /// The name of its cache.
    pub const fn cache(self) -> &'static str {
        match self {
            Self::Row => "rows",
            Self::Page => "pages",
            Self::Book => "books",
        }
    }
}

impl Layout {
    /// How many subjects there are.
    pub const fn subjects(self) -> u16 {
        self.rows + self.pages + self.books
    }

    /// In which cache a subject lies, and under which key.
    pub const fn place(self, subject: Subject) -> (Kind, u64) {
        if subject < self.rows {
            (Kind::Row, subject as u64)
        } else if subject < self.rows + self.pages {
            (Kind::Page, (subject - self.rows) as u64)
        } else {
            (Kind::Book, (subject - self.rows - self.pages) as u64)
        }
    }

    /// The two subjects that a page or a book is made of.
    pub const fn parts(self, subject: Subject) -> Option<[Subject; 2]> {
        match self.place(subject) {
            (Kind::Row, _) => None,
            (Kind::Page, page) => {
                let page = page as u16;
                Some([2 * page % self.rows, (2 * page + 1) % self.rows])
            }
            (Kind::Book, book) => {
                let book = book as u16;
                Some([self.rows + 2 * book % self.pages, self.rows + (2 * book + 1) % self.pages])
            }
        }
    }

    /// The tag of a row.
    pub const fn tag(self, row: Subject) -> u16 {
        row % self.tags
    }

    /// For people: the cache and the key.
    pub fn name(self, subject: Subject) -> String {
        let (kind, key) = self.place(subject);
        let word = match kind {
            Kind::Row => "row",
            Kind::Page => "page",
            Kind::Book => "book",
        };
        format!("{word} {key}")
    }
}

/// Something that a cached value shows: a row of a version, or a page or book; and when its load began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// What.
    pub subject: Subject,
    /// Of a row: which version of it.
    pub version: Version,
    /// The step of the world at which its load began, or at which it was set.
    pub began: u64,
}

/// The parts of a value: itself first.
const PARTS_MAX: usize = 7;

/// A cached value: what it shows, itself first, then all that it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    parts: [Part; PARTS_MAX],
    len: u8,
}

impl Shown {
    /// A value that shows itself only.
    pub fn of(part: Part) -> Self {
        let mut parts = [Part::default(); PARTS_MAX];
        parts[0] = part;
        Self { parts, len: 1 }
    }

    /// Adds what another value shows. What does not exist shows nothing.
    pub fn add(&mut self, other: &Self) {
        for part in other.parts() {
            self.parts[usize::from(self.len)] = *part;
            self.len += 1;
        }
    }

    /// All that it shows.
    pub fn parts(&self) -> &[Part] {
        &self.parts[..usize::from(self.len)]
    }
}

/// How values lie in the second level.
#[derive(Clone, Copy, Debug)]
pub struct ShownCodec;

impl Codec<Shown> for ShownCodec {
    fn encode(&self, value: &Shown) -> Result<Bytes, Box<dyn StdError + Send + Sync>> {
        let mut bytes = BytesMut::new();
        for part in value.parts() {
            bytes.put_u16(part.subject);
            bytes.put_u32(part.version);
            bytes.put_u64(part.began);
        }
        Ok(bytes.freeze())
    }

    fn decode(&self, bytes: &Bytes) -> Result<Shown, Box<dyn StdError + Send + Sync>> {
        let mut bytes = bytes.clone();
        let mut shown = Shown { parts: [Part::default(); PARTS_MAX], len: 0 };
        while bytes.len() >= 14 && usize::from(shown.len) < PARTS_MAX {
            let part = Part { subject: bytes.get_u16(), version: bytes.get_u32(), began: bytes.get_u64() };
            shown.parts[usize::from(shown.len)] = part;
            shown.len += 1;
        }
        Ok(shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_are_made_of_pages_and_pages_of_rows() {
        let layout = Layout { rows: 8, pages: 4, books: 2, tags: 3 };
        assert_eq!(layout.place(11), (Kind::Page, 3));
        assert_eq!(layout.parts(11), Some([6, 7]));
        assert_eq!(layout.parts(13), Some([10, 11]));
        assert_eq!(layout.parts(3), None);
        assert_eq!(layout.name(13), "book 1");
    }

    #[test]
    fn a_value_keeps_its_parts_through_the_store() {
        let mut shown = Shown::of(Part { subject: 9, version: 0, began: 5 });
        shown.add(&Shown::of(Part { subject: 1, version: 3, began: 4 }));
        let bytes = ShownCodec.encode(&shown).unwrap();
        assert_eq!(ShownCodec.decode(&bytes).unwrap(), shown);
    }
}
