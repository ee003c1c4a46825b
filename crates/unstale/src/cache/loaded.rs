//! What a loader answers.

use unstale_l1::Body;

use super::value::Stored;

/// What a loader answers: a value, that there is none, or that the previous one still holds.
///
/// Loaders seldom name this type: a plain value becomes one by itself, an `Option` becomes a value or
/// [`Loaded::nothing`].
///
/// ```
/// use unstale::Loaded;
///
/// let found: Loaded<u32> = 7.into();
/// let missing: Loaded<u32> = None.into();
/// assert_eq!((found, missing), (Loaded::value(7), Loaded::nothing()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded<V>(pub(crate) Answer<V>);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer<V> {
    Value(V),
    Nothing,
    NotModified,
}

/// An answer whose value lies where it is going to be: it passes through many hands, and each would copy it.
pub(crate) type Embodied<V> = Answer<Body<Stored<V>>>;

impl<V> Answer<V> {
    pub(crate) fn embody(self) -> Embodied<V> {
        match self {
            Self::Value(value) => Answer::Value(Body::new(Stored::Plain(value))),
            Self::Nothing => Answer::Nothing,
            Self::NotModified => Answer::NotModified,
        }
    }
}

impl<V> Loaded<V> {
    /// This value.
    pub const fn value(value: V) -> Self {
        Self(Answer::Value(value))
    }

    /// There is no such thing. Cached as such for the negative time to live.
    pub const fn nothing() -> Self {
        Self(Answer::Nothing)
    }

    /// The value that [`crate::Load::previous`] gave still holds: it is fresh again, from the start of this load.
    ///
    /// If anything that it was computed from, or the value itself, was invalidated meanwhile, this answer is refused;
    /// [`crate::GetOrLoad::repeat_if_refused`] then loads again, without a previous value.
    pub const fn not_modified() -> Self {
        Self(Answer::NotModified)
    }
}

impl<V> From<V> for Loaded<V> {
    fn from(value: V) -> Self {
        Self::value(value)
    }
}

impl<V> From<Option<V>> for Loaded<V> {
    fn from(found: Option<V>) -> Self {
        found.map_or_else(Self::nothing, Self::value)
    }
}
