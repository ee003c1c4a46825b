//! What a FusionCache node would do, in commands.

use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use redis::Value;
use serde_json::json;
use unstale_codec::fusion::{
    Action, BackplaneMessage, Envelope, MARK_KEPT, Mark, Names, STORED_FIELDS, Stored, Ticks,
    absolute_expiration,
};
use unstale_port::Error;

use super::plan::{Plan, Step};
use crate::exit::Exit;
use crate::fusion::{Serializer, recognise};
use crate::server::{Scan, Server, command, reply};

/// What is to be sent, to whom.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) what: What,
    pub(super) names: Names,
    pub(super) source: String,
    pub(super) serializer: Option<Serializer>,
    pub(super) level: Level,
}

/// A key of the cache, and what happened to it.
#[derive(Clone, Debug)]
pub(super) enum What {
    Key(String, Action),
    /// A tag or a clear.
    Mark(String),
}

/// What becomes of the second level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Changed,
    Left,
}

/// Why nothing is sent.
#[derive(Clone, Debug)]
pub(super) struct Refused {
    pub(super) says: String,
    pub(super) exit: Exit,
}

/// Keys that are looked through for an entry that shows the serializer.
const KEYS_MAX: usize = 1_000_000;

/// Reads what is there, and says what follows.
pub(super) async fn plan(server: &Server, target: &Target) -> Result<Plan, Refused> {
    let Target { what, names, level, .. } = target;
    let (cache_key, action) = match what {
        What::Key(key, action) => (key.as_str(), *action),
        What::Mark(key) => (key.as_str(), Action::Set),
    };
    let store_key = names.store_key(cache_key);
    let before = read(server, store_key.as_bytes()).await?;
    let mut steps = Vec::new();
    let mut serializer = None;
    let timestamp = match what {
        What::Key(..) => {
            let of_entry = before.as_ref().and_then(|(_, envelope)| Some(envelope.as_ref()?.timestamp));
            // Nodes take no notice of what is not newer than what they hold.
            let timestamp = now(server).await?.max(Ticks(of_entry.unwrap_or_default().0.saturating_add(1)));
            if *level == Level::Changed {
                steps.push(Step::Delete(words(&["DEL"], &[store_key.as_bytes()])));
            }
            timestamp
        }
        What::Mark(_) => {
            let now = now(server).await?;
            // A mark that is older than one before would bring back what that one ended.
            let value = now.max(before.as_ref().and_then(of_mark).unwrap_or_default());
            if *level == Level::Changed {
                let by = match (target.serializer, &before) {
                    (Some(chosen), _) => chosen,
                    (None, Some((found, _))) => *found,
                    (None, None) => find(server, names).await?,
                };
                serializer = Some(by);
                let place = if server.settings().is_cluster() { Place::Cluster } else { Place::Server };
                steps.push(mark(by, (value, now), &store_key, place)?);
            }
            value
        }
    };
    let message = BackplaneMessage {
        source_id: target.source.clone().into(),
        timestamp,
        action,
        cache_key: cache_key.to_owned().into(),
        rest: Bytes::new(),
    };
    let mut bytes = BytesMut::new();
    message.encode(&mut bytes).map_err(|error| usage(&error.to_string()))?;
    let channel = names.channel();
    steps.push(Step::Publish(words(&["PUBLISH"], &[channel.as_bytes(), &bytes])));
    let facts = json!({
        "codec": "fusion", "channel": channel, "source_id": target.source, "timestamp_ticks": timestamp.0,
        "action": action.name(), "cache_key": cache_key, "store_key": store_key,
        "serializer": serializer.map(|serializer| serializer.to_string()),
    });
    let facts = facts.as_object().cloned().unwrap_or_default();
    Ok(Plan { steps, facts })
}

/// The command words and the arguments after them.
fn words(command: &[&'static str], arguments: &[&[u8]]) -> Vec<Bytes> {
    let command = command.iter().map(|word| Bytes::from_static(word.as_bytes()));
    command.chain(arguments.iter().map(|argument| Bytes::copy_from_slice(argument))).collect()
}

/// Where a mark is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Server,
    /// There a transaction has no key that says to which node it goes.
    Cluster,
}

const WRITE: &str =
    "redis.call('HSET', KEYS[1], unpack(ARGV, 2)) return redis.call('EXPIRE', KEYS[1], ARGV[1])";

