//! What an unstale node says: by one that joins, acts and leaves.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use clap::ValueEnum;
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use unstale::{Cache, ErrorKind, Json, Key, Node, Receipt};
use unstale_codec::native::{self, EncodeError};
use unstale_core::{
    Act, Batch, Frame, Message, Name, ProcessId, Range, Scope, Seq, Stamp, Stream, Subject, Verb, Voided,
};
use unstale_redis::{RedisBackplane, RedisStore, RedisStoreOptions, Settings};

use crate::decode::{self, hex};
use crate::exit::Exit;
use crate::server::connected;
use crate::terminal::plain;

/// What is to be sent, to whom.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) cluster: String,
    pub(super) prefix: String,
    pub(super) group: String,
    pub(super) name: String,
    pub(super) cache: Name,
    pub(super) verb: Verb,
    pub(super) what: What,
    /// The namespace of the second level; none leaves it alone.
    pub(super) namespace: Option<String>,
}

/// What is out of date.
#[derive(Clone, Debug)]
pub(super) enum What {
    Key(Bytes),
    Tag(Bytes),
    All,
}

/// How the nodes encode a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum KeyType {
    /// Text
    Text,
    /// Bytes, given in hexadecimal digits
    Hex,
    /// u32
    U32,
    /// u64
    U64,
    /// i64
    I64,
}

/// How long a node may take to join; one that died a moment ago is waited for.
const JOIN_MAX: Duration = Duration::from_secs(15);
/// How long another node may take to count the act.
const CONFIRM_MAX: Duration = Duration::from_secs(5);

impl KeyType {
    /// The bytes of a key.
    pub(super) fn encode(self, key: &str) -> Result<Bytes, String> {
        let number = |what: &str| format!("--key `{key}` is no {what}");
        match self {
            Self::Text => Ok(key.to_owned().encode()),
            Self::Hex => hex::bytes(key.as_bytes())
                .map(Bytes::from)
                .map_err(|refused| format!("--key: {}", refused.error)),
            Self::U32 => key.parse::<u32>().map(|key| key.encode()).map_err(|_| number("u32")),
            Self::U64 => key.parse::<u64>().map(|key| key.encode()).map_err(|_| number("u64")),
            Self::I64 => key.parse::<i64>().map(|key| key.encode()).map_err(|_| number("i64")),
        }
    }
}

impl Target {
    /// The act as a frame carries it, of a stream that nobody has; or why no frame does.
    pub(super) fn dry(&self, is_json: bool) -> Result<String, EncodeError> {
        let cache = self.cache.clone();
        let subject = match self.what.clone() {
            What::Key(key) => Subject::Key { cache, key },
            What::Tag(tag) => Subject::Tag { cache: Some(cache), tag },
            What::All => Subject::Cache { cache },
        };
        let frame = Message::Frame(Frame {
            stream: Stream::first(ProcessId(0)),
            range: Range { first: Seq(1), last: Seq(1) },
            stamp: Stamp(0),
            scope: Scope(0),
            batch: Batch::Loose,
            hops: 0,
            voided: Voided::Yes,
            acts: vec![Act { verb: self.verb, subject }],
            unknown: Bytes::new(),
        });
        let mut bytes = BytesMut::new();
        native::encode(&frame, &mut bytes)?;
        let decoded = serde_json::to_value(decode::native::json(&frame)).unwrap_or_default();
        let mut line = self.facts();
        line.insert("dry_run".to_owned(), true.into());
        line.insert("frame".to_owned(), decoded);
        line.insert("hex".to_owned(), hex::digits(&bytes).into());
        if is_json {
            return Ok(format!("{}\n", Value::Object(line)));
        }
        let level = match &self.namespace {
            Some(namespace) => format!("void it in the second level `{namespace}`"),
            None => "leave the second level alone".to_owned(),
        };
        Ok(format!(
            "a node would join the group {}, {level}, and send, with its own stream, number and stamp:\n{}\n",
            self.group,
            hex::digits(&bytes)
        ))
    }

    fn facts(&self) -> Map<String, Value> {
        let (subject, what) = match &self.what {
            What::Key(key) => ("key", hex::digits(key).into()),
            What::Tag(tag) => ("tag", String::from_utf8_lossy(tag).into()),
            What::All => ("cache", Value::Null),
        };
        let facts = json!({
            "codec": "native", "group": self.group, "cache": self.cache.to_string(),
            "action": format!("{:?}", self.verb).to_lowercase(), "subject": subject, "of": what,
        });
        facts.as_object().cloned().unwrap_or_default()
    }

