//! The forms of a read's answer: the bare value, an option of it, or either with what is known of its freshness.

use std::marker::PhantomData;

use super::call::{Answer, Demand};
use super::value::{Read, Value};
use crate::Error;

/// The answer is the value; that there is none is an error.
#[derive(Clone, Copy, Debug)]
pub struct Plain;

/// The answer is an option of the value.
#[derive(Clone, Copy, Debug)]
pub struct Maybe;

/// The answer says what was served, and freshness may be demanded of it.
#[derive(Clone, Copy, Debug)]
pub struct Said<S> {
    demand: Demand,
    bare: PhantomData<S>,
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Plain {}
    impl Sealed for super::Maybe {}
    impl<S> Sealed for super::Said<S> {}
}

/// The form of an answer. Sealed.
pub trait Form<V>: sealed::Sealed + Sized {
    /// What the future answers.
    type Output;
    /// The same form without the demand.
    type Bare;

    /// Whether the news that there is nothing is an answer.
    #[doc(hidden)]
    const FINDS: bool;

    #[doc(hidden)]
    fn demand(&self) -> Demand;
    #[doc(hidden)]
    fn said(self, change: impl FnOnce(&mut Demand)) -> Said<Self::Bare>;
    #[doc(hidden)]
    fn output(answer: Answer<V>) -> Result<Self::Output, Error>;
}

impl<V> Form<V> for Plain {
    type Output = Value<V>;
    type Bare = Self;
    const FINDS: bool = false;

    fn demand(&self) -> Demand {
        Demand::NONE
    }

    fn said(self, change: impl FnOnce(&mut Demand)) -> Said<Self> {
        Said::demanding(Demand::NONE, change)
    }

    fn output(answer: Answer<V>) -> Result<Value<V>, Error> {
        answer.into_value()
    }
}

impl<V> Form<V> for Maybe {
    type Output = Option<Value<V>>;
    type Bare = Self;
    const FINDS: bool = true;

    fn demand(&self) -> Demand {
        Demand::NONE
    }

    fn said(self, change: impl FnOnce(&mut Demand)) -> Said<Self> {
        Said::demanding(Demand::NONE, change)
    }

    fn output(answer: Answer<V>) -> Result<Option<Value<V>>, Error> {
        Ok(answer.value)
    }
}

impl<V> Form<V> for Said<Plain> {
    type Output = Read<Value<V>>;
    type Bare = Plain;
    const FINDS: bool = false;

    fn demand(&self) -> Demand {
        self.demand
    }

    fn said(self, change: impl FnOnce(&mut Demand)) -> Self {
        Self::demanding(self.demand, change)
    }

    fn output(answer: Answer<V>) -> Result<Read<Value<V>>, Error> {
        answer.into_read()
    }
}

impl<V> Form<V> for Said<Maybe> {
    type Output = Read<Option<Value<V>>>;
    type Bare = Maybe;
    const FINDS: bool = true;

    fn demand(&self) -> Demand {
        self.demand
    }

    fn said(self, change: impl FnOnce(&mut Demand)) -> Self {
        Self::demanding(self.demand, change)
    }

    fn output(answer: Answer<V>) -> Result<Read<Option<Value<V>>>, Error> {
        Ok(answer.into_read_of_option())
    }
}

impl<S> Said<S> {
    fn demanding(mut demand: Demand, change: impl FnOnce(&mut Demand)) -> Self {
        change(&mut demand);
        Self { demand, bare: PhantomData }
    }
}
