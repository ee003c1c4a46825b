//! Messages as items to show: what `unstale decode` says of them, and what that means.

use std::collections::{BTreeSet, VecDeque};

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use unstale_codec::fusion::{BackplaneMessage, Ticks};
use unstale_codec::native;
use unstale_core::{Frame, Message, Stream, Subject};
use unstale_redis::Overheard;

use super::CodecName;
use crate::decode::{self, Refused, hex};

/// A message, or one act of a frame of many.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// As `unstale decode` names them, and what was understood of them.
    fields: Map<String, Value>,
    action: String,
    /// When it happened, by the clock of its sender.
    at: Option<Ticks>,
    is_act: bool,
    /// The cache that it is about, of an act on one.
    cache: Option<String>,
    words: String,
}

impl Item {
    pub(super) fn fields(&self) -> &Map<String, Value> {
        &self.fields
    }

    /// What is counted.
    pub(super) fn action(&self) -> &str {
        &self.action
    }

    pub(super) fn at(&self) -> Option<Ticks> {
        self.at
    }

    pub(super) fn is_act(&self) -> bool {
        self.is_act
    }

    /// Whether it is an act on this cache, or on all.
    pub(super) fn concerns(&self, cache: &str) -> bool {
        self.cache.as_deref().is_none_or(|name| name == cache)
    }

    pub(super) fn words(&self) -> &str {
        &self.words
    }
}

/// Frames that were shown: one that is sent to each peer apart, or again to close a hole, is one.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    shown: BTreeSet<Numbers>,
    /// The same, the oldest first.
    order: VecDeque<Numbers>,
}

/// A stream, the first and the last number of a frame.
type Numbers = (Stream, u64, u64);

const REPEATS_MAX: usize = 4_096;

impl Repeats {
    fn is_new(&mut self, frame: &Frame) -> bool {
        let numbers = (frame.stream, frame.range.first.0, frame.range.last.0);
        if !self.shown.insert(numbers) {
            return false;
        }
        self.order.push_back(numbers);
        if self.order.len() > REPEATS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.shown.remove(&oldest);
        }
        true
    }
}

/// What a payload says; nothing for what only keeps a link going, and for what was shown already.
pub(super) fn decode(codec: CodecName, payload: &Bytes, repeats: &mut Repeats) -> Result<Vec<Item>, Refused> {
    match codec {
        CodecName::Fusion => Ok(vec![fusion(payload)?]),
        CodecName::Native => native(payload, repeats),
    }
}

fn fusion(payload: &Bytes) -> Result<Item, Refused> {
    let message = BackplaneMessage::decode(payload.clone())?;
    let mut fields = members(decode::fusion::fields(&message));
    let verb = message.action.name().trim_start_matches("Entry").to_lowercase();
    let key = message.cache_key.as_str();
    let mark = mark(key);
    let (action, subject) = match &mark {
        None => (verb, format!("`{key}`")),
        Some((subject, "")) => ((*subject).to_owned(), format!("`{key}`")),
        Some((subject, tag)) => {
            fields.insert("tag".to_owned(), (*tag).into());
            ((*subject).to_owned(), format!("`{tag}` (`{key}`)"))
        }
    };
    fields.insert("subject".to_owned(), mark.map_or("key", |(subject, _)| subject).into());
    let words = format!("{action} {subject}  by {}", message.source_id);
    Ok(Item { fields, action, at: Some(message.timestamp), is_act: true, cache: None, words })
}

/// What a key stands for that is a mark: of a tag, which is named, or of a clear.
fn mark(key: &str) -> Option<(&'static str, &str)> {
    let (_, tag) = key.split_once("__fc:t:").or_else(|| key.split_once("__fc-t-"))?;
    Some(match tag {
        "*" | "-exp" => ("clear_expire", ""),
        "!" | "-rem" => ("clear_remove", ""),
        tag => ("tag", tag),
    })
}

