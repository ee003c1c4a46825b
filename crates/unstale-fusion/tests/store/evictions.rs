//! Redis loses what lies beside keys, or marks: what this process knows of them counts all the same.

use unstale_fusion::{Format, FusionStore};
use unstale_port::{Store, StoreFuture};
use unstale_servers::{Program, Redis, needs};

use crate::layout::{command, key, ticks, value, write_as_net};
use crate::shelves::open;

type Raise = fn(&FusionStore) -> StoreFuture<'_, ()>;

#[tokio::test]
async fn a_late_fill_is_not_used_though_the_note_of_the_removal_was_evicted() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("redis starts");
    let store = open(&redis, Format::SystemTextJson, "").await.store();
    let keys = [key("removed"), key("expired")];
    store.remove("c", &keys[..1], 20).await.expect("the store answers");
    store.expire("c", &keys[1..], 21).await.expect("the store answers");
    command(&redis, &["FLUSHALL"]).await;
    for name in ["removed", "expired", "other"] {
        write_as_net(&redis, &format!("v2:{name}"), "1", ticks(&redis).await, "null").await;
    }
    assert_eq!(value(&store, "removed").await, None);
    assert_eq!(value(&store, "expired").await, None);
    assert_eq!(value(&store, "other").await, Some(key("1")));
}

#[tokio::test]
async fn what_a_mark_has_ended_stays_so_though_the_mark_was_evicted() {
    needs!(Program::RedisServer);
    let ways: [(&str, Raise); 3] = [
        ("remove all", |store| store.raise(None, None, 20)),
        ("expire all", |store| store.raise_stale(None, None, 20)),
        ("tag", |store| store.raise(None, Some(key("t")), 20)),
    ];
    for (way, raise) in ways {
        let redis = Redis::start().await.expect("redis starts");
        let store = open(&redis, Format::SystemTextJson, "").await.store();
        let before = ticks(&redis).await;
        raise(&store).await.expect("the store answers");
        command(&redis, &["FLUSHALL"]).await;
        // One from before the mark, and one that may be a fill which began before it.
        for (name, timestamp) in [("old", before), ("late", ticks(&redis).await)] {
            write_as_net(&redis, &format!("v2:{name}"), "1", timestamp, r#"["t"]"#).await;
            assert_eq!(value(&store, name).await, None, "{way}: {name}");
        }
    }
}
