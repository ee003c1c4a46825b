//! The promises of a backplane, each as a function over a fixture.
//!
//! Where a backplane says [`Delivery::Unordered`], frames may be lost, repeated and overtaken; that they arrive whole, and
//! everything about links, holds all the same.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use unstale_port::{Backplane, Delivery, Kind, LinkId, Properties, close};

use crate::network::Network;

/// Makes backplanes of one kind.
pub trait BackplaneFixture {
    /// The kind.
    type Backplane: Backplane;

    /// Starts `count` backplanes that know each other and nobody else. Those of a register enter it by themselves.
    fn start(&mut self, count: usize) -> impl Future<Output = Vec<Self::Backplane>>;

    /// Sends bytes that no peer would send to where a backplane with these properties listens, and waits until it has
    /// hung up. Does nothing where there is no way in for strangers. All backplanes are driven meanwhile.
    fn throw_garbage(&mut self, target: &Properties, bytes: &[u8]) -> impl Future<Output = ()> {
        let _ = (target, bytes);
        async {}
    }
}

/// How long a backplane may be without an event before it counts as having no more.
const QUIET: Duration = Duration::from_millis(300);

/// More than any queue may hold for one peer: socket buffers of the system included.
const QUEUE_BYTES_MAX: usize = 64 << 20;

/// Every node gets a link to every other one, over which both hear each other.
pub async fn links_come_up_between_all_nodes<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(4).await);
    let before: Vec<_> = network.nodes.iter_mut().map(|node| node.backplane().properties().clone()).collect();
    network.until_connected().await;
    let after: Vec<_> = network.nodes.iter_mut().map(|node| node.backplane().properties().clone()).collect();
    assert_eq!(before, after, "properties are constant");
}

/// Frames of many sizes arrive byte by byte as they were sent; on a FIFO link all of them, once, in order.
pub async fn frames_arrive_whole_and_in_order<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(2).await);
    network.until_connected().await;
    let sizes = (1..200).chain([1_000, 4_095, 4_096, 16_383, 65_000, 100_000]);
    let sent: Vec<Bytes> = sizes.enumerate().map(|(count, size)| payload(count as u8 + 1, size)).collect();
    for letter in &sent {
        network.nodes[0].post(1, letter.clone());
        network.nodes[1].post(0, letter.clone());
    }
    let both = [(0, 1), (1, 0_u8)];
    match network.nodes[0].delivery() {
        Delivery::Fifo => {
            network
                .until("all frames", |network| {
                    both.iter().all(|(at, from)| network.nodes[*at].letters(*from).len() >= sent.len())
                })
                .await;
            network.until_quiet(QUIET).await;
            for (at, from) in both {
                assert!(network.nodes[at].letters(from) == sent, "lost, repeated or out of order");
            }
        }
        Delivery::Unordered => {
            network
                .until("half of all frames", |network| {
                    both.iter().all(|(at, from)| network.nodes[*at].letters(*from).len() >= sent.len() / 2)
                })
                .await;
            network.until_quiet(QUIET).await;
            for (at, from) in both {
                let strange =
                    network.nodes[at].letters(from).into_iter().find(|letter| !sent.contains(letter));
                assert_eq!(strange, None, "a frame that was not sent");
            }
        }
    }
}

/// A link takes one frame for each time that it says it is writable, and refuses a second one.
pub async fn one_grant_is_for_one_frame<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(2).await);
    network.until_connected().await;
    let link = until_writable(&mut network, 0).await;
    let node = &mut network.nodes[0];
    let (first, second) = (node.frame(1, b"first"), node.frame(1, b"second"));
    node.backplane().send(link, first).expect("a writable link takes a frame");
    let refused = node.backplane().send(link, second).expect_err("a second frame for one grant");
    assert_eq!(refused.kind(), Kind::Rejected);
    node.links.get_mut(&link).expect("it is up").writable = false;
    until_writable(&mut network, 0).await;
}

/// `frame_bytes_max` is exact, and a frame beyond it costs the link nothing.
pub async fn the_largest_frame_is_carried_and_a_larger_one_refused<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(2).await);
    network.until_connected().await;
    let link = until_writable(&mut network, 0).await;
    let node = &mut network.nodes[0];
    let max = node.backplane().properties().frame_bytes_max;
    let head = node.frame(1, &[]).len();
    let larger = node.frame(1, &payload(1, max - head + 1));
    let refused = node.backplane().send(link, larger).expect_err("a frame beyond the limit");
    assert_eq!(refused.kind(), Kind::TooLarge);
    let largest = payload(2, max - head);
    let tries = if node.delivery() == Delivery::Fifo { 1 } else { 8 };
    for _ in 0..tries {
        network.nodes[0].post(1, largest.clone());
    }
    network.until("the largest frame", |network| network.nodes[1].letters(0).contains(&largest)).await;
}

