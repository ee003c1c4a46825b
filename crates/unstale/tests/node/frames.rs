//! Bytes from outside, and what is counted of everything.

use std::time::Duration;

use bytes::Bytes;
use tokio::time::sleep;
use unstale::metrics::names;
use unstale::{Event, Membership};
use unstale_port::memory::{Hub, MemoryBackplane};
use unstale_port::{Backplane, Event as PortEvent, next_event};

use crate::cluster::{Cluster, until};

async fn writable(peer: &mut MemoryBackplane) -> unstale_port::LinkId {
    loop {
        if let PortEvent::Writable { link } = next_event(peer).await {
            return link;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_that_keeps_sending_garbage_is_counted_reported_and_closed_while_others_go_on() {
    let hub = Hub::new();
    let cluster = Cluster::on(hub.clone());
    let a = cluster.member(cluster.builder("a").membership(Membership::Elastic).start().await.unwrap());
    let b = cluster.member(cluster.builder("b").membership(Membership::Elastic).start().await.unwrap());
    a.node.joined().await.unwrap();
    b.node.joined().await.unwrap();
    until("a tracks b", || !a.node.status().members.is_empty()).await;
    let mut events = a.node.events();
    hub.cut("stranger", "b");
    let mut stranger = hub.join("stranger");
    let link = writable(&mut stranger).await;
    for round in 0..8_u8 {
        stranger.send(link, Bytes::from(vec![round; 40])).unwrap();
        let answer = next_event(&mut stranger).await;
        assert!(matches!(answer, PortEvent::Writable { .. }), "taken, whatever it is: {answer:?}");
    }
    until("the link was closed", || a.count(names::LINKS_ABUSED) == 1).await;
    assert_eq!(a.count(names::FRAMES_BAD), 8);
    let mut reported = 0;
    while let Some(event) = events.try_recv() {
        reported += usize::from(matches!(event, Event::FrameBad { .. }));
    }
    assert_eq!(reported, 8);
    cluster.database.write(1, 10);
    b.read(1).await;
    let _ = a.write(1, 11).await;
    until("the honest peer heard it", || b.rows.get(&1).is_none()).await;
}

#[tokio::test(start_paused = true)]
async fn the_metrics_text_is_well_formed_and_tells_what_happened() {
    let (cluster, [a, b]) = Cluster::start_all(["a", "b"]).await;
    cluster.database.write(1, 10);
    a.read(1).await;
    a.read(1).await;
    let _ = b.write(1, 11).await;
    sleep(Duration::from_secs(1)).await;
    let text = a.node.metrics().to_prometheus();
    let mut types = std::collections::BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} is declared twice");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let name = series.split('{').next().unwrap();
            let family = ["_bucket", "_sum", "_count"].iter().fold(name, |name, suffix| {
                let family = name.strip_suffix(suffix).unwrap_or(name);
                if types.contains_key(family) { family } else { name }
            });
            assert!(types.contains_key(family), "{name} comes after its type");
            assert_eq!(series.matches('{').count(), series.matches('}').count());
        }
    }
    assert!(text.contains("unstale_cache_hits_total{cache=\"rows\"} 1\n"), "{text}");
    assert!(text.contains("unstale_acts_applied_total{via=\"live\"} 1\n"), "{text}");
    assert!(text.contains("unstale_node_state{state=\"joined\"} 1\n"), "{text}");
    assert!(text.contains("unstale_members 2\n"), "{text}");
}
