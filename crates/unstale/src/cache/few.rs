//! One or many, without a list for the one: most loads are of a single key.

use std::slice;

/// One thing, or a list of them.
pub(crate) enum Few<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> Few<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => slice::from_ref(one),
            Self::Many(many) => many,
        }
    }

    /// What `join` makes of each and of its counterpart, of which there are as many.
    pub(crate) fn zip_with<U, R>(self, others: Few<U>, mut join: impl FnMut(T, U) -> R) -> Few<R> {
        assert_eq!(self.as_slice().len(), others.as_slice().len(), "each has its counterpart");
        match (self, others) {
            (Self::One(one), Few::One(other)) => Few::One(join(one, other)),
            (one, other) => {
                let pairs = one.into_vec().into_iter().zip(other.into_vec());
                Few::Many(pairs.map(|(one, other)| join(one, other)).collect())
            }
        }
    }

    /// The one, of one.
    pub(crate) fn into_one(self) -> Option<T> {
        match self {
            Self::One(one) => Some(one),
            Self::Many(mut many) => many.pop(),
        }
    }

    pub(crate) fn into_vec(self) -> Vec<T> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stays_one_and_a_list_keeps_its_order() {
        let one = Few::One(2).zip_with(Few::One(3), |a, b| a * b);
        assert!(matches!(one, Few::One(6)));
        assert_eq!(one.into_one(), Some(6));
        let many = Few::Many(vec![1, 2]).zip_with(Few::Many(vec![3, 4]), |a, b| a * 10 + b);
        assert_eq!(many.into_vec(), [13, 24]);
    }

    #[test]
    #[should_panic(expected = "each has its counterpart")]
    fn none_is_left_without_its_counterpart() {
        Few::One(1).zip_with(Few::Many(vec![1, 2]), |a: i32, b: i32| a + b);
    }
}
