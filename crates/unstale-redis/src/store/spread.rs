//! Keys spread over shards: one call for each, side by side.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::task::Poll;

use bytes::Bytes;
use unstale_port::{Error, Lookup};

use super::keys::Names;

/// The keys of each shard, with their places in the call.
pub(super) fn by_shard<'k>(
    names: &Names,
    cache: &str,
    keys: &'k [Bytes],
) -> Vec<(u32, Vec<(usize, &'k Bytes)>)> {
    let mut shards: BTreeMap<u32, Vec<(usize, &Bytes)>> = BTreeMap::new();
    for (index, key) in keys.iter().enumerate() {
        shards.entry(names.place(cache, key).shard).or_default().push((index, key));
    }
    shards.into_iter().collect()
}

/// The answers of all shards in the order of the keys.
pub(super) fn in_order(shards: &[(u32, Vec<(usize, &Bytes)>)], reads: Vec<Vec<Lookup>>) -> Vec<Lookup> {
    let indices = shards.iter().flat_map(|(_, keys)| keys.iter().map(|(index, _)| *index));
    let mut lookups: Vec<(usize, Lookup)> = indices.zip(reads.into_iter().flatten()).collect();
    lookups.sort_by_key(|(index, _)| *index);
    lookups.into_iter().map(|(_, lookup)| lookup).collect()
}

/// Runs calls side by side, all to their ends; the first error is that of all.
pub(super) async fn all<T>(
    calls: impl IntoIterator<Item = impl Future<Output = Result<T, Error>>>,
) -> Result<Vec<T>, Error> {
    let mut running: Vec<_> = calls.into_iter().map(|call| (Box::pin(call), None)).collect();
    poll_fn(|cx| {
        let mut is_over = true;
        for (call, answer) in &mut running {
            if answer.is_none() {
                match call.as_mut().poll(cx) {
                    Poll::Ready(done) => *answer = Some(done),
                    Poll::Pending => is_over = false,
                }
            }
        }
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, answer)| answer).collect()
}
