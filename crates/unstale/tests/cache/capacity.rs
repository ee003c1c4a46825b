//! Bounds on memory.

use unstale::metrics::names;
use unstale::{Cache, FailSafe};
use unstale_l1::ENTRY_OVERHEAD_BYTES;

use crate::world::{Database, alone, pass, seconds};

#[tokio::test(start_paused = true)]
async fn a_cache_holds_no_more_entries_than_allowed() {
    // F22
    let node = alone().await;
    let users: Cache<u64, u64> = node.cache("users").capacity_entries(100).build().unwrap();
    for key in 0..10_000 {
        users.get_or_load(&key, Database::default().gives(key)).await.unwrap();
        assert!(users.len() <= 100, "{} entries", users.len());
    }
    assert!(users.len() > 50, "{} entries", users.len());
}

#[tokio::test(start_paused = true)]
async fn a_cache_holds_no_more_bytes_than_allowed() {
    // F22
    let node = alone().await;
    let users: Cache<u64, Vec<u8>> = node
        .cache("users")
        .capacity_bytes(100_000)
        .weigher(|_, value: &Vec<u8>| value.len() as u64)
        .build()
        .unwrap();
    let held = || users.iter().map(|(_, value)| value.map_or(0, |value| value.len())).sum::<usize>();
    for key in 0..1_000_u64 {
        let value = vec![0_u8; 500 + (key % 1_000) as usize];
        users.get_or_load(&key, Database::default().gives(value)).await.unwrap();
        assert!(held() <= 100_000, "{} bytes", held());
    }
    assert!(held() > 40_000, "{} bytes", held());
    // What is larger than the cache is answered, and not kept.
    let huge = users.get_or_load(&5_000, Database::default().gives(vec![0; 200_000])).await.unwrap();
    assert_eq!(huge.len(), 200_000);
    assert!(users.get(&5_000).is_none());
}

#[tokio::test(start_paused = true)]
async fn keys_of_text_are_weighed_and_found_whatever_their_length() {
    // F22
    let node = alone().await;
    let users: Cache<String, u64> = node
        .cache("users")
        .capacity_bytes(100_000)
        .weigher(|key: &String, _| key.len() as u64)
        .build()
        .unwrap();
    let keys = [1, 24, 25, 4_000].map(|length| "k".repeat(length));
    for (value, key) in (0..).zip(&keys) {
        users.get_or_load(key, Database::default().gives(value)).await.unwrap();
        let _ = users.set(format!("{key}."), value).await.unwrap();
    }
    let weight = node.metrics().total(names::CACHE_WEIGHT, &[]) as u64;
    let (texts, entries) = (2 * (1 + 24 + 25 + 4_000) + 4, 2 * keys.len() as u64);
    assert_eq!(weight, texts + entries * ENTRY_OVERHEAD_BYTES);
    for (value, key) in (0..).zip(&keys) {
        assert_eq!(users.get(key).as_deref(), Some(&value));
        assert_eq!(users.get(key.as_str()).as_deref(), Some(&value));
        assert!(users.remove(key.as_str()).await.unwrap().present());
        assert!(users.get(key).is_none());
        assert!(users.expire(&format!("{key}.")).await.unwrap().present());
    }
    assert!(users.iter().next().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_memory_of_what_is_too_old_for_anything_is_given_back() {
    let node = alone().await;
    let fail_safe = FailSafe::for_at_most(seconds(20));
    let users: Cache<u64, u64> =
        node.cache("users").time_to_live(seconds(10)).fail_safe(fail_safe).build().unwrap();
    for key in 0..1_000 {
        users.get_or_load(&key, Database::default().gives(key)).await.unwrap();
    }
    pass(seconds(20)).await;
    assert_eq!(users.len(), 1_000, "stale, and kept for fail-safe");
    pass(seconds(15)).await;
    assert_eq!(users.len(), 0);
}
