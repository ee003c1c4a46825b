//! An invalidation during a load: the old value is never served to a read that begins after the invalidation returned, for
//! every way to load and every kind of invalidation (P1, F-4, F-5).
//!
//! Each test puts a gate into a load of one way, lets the load come to it, invalidates, and then lets the load go on with the
//! value that it had read before. With [`Reader::Comes`] another reader comes in between; without one, the old load is
//! alone with an empty cache, which is what the check at the store is for.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinHandle;
use unstale::{Cache, EntryOptions, FailSafe, Freshness, Load, Loaded, Node, Skip, TokioClock};
use unstale_port::memory::Hub;

use crate::gate::{Gate, Passage};
use crate::world::settle;

const KEY: u64 = 7;
const OTHER: u64 = 8;
const TAG: &str = "org:1";
const HOUR: Duration = Duration::from_secs(3_600);

/// Every way in which something can become invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Remove,
    RemoveMany,
    Expire,
    Set,
    RemoveTag,
    ExpireTag,
    Clear,
    ExpireAll,
    NodeRemoveTag,
    NodeClear,
    RemoteRemove,
    RemoteSet,
    RemoteRemoveTag,
    RemoteClear,
}

const DEEDS: [Deed; 14] = [
    Deed::Remove,
    Deed::RemoveMany,
    Deed::Expire,
    Deed::Set,
    Deed::RemoveTag,
    Deed::ExpireTag,
    Deed::Clear,
    Deed::ExpireAll,
    Deed::NodeRemoveTag,
    Deed::NodeClear,
    Deed::RemoteRemove,
    Deed::RemoteSet,
    Deed::RemoteRemoveTag,
    Deed::RemoteClear,
];

/// Whether somebody reads between the invalidation and the end of the old load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Comes,
    Stays,
}

/// Two nodes; the loads run on the first one.
struct World {
    node: Node,
    peer: Node,
    users: Cache<u64, String>,
    pages: Cache<u64, String>,
    users_of_peer: Cache<u64, String>,
    marks: Cache<u64, u64>,
}

/// A load that stands at its gate with the old value in its hands, and who waits for it.
struct OldLoad {
    gate: Gate<()>,
    callers: Vec<JoinHandle<()>>,
}

impl World {
    async fn new() -> Self {
        let hub = Hub::new();
        let start = async |name: &str| {
            let builder = Node::builder("shop").name(name).backplane(hub.join(name));
            builder.clock(TokioClock::new()).start().await.unwrap()
        };
        let (node, peer) = (start("a").await, start("b").await);
        node.joined().await.unwrap();
        peer.joined().await.unwrap();
        let fail_safe = FailSafe::for_at_most(HOUR);
        let users = node.cache("users").time_to_live(HOUR).fail_safe(fail_safe).build().unwrap();
        let pages = node.cache("pages").time_to_live(HOUR).fail_safe(fail_safe).build().unwrap();
        let users_of_peer = peer.cache("users").time_to_live(HOUR).build().unwrap();
        let marks = node.cache("marks").build().unwrap();
        Self { node, peer, users, pages, users_of_peer, marks }
    }

    /// Does the deed; when this returns, it has returned on the first node or was applied there.
    async fn does(&self, deed: Deed) {
        let (users, peer) = (&self.users, &self.users_of_peer);
        let receipt = match deed {
            Deed::Remove => users.remove(&KEY).await,
            Deed::RemoveMany => users.remove_many(&[OTHER, KEY]).await,
            Deed::Expire => users.expire(&KEY).await,
            Deed::Set => users.set(KEY, "new".to_owned()).await,
            Deed::RemoveTag => users.remove_tag(TAG).await,
            Deed::ExpireTag => users.expire_tag(TAG).await,
            Deed::Clear => users.clear().await,
            Deed::ExpireAll => users.expire_all().await,
            Deed::NodeRemoveTag => self.node.remove_tag(TAG).await,
            Deed::NodeClear => self.node.clear().await,
            Deed::RemoteRemove => peer.remove(&KEY).await,
            Deed::RemoteSet => peer.set(KEY, "new".to_owned()).await,
            Deed::RemoteRemoveTag => peer.remove_tag(TAG).await,
            Deed::RemoteClear => self.peer.clear().await,
        };
        let session = receipt.unwrap().session();
        self.marks.get_or_load(&0, async |_| Ok::<_, Infallible>(0)).session(session).await.unwrap();
    }