/// Links that never were, and links that went down, are gone.
pub async fn sending_over_a_link_that_is_not_there_is_an_error<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(2).await);
    network.until_connected().await;
    let node = &mut network.nodes[0];
    let frame = node.frame(1, b"lost");
    let never = node.backplane().send(LinkId(u64::MAX), frame.clone()).expect_err("no such link");
    assert_eq!(never.kind(), Kind::Gone);
    let Some(link) = node.link_to(1) else { return };
    node.backplane().close(link);
    network.until("the closed link to be down", |network| network.nodes[0].downs.contains(&link)).await;
    let closed = network.nodes[0].backplane().send(link, frame).expect_err("a link that went down");
    assert_eq!(closed.kind(), Kind::Gone);
}

/// A close is seen at both ends, and a new link with a new id comes up between the two.
pub async fn a_closed_link_goes_down_at_both_ends_and_is_dialled_again<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(2).await);
    network.until_connected().await;
    for closer in [0, 1] {
        let other = 1 - closer;
        let near = network.nodes[closer].link_to(other as u8).expect("they are connected");
        let downs = network.nodes[other].downs.len();
        network.nodes[closer].backplane().close(near);
        network
            .until("both ends to be down", |network| {
                network.nodes[closer].downs.contains(&near) && network.nodes[other].downs.len() > downs
            })
            .await;
        network.until_connected().await;
        let tries = if network.nodes[0].delivery() == Delivery::Fifo { 1 } else { 32 };
        for _ in 0..tries {
            network.nodes[closer].post(other as u8, Bytes::from(format!("after {closer}")));
        }
        let expected = Bytes::from(format!("after {closer}"));
        network
            .until("a frame over the new link", |network| {
                network.nodes[other].letters(closer as u8).contains(&expected)
            })
            .await;
    }
}

/// What piles up for a peer that does not read is bounded: its link is not writable after that.
pub async fn a_peer_that_does_not_read_takes_a_bounded_number_of_bytes<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(2).await);
    network.until_connected().await;
    fill(&mut network, 1).await;
}

/// While one peer does not read, frames go to and come from another; when it reads again, its own come in order.
pub async fn a_peer_that_does_not_read_holds_up_nobody_else<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(3).await);
    network.until_connected().await;
    let taken = fill(&mut network, 1).await;
    let tries = if network.nodes[0].delivery() == Delivery::Fifo { 1 } else { 32 };
    for _ in 0..tries {
        network.nodes[0].post(2, Bytes::from_static(b"there"));
        network.nodes[2].post(0, Bytes::from_static(b"back"));
    }
    network
        .until("frames past the peer that does not read", |network| {
            !network.nodes[2].letters(0).is_empty() && !network.nodes[0].letters(2).is_empty()
        })
        .await;
    network.nodes[1].paused = false;
    network.nodes[0].outbox.clear();
    if network.nodes[0].delivery() == Delivery::Fifo {
        network.until("all that waited", |network| network.nodes[1].letters(0).len() as u64 >= taken).await;
        let from_0 = network.nodes[1].received.iter().filter(|letter| letter.from == 0);
        let numbers: Vec<u64> = from_0.map(|letter| letter.number).collect();
        assert!(numbers.is_sorted_by(|a, b| a < b), "out of order after a wait: {numbers:?}");
    }
}

/// Frames that were taken arrive although their sender closes right after, if the peer reads; then the link goes down.
pub async fn what_was_taken_before_a_close_arrives<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(2).await);
    network.until_connected().await;
    let sent: Vec<Bytes> = (0..5).map(|count| payload(count, 20)).collect();
    for letter in &sent {
        network.nodes[0].post(1, letter.clone());
    }
    network.until("the frames to be taken", |n| n.nodes[0].taken.get(&1) == Some(&5)).await;
    let mut leaving = network.nodes[0].backplane.take().expect("not dropped yet");
    let closed = tokio::time::timeout(Duration::from_secs(20), close(&mut leaving)).await;
    assert!(closed.is_ok(), "a close takes no more than 20 s");
    drop(leaving);
    let fifo = network.nodes[1].delivery() == Delivery::Fifo;
    network
        .until("the frames, then the end of the link", |network| {
            let node = &network.nodes[1];
            (!fifo || node.letters(0) == sent) && !node.knows(0)
        })
        .await;
}

/// The links of a backplane that is dropped go down at its peers, and only those.
pub async fn a_node_that_is_dropped_is_noticed<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(3).await);
    network.until_connected().await;
    drop(network.nodes[2].backplane.take());
    network
        .until("the end of the links to the dropped node", |network| {
            network.nodes[..2].iter().all(|node| !node.knows(2))
        })
        .await;
    assert!(network.nodes[0].knows(1) && network.nodes[1].knows(0));
}

