//! One Redis, one unstale node and one .NET node.

use std::error::Error;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::{Value, json};
use tokio::time::timeout;
use unstale::{Cache, Codec, EntryOptions, FailSafe, Json, Node};
use unstale_codec::fusion::{Action, BackplaneMessage, Ticks};
use unstale_fusion::{Format, FusionCache, FusionSettings};
use unstale_port::{Script, Scripts};
use unstale_redis::{Settings, SharedRedis};
use unstale_servers::{FusionNode, Redis};

/// How long something is waited for that comes as fast as messages do, or at the end of a hold-off.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The serializers that the live node has, with its word for each.
pub(crate) const FORMATS: [(Format, &str); 3] = [
    (Format::SystemTextJson, "stj"),
    (Format::Newtonsoft, "newtonsoft"),
    (Format::MessagePack, "messagepack"),
];

pub(crate) struct Ours {
    pub(crate) cache: Cache<String, String>,
    pub(crate) fusion: FusionCache,
    pub(crate) node: Node,
}

impl Ours {
    /// A node of ours that is alone, with a cache that hears the others.
    pub(crate) async fn start(redis: &Redis, settings: FusionSettings, format: &Format) -> Self {
        let node = Node::builder("ours").start().await.expect("a node that is alone starts");
        Self::on(node, redis, settings, format).await
    }

    /// The cache on a node that there is.
    pub(crate) async fn on(node: Node, redis: &Redis, settings: FusionSettings, format: &Format) -> Self {
        let server = SharedRedis::open(Settings::parse(&redis.url()).expect("a URL")).expect("one server");
        server.connection().until_up().await;
        let fusion = FusionCache::open(server, settings).expect("sound settings");
        let builder = node.cache("things").time_to_live(Duration::from_secs(300));
        let builder =
            builder.fail_safe(FailSafe::for_at_most(Duration::from_secs(600))).foreign(fusion.clone());
        let builder = if *format == Format::MessagePack {
            builder.stored_as(PackedText)
        } else {
            builder.stored_as(Json)
        };
        let cache = builder.build().expect("a sound cache");
        timeout(PATIENCE, cache.until_heard()).await.expect("Redis is there");
        Self { cache, fusion, node }
    }

    pub(crate) async fn set(&self, key: &str, value: &str, tags: &[&'static str]) {
        let options = tags.iter().fold(EntryOptions::new(), |options, tag| options.tag(*tag));
        let set = self.cache.set_with(key.to_owned(), value.to_owned(), &options);
        let _ = set.await.expect("Redis takes it");
    }

    /// What a reader gets whose database has `row`.
    pub(crate) async fn read(&self, key: &str, row: &str) -> String {
        let row = row.to_owned();
        let read = self.cache.get_or_load(key, async |_| Ok::<_, std::io::Error>(row));
        read.await.expect("the row is there").to_string()
    }

    /// Waits until the key is not served from memory any more.
    pub(crate) async fn until_gone(&self, key: &str) {
        until("the key is gone here", async || self.cache.get(key).is_none()).await;
    }
}

/// The live node's requests.
pub(crate) trait Asked {
    async fn set(&mut self, key: &str, value: &str, tags: &[&str]);
    /// What it has; it never loads.
    async fn get(&mut self, key: &str) -> Option<String>;
    async fn get_or_set(&mut self, key: &str, value: &str) -> String;
    async fn until_gone(&mut self, key: &str);
    /// Until it serves this value.
    async fn until_value(&mut self, key: &str, value: &str);
    /// Messages since the last time: action and key.
    async fn received(&mut self) -> Vec<(String, String)>;
    /// Until it has received so many messages.
    async fn until_received(&mut self, count: usize) -> Vec<(String, String)>;
    async fn run(&mut self, request: Value) -> Value;
}

impl Asked for FusionNode {
    async fn run(&mut self, request: Value) -> Value {
        self.ask(&request).await.expect("the live node answers")
    }

    async fn set(&mut self, key: &str, value: &str, tags: &[&str]) {
        self.run(json!({"op": "set", "key": key, "value": value, "tags": tags})).await;
    }

    async fn get(&mut self, key: &str) -> Option<String> {
        let answer = self.run(json!({"op": "get", "key": key})).await;
        (answer["hit"] == true).then(|| answer["value"].as_str().expect("a string").to_owned())
    }

    async fn get_or_set(&mut self, key: &str, value: &str) -> String {
        let answer = self.run(json!({"op": "get_or_set", "key": key, "value": value})).await;
        answer["value"].as_str().expect("a string").to_owned()
    }

