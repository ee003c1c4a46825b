//! Nodes around a broker: a register, an arbiter, a common link, rounds (P-28, P-28a, P-28b, P-30a).

use std::time::Duration;

use tokio::time::sleep;
use unstale::metrics::names;
use unstale::{Freshness, Load, Node, ProtocolEvent, State, TokioClock};
use unstale_port::Metered;
use unstale_port::memory::{Broker, Hub};

use crate::cluster::{Cluster, Member, until};

/// A broker, and nodes that joined through it.
async fn start_all(labels: &[&str]) -> (Broker, Cluster, Vec<Member>) {
    let (broker, cluster) = (Broker::new(), Cluster::on(Hub::new()));
    let mut members = Vec::new();
    for label in labels {
        let builder = cluster.builder_over(broker.join(*label), label);
        members.push(cluster.member(builder.start().await.unwrap()));
    }
    for member in &members {
        member.node.joined().await.unwrap();
    }
    (broker, cluster, members)
}

fn proof_age(member: &Member) -> Duration {
    member.node.ready().proof_age().unwrap_or(Duration::MAX)
}

#[tokio::test(start_paused = true)]
async fn nodes_around_a_broker_join_prove_and_hear_of_every_write() {
    let (_broker, cluster, members) = start_all(&["a", "b", "c"]).await;
    sleep(Duration::from_secs(1)).await;
    for key in 0..50 {
        cluster.database.write(key, 1);
        for member in &members {
            assert_eq!(member.read(key).await, 1);
        }
        let receipt = members[key as usize % 3].write(key, 2).await;
        assert!(receipt.announced());
        sleep(Duration::from_millis(40)).await;
        for member in &members {
            assert_eq!(member.hit(key), None);
            assert!(proof_age(member) < Duration::from_millis(450), "{:?}", proof_age(member));
        }
    }
    for member in &members {
        let ready = member.node.ready();
        assert!(ready.is_ready());
        let status = ready.status();
        let register = status.register.as_ref().expect("it has one");
        assert!(register.settled && register.read_ago.unwrap() < Duration::from_millis(450));
        let rounds = status.rounds.as_ref().expect("rounds run");
        let lowest = members.iter().map(|member| member.node.status().stream).min().unwrap();
        assert_eq!(rounds.pacemaker, lowest);
        let json = ready.to_json();
        assert!(json.contains("\"register\":{\"settled\":true,\"arbiter\":\"register\",\"era\":"), "{json}");
        assert!(json.contains("\"rounds\":{\"pacemaker\":\""), "{json}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_arbiter_ends_a_node_that_is_cut_off_which_comes_back_under_its_next_stream() {
    let (broker, cluster, members) = start_all(&["a", "b", "c"]).await;
    let mut events = members[0].node.events();
    let first_life = members[2].node.status().stream;
    broker.cut("c");
    sleep(Duration::from_secs(4)).await;
    until("c was ended", || members[0].count(names::MEMBERS_ENDED) == 1).await;
    assert!(!members[2].write(7, 700).await.announced(), "its lease has run out");
    assert!(members[0].node.writable().is_ok());
    sleep(Duration::from_secs(1)).await;
    assert!(proof_age(&members[0]) < Duration::from_millis(450), "proofs go on");
    let mut has_asked = false;
    while let Some(event) = events.try_recv() {
        has_asked |= matches!(event, unstale::Event::Protocol(ProtocolEvent::ExpelAsked { .. }));
    }
    assert!(
        has_asked
            || members[1].node.metrics().count(names::PROTOCOL_EVENTS, &[("reason", "expel-asked")]) > 0
    );
    broker.heal("c");
    until("c joined again", || members[2].state() == State::Joined && members[2].node.writable().is_ok())
        .await;
    assert_eq!(members[2].node.status().stream, first_life.next());
    cluster.database.write(9, 900);
    assert!(members[2].write(9, 901).await.announced());
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_leaves_no_doubt_and_no_entry() {
    let (_broker, _cluster, mut members) = start_all(&["a", "b", "c"]).await;
    let before = members[0].count(names::DISTRUSTS);
    members.pop().unwrap().node.shutdown().await.unwrap();
    until("c has left", || members.iter().all(|member| member.node.status().members.len() == 1)).await;
    sleep(Duration::from_secs(5)).await;
    assert_eq!(members[0].count(names::DISTRUSTS), before);
    assert!(members[0].write(1, 1).await.announced());
}

#[tokio::test(start_paused = true)]
async fn a_lost_register_costs_neither_proofs_nor_announcements() {
    let (broker, _cluster, members) = start_all(&["a", "b"]).await;
    let streams: Vec<_> = members.iter().map(|member| member.node.status().stream).collect();
    broker.lose_register();
    for step in 0..60 {
        sleep(Duration::from_millis(100)).await;
        assert!(members[step % 2].write(1, step as u64).await.announced(), "at step {step}");
        assert!(proof_age(&members[0]) < Duration::from_millis(600));
    }
    let after: Vec<_> = members.iter().map(|member| member.node.status().stream).collect();
    assert_eq!(after, streams);
}

#[tokio::test(start_paused = true)]
async fn an_exchange_proves_up_to_the_present() {
    let (_broker, cluster, members) = start_all(&["a", "b", "c"]).await;
    cluster.database.write(1, 1);
    members[1].read(1).await;
    sleep(Duration::from_millis(500)).await;
    let loaded = cluster.database.reads();
    let load = async |_: Load<u64>| Ok::<u64, std::io::Error>(99);
    let now_or_never = Freshness::within(Duration::ZERO).or_wait().or_error();
    let read = members[1]
        .rows
        .get_or_load(&1, load)
        .freshness(now_or_never)
        .at(members[1].node.now())
        .await
        .unwrap();
    assert!(read.proven());
    assert_eq!(**read, 1);
    assert_eq!(cluster.database.reads(), loaded);
}

#[tokio::test(start_paused = true)]
async fn what_a_node_sends_in_a_round_does_not_grow_with_the_cluster() {
    let mut sent = Vec::new();
    for nodes in [4, 12] {
        let (broker, cluster) = (Broker::new(), Cluster::on(Hub::new()));
        let (mut members, mut meters) = (Vec::new(), Vec::new());
        for node in 0..nodes {
            let label = format!("n{node}");
            let (backplane, meter) = Metered::new(broker.join(label.clone()));
            members.push(cluster.member(cluster.builder_over(backplane, &label).start().await.unwrap()));
            meters.push(meter);
        }
        for member in &members {
            member.node.joined().await.unwrap();
        }
        sleep(Duration::from_secs(2)).await;
        let before: Vec<_> = meters.iter().map(|meter| meter.counts().frames_sent).collect();
        sleep(Duration::from_secs(10)).await;
        let most = meters.iter().zip(before).map(|(meter, before)| meter.counts().frames_sent - before).max();
        sent.push(most.unwrap());
    }
    // 100 rounds: an answer, or a round, and a beat to one other in each.
    assert!(sent.iter().all(|frames| *frames <= 330), "{sent:?} frames in 10 s");
}

#[tokio::test]
async fn a_membership_that_the_backplane_does_not_keep_is_refused() {
    let builder = |membership| Node::builder("test").clock(TokioClock::new()).membership(membership);
    let no_register = builder(unstale::Membership::Registered).backplane(Hub::new().join("a")).start().await;
    let a_register = builder(unstale::Membership::Elastic).backplane(Broker::new().join("a")).start().await;
    for refused in [no_register, a_register] {
        let error = refused.map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("register of members"), "{error}");
    }
}