    /// Joins, acts, leaves.
    pub(super) async fn send(&self, settings: Settings, is_json: bool) -> Result<String, (String, Exit)> {
        let unavailable = |error: &dyn std::fmt::Display| (error.to_string(), Exit::Unavailable);
        let usage = |error: &dyn std::fmt::Display| (error.to_string(), Exit::Usage);
        let backplane =
            RedisBackplane::builder(settings.clone()).prefix(&self.prefix).group(&self.group).start();
        let mut builder = Node::builder(&self.cluster)
            .name(&self.name)
            .backplane(backplane.map_err(|error| usage(&error))?);
        if let Some(namespace) = &self.namespace {
            let connection = connected(settings).await.map_err(|error| unavailable(&error))?;
            let options = RedisStoreOptions { namespace: namespace.clone(), ..RedisStoreOptions::default() };
            builder = builder.store(RedisStore::with(&connection, options).map_err(|error| usage(&error))?);
        }
        let node = builder.start().await.map_err(|error| usage(&error))?;
        let cache = node.cache(self.cache.to_string());
        let cache = if self.namespace.is_some() { cache.stored_as(Json) } else { cache };
        let cache: Cache<Bytes, ()> = cache.build().map_err(|error| usage(&error))?;
        let joined = timeout(JOIN_MAX, node.joined()).await.is_ok();
        let acted = self.act(&cache).await;
        let told = match &acted {
            Ok(receipt) => {
                let confirmed = matches!(timeout(CONFIRM_MAX, node.confirmed(receipt)).await, Ok(Ok(())));
                let members: Vec<String> =
                    node.status().members.iter().map(|member| member.name.to_string()).collect();
                Ok(self.told(receipt, joined, confirmed && !members.is_empty(), &members, is_json))
            }
            // Nobody is left to void the store as soon as it answers.
            Err(error) if error.kind() == ErrorKind::Store => Err(unavailable(&format!(
                "{error}; nodes that start now may find the old value in the store: send it again"
            ))),
            Err(error) => Err(unavailable(error)),
        };
        // Who does not hear the goodbye finds out by the silence.
        let _ = node.shutdown().await;
        told
    }

    async fn act(&self, cache: &Cache<Bytes, ()>) -> Result<Receipt, unstale::Error> {
        match (&self.what, self.verb) {
            (What::Key(key), Verb::Expire) => cache.expire(key).await,
            (What::Key(key), Verb::Remove | Verb::Set) => cache.remove(key).await,
            (What::Tag(tag), Verb::Expire) => cache.expire_tag(tag.clone()).await,
            (What::Tag(tag), Verb::Remove | Verb::Set) => cache.remove_tag(tag.clone()).await,
            (What::All, Verb::Expire) => cache.expire_all().await,
            (What::All, Verb::Remove | Verb::Set) => cache.clear().await,
        }
    }

    fn told(
        &self,
        receipt: &Receipt,
        joined: bool,
        confirmed: bool,
        members: &[String],
        is_json: bool,
    ) -> String {
        let (announced, session) = (receipt.announced(), receipt.session());
        if is_json {
            let mut line = self.facts();
            line.extend([
                ("announced".to_owned(), announced.into()),
                ("joined".to_owned(), joined.into()),
                ("confirmed".to_owned(), confirmed.into()),
                ("members".to_owned(), json!(members)),
                ("stream".to_owned(), session.stream().to_string().into()),
                ("number".to_owned(), session.seq().0.into()),
            ]);
            return format!("{}\n", Value::Object(line));
        }
        words(&self.group, Told { joined, announced, confirmed }, members)
    }
}

/// What is known of an act that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Told {
    joined: bool,
    announced: bool,
    confirmed: bool,
}

fn words(group: &str, told: Told, members: &[String]) -> String {
    let announced = if told.announced {
        "announced"
    } else {
        "sent, but not announced: not every member could be reached"
    };
    let joined = if told.joined {
        String::new()
    } else {
        let limit = JOIN_MAX.as_secs();
        format!(
            ", not joined within {limit} s: a member may be dead and not ended yet, or not reach the others"
        )
    };
    let heard = match (members.len(), told.confirmed) {
        (0, _) => "the group has no other member: look at --group, or unstale doctor".to_owned(),
        (count, true) => format!("counted by one at least of {count}: {}", members.join(", ")),
        (count, false) => format!("not yet counted by any of {count}: {}", members.join(", ")),
    };
    plain(&format!("{announced} to the group {group}{joined}; {heard}")) + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_not_joined_says_so_in_words() {
        let (joined, members) = (Told { joined: true, announced: true, confirmed: true }, ["a".to_owned()]);
        let said = words("shop", joined, &members);
        assert_eq!(said, "announced to the group shop; counted by one at least of 1: a\n");
        let said = words("shop", Told { joined: false, ..joined }, &members);
        assert!(said.starts_with("announced to the group shop, not joined within 15 s: "), "{said}");
        let named = words("shop", joined, &["a\u{1b}[2J".to_owned()]);
        assert!(!named.trim_end().contains(char::is_control), "{named:?}");
    }

    #[test]
    fn an_act_that_no_frame_carries_is_not_printed() {
        let target = |bytes: usize| Target {
            cluster: "shop".to_owned(),
            prefix: "unstale".to_owned(),
            group: "shop".to_owned(),
            name: "me".to_owned(),
            cache: Name::new("users").expect("a name"),
            verb: Verb::Remove,
            what: What::Key(vec![7; bytes].into()),
            namespace: None,
        };
        target(1_000).dry(true).expect("a frame");
        target(native::FRAME_BYTES_MAX).dry(true).expect_err("a frame is smaller");
    }
}
