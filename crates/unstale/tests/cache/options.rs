//! Names, choices, and what makes no sense.

use std::convert::Infallible;
use std::time::Duration;

use unstale::{Cache, EntryOptions, ErrorKind, FailSafe, Key, Raw, Skip, StoreFills};

use crate::world::{Database, HOUR, alone, millis, pass, seconds};

#[tokio::test(start_paused = true)]
async fn two_caches_of_one_name_with_different_types_are_an_error_that_says_so() {
    let node = alone().await;
    let users: Cache<u64, String> = node.cache("users").build().unwrap();
    let error = node.cache::<u64, u32>("users").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CacheTypes);
    let text = error.to_string();
    assert!(text.starts_with("build: cache users holds "), "{text}");
    assert!(text.contains("String") && text.contains("u32"), "{text}");
    let error = node.cache::<u64, String>("users").build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CacheTypes);
    assert_eq!(
        error.to_string(),
        "build: the cache users is in use on this node: clone it instead of building it again"
    );
    // A name is free again when its last handle is gone.
    drop(users);
    node.cache::<u64, u32>("users").build().unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_longest_durations_mean_never_and_do_not_overflow() {
    let node = alone().await;
    let forever = FailSafe::for_at_most(Duration::MAX).throttle(Duration::MAX);
    let rows: Cache<u64, u64> = node
        .cache("rows")
        .time_to_live(Duration::MAX)
        .jitter(Duration::MAX)
        .fail_safe(forever)
        .soft_timeout(HOUR)
        .hard_timeout(Duration::MAX)
        .build()
        .unwrap();
    let database = Database::default();
    for key in 0..8 {
        let receipt = rows.set_with(key, 7, &EntryOptions::new().jitter(Duration::MAX)).await.unwrap();
        assert!(receipt.announced());
    }
    assert_eq!(*rows.get_or_load(&9, database.gives(7)).await.unwrap(), 7);
    let load = async |keys: Vec<u64>, _| Ok::<_, Infallible>(keys.into_iter().map(|key| (key, 7)).collect());
    assert_eq!(rows.get_or_load_many(&[10, 11], load).await.unwrap().len(), 2);
    pass(HOUR).await;
    assert!(rows.get(&0).is_some() && rows.get(&9).is_some());
}

#[tokio::test(start_paused = true)]
async fn everything_that_makes_no_sense_is_named_at_once() {
    let node = alone().await;
    let error = node
        .cache::<u64, String>("users")
        .time_to_live(millis(1))
        .eager_refresh(2.0)
        .capacity_entries(0)
        .weigher(|_, value| value.len() as u64)
        .stored_as(Raw)
        .build()
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(
        error.to_string(),
        "build: cache \"users\": time to live of 1ms is below the limit of 16ms; \
         eager refresh at 2 of the time to live is not between 0 and 1; \
         capacity of 0: a cache that holds nothing; \
         weigher without a capacity in bytes: nothing would be weighed; \
         codec for a store, but the node has no store"
    );
    let error = node.cache::<u64, String>("").build().unwrap_err();
    assert_eq!(error.to_string(), "build: the name \"\" of the cache: a name is empty");
    let error =
        node.cache::<u64, String>("x").store_time_to_live(HOUR).soft_timeout(millis(5)).build().unwrap_err();
    assert!(error.to_string().contains("soft timeout without fail-safe"), "{error}");
    assert!(error.to_string().contains("without `stored_as`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_call_may_choose_otherwise_than_the_cache() {
    // F12
    let node = alone().await;
    let users: Cache<u64, u64> = node.cache("users").time_to_live(HOUR).build().unwrap();
    let short = EntryOptions::new().time_to_live(seconds(2));
    users.get_or_load(&1, Database::default().gives(1)).options(&short).await.unwrap();
    users.get_or_load(&2, Database::default().gives(2)).await.unwrap();
    let _receipt = users.set_with(3, 3, &short).await.unwrap();
    pass(seconds(3)).await;
    assert!(users.get(&1).is_none());
    assert!(users.get(&2).is_some());
    assert!(users.get(&3).is_none());
}

#[tokio::test(start_paused = true)]
async fn memory_can_be_left_out_for_reading_and_for_writing() {
    // F17
    let node = alone().await;
    let users: Cache<u64, u64> = node.cache("users").build().unwrap();
    let database = Database::default();
    let unread = EntryOptions::new().skip(Skip::MemoryRead);
    users.get_or_load(&1, database.gives(1)).await.unwrap();
    assert_eq!(*users.get_or_load(&1, database.gives(2)).options(&unread).await.unwrap(), 2);
    assert_eq!(users.get(&1).as_deref(), Some(&2), "it was written");
    let unwritten = EntryOptions::new().skip(Skip::MemoryWrite);
    users.get_or_load(&3, database.gives(3)).options(&unwritten).await.unwrap();
    assert!(users.get(&3).is_none());
    let _receipt = users.set_with(1, 9, &unwritten).await.unwrap();
    assert!(users.get(&1).is_none(), "what a set makes old is dropped all the same");
}

#[tokio::test(start_paused = true)]
async fn keys_of_own_types_are_looked_up_by_what_they_are() {
    #[derive(Clone, Debug, PartialEq, Eq, Hash)]
    struct UserId(u64);
    impl Key for UserId {
        type Kept = Self;

        fn encode(&self) -> bytes::Bytes {
            self.0.encode()
        }
        fn decode(bytes: &[u8]) -> Option<Self> {
            u64::decode(bytes).map(Self)
        }
    }
    let node = alone().await;
    let users: Cache<UserId, &str> =
        node.cache("users").fail_safe(FailSafe::for_at_most(HOUR)).build().unwrap();
    users.get_or_load(&UserId(7), async |_| Ok::<_, Infallible>("Ada")).await.unwrap();
    assert_eq!(users.get(&UserId(7)).as_deref(), Some(&"Ada"));
    assert_eq!(users.iter().map(|(key, _)| key).collect::<Vec<_>>(), [UserId(7)]);
    let names: Cache<(String, u32), u8> = node.cache("names").build().unwrap();
    let _receipt = names.set(("a".to_owned(), 1), 1).await.unwrap();
    assert_eq!(names.get(&("a".to_owned(), 1)).as_deref(), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn a_choice_for_the_store_is_refused_where_no_store_is_used() {
    // F12
    let node = alone().await;
    let builder = || node.cache::<u64, u64>("users").fail_safe(FailSafe::for_at_most(HOUR));
    for builder in [
        builder().store_time_to_live(HOUR),
        builder().store_fail_safe(HOUR),
        builder().store_timeout(seconds(1)),
        builder().store_soft_timeout(millis(100)),
        builder().store_fills(StoreFills::InBackground),
        builder().load_turn(seconds(1)),
        builder().key_prefix("p:"),
    ] {
        let error = builder.build().unwrap_err();
        assert_eq!(
            error.to_string(),
            "build: cache \"users\": choices for the store without `stored_as`: the cache would not use it"
        );
    }
}
