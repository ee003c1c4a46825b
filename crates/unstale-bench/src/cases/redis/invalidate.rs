//! `redis-invalidate`: how many keys a second one node can remove from another through one Redis.

use std::collections::VecDeque;
use std::time::Instant;

use futures_core::Stream as _;
use std::future::poll_fn;
use std::pin::pin;

use tokio::sync::oneshot;
use unstale::Node;
use unstale::metrics::names;

use crate::cases::propagate::Nodes;
use crate::fusioncache;
use crate::measure::{Plan, Problem};
use crate::pair::{LOST, Pair as _, Sides, broken, lend};
use crate::report::Report;
use crate::server::Server;

const BENCH: &str = "redis-invalidate";
const KEYS: usize = 200_000;
/// Acts between two looks at whether the other node has them.
const CHUNK: u64 = 1_024;
/// Chunks that may be on their way: fewer acts than the queue for a peer holds, beyond which keys become whole caches.
const CHUNKS_MAX: usize = 3;
/// The bytes of a message about one key.
const MESSAGE_BYTES: usize = 51;

/// How an act is sent.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sending {
    /// With whatever was done meanwhile.
    Batched,
    /// Before the next one is done.
    Single,
}

/// Both cases.
pub(crate) fn run(plan: Plan, report: &mut Report) -> Result<(), Problem> {
    let server = match Server::start() {
        Ok(server) => server,
        Err(why) => {
            for subject in ["unstale", "raw", "fusioncache"] {
                report.absent(BENCH, subject, &why);
            }
            return Ok(());
        }
    };
    let sides = Sides::start()?;
    let joined = super::nodes(&sides, &server.url(), BENCH)?;
    let keys = plan.operations(KEYS);
    let (mut batched, mut single, mut raw) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=plan.rounds {
        let figures = [
            removes(&sides, &joined, keys, Sending::Batched)?,
            removes(&sides, &joined, keys, Sending::Single)?,
            publishes(&sides, &server.url(), keys)?,
        ];
        if round > 0 {
            batched.push(figures[0]);
            single.push(figures[1]);
            raw.push(figures[2]);
        }
    }
    report.add(BENCH, "batched", "unstale", "keys_per_s", &batched);
    report.add(BENCH, "single", "unstale", "keys_per_s", &single);
    report.add(BENCH, "single", "raw", "keys_per_s", &raw);
    match fusioncache::removals(&server, plan.rounds, keys / 4) {
        Ok(rates) => report.add(BENCH, "single", "fusioncache", "keys_per_s", &rates),
        Err(why) => report.absent(BENCH, "fusioncache", &why),
    }
    Ok(())
}

/// Removes keys on A, until B counts them.
fn removes(sides: &Sides, joined: &Nodes, keys: usize, sending: Sending) -> Result<f64, Problem> {
    let [here, there] = &joined.ends;
    let counts = || (applied(there), here.metrics().count(names::MESSAGES_SENT, &[]));
    let (applied_before, sent_before) = counts();
    let last = keys as u64 - 1;
    for key in (0..keys as u64).filter(|key| ends_chunk(*key, last)) {
        joined.fill(sides, key)?;
    }
    let took = sides.here.block_on(async {
        let began = Instant::now();
        let mut under_way: VecDeque<u64> = VecDeque::new();
        for key in 0..keys as u64 {
            let _receipt = joined.a.remove(&key).await.map_err(|e| broken(&e))?;
            if sending == Sending::Single {
                tokio::task::yield_now().await;
            }
            if ends_chunk(key, last) {
                under_way.push_back(key);
            }
            while under_way.len() >= CHUNKS_MAX || key == last && !under_way.is_empty() {
                if under_way.front().is_some_and(|first| joined.is_gone(*first)) {
                    under_way.pop_front();
                } else if began.elapsed() > LOST * 4 {
                    return Err(Problem::Broken(format!("{under_way:?} of {keys} keys are still there")));
                } else {
                    lend().await;
                }
            }
        }
        Ok::<_, Problem>(began.elapsed())
    })?;
    let (applied_after, sent_after) = counts();
    let (arrived, messages) = (applied_after - applied_before, (sent_after - sent_before) as usize);
    if arrived != keys as u64 {
        return Err(Problem::Broken(format!("{arrived} of {keys} acts were applied one by one")));
    }
    let is_so = match sending {
        Sending::Batched => messages < keys / 10,
        Sending::Single => messages >= keys,
    };
    if !is_so {
        return Err(Problem::Broken(format!("{keys} acts went in {messages} messages")));
    }
    Ok(keys as f64 / took.as_secs_f64())
}

/// The other node holds these keys, to see how far it is.
const fn ends_chunk(key: u64, last: u64) -> bool {
    key % CHUNK == CHUNK - 1 || key == last
}

fn applied(node: &Node) -> u64 {
    node.metrics().count(names::ACTS_APPLIED, &[])
}

/// Publishes a message for each key by redis-rs, pipelined, until a subscriber of redis-rs has all of them.
fn publishes(sides: &Sides, url: &str, keys: usize) -> Result<f64, Problem> {
    let client = redis::Client::open(url).map_err(|e| broken(&e))?;
    let (done, all) = oneshot::channel();
    sides.there.block_on(async {
        let mut subscriber = client.get_async_pubsub().await.map_err(|e| broken(&e))?;
        subscriber.subscribe("raw").await.map_err(|e| broken(&e))?;
        tokio::spawn(async move {
            let mut messages = pin!(subscriber.into_on_message());
            let mut heard = 0;
            while heard < keys && poll_fn(|cx| messages.as_mut().poll_next(cx)).await.is_some() {
                heard += 1;
            }
            // Who waits for it may have given up.
            let _ = done.send(heard);
        });
        Ok::<_, Problem>(())
    })?;
    sides.here.block_on(async {
        let mut publisher = client.get_multiplexed_async_connection().await.map_err(|e| broken(&e))?;
        let began = Instant::now();
        for first in (0..keys).step_by(CHUNK as usize) {
            let mut pipeline = redis::pipe();
            for _ in first..keys.min(first + CHUNK as usize) {
                pipeline.publish("raw", &[7_u8; MESSAGE_BYTES]).ignore();
            }
            pipeline.query_async::<()>(&mut publisher).await.map_err(|e| broken(&e))?;
        }
        let heard = all.await.map_err(|e| broken(&e))?;
        if heard != keys {
            return Err(Problem::Broken(format!("{heard} of {keys} messages were heard")));
        }
        Ok(keys as f64 / began.elapsed().as_secs_f64())
    })
}
