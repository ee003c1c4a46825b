//! unstale as a subject: alone, with fences and counters as in any deployment.

use std::sync::Arc;
use std::time::Duration;

use unstale::{Cache, Node, NodeBuilder};
use unstale_port::memory::Hub;

use crate::reader::{BoxSubject, Fill, Maker, Subject, Work, each, room};
use crate::workload::{self, BenchKey, VALUE_BYTES};

/// A value in line with its metadata: unstale shares its own allocation, so none is needed inside it.
pub(crate) type Value = [u8; VALUE_BYTES];

/// A node without peers and one cache on it, with a runtime that drives them.
pub(crate) struct Solo<K: BenchKey> {
    /// The runtime of the node's driver.
    pub(crate) runtime: Arc<tokio::runtime::Runtime>,
    /// The node.
    pub(crate) node: Node,
    /// Its cache.
    pub(crate) cache: Cache<K, Value>,
}

impl<K: BenchKey> Solo<K> {
    /// The node with an empty cache that has room for `entries`.
    pub(crate) fn new(entries: usize) -> Self {
        Self::of(Node::builder("bench"), entries)
    }

    /// The same on a backplane with nobody else on it yet: its acts are kept for whoever may come.
    pub(crate) fn on_a_backplane(entries: usize) -> Self {
        Self::of(Node::builder("bench").backplane(Hub::new().join("bench")), entries)
    }

    fn of(node: NodeBuilder, entries: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = Arc::new(runtime.expect("a runtime of one worker starts"));
        let (node, cache) = runtime.block_on(async {
            let node = node.start().await.expect("a node alone starts");
            node.joined().await.expect("nobody has to be waited for");
            let cache = node
                .cache("bench")
                .time_to_live(Duration::from_secs(3_600))
                .capacity_entries(room(entries) as u64)
                .build()
                .expect("a first cache of its name");
            (node, cache)
        });
        Self { runtime, node, cache }
    }

    /// The same with every key in it, loaded as a service would: a set is an act that other nodes are told of.
    pub(crate) fn filled(keys: &[K]) -> Self {
        let solo = Self::new(keys.len());
        solo.runtime.block_on(async {
            for (index, key) in keys.iter().enumerate() {
                let load = move |_| async move { Ok::<_, std::convert::Infallible>(workload::value(index)) };
                assert!(solo.cache.get_or_load(key, load).await.is_ok(), "a load that cannot fail");
            }
        });
        solo
    }
}

/// Reads by `get`.
pub(crate) struct Get<K: BenchKey> {
    solo: Arc<Solo<K>>,
}

impl<K: BenchKey> Get<K> {
    /// unstale, read by `get`.
    pub(crate) fn maker() -> Maker<K> {
        Maker { name: "unstale", make: Self::make }
    }

    fn make(keys: &Arc<Vec<K>>, fill: Fill) -> BoxSubject<K> {
        let solo = if fill == Fill::Full { Solo::filled(keys) } else { Solo::new(keys.len()) };
        Box::new(Self { solo: Arc::new(solo) })
    }
}

impl<K: BenchKey> Subject<K> for Get<K> {
    fn name(&self) -> &'static str {
        "unstale"
    }

    fn read(&self) -> Work<K> {
        let cache = self.solo.cache.clone();
        each(move |ask| {
            cache.get(ask.key()).is_some_and(|value| workload::is_value(value.as_slice(), ask.index))
        })
    }

    fn set(&self) -> Option<Work<K>> {
        let solo = self.solo.clone();
        Some(Box::new(move |order| {
            solo.runtime.block_on(async {
                let mut right = 0;
                for ask in order {
                    let receipt =
                        solo.cache.set(ask.key().to_owned(), workload::value(ask.index as usize)).await;
                    right += usize::from(receipt.is_ok());
                }
                right
            })
        }))
    }

    fn load(&self) -> Option<Work<K>> {
        Some(loads(&self.solo))
    }
}

/// Reads by `get_or_load`.
pub(crate) struct GetOrLoad<K: BenchKey> {
    solo: Arc<Solo<K>>,
}

impl<K: BenchKey> GetOrLoad<K> {
    /// unstale, read by `get_or_load`.
    pub(crate) fn maker() -> Maker<K> {
        Maker { name: "unstale-load", make: Self::make }
    }

    fn make(keys: &Arc<Vec<K>>, fill: Fill) -> BoxSubject<K> {
        let solo = if fill == Fill::Full { Solo::filled(keys) } else { Solo::new(keys.len()) };
        Box::new(Self { solo: Arc::new(solo) })
    }
}

impl<K: BenchKey> Subject<K> for GetOrLoad<K> {
    fn name(&self) -> &'static str {
        "unstale-load"
    }

    fn read(&self) -> Work<K> {
        loads(&self.solo)
    }
}

fn loads<K: BenchKey>(solo: &Arc<Solo<K>>) -> Work<K> {
    let solo = solo.clone();
    Box::new(move |order| {
        solo.runtime.block_on(async {
            let mut right = 0;
            for ask in order {
                let index = ask.index as usize;
                let load = move |_| async move { Ok::<_, std::convert::Infallible>(workload::value(index)) };
                let value = solo.cache.get_or_load(ask.key(), load).await;
                right +=
                    usize::from(value.is_ok_and(|value| workload::is_value(value.as_slice(), ask.index)));
            }
            right
        })
    })
}

/// Entries with subjects: two tags each, or three dependencies each.
pub(crate) struct With {
    solo: Arc<Solo<String>>,
}

impl With {
    /// Each entry carries two tags, out of a thousand and out of ten thousand.
    pub(crate) fn maker_of_two_tags() -> Maker<String> {
        Maker { name: "unstale", make: |keys, _| Self::loaded(keys, Subjects::TwoTags) }
    }

    /// Each entry depends on three keys of another cache.
    pub(crate) fn maker_of_three_dependencies() -> Maker<String> {
        Maker { name: "unstale", make: |keys, _| Self::loaded(keys, Subjects::ThreeDependencies) }
    }

    fn loaded(keys: &Arc<Vec<String>>, subjects: Subjects) -> BoxSubject<String> {
        let solo = Solo::<String>::new(keys.len());
        let parts: Cache<u64, u8> = solo.node.cache("parts").build().expect("a first cache of its name");
        solo.runtime.block_on(async {
            for (index, key) in keys.iter().enumerate() {
                let parts = parts.clone();
                let load = move |load: unstale::Load<Value>| async move {
                    match subjects {
                        Subjects::TwoTags => {
                            load.tag(format!("a{}", index % 1_000));
                            load.tag(format!("b{}", index % 10_000));
                        }
                        Subjects::ThreeDependencies => {
                            let index = index as u64;
                            for part in [index, index * 7 + 1, index * 13 + 2] {
                                load.depends_on(&parts, &part);
                            }
                        }
                    }
                    Ok::<_, std::convert::Infallible>(workload::value(index))
                };
                assert!(solo.cache.get_or_load(key, load).await.is_ok(), "a load that cannot fail");
            }
        });
        Box::new(Self { solo: Arc::new(solo) })
    }
}

#[derive(Clone, Copy, Debug)]
enum Subjects {
    TwoTags,
    ThreeDependencies,
}

impl Subject<String> for With {
    fn name(&self) -> &'static str {
        "unstale"
    }

    fn read(&self) -> Work<String> {
        let cache = self.solo.cache.clone();
        each(move |ask| {
            cache.get(ask.key()).is_some_and(|value| workload::is_value(value.as_slice(), ask.index))
        })
    }
}
