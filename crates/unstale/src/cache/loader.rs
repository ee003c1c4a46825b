//! Loaders without their types, and their panics contained.

use std::any::Any;
use std::error::Error as StdError;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use super::load::Load;
use super::loaded::Loaded;

/// What a loader gives, without its types.
pub(crate) type LoadFuture<V> = Pin<Box<dyn Future<Output = Result<Loaded<V>, Cause>> + Send>>;

/// A loader without its types, for one key.
pub(crate) type Loader<V> = Box<dyn FnOnce(Load<V>) -> LoadFuture<V> + Send>;

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
    Box::new(move |load| {
        Box::pin(async move {
            let answer =
                async move { loader(load).await.map(Into::into).map_err(|error| Cause::Error(error.into())) };
            let mut answer = pin!(answer);
            poll_fn(|cx| poll_contained(answer.as_mut(), cx)).await
        })
    })
}

/// Polls a future whose panic is its answer. After a panic it must not be polled again, so that no broken invariant of it is seen.
pub(crate) fn poll_contained<T>(
    future: Pin<&mut impl Future<Output = Result<T, Cause>>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, Cause>> {
    match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
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
