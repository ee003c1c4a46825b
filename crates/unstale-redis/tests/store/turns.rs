//! Turns over a real server: many clients that miss one key at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Barrier;
use unstale_port::{Condition, Store, Turn, Written};
use unstale_servers::{Program, needs};

use crate::world::{LOAD, USERS, World, at_once, connected, pass, record, value};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_clients_that_miss_a_key_together_load_it_once() {
    needs!(Program::RedisServer);
    let world = World::new().await;
    let (loads, start) = (Arc::new(AtomicU32::new(0)), Arc::new(Barrier::new(100)));
    let mut clients = Vec::new();
    for _ in 0..100 {
        // Each with a connection of its own.
        let store = connected(&world.server, at_once()).await;
        let (loads, start) = (Arc::clone(&loads), Arc::clone(&start));
        clients.push(tokio::spawn(async move {
            start.wait().await;
            loop {
                let found = store.get(USERS, &["a".into()], LOAD).await.unwrap().remove(0);
                if let Some(text) = value(&found) {
                    return text;
                }
                if found.turn == Turn::Yours {
                    loads.fetch_add(1, Ordering::Relaxed);
                    pass(Duration::from_millis(200)).await;
                    let condition = Condition::Lease(found.lease);
                    let written = store.put(USERS, "a".into(), record("loaded", 0, &[]), condition).await;
                    assert_eq!(written.unwrap(), Written::Stored);
                } else {
                    pass(Duration::from_millis(10)).await;
                }
            }
        }));
    }
    for client in clients {
        assert_eq!(client.await.unwrap(), "loaded");
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1);
}
