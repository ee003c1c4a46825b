//! What clients of a .NET node do.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use serde_json::{Value, json};
use unstale_fusion::Format;
use unstale_servers::FusionNode;

use crate::authority::{Authority, KEYS, TAGS, keys_of, name, tag};
use crate::ours::pause;
use crate::run::{Dice, Totals};

/// The live node's word for what writes its values.
pub(crate) fn word(format: &Format) -> &'static str {
    match format {
        Format::SystemTextJson => "stj",
        Format::Newtonsoft => "newtonsoft",
        Format::MessagePack => "messagepack",
        Format::MemoryPack(_) | Format::ProtobufNet => {
            panic!("no estate has {format:?}")
        }
    }
}

/// A client of a .NET node, which answers one request at a time.
pub(crate) async fn work(
    mut node: FusionNode,
    who: usize,
    authority: Arc<Authority>,
    totals: Arc<Totals>,
    mut dice: Dice,
) {
    while !totals.is_over() {
        let key = dice.below(KEYS);
        match dice.below(100) {
            30..75 if !is_set_by_theirs(key) => {
                load(&mut node, &authority, &totals, &mut dice, who, key).await;
            }
            0..75 => get(&mut node, &authority, &totals, who, key).await,
            75..98 => write(&mut node, &authority, &mut dice, who, vec![key]).await,
            98 => write(&mut node, &authority, &mut dice, who, keys_of(key % TAGS)).await,
            _ if dice.below(4) == 0 => {
                write(&mut node, &authority, &mut dice, who, (0..KEYS).collect()).await;
            }
            _ => {}
        }
        totals.of_theirs.fetch_add(1, Ordering::Relaxed);
        pause(dice.below(3) as u64).await;
    }
}

const fn is_set_by_theirs(key: usize) -> bool {
    key.is_multiple_of(3)
}

async fn ask(node: &mut FusionNode, request: &Value) -> Value {
    node.ask(request).await.expect("the live node answers")
}

async fn get(node: &mut FusionNode, authority: &Authority, totals: &Totals, who: usize, key: usize) {
    let began = Instant::now();
    let answer = ask(node, &json!({"op": "get", "key": name(key)})).await;
    judge(authority, totals, who, key, &answer, began);
}

/// Its factory answers with what was read before it began. Now and then the factory is slow, and who writes meanwhile is raced.
///
/// Not of the keys that .NET nodes set: the factory's timestamp would be later than the read, and could be later than that of
/// a set in between, which nobody could tell from a newer value.
async fn load(
    node: &mut FusionNode,
    authority: &Authority,
    totals: &Totals,
    dice: &mut Dice,
    who: usize,
    key: usize,
) {
    let delay = if dice.below(10) == 0 { dice.below(400) } else { dice.below(5) };
    let (began, version) = (Instant::now(), authority.read(key));
    let request = json!({
        "op": "get_or_set", "key": name(key), "value": version.to_string(), "factory_ms": delay, "tags": [tag(key)],
    });
    let answer = ask(node, &request).await;
    judge(authority, totals, who, key, &answer, began);
}

async fn write(node: &mut FusionNode, authority: &Authority, dice: &mut Dice, who: usize, keys: Vec<usize>) {
    let turn = authority.turn(keys).await;
    authority.commit(&turn);
    let request = match turn.keys[..] {
        [key] => match dice.below(3) {
            0 if is_set_by_theirs(key) => {
                let version = authority.read(key).to_string();
                json!({"op": "set", "key": name(key), "value": version, "tags": [tag(key)]})
            }
            0 | 1 => json!({"op": "remove", "key": name(key)}),
            _ => json!({"op": "expire", "key": name(key)}),
        },
        _ if turn.keys.len() < KEYS => json!({"op": "remove_by_tag", "tag": tag(turn.keys[0])}),
        _ => json!({"op": "clear", "allow_fail_safe": dice.below(2) == 0}),
    };
    let before = authority.changes();
    ask(node, &request).await;
    if before.is_multiple_of(2) && authority.changes() == before {
        authority.acted(&turn, who);
    }
}

/// Counted and printed: what .NET nodes promise one another is theirs.
fn judge(authority: &Authority, totals: &Totals, who: usize, key: usize, answer: &Value, began: Instant) {
    let version = answer["value"].as_str().and_then(|version| version.parse().ok());
    if let Some(version) = version {
        totals.reads_of_theirs.fetch_add(1, Ordering::Relaxed);
        if let Some(stale) = authority.judge(who, key, version, began, None) {
            totals.stale_of_theirs(stale.by);
        }
    }
}
