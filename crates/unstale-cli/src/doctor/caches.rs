//! Which caches are on a server: those of .NET, and unstale's.

use std::time::{Duration, SystemTime};

use unstale_codec::fusion::Ticks;
use unstale_port::Error;

use super::channels;
use super::cluster::Node;
use super::entries;
use super::estate::Survey;
use super::found::Found;
use super::registers;
use super::report::{Check, Report};
use super::scan::{Scanned, scan};
use super::stores;

/// Looks through channels and keys of all nodes.
pub(super) async fn survey(nodes: &[Node], sample: usize, report: &mut Report) {
    let listened = match channels::listened(nodes).await {
        Ok(channels) => {
            for (channel, subscribers) in &channels {
                report.add(&channels::check(channel, *subscribers));
            }
            Some(channels.len())
        }
        Err(error) => {
            report
                .add(&Check::warn("channel", format!("{error}: let the user run PUBSUB to see who listens")));
            None
        }
    };
    let mut estates = 0;
    for node in nodes {
        let mut found = Found::new(sample);
        let scanned = match scan(&node.server, |key| found.see(key)).await {
            Ok(scanned) => scanned,
            Err(error) => {
                report.add(&node.named(Check::warn(
                    "keys",
                    format!("{error}: let the user run SCAN to see what is there"),
                )));
                continue;
            }
        };
        report.add(&node.named(keys(scanned)));
        estates += examine(node, &found, report).await;
    }
    if estates > 0 && listened == Some(0) {
        let says = "FusionCache keeps entries here and no node listens on a backplane: either all are down, or each serves \
                    its first level without hearing of the others: give the cache a backplane";
        report.add(&Check::warn("channel", says).fact("subscribers", 0));
    }
}

/// How many estates there are.
async fn examine(node: &Node, found: &Found, report: &mut Report) -> usize {
    let mut estates = 0;
    let now = now();
    for (estate, keys) in &found.estates {
        let read = async {
            Ok::<_, Error>((
                entries::read(&node.server, &keys.entries).await?,
                entries::read(&node.server, &keys.marks).await?,
            ))
        };
        match read.await {
            Ok((entries, marks)) => {
                let survey = Survey::new(estate, keys, now, &entries, &marks);
                if survey.is_one() {
                    estates += 1;
                    for check in survey.checks() {
                        report.add(&node.named(check));
                    }
                }
            }
            Err(error) => {
                let says = format!("{error}: entries like {} cannot be read", estate.pattern());
                report.add(&node.named(Check::warn("entries", says)));
            }
        }
    }
    for check in registers::checks(&node.server, &found.registers).await {
        report.add(&node.named(check));
    }
    for (namespace, shards) in &found.stores {
        if let Some(check) = stores::check(&node.server, namespace, shards).await {
            report.add(&node.named(check));
        }
    }
    estates
}

fn keys(Scanned { keys, is_whole }: Scanned) -> Check {
    let says = if is_whole {
        format!("{keys} keys, all looked through by name")
    } else {
        format!("{keys} keys looked through by name, not all there are")
    };
    Check::ok("keys", says).fact("keys", keys).fact("whole", is_whole)
}

fn now() -> Ticks {
    Ticks::from_unix(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO))
}
