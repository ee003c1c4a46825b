//! The settings of a node.

use std::collections::BTreeSet;
use std::time::Duration;

use bolero::TypeGenerator;
use unstale::{ErrorKind, Membership, Node, TokioClock};
use unstale_port::Peer;
use unstale_port::memory::Hub;

use crate::{BUDGET, duration, name, runtime};

#[derive(Clone, Debug, TypeGenerator)]
struct Settings {
    cluster: Vec<u8>,
    name: Option<Vec<u8>>,
    peers: Option<Vec<Peering>>,
    /// One in 16.
    long_name: u8,
    drain: (u8, u64),
    seed: Option<u64>,
}

#[derive(Clone, Debug, TypeGenerator)]
struct Peering {
    name: Option<Vec<u8>>,
    address: Vec<u8>,
}

impl Settings {
    fn peers(&self) -> Vec<Peer> {
        let peer = |peering: &Peering| Peer {
            name: peering.name.as_deref().map(name),
            address: name(&peering.address),
        };
        self.peers.iter().flatten().take(4).map(peer).collect()
    }

    fn name(&self) -> Option<String> {
        if self.long_name < 16 { Some("x".repeat(256)) } else { self.name.as_deref().map(name) }
    }
}

/// What is wrong with settings that were taken, if anything is.
fn judge(cluster: &str, name: Option<&str>, own: &str, peers: &[Peer]) -> Result<(), String> {
    let is_name = |name: &str| (1..=255).contains(&name.len());
    if !is_name(cluster) || name.is_some_and(|name| !is_name(name)) {
        return Err(format!("the cluster {cluster:?} or the node {name:?} has no name"));
    }
    let (mut names, mut addresses) = (BTreeSet::new(), BTreeSet::new());
    for peer in peers {
        if peer.address == own || !addresses.insert(&peer.address) {
            return Err(format!("{:?} is the node itself or there twice", peer.address));
        }
        if peer.name.as_ref().is_some_and(|name| !is_name(name) || !names.insert(name)) {
            return Err(format!("the name {:?} is none or there twice", peer.name));
        }
    }
    Ok(())
}

#[test]
fn fuzz_a_node_starts_with_sound_settings_or_says_what_is_wrong() {
    const OWN: &str = "a";
    let runtime = runtime();
    bolero::check!().with_test_time(BUDGET).with_type::<Settings>().for_each(|settings| {
        let (cluster, own_name, peers) = (name(&settings.cluster), settings.name(), settings.peers());
        let mut builder = Node::builder(cluster.clone())
            .clock(TokioClock::new())
            .backplane(Hub::new().join(OWN))
            .drain_deadline(duration(settings.drain.0, settings.drain.1));
        if let Some(name) = &own_name {
            builder = builder.name(name.clone());
        }
        if settings.peers.is_some() {
            builder = builder.membership(Membership::Fixed(peers.clone()));
        }
        if let Some(seed) = settings.seed {
            builder = builder.seed(seed);
        }
        runtime.block_on(async {
            match builder.start().await {
                Ok(node) => {
                    assert_eq!(judge(&cluster, own_name.as_deref(), OWN, &peers), Ok(()));
                    // With peers that nobody is behind it may try for as long as its deadline says.
                    let _ = tokio::time::timeout(Duration::from_secs(1), node.shutdown()).await;
                }
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::Config);
                    assert!(judge(&cluster, own_name.as_deref(), OWN, &peers).is_err(), "{error}");
                }
            }
        });
    });
}

#[test]
fn the_judge_catches_settings_that_should_have_been_refused() {
    let peer = |name: Option<&str>, address: &str| Peer {
        name: name.map(str::to_owned),
        address: address.to_owned(),
    };
    assert_eq!(judge("shop", None, "a", &[peer(Some("b"), "b"), peer(None, "c")]), Ok(()));
    assert!(judge("", None, "a", &[]).is_err());
    assert!(judge("shop", Some(""), "a", &[]).is_err());
    assert!(judge("shop", None, "a", &[peer(None, "a")]).is_err());
    assert!(judge("shop", None, "a", &[peer(None, "b"), peer(None, "b")]).is_err());
    assert!(judge("shop", None, "a", &[peer(Some("b"), "b"), peer(Some("b"), "c")]).is_err());
}