    /// Puts the value in memory that was there before.
    async fn resident(&self, options: &EntryOptions) {
        let load = async |load: Load<String>| {
            load.tag(TAG);
            load.etag("v1");
            Ok::<_, Infallible>("old".to_owned())
        };
        let value = self.users.get_or_load(&KEY, load).options(options).await.unwrap();
        assert_eq!(*value, "old");
        assert!(self.users.get(&KEY).is_some());
    }
}

/// The end of a loader that had read the old value when it came to the gate.
async fn old(passage: Passage<()>, load: Load<String>) -> Result<String, Infallible> {
    load.tag(TAG);
    passage.pass().await;
    Ok("old".to_owned())
}

/// What a load brings that begins after the deed.
async fn new(_load: Load<String>) -> Result<String, Infallible> {
    Ok("new".to_owned())
}

/// Checks one way to load against every deed, with and without a reader in between. `served` are the caches that must not
/// serve the old value of the key.
async fn check<const N: usize>(
    begin: impl AsyncFn(&World) -> OldLoad,
    served: fn(&World) -> [&Cache<u64, String>; N],
) {
    for deed in DEEDS {
        for reader in [Reader::Stays, Reader::Comes] {
            let world = World::new().await;
            let caches = served(&world);
            let OldLoad { gate, callers } = begin(&world).await;
            world.does(deed).await;
            for cache in caches {
                is_not_old(cache, deed, reader, "before the load ended");
            }
            let mut readers = Vec::new();
            if reader == Reader::Comes {
                for cache in caches {
                    let cache = cache.clone();
                    readers.push(tokio::spawn(async move { cache.get_or_load(&KEY, new).await.unwrap() }));
                }
                // Whatever the readers do before the gate opens is right; this lets them do some of it.
                for _ in 0..8 {
                    tokio::task::yield_now().await;
                }
            }
            gate.open(());
            for caller in callers {
                caller.await.unwrap();
            }
            for read in readers {
                assert_eq!(*read.await.unwrap(), "new", "{deed:?}: a reader that came after it");
            }
            settle().await;
            for cache in caches {
                is_not_old(cache, deed, reader, "after the load had ended");
                let read = cache.get_or_load(&KEY, new).await.unwrap();
                assert_eq!(*read, "new", "{deed:?}, reader {reader:?}: a load after it");
            }
        }
    }
}

fn is_not_old(cache: &Cache<u64, String>, deed: Deed, reader: Reader, when: &str) {
    let value = cache.get(&KEY);
    let value = value.as_deref().map(String::as_str);
    assert_ne!(value, Some("old"), "{deed:?}, reader {reader:?}: a hit in {} {when}", cache.name());
}

fn users(world: &World) -> [&Cache<u64, String>; 1] {
    [&world.users]
}

fn pages(world: &World) -> [&Cache<u64, String>; 1] {
    [&world.pages]
}

fn users_and_pages(world: &World) -> [&Cache<u64, String>; 2] {
    [&world.users, &world.pages]
}

