//! Access lists, clusters.

use unstale_servers::{Cluster, Program, Redis, needs};

use crate::group::Group;

/// What docs/redis.md says that a backplane needs.
const RIGHTS: &str = "resetchannels &{unstale:shop}:* ~{unstale:shop}:* -@all +hello +client|setname +select +ping +info \
    +exists +subscribe +publish +script|load +evalsha +time +hget +hset +hmget +hdel +hexists +hincrby +del +pexpire \
    +xadd +xread +xrange +xrevrange";

#[tokio::test]
async fn a_user_with_the_rights_of_the_guide_is_enough() {
    needs!(Program::RedisServer);
    let options = Redis::options().acl("user default off").acl(format!("user app on >pw {RIGHTS}"));
    let redis = options.start().await.expect("it starts");
    for stream in [None, Some(1_000)] {
        redis.command(&["FLUSHALL"]).await.expect("flushed");
        let url = format!("redis://app:pw@{}", redis.address());
        let mut group = Group::with(&url, 2, |builder| match stream {
            Some(entries_max) => builder.stream(entries_max),
            None => builder,
        });
        group.until_linked().await;
        group.tell_all(0, "hello").await;
        assert!(group.nodes.iter().all(|node| node.notes.is_empty()), "{:?}", group.nodes[0].notes);
    }
    let guide = include_str!("../../../../docs/redis.md");
    for right in RIGHTS.split_whitespace().filter(|word| word.starts_with(['+', '~', '&'])) {
        assert!(guide.contains(right), "the guide does not name {right}");
    }
}

#[tokio::test]
async fn a_user_that_may_not_subscribe_is_told_why() {
    needs!(Program::RedisServer);
    let rights = "~{unstale:shop}:* resetchannels +@all";
    let options = Redis::options().acl("user default off").acl(format!("user app on >pw {rights}"));
    let redis = options.start().await.expect("it starts");
    let mut group = Group::of(&format!("redis://app:pw@{}", redis.address()), 1);
    group.until("the note", |group| group.nodes[0].has_note("redis-unavailable")).await;
    let detail = &group.nodes[0].notes[0].1;
    assert!(detail.contains("NOPERM") && !detail.contains("pw"), "{detail}");
}

#[tokio::test]
async fn a_cluster_is_one_server_to_a_group() {
    needs!(Program::RedisServer);
    let cluster = Cluster::start(3).await.expect("it starts");
    // Each comes by another node.
    let mut group = Group::of(&format!("redis+cluster://{}", cluster.masters[0].address()), 1);
    for (index, master) in cluster.masters.iter().enumerate().skip(1) {
        let mut node = Group::of(&format!("redis+cluster://{}", master.address()), 1).nodes.remove(0);
        node.member.entry.id = format!("node-{index}").into();
        group.nodes.push(node);
    }
    group.until_linked().await;
    group.tell_all(0, "over a cluster").await;
    group.tell_all(2, "and back").await;
}

#[tokio::test]
async fn groups_on_one_server_do_not_hear_each_other() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    let mut other = Group::with(&redis.url(), 1, |builder| builder.group("office"));
    group.nodes.append(&mut other.nodes);
    group.until("links", |group| group.nodes[..2].iter().all(|node| node.links.len() == 1)).await;
    group.until("the other's listing", |group| group.nodes[2].member.listing.is_some()).await;
    assert_eq!(group.nodes[2].listing().entries.len(), 1);
    let lonely = group.nodes.pop().expect("three");
    group.tell_all(0, "among ourselves").await;
    assert!(lonely.links.is_empty() && lonely.heard.is_empty());
}
