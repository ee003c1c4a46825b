use std::future::poll_fn;
use std::net::SocketAddr;
use std::time::Duration;

use super::*;
use crate::link::Ages;
use crate::secret::Secret;

async fn two_that_dial_each_other() -> [Mesh; 2] {
    let bound = || std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = |bound: &std::net::TcpListener| bound.local_addr().expect("bound").to_string();
    let (first, second) = (bound(), bound());
    let (at_first, at_second) = (address(&first), address(&second));
    let start = async |bound, peer| {
        let secret = Secret::new("a secret for tests").expect("not empty");
        Mesh::builder().secret(secret).listener(bound).peer(peer).start().await.expect("it starts")
    };
    [start(first, at_second).await, start(second, at_first).await]
}

/// Polls all until `done`, and gives what happened at each.
async fn drive(meshes: &mut [Mesh], mut done: impl FnMut(&[Mesh], &[Vec<Event>]) -> bool) -> Vec<Vec<Event>> {
    let mut happened: Vec<Vec<Event>> = meshes.iter().map(|_| Vec::new()).collect();
    let driven = poll_fn(|cx| {
        loop {
            let mut quiet = true;
            for (mesh, happened) in meshes.iter_mut().zip(&mut happened) {
                if let Poll::Ready(event) = mesh.poll_event(cx) {
                    happened.push(event);
                    quiet = false;
                }
            }
            if done(meshes, &happened) {
                return Poll::Ready(());
            }
            if quiet {
                return Poll::Pending;
            }
        }
    });
    tokio::time::timeout(Duration::from_secs(60), driven).await.expect("it happens within a minute");
    happened
}

/// One link, the peer's address known by its identity, and nothing under way.
fn is_settled(mesh: &Mesh) -> bool {
    let linked = |target: &Target| target.identity.is_some_and(|identity| mesh.live.contains_key(&identity));
    mesh.links.len() == 1 && mesh.live.len() == 1 && mesh.targets.values().all(linked)
}

/// What each link that came up was said to have dialled.
fn dialled(events: &[Event]) -> Vec<Option<String>> {
    let mut dialled = Vec::new();
    for event in events {
        if let Event::Up { remote, .. } = event {
            dialled.push(remote.dialled.clone());
        }
    }
    dialled
}

#[tokio::test]
async fn of_two_connections_between_a_pair_one_is_the_link_and_the_other_is_never_said() {
    for _ in 0..20 {
        let mut meshes = two_that_dial_each_other().await;
        let happened = drive(&mut meshes, |meshes, _| meshes.iter().all(is_settled)).await;
        for events in &happened {
            assert_eq!(dialled(events).len(), 1, "{events:?}");
            assert!(!events.iter().any(|event| matches!(event, Event::Down { .. } | Event::Note { .. })));
        }
    }
}

#[tokio::test]
async fn a_peer_is_not_dialled_while_a_link_to_it_lives() {
    let mut meshes = two_that_dial_each_other().await;
    drive(&mut meshes, |meshes, _| meshes.iter().all(is_settled)).await;
    for mesh in &mut meshes {
        assert_eq!(mesh.dial_due(Instant::now() + Duration::from_secs(100)), None);
        // A target that came out as linked by another connection rests; the one whose connection it is waits for its end.
        let linked = mesh.links.values().find_map(|link| link.target);
        assert!(mesh.targets.iter().all(|(id, target)| target.due().is_some() || linked == Some(*id)));
    }
}

#[tokio::test]
async fn a_link_is_known_by_the_dialled_address_even_when_the_peer_dialled() {
    let mut meshes = two_that_dial_each_other().await;
    drive(&mut meshes, |meshes, _| meshes.iter().all(is_settled)).await;
    // Both know now who is at the other's address, so the next link is named at both ends.
    let link = *meshes[0].links.keys().next().expect("settled");
    meshes[0].close(LinkId(link));
    let mut cut = false;
    let happened = drive(&mut meshes, |meshes, _| {
        cut |= meshes[1].links.is_empty();
        cut && meshes.iter().all(is_settled)
    })
    .await;
    for (mesh, events) in meshes.iter().zip(&happened) {
        let Peers::Fixed(peers) = &mesh.properties.peers else { panic!("a fixed list") };
        let dialled = dialled(events);
        assert!(!dialled.is_empty());
        assert!(dialled.iter().all(|dialled| *dialled == Some(peers[0].address.clone())), "{dialled:?}");
    }
}