#[tokio::test(start_paused = true)]
async fn a_load_of_a_missing_key_is_fenced() {
    // K5, F-4 load
    let begin = async |world: &World| {
        let (mut gate, passage) = Gate::new();
        let users = world.users.clone();
        let caller = tokio::spawn(async move {
            users.get_or_load(&KEY, move |load| old(passage, load)).await.unwrap();
        });
        gate.reached().await;
        OldLoad { gate, callers: vec![caller] }
    };
    check(begin, users).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_of_what_may_not_exist_is_fenced() {
    // The old state of affairs is that there is nothing.
    let begin = async |world: &World| {
        let (mut gate, passage) = Gate::new();
        let users = world.users.clone();
        let caller = tokio::spawn(async move {
            let load = async move |load: Load<String>| {
                load.tag(TAG);
                passage.pass().await;
                Ok::<Option<String>, Infallible>(None)
            };
            users.find_or_load(&KEY, load).await.unwrap();
        });
        gate.reached().await;
        OldLoad { gate, callers: vec![caller] }
    };
    check(begin, users).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_that_leaves_out_memory_is_fenced() {
    let begin = async |world: &World| {
        world.resident(&EntryOptions::new()).await;
        let (mut gate, passage) = Gate::new();
        let users = world.users.clone();
        let caller = tokio::spawn(async move {
            let options = EntryOptions::new().skip(Skip::MemoryRead);
            users.get_or_load(&KEY, move |load| old(passage, load)).options(&options).await.unwrap();
        });
        gate.reached().await;
        OldLoad { gate, callers: vec![caller] }
    };
    check(begin, users).await;
}

#[tokio::test(start_paused = true)]
async fn a_bypass_is_fenced() {
    let begin = async |world: &World| {
        world.resident(&EntryOptions::new()).await;
        // What is resident is no longer young then, and no proof is of this very instant.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (mut gate, passage) = Gate::new();
        let users = world.users.clone();
        let caller = tokio::spawn(async move {
            let now = Freshness::within(Duration::ZERO).or_bypass();
            users.get_or_load(&KEY, move |load| old(passage, load)).freshness(now).await.unwrap();
        });
        gate.reached().await;
        OldLoad { gate, callers: vec![caller] }
    };
    check(begin, users).await;
}

#[tokio::test(start_paused = true)]
async fn an_eager_refresh_is_fenced() {
    let begin = async |world: &World| {
        let options = EntryOptions::new().time_to_live(Duration::from_secs(4)).eager_refresh(0.25);
        world.resident(&options).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (mut gate, passage) = Gate::new();
        let load = world.users.get_or_load(&KEY, move |load| old(passage, load));
        assert_eq!(*load.options(&options).await.unwrap(), "old", "a hit that starts the refresh");
        gate.reached().await;
        OldLoad { gate, callers: vec![] }
    };
    check(begin, users).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_that_goes_on_after_a_soft_timeout_is_fenced() {
    let begin = async |world: &World| {
        world.resident(&EntryOptions::new()).await;
        let _receipt = world.users.expire(&KEY).await.unwrap();
        let (mut gate, passage) = Gate::new();
        let options = EntryOptions::new().soft_timeout(Duration::from_millis(50));
        let load = world.users.get_or_load(&KEY, move |load| old(passage, load));
        assert_eq!(*load.options(&options).await.unwrap(), "old", "the stale value, said as such");
        gate.reached().await;
        OldLoad { gate, callers: vec![] }
    };
    check(begin, users).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_that_goes_on_after_a_hard_timeout_is_fenced() {
    let begin = async |world: &World| {
        let (mut gate, passage) = Gate::new();
        let options = EntryOptions::new().hard_timeout(Duration::from_millis(50));
        let load = world.users.get_or_load(&KEY, move |load| old(passage, load));
        assert!(load.options(&options).await.is_err());
        gate.reached().await;
        OldLoad { gate, callers: vec![] }
    };
    check(begin, users).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_that_goes_on_without_its_caller_is_fenced() {
    let begin = async |world: &World| {
        let (mut gate, passage) = Gate::new();
        let users = world.users.clone();
        let leader =
            tokio::spawn(async move { users.get_or_load(&KEY, move |load| old(passage, load)).await });
        gate.reached().await;
        let users = world.users.clone();
        let waiter = tokio::spawn(async move {
            users.get_or_load(&KEY, new).await.unwrap();
        });
        while world.node.metrics().total(unstale::metrics::names::CACHE_JOINED, &[]) < 1.0 {
            tokio::task::yield_now().await;
        }
        leader.abort();
        assert!(leader.await.unwrap_err().is_cancelled());
        OldLoad { gate, callers: vec![waiter] }
    };
    check(begin, users).await;
}

#[tokio::test(start_paused = true)]
async fn a_value_confirmed_as_not_modified_is_fenced() {
    let begin = async |world: &World| {
        world.resident(&EntryOptions::new()).await;
        let _receipt = world.users.expire(&KEY).await.unwrap();
        let (mut gate, passage) = Gate::new();
        let users = world.users.clone();
        let caller = tokio::spawn(async move {
            let load = async move |load: Load<String>| {
                assert_eq!(load.previous_etag(), Some("v1"));
                passage.pass().await;
                Ok::<_, Infallible>(Loaded::<String>::not_modified())
            };
            // If the deed ended the value there is nothing to confirm, and the call fails.
            let _ = users.get_or_load(&KEY, load).await;
        });
        gate.reached().await;
        OldLoad { gate, callers: vec![caller] }
    };
    check(begin, users).await;
}

#[tokio::test(start_paused = true)]
async fn a_conditional_load_of_a_changed_value_is_fenced() {
    let begin = async |world: &World| {
        world.resident(&EntryOptions::new()).await;
        let _receipt = world.users.expire(&KEY).await.unwrap();
        let (mut gate, passage) = Gate::new();
        let users = world.users.clone();
        let caller = tokio::spawn(async move {
            let load = async move |load: Load<String>| {
                assert!(load.previous().is_some());
                load.etag("v2");
                old(passage, load).await
            };
            users.get_or_load(&KEY, load).await.unwrap();
        });
        gate.reached().await;
        OldLoad { gate, callers: vec![caller] }
    };
    check(begin, users).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_of_many_keys_is_fenced() {
    let begin = async |world: &World| {
        let (mut gate, passage) = Gate::new();
        let users = world.users.clone();
        let passage = Arc::new(Mutex::new(Some(passage)));
        let caller = tokio::spawn(async move {
            let load = async move |keys: Vec<u64>, load: Load<String>| {
                load.tag(TAG);
                let passage = passage.lock().unwrap().take();
                passage.expect("called once").pass().await;
                Ok::<_, Infallible>(keys.into_iter().map(|key| (key, "old".to_owned())).collect())
            };
            let values = users.get_or_load_many(&[OTHER, KEY], load).await.unwrap();
            assert!(values.iter().all(Option::is_some));
        });
        gate.reached().await;
        OldLoad { gate, callers: vec![caller] }
    };
    check(begin, users).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_that_loads_what_it_depends_on_is_fenced() {
    // The value of the page is made from a load that is still under way when the deed comes.
    let begin = async |world: &World| {
        let (mut gate, passage) = Gate::new();
        let (users, pages) = (world.users.clone(), world.pages.clone());
        let caller = tokio::spawn(async move {
            let page = async move |_| {
                let user = users.get_or_load(&KEY, move |load| old(passage, load)).await?;
                Ok::<_, unstale::Error>((*user).clone())
            };
            pages.get_or_load(&KEY, page).await.unwrap();
        });
        gate.reached().await;
        OldLoad { gate, callers: vec![caller] }
    };
    check(begin, users_and_pages).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_that_read_what_it_depends_on_is_fenced() {
    let begin = async |world: &World| {
        world.resident(&EntryOptions::new()).await;
        let (mut gate, passage) = Gate::new();
        let (users, pages) = (world.users.clone(), world.pages.clone());
        let caller = tokio::spawn(async move {
            let page = async move |_| {
                let user = users.get(&KEY).expect("is resident");
                passage.pass().await;
                Ok::<_, Infallible>((*user).clone())
            };
            pages.get_or_load(&KEY, page).await.unwrap();
        });
        gate.reached().await;
        OldLoad { gate, callers: vec![caller] }
    };
    check(begin, pages).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_that_read_in_a_task_of_its_own_is_fenced() {
    let begin = async |world: &World| {
        world.resident(&EntryOptions::new()).await;
        let (mut gate, passage) = Gate::new();
        let (users, pages) = (world.users.clone(), world.pages.clone());
        let caller = tokio::spawn(async move {
            let page = async move |load: Load<String>| {
                let read = load.carry(async move { (*users.get(&KEY).expect("is resident")).clone() });
                let user = tokio::spawn(read).await?;
                passage.pass().await;
                Ok::<_, tokio::task::JoinError>(user)
            };
            pages.get_or_load(&KEY, page).await.unwrap();
        });
        gate.reached().await;
        OldLoad { gate, callers: vec![caller] }
    };
    check(begin, pages).await;
}

#[tokio::test(start_paused = true)]
async fn a_load_two_levels_up_is_fenced() {
    // The page of pages depends on what the page depends on.
    let begin = async |world: &World| {
        world.resident(&EntryOptions::new()).await;
        let (users, pages) = (world.users.clone(), world.pages.clone());
        let page = async move |_| Ok::<_, Infallible>((*users.get(&KEY).expect("is resident")).clone());
        pages.get_or_load(&OTHER, page).await.unwrap();
        let (mut gate, passage) = Gate::new();
        let caller = tokio::spawn(async move {
            let pages_in_load = pages.clone();
            let front = async move |_| {
                let page = pages_in_load.get(&OTHER).expect("is resident");
                passage.pass().await;
                Ok::<_, Infallible>((*page).clone())
            };
            pages.get_or_load(&KEY, front).await.unwrap();
        });
        gate.reached().await;
        OldLoad { gate, callers: vec![caller] }
    };
    check(begin, pages).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_of_the_old_load_may_have_it_loaded_once_more() {
    let world = World::new().await;
    let (mut gate, passage) = Gate::new();
    let passage = Arc::new(Mutex::new(Some(passage)));
    let users = world.users.clone();
    let caller = tokio::spawn(async move {
        let load = async move |_| {
            let passage = passage.lock().unwrap().take();
            match passage {
                Some(passage) => {
                    passage.pass().await;
                    Ok::<_, Infallible>("old".to_owned())
                }
                None => Ok("new".to_owned()),
            }
        };
        users.get_or_load(&KEY, load).repeat_if_refused().await.unwrap()
    });
    gate.reached().await;
    world.does(Deed::Remove).await;
    gate.open(());
    assert_eq!(*caller.await.unwrap(), "new");
    assert_eq!(world.users.get(&KEY).as_deref().map(String::as_str), Some("new"));
}

#[tokio::test]
async fn what_was_said_and_read_counts_where_the_loader_kept_its_handle_and_nothing_later() {
    let node = Node::builder("kept").start().await.unwrap();
    let users: Cache<u64, String> = node.cache("users").build().unwrap();
    let pages: Cache<u64, String> = node.cache("pages").build().unwrap();
    let kept: Arc<Mutex<Vec<Load<String>>>> = Arc::default();
    for key in [KEY, OTHER] {
        let (users, kept) = (users.clone(), Arc::clone(&kept));
        let page = async move |load: Load<String>| {
            load.tag(TAG.to_owned() + &key.to_string());
            load.depends_on(&users, &key);
            kept.lock().unwrap().push(load);
            Ok::<_, Infallible>("page".to_owned())
        };
        pages.get_or_load(&key, page).await.unwrap();
    }
    for load in kept.lock().unwrap().iter() {
        load.tag("late");
        load.depends_on(&users, &9);
    }
    let _ = pages.remove_tag("late").await.unwrap();
    let _ = users.remove(&9).await.unwrap();
    assert!(pages.get(&KEY).is_some() && pages.get(&OTHER).is_some());
    let _ = pages.remove_tag(TAG.to_owned() + &KEY.to_string()).await.unwrap();
    let _ = users.remove(&OTHER).await.unwrap();
    assert!(pages.get(&KEY).is_none() && pages.get(&OTHER).is_none());
}
