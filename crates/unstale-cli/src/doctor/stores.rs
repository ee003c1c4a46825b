//! Second levels of unstale: docs/formats/redis-store.md.

use std::collections::BTreeSet;

use bytes::Bytes;
use redis::Value;
use serde_json::json;
use unstale_port::Error;

use super::report::Check;
use crate::server::{Server, is_of_another_type, of_key, reply};

/// What a shard says of itself.
#[derive(Debug, PartialEq, Eq)]
struct Shard {
    generation: u128,
    changes: i64,
    shards: i64,
}

/// Shards of one namespace that are looked into.
const SHARDS_MAX: usize = 1_024;

/// What is found of the store; nothing where other programs name their keys alike.
pub(super) async fn check(server: &Server, namespace: &str, marks: &[Bytes]) -> Option<Check> {
    let mut shards = Vec::new();
    let mut caches = BTreeSet::new();
    for key in marks.iter().take(SHARDS_MAX) {
        match read(server, key).await {
            Ok(Some((shard, names))) => {
                shards.push(shard);
                caches.extend(names);
            }
            Ok(None) => {}
            Err(error) => {
                let says = format!("unstale: the store `{namespace}` cannot be read: {error}");
                return Some(Check::warn("store", says).fact("namespace", namespace));
            }
        }
    }
    if shards.is_empty() {
        return None;
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
    let check = check
        .fact("namespace", namespace)
        .fact("shards", shards.len())
        .fact("shards_chosen", expected.first().copied())
        .fact("generations", json!(generations))
        .fact("changes", changes)
        .fact("caches", json!(names));
    Some(check)
}

/// The shard, and the caches that have marks of their own in it; nothing where the key is of another program.
async fn read(server: &Server, key: &Bytes) -> Result<Option<(Shard, Vec<String>)>, Error> {
    let head = match server.ask(&of_key("HMGET", key, &["g", "n", "s"])).await {
        Ok(head) => head,
        Err(error) if is_of_another_type(&error) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(shard) = Shard::of(&head) else { return Ok(None) };
    // A thousand caches have marks of their own at most.
    let fields = server.ask(&of_key("HKEYS", key, &[])).await?;
    let names = reply::list(&fields).iter().filter_map(reply::text);
    let names = names.filter_map(|field| field.strip_prefix('c').map(str::to_owned)).collect();
    Ok(Some((shard, names)))
}

impl Shard {
    fn of(head: &Value) -> Option<Self> {
        let [generation, changes, shards] = reply::list(head) else { return None };
        Some(Self {
            generation: u128::from_be_bytes(reply::bytes(generation)?.as_ref().try_into().ok()?),
            changes: reply::number(changes)?,
            shards: reply::number(shards)?,
        })
    }
}