    /// Until it has left the first level.
    async fn until_gone(&mut self, key: &str) {
        let answer = self.run(json!({"op": "wait_gone", "key": key, "timeout_ms": 60_000})).await;
        assert_eq!(answer["gone"], true, "{key} stays on the live node");
    }

    async fn received(&mut self) -> Vec<(String, String)> {
        let answer = self.run(json!({"op": "received"})).await;
        let text = |message: &Value, field: &str| message[field].as_str().expect("text").to_owned();
        let messages = answer["messages"].as_array().expect("a list").iter();
        messages.map(|message| (text(message, "action"), text(message, "cache_key"))).collect()
    }

    async fn until_received(&mut self, count: usize) -> Vec<(String, String)> {
        let mut all = Vec::new();
        until("the messages have come", async || {
            all.extend(self.received().await);
            all.len() >= count
        })
        .await;
        all
    }

    async fn until_value(&mut self, key: &str, value: &str) {
        until(value, async || self.get(key).await.as_deref() == Some(value)).await;
    }
}

/// Asks until it is so.
pub(crate) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waited = timeout(PATIENCE, async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    });
    assert!(waited.await.is_ok(), "in vain: {what}");
}

/// Another .NET node, whose messages and entries are made by hand.
pub(crate) struct Stranger {
    server: SharedRedis,
    settings: FusionSettings,
}

static PUBLISH: Script = Script { name: "publish", text: "return redis.call('PUBLISH', ARGV[1], ARGV[2])" };
static TIME: Script =
    Script { name: "time", text: "local t = redis.call('TIME') return t[1] * 1000000 + t[2]" };
static WRITE: Script = Script {
    name: "write",
    text: "redis.call('HSET', KEYS[1], 'absexp', ARGV[1], 'sldexp', '-1', 'data', ARGV[2])
           return redis.call('EXPIRE', KEYS[1], 300)",
};

impl Stranger {
    pub(crate) async fn on(redis: &Redis, settings: FusionSettings) -> Self {
        let server = SharedRedis::open(Settings::parse(&redis.url()).expect("a URL")).expect("one server");
        server.connection().until_up().await;
        Self { server, settings }
    }

    /// The ticks of .NET now.
    pub(crate) async fn now(&self) -> i64 {
        let reply = self.server.run(&TIME, &[], &[]).await.expect("redis answers");
        reply.number().expect("a number") * 10 + 621_355_968_000_000_000
    }

    /// Publishes a message.
    pub(crate) async fn say(&self, action: Action, key: &str, timestamp: i64) {
        let message = BackplaneMessage {
            source_id: "0HNI8P2QFG000".into(),
            timestamp: Ticks(timestamp),
            action,
            cache_key: key.into(),
            rest: Bytes::new(),
        };
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes).expect("a message");
        let arguments = [self.settings.channel().into(), bytes.freeze()];
        self.server.run(&PUBLISH, &[], &arguments).await.expect("redis answers");
    }

    /// Writes an entry, and tells nobody.
    pub(crate) async fn write(&self, key: &str, json: &str, timestamp: i64) {
        let until = timestamp + 3_000_000_000;
        let data = format!(
            r#"{{"Value":{json},"Timestamp":{timestamp},"LogicalExpirationTimestamp":{until},"Tags":null,"Metadata":null}}"#
        );
        let key = Bytes::from(self.settings.store_key(key));
        self.server
            .run(&WRITE, &[key], &[until.to_string().into(), data.into()])
            .await
            .expect("redis answers");
    }
}

/// Text as MessagePack.
struct PackedText;

impl Codec<String> for PackedText {
    fn encode(&self, value: &String) -> Result<Bytes, Box<dyn Error + Send + Sync>> {
        let mut bytes = BytesMut::new();
        match value.len() {
            length @ ..32 => bytes.put_u8(0xa0 | length as u8),
            length => {
                bytes.put_u8(0xdb);
                bytes.put_u32(length as u32);
            }
        }
        bytes.put_slice(value.as_bytes());
        Ok(bytes.freeze())
    }

    fn decode(&self, bytes: &Bytes) -> Result<String, Box<dyn Error + Send + Sync>> {
        let (head, length) = match bytes.first().ok_or("no bytes")? {
            short @ 0xa0..0xc0 => (1, usize::from(short & 31)),
            0xd9 => (2, usize::from(*bytes.get(1).ok_or("no length")?)),
            other => return Err(format!("{other:#x} begins no short text").into()),
        };
        let text = bytes.get(head..).filter(|text| text.len() == length).ok_or("another length")?;
        Ok(std::str::from_utf8(text)?.to_owned())
    }
}