fn native(payload: &Bytes, repeats: &mut Repeats) -> Result<Vec<Item>, Refused> {
    let unknown = || Refused { error: "no message of a backplane of unstale".to_owned(), offset: 0 };
    let Overheard { process, frame } = Overheard::decode(payload).ok_or_else(unknown)?;
    let Some(frame) = frame else { return Ok(Vec::new()) };
    let head = payload.len() - frame.len();
    let message = native::decode(frame)
        .map_err(|wrong| Refused { error: wrong.kind.to_string(), offset: wrong.offset + head })?;
    let process = hex::digits(&process);
    if let Message::Frame(frame) = message {
        return Ok(if repeats.is_new(&frame) { acts(frame, &process) } else { Vec::new() });
    }
    let mut fields = members(decode::native::json(&message));
    let action = fields.get("message").and_then(Value::as_str).unwrap_or("unknown").to_owned();
    fields.insert("process".to_owned(), process.clone().into());
    let words = format!("{action}  by process {process}");
    Ok(vec![Item { fields, action, at: None, is_act: false, cache: None, words }])
}

/// Each act of a frame, with the frame's own fields.
fn acts(frame: Frame, process: &str) -> Vec<Item> {
    let at = std::time::Duration::from_millis(frame.stamp.millis());
    let at = Some(Ticks::from_unix(at));
    let caches: Vec<_> = frame.acts.iter().map(|act| cache(&act.subject)).collect();
    let verbs: Vec<_> = frame.acts.iter().map(|act| format!("{:?}", act.verb).to_lowercase()).collect();
    let mut fields = members(decode::native::json(&Message::Frame(frame)));
    fields.insert("process".to_owned(), process.into());
    let Some(Value::Array(acts)) = fields.remove("acts") else { return Vec::new() };
    let item = |((act, cache), verb): ((Value, Option<String>), String)| {
        let mut fields = fields.clone();
        let text = |name: &str| {
            act.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        };
        let subject = text("subject").unwrap_or_default();
        let of = text("cache").unwrap_or_else(|| "all caches".to_owned());
        let what = text("key").or_else(|| text("tag")).unwrap_or_default();
        let words = format!("{verb} {subject} `{what}` of {of}  by process {process}");
        if let Value::Object(act) = act {
            fields.extend(act);
        }
        Item { fields, action: verb, at, is_act: true, cache, words }
    };
    acts.into_iter().zip(caches).zip(verbs).map(item).collect()
}

fn cache(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Key { cache, .. } | Subject::Cache { cache } => Some(cache.to_string()),
        Subject::Tag { cache, .. } => cache.as_ref().map(ToString::to_string),
        Subject::All => None,
    }
}

fn members(object: impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(object) {
        Ok(Value::Object(members)) => members,
        Ok(_) | Err(_) => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use unstale_codec::fusion::Action;

    use super::*;

    fn message(key: &str) -> Item {
        let message = BackplaneMessage {
            source_id: "node".into(),
            timestamp: Ticks(639_028_224_010_000_000),
            action: Action::Set,
            cache_key: key.into(),
            rest: Bytes::new(),
        };
        let mut bytes = BytesMut::new();
        message.encode(&mut bytes).expect("a message");
        fusion(&bytes.freeze()).unwrap_or_else(|refused| panic!("{}", refused.error))
    }

    #[test]
    fn marks_are_told_from_keys() {
        for (key, action, tag) in [
            ("user:1", "set", None),
            ("shop:__fc:t:vip", "tag", Some("vip")),
            ("__fc:t:*", "clear_expire", None),
            ("shop:__fc:t:!", "clear_remove", None),
            ("__fc-t--rem", "clear_remove", None),
        ] {
            let item = message(key);
            assert_eq!(item.action(), action, "{key}");
            assert_eq!(item.fields().get("tag").and_then(Value::as_str), tag, "{key}");
            assert_eq!(item.fields()["cache_key"], key);
        }
    }

    #[test]
    fn fuzz_any_bytes_are_shown_or_refused() {
        bolero::check!().with_type::<(Vec<u8>, bool)>().for_each(|(bytes, is_fusion)| {
            let codec = if *is_fusion { CodecName::Fusion } else { CodecName::Native };
            let _ = decode(codec, &bytes.clone().into(), &mut Repeats::default());
        });
    }
}
