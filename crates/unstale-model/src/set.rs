//! Sets of at most eight small numbers.

/// A set of lives, or of acts, by their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Set(u8);

impl Set {
    /// Nothing.
    pub(crate) const EMPTY: Self = Self(0);

    /// Only this one.
    pub(crate) const fn one(member: usize) -> Self {
        Self(1 << member)
    }

    /// All below this number.
    pub(crate) const fn below(end: usize) -> Self {
        Self(((1_u16 << end) - 1) as u8)
    }

    pub(crate) const fn has(self, member: usize) -> bool {
        self.0 & (1 << member) != 0
    }

    pub(crate) const fn with(self, member: usize) -> Self {
        Self(self.0 | 1 << member)
    }

    pub(crate) const fn without(self, member: usize) -> Self {
        Self(self.0 & !(1 << member))
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    pub(crate) const fn bits(self) -> u8 {
        self.0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(crate) const fn holds(self, other: Self) -> bool {
        other.0 & !self.0 == 0
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = usize> {
        (0..8).filter(move |member| self.has(*member))
    }
}

impl FromIterator<usize> for Set {
    fn from_iter<T: IntoIterator<Item = usize>>(members: T) -> Self {
        members.into_iter().fold(Self::EMPTY, Self::with)
    }
}