/// The mark in its hash, with its end.
fn mark(
    serializer: Serializer,
    (value, now): (Ticks, Ticks),
    key: &str,
    place: Place,
) -> Result<Step, Refused> {
    let format = serializer.mark_format();
    let mut data = BytesMut::new();
    let envelope = Mark { value, timestamp: value }.envelope(&format);
    envelope.encode(&format, &mut data).map_err(|error| usage(&error.to_string()))?;
    let stored = Stored::new(absolute_expiration(now, MARK_KEPT, None), data.freeze());
    let seconds = stored.expire_seconds(now).unwrap_or(MARK_KEPT.as_secs()).to_string();
    let fields =
        stored.fields().into_iter().flat_map(|(name, value)| [Bytes::from_static(name.as_bytes()), value]);
    let key = key.as_bytes();
    Ok(Step::Mark(match place {
        Place::Server => {
            let mut write = words(&["HSET"], &[key]);
            write.extend(fields);
            vec![
                words(&["MULTI"], &[]),
                write,
                words(&["EXPIRE"], &[key, seconds.as_bytes()]),
                words(&["EXEC"], &[]),
            ]
        }
        Place::Cluster => {
            let mut write = words(&["EVAL", WRITE, "1"], &[key, seconds.as_bytes()]);
            write.extend(fields);
            vec![write]
        }
    }))
}

type Entry = (Serializer, Option<Envelope>);

fn of_mark((serializer, envelope): &Entry) -> Option<Ticks> {
    Some(Mark::of(&serializer.mark_format(), envelope.as_ref()?).ok()?.value)
}

/// What a hash of the second level holds, if it is one and somebody's.
async fn read(server: &Server, store_key: &[u8]) -> Result<Option<Entry>, Refused> {
    let kind = ask(server, &words(&["TYPE"], &[store_key])).await?;
    if reply::text(&kind).as_deref() != Some("hash") {
        return Ok(None);
    }
    let data = ask(server, &words(&["HGET"], &[store_key, STORED_FIELDS[2].as_bytes()])).await?;
    let found = reply::bytes(&data).and_then(|data| recognise(&data));
    Ok(found.map(|recognised| (recognised.serializer, recognised.envelope)))
}

/// The serializer of some entry of the cache.
async fn find(server: &Server, names: &Names) -> Result<Serializer, Refused> {
    let none = || {
        Refused {
        says: "no entry of the cache tells by which serializer its nodes write marks: name it with --serializer, or leave \
               the second level alone with --no-l2"
            .to_owned(),
        exit: Exit::Data,
    }
    };
    if server.settings().is_cluster() {
        // A scan of a cluster would be one of each node.
        return Err(Refused {
            says: "in a cluster name the serializer of its nodes with --serializer".to_owned(),
            exit: Exit::Usage,
        });
    }
    // No key has this letter; it stands where the rest of a key does.
    let shape = names.store_key(&format!("{}\0", names.key_prefix));
    let pattern = escape(&shape).replace('\0', "*");
    let mut scan = Scan::like(pattern);
    for _ in 0..KEYS_MAX / 1_000 {
        let Some(keys) = scan.next(server).await.map_err(|error| unavailable(&error))? else { break };
        for key in keys {
            if let Some((serializer, _)) = read(server, &key).await? {
                return Ok(serializer);
            }
        }
    }
    Err(none())
}

/// A name in a pattern, literally.
fn escape(name: &str) -> String {
    let escape = |letter: char| {
        let before = if matches!(letter, '*' | '?' | '[' | ']' | '^' | '\\') { "\\" } else { "" };
        format!("{before}{letter}")
    };
    name.chars().map(escape).collect()
}

/// The later of this machine's clock and the server's: nodes whose clocks are ahead of ours must not take it for old.
async fn now(server: &Server) -> Result<Ticks, Refused> {
    let ours = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let theirs = server.time().await.map_err(|error| unavailable(&error))?;
    Ok(Ticks::from_unix(ours).max(Ticks::from_unix(theirs)))
}

async fn ask(server: &Server, words: &[Bytes]) -> Result<Value, Refused> {
    server.ask(&command(words)).await.map_err(|error| unavailable(&error))
}

fn unavailable(error: &Error) -> Refused {
    Refused { says: error.to_string(), exit: Exit::Unavailable }
}

fn usage(says: &str) -> Refused {
    Refused { says: says.to_owned(), exit: Exit::Usage }
}
