//! Links to single members: closed by their owner, and to a member that does not read.

use bytes::Bytes;
use unstale_port::Backplane;
use unstale_servers::{Program, Redis, needs};

use crate::group::Group;

const LETTER_BYTES: usize = 64 << 10;
/// More than is ever under way to one member.
const UNREAD_BYTES_MAX: usize = 1 << 20;

#[tokio::test]
async fn a_closed_link_goes_down_at_both_ends_and_another_comes_up() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 2);
    for closer in [0, 1] {
        group.until_linked().await;
        let (before, downs) = (group.nodes[closer].links[0], group.downs());
        group.nodes[closer].member.close(before);
        group.until("both ends down", |group| group.downs() == downs + 2).await;
        group.until_linked().await;
        assert_ne!(group.nodes[closer].links[0], before);
        let link = group.nodes[closer].links[0];
        group.nodes[closer]
            .member
            .send(link, Bytes::from_static(b"over the new one"))
            .expect("it is writable");
        group.nodes[closer].writable.clear();
        let other = 1 - closer;
        group.until("the frame", |group| group.nodes[other].received.pop().is_some()).await;
    }
}

#[tokio::test]
async fn a_member_that_does_not_read_takes_a_bounded_number_of_bytes_and_holds_up_nobody() {
    needs!(Program::RedisServer);
    let redis = Redis::start().await.expect("it starts");
    let mut group = Group::of(&redis.url(), 3);
    group.until_linked().await;
    group.nodes[1].is_paused = true;
    // To both of the others as much as they take; the third one reads.
    let letter = Bytes::from(vec![7; LETTER_BYTES]);
    let mut sent = 0;
    group
        .until("many letters at the one who reads", |group| {
            let node = &mut group.nodes[0];
            while let Some(link) = node.writable.pop() {
                node.member.send(link, letter.clone()).expect("it is writable");
                sent += 1;
            }
            group.nodes[2].received.len() > 100
        })
        .await;
    let unread = (sent - group.nodes[2].received.len()) * LETTER_BYTES;
    assert!(unread < 2 * UNREAD_BYTES_MAX, "{unread} bytes are under way to two");
    group.nodes[1].is_paused = false;
    group.until("what waited", |group| group.nodes[1].received.len() > 2).await;
    assert_eq!(group.downs(), 0, "nothing was lost for it");
}
