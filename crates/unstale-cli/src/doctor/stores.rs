//! Second levels of unstale: docs/formats/redis-store.md.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::json;

use super::report::Check;
use crate::server::{Server, command, reply};

/// What a shard says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Shard {
    generation: u128,
    changes: i64,
    shards: i64,
}

/// Shards of one namespace that are looked into.
const SHARDS_MAX: usize = 1_024;

pub(super) async fn check(server: &Server, namespace: &str, marks: &[Bytes]) -> Check {
    let mut shards = Vec::new();
    let mut caches = BTreeSet::new();
    for key in marks.iter().take(SHARDS_MAX) {
        match read(server, key).await {
            Ok((shard, names)) => {
                shards.push(shard);
                caches.extend(names);
            }
            Err(error) => {
                return Check::warn(
                    "store",
                    format!("unstale: the store `{namespace}` cannot be read: {error}"),
                )
                .fact("namespace", namespace);
            }
        }
    }
    let expected: BTreeSet<i64> = shards.iter().map(|shard| shard.shards).collect();
    let changes: i64 = shards.iter().map(|shard| shard.changes).sum();
    let names: Vec<&str> = caches.iter().map(String::as_str).collect();
    let says = format!(
        "unstale: the store `{namespace}`, {} shards here, {}",
        shards.len(),
        if names.is_empty() {
            "no cache was cleared or marked yet".to_owned()
        } else {
            format!("caches {}", names.join(", "))
        }
    );
    let check = if expected.len() > 1 {
        Check::fail(
            "store",
            format!("{says}; its shards were made for {expected:?} shards: nodes have to choose one number"),
        )
    } else {
        Check::ok("store", says)
    };
    let generations: Vec<_> = shards.iter().map(|shard| format!("{:032x}", shard.generation)).collect();
    check
        .fact("namespace", namespace)
        .fact("shards", shards.len())
        .fact("shards_chosen", expected.first().copied())
        .fact("generations", json!(generations))
        .fact("changes", changes)
        .fact("caches", json!(names))
}

/// The shard, and the caches that have marks of their own in it.
async fn read(server: &Server, key: &Bytes) -> Result<(Shard, Vec<String>), String> {
    let words = |words: &[&str]| {
        let mut all: Vec<Bytes> = words.iter().map(|word| Bytes::copy_from_slice(word.as_bytes())).collect();
        all.insert(1, key.clone());
        command(all)
    };
    let head = server.ask(&words(&["HMGET", "g", "n", "s"])).await.map_err(|error| error.to_string())?;
    let [generation, changes, shards] = reply::list(&head) else {
        return Err("its marks are no hash".to_owned());
    };
    let generation = reply::bytes(generation).ok_or("its marks have no generation")?;
    let shard = Shard {
        generation: u128::from_be_bytes(generation.as_ref().try_into().unwrap_or_default()),
        changes: reply::number(changes).unwrap_or_default(),
        shards: reply::number(shards).unwrap_or_default(),
    };
    // A thousand caches have marks of their own at most.
    let fields = server.ask(&words(&["HKEYS"])).await.map_err(|error| error.to_string())?;
    let names = reply::list(&fields).iter().filter_map(reply::text);
    let names = names.filter_map(|field| field.strip_prefix('c').map(str::to_owned)).collect();
    Ok((shard, names))
}