#[tokio::test]
async fn a_first_link_that_the_peer_dialled_is_recognised_when_the_own_dial_meets_the_same_peer() {
    let known = |happened: &[Event]| {
        let told = happened.iter().filter_map(|event| match event {
            Event::Up { remote, .. } => remote.dialled.clone(),
            Event::Recognised { dialled, .. } => Some(dialled.clone()),
            Event::Received { .. } | Event::Writable { .. } | Event::Down { .. } | Event::Note { .. } | _ => {
                None
            }
        });
        told.collect::<Vec<_>>()
    };
    let mut meshes = two_that_dial_each_other().await;
    let happened = drive(&mut meshes, |meshes, happened| {
        meshes.iter().all(is_settled) && happened.iter().all(|events| !known(events).is_empty())
    })
    .await;
    for (mesh, events) in meshes.iter().zip(&happened) {
        let Peers::Fixed(peers) = &mesh.properties.peers else { panic!("a fixed list") };
        assert_eq!(known(events), [peers[0].address.clone()], "said once: {events:?}");
    }
}

#[tokio::test]
async fn links_beyond_the_limit_are_refused_and_counted() {
    let mut meshes = two_that_dial_each_other().await;
    for filled in 0..1_024_u64 {
        let mut identity = [0; 16];
        identity[..8].copy_from_slice(&filled.to_be_bytes());
        meshes[0].live.insert(Identity(identity), u64::MAX - filled);
    }
    let noted = |event: &Event| matches!(event, Event::Note { what: "links-full", .. });
    let happened = drive(&mut meshes, |_, happened| happened[0].iter().any(noted)).await;
    assert!(dialled(&happened[0]).is_empty());
}

#[tokio::test]
async fn a_name_that_changes_its_addresses_changes_who_is_dialled() {
    let mut mesh = Mesh::builder().discover("localhost:1").start().await.expect("it starts");
    let own = mesh.properties.listening.clone().expect("it listens");
    let parse = |text: &str| text.parse::<SocketAddr>().expect("an address");
    let (x, y) = (parse("127.0.0.1:1"), parse("127.0.0.1:2"));
    let now = Instant::now();
    let targets = |mesh: &Mesh| -> BTreeSet<String> {
        mesh.targets.values().map(|target| target.address.clone()).collect()
    };
    mesh.keep_targets(&BTreeSet::from([x, parse(&own)]), now);
    assert_eq!(targets(&mesh), BTreeSet::from([x.to_string()]), "its own address is left out");
    let kept = *mesh.targets.keys().next().expect("one");
    mesh.keep_targets(&BTreeSet::from([x, y]), now);
    assert_eq!(targets(&mesh), BTreeSet::from([x.to_string(), y.to_string()]));
    assert!(mesh.targets.contains_key(&kept), "who is still named is not begun anew");
    mesh.keep_targets(&BTreeSet::from([y]), now);
    assert_eq!(targets(&mesh), BTreeSet::from([y.to_string()]));
}

#[tokio::test]
async fn a_link_that_takes_no_bytes_for_five_seconds_is_given_up() {
    let mut meshes = two_that_dial_each_other().await;
    drive(&mut meshes, |meshes, _| meshes.iter().all(is_settled)).await;
    let link = meshes[0].links.values_mut().next().expect("settled");
    // As if the peer still talked but did not read.
    link.outbox = vec![0; 10];
    link.ages = Ages { stuck: 50, ..Ages::default() };
    meshes[0].age_links();
    let events: Vec<_> = meshes[0].events.drain(..).collect();
    assert!(
        matches!(&events[..], [Event::Note { what: "link-stuck", .. }, Event::Down { .. }]),
        "{events:?}"
    );
}