/// Bytes of strangers neither arrive as frames nor disturb honest peers.
pub async fn garbage_from_outside_harms_nobody<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(2).await);
    network.until_connected().await;
    let (long, longer) = (payload(7, 70_000), vec![0xff; 3 << 20]);
    let throws: [&[u8]; 7] =
        [b"", b"\0", b"GET / HTTP/1.1\r\n\r\n", &[0xff; 64], &[0; 4_096], &long, &longer];
    let target = network.nodes[0].backplane().properties().clone();
    for bytes in throws {
        network.while_running("a stranger to be hung up on", fixture.throw_garbage(&target, bytes)).await;
    }
    let tries = if network.nodes[0].delivery() == Delivery::Fifo { 1 } else { 32 };
    for _ in 0..tries {
        network.nodes[1].post(0, Bytes::from_static(b"honest"));
    }
    network.until("a frame of an honest peer", |network| !network.nodes[0].letters(1).is_empty()).await;
    let strange = network.nodes[0].received.iter().find(|letter| letter.from != 1);
    assert_eq!(strange, None, "a stranger's bytes arrived as a frame");
}

/// A frame for all comes once, whole and in order, to each other node that has a link for all, and not back. Nothing is
/// shown where there is none.
pub async fn what_is_for_all_reaches_each_other_node_once<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(3).await);
    network.until_connected().await;
    if network.nodes[0].common.is_none() {
        return;
    }
    let sizes = (1..100).chain([1_000, 16_383, 65_000, 100_000]);
    let sent: Vec<Bytes> = sizes.enumerate().map(|(count, size)| payload(count as u8 + 1, size)).collect();
    let mut left = sent.clone().into_iter();
    network
        .until("all frames at both of the others", |network| {
            let node = &mut network.nodes[0];
            if let Some((link, true)) = node.common
                && let Some(frame) = left.next()
            {
                node.common = Some((link, false));
                node.backplane().send(link, frame.clone()).expect("a writable link takes a frame");
                let refused = node.backplane().send(link, frame).expect_err("a second frame for one grant");
                assert_eq!(refused.kind(), Kind::Rejected);
            }
            let fifo = network.nodes[0].delivery() == Delivery::Fifo;
            let enough = if fifo { sent.len() } else { sent.len() / 2 };
            left.len() == 0 && network.nodes[1..].iter().all(|node| node.heard.len() >= enough)
        })
        .await;
    network.until_quiet(QUIET).await;
    assert_eq!(network.nodes[0].heard, Vec::<Bytes>::new(), "a frame came back");
    for node in &network.nodes[1..] {
        match node.delivery() {
            Delivery::Fifo => assert!(node.heard == sent, "lost, repeated or out of order"),
            Delivery::Unordered => assert!(node.heard.iter().all(|frame| sent.contains(frame))),
        }
    }
}

/// A link for all that is closed comes up again under another id, and no other link goes down for it.
pub async fn a_closed_link_for_all_comes_up_again<F: BackplaneFixture>(fixture: &mut F) {
    let mut network = Network::new(fixture.start(2).await);
    network.until_connected().await;
    let Some((before, _)) = network.nodes[0].common else { return };
    network.nodes[0].backplane().close(before);
    network
        .until("another link for all", |network| {
            let common = network.nodes[0].common;
            common.is_some_and(|(after, is_writable)| after != before && is_writable)
        })
        .await;
    assert_eq!(network.nodes[0].downs, [before]);
    let frame = network.nodes[0].frame(1, b"gone");
    let gone = network.nodes[0].backplane().send(before, frame).expect_err("a link that went down");
    assert_eq!(gone.kind(), Kind::Gone);
}

/// Bytes that differ from place to place and from one `seed` to another.
fn payload(seed: u8, size: usize) -> Bytes {
    (0..size).map(|at| (at as u8).wrapping_mul(31).wrapping_add((at >> 8) as u8) ^ seed).collect()
}

/// Until the link from node `at` to the other one can take a frame; nothing else may wait to be sent there.
async fn until_writable<B: Backplane>(network: &mut Network<B>, at: usize) -> LinkId {
    let peer = 1 - at as u8;
    let mut found = None;
    network
        .until("a writable link", |network| {
            let node = &network.nodes[at];
            found = node.link_to(peer).filter(|link| node.is_idle(*link));
            found.is_some()
        })
        .await;
    found.expect("it was awaited")
}

/// Stops reading at node `reader` and sends it frames from node 0 until no more are taken; how many were.
async fn fill<B: Backplane>(network: &mut Network<B>, reader: u8) -> u64 {
    network.nodes[usize::from(reader)].paused = true;
    let letter = payload(9, 64 << 10);
    let frames_max = QUEUE_BYTES_MAX / letter.len();
    for _ in 0..frames_max {
        network.nodes[0].post(reader, letter.clone());
    }
    network.until_quiet(QUIET).await;
    let taken = network.nodes[0].taken.get(&reader).copied().unwrap_or_default();
    assert!(taken > 0, "nothing was taken for a peer that is connected");
    assert!(taken < frames_max as u64, "{QUEUE_BYTES_MAX} bytes were taken for a peer that does not read");
    taken
}
