//! Loaders without their types, and their panics contained.

use std::any::Any;
use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::load::Load;
use super::loaded::{Embodied, Loaded};

/// A loader for one key and then the future that it makes, without their types and in one allocation.
pub(crate) type Loader<V> = Pin<Box<dyn Loading<V>>>;

/// What a loader is, and comes to.
pub(crate) trait Loading<V>: Future<Output = Result<Embodied<V>, Cause>> + Send {
    /// Has the loader called with this handle by the first poll. To be done once, and before.
    fn begin(self: Pin<&mut Self>, load: Load<V>);
}

/// Why a loader gave nothing.
pub(crate) enum Cause {
    /// It returned an error.
    Error(Box<dyn StdError + Send + Sync>),
    /// It panicked, with this message.
    Panic(String),
}

/// Takes the types off `loader`. What it does before its first await is contained like the rest.
pub(crate) fn erase<V, F, Fut, T, E>(loader: F) -> Loader<V>
where
    F: FnOnce(Load<V>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Into<Loaded<V>>,
    E: Into<Box<dyn StdError + Send + Sync>>,
    V: Send + Sync + 'static,
{
    Box::pin(Stage::<V, F, Fut>::Idle { loader: Some(loader), load: None })
}

pin_project! {
    /// A loader before and after it was called.
    #[project = StageProjection]
    enum Stage<V, F, Fut> {
        Idle { loader: Option<F>, load: Option<Load<V>> },
        Loading { #[pin] future: Fut },
    }
}

impl<V, F, Fut, T, E> Loading<V> for Stage<V, F, Fut>
where
    F: FnOnce(Load<V>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
    T: Into<Loaded<V>>,
    E: Into<Box<dyn StdError + Send + Sync>>,
    V: Send + Sync + 'static,
{
    fn begin(self: Pin<&mut Self>, handle: Load<V>) {
        if let StageProjection::Idle { load, .. } = self.project() {
            *load = Some(handle);
        }
    }
}

impl<V, F, Fut, T, E> Future for Stage<V, F, Fut>
where
    F: FnOnce(Load<V>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    T: Into<Loaded<V>>,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    type Output = Result<Embodied<V>, Cause>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut stage = self;
        contained(|| {
            if let StageProjection::Idle { loader, load } = stage.as_mut().project() {
                let (loader, load) = loader.take().zip(load.take()).expect("a loader has begun");
                stage.set(Self::Loading { future: loader(load) });
            }
            match stage.project() {
                StageProjection::Loading { future } => future
                    .poll(cx)
                    .map(|answer| answer.map(embodied).map_err(|error| Cause::Error(error.into()))),
                StageProjection::Idle { .. } => unreachable!("it was called"),
            }
        })
    }
}

fn embodied<V>(answer: impl Into<Loaded<V>>) -> Embodied<V> {
    answer.into().0.embody()
}

/// Polls a future whose panic is its answer. After a panic it must not be polled again, so that no broken invariant of it is seen.
pub(crate) fn poll_contained<T>(
    future: Pin<&mut impl Future<Output = Result<T, Cause>>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, Cause>> {
    contained(|| future.poll(cx))
}

fn contained<T>(poll: impl FnOnce() -> Poll<Result<T, Cause>>) -> Poll<Result<T, Cause>> {
    match catch_unwind(AssertUnwindSafe(poll)) {
        Ok(polled) => polled,
        Err(payload) => Poll::Ready(Err(Cause::Panic(message(&*payload)))),
    }
}

fn message(payload: &(dyn Any + Send)) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "without a message".to_owned()
    }
}
