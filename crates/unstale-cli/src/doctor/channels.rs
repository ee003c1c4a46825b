//! Channels of FusionCache's backplane that somebody listens to.

use std::collections::BTreeMap;

use super::cluster::Node;
use super::report::Check;
use crate::server::{command, reply};

/// `{prefix}.Backplane:v2`, with other separators for safe strings.
const PATTERN: &str = "*Backplane?v[0-9]*";
const SHOWN_MAX: usize = 100;

/// Each channel, and its subscribers on all nodes.
pub(super) async fn listened(nodes: &[Node]) -> Result<BTreeMap<String, i64>, String> {
    let mut channels: BTreeMap<String, i64> = BTreeMap::new();
    for node in nodes {
        let asked = node.server.ask(&command(["PUBSUB", "CHANNELS", PATTERN])).await;
        let names: Vec<String> = asked
            .map_err(|error| error.to_string())
            .map(|names| reply::list(&names).iter().filter_map(reply::text).collect())?;
        if names.is_empty() {
            continue;
        }
        let words =
            ["PUBSUB", "NUMSUB"].into_iter().map(str::to_owned).chain(names.into_iter().take(SHOWN_MAX));
        let counts = node.server.ask(&command(words)).await.map_err(|error| error.to_string())?;
        for (name, count) in reply::pairs(&counts) {
            if let Some((name, count)) = reply::text(&name).zip(reply::number(&count)) {
                *channels.entry(name).or_default() += count;
            }
        }
    }
    Ok(channels)
}

pub(super) fn check(channel: &str, subscribers: i64) -> Check {
    let says = format!("FusionCache: {subscribers} nodes listen on {channel}");
    let check = if channel.ends_with("v2") {
        Check::ok("channel", says)
    } else {
        Check::warn(
            "channel",
            format!("{says}, which nodes of version 2 neither hear nor use: upgrade them all"),
        )
    };
    check.fact("channel", channel).fact("subscribers", subscribers)
}
