//! Links that break, stall, restart or double: they come back, once.

use std::time::{Duration, Instant};

use bytes::Bytes;
use unstale_port::{Backplane, Event, LinkId, Peers};

use crate::harness::{address, builder, carry, linked, noted, patiently, start, until};
use crate::proxy::{Proxy, Trick};

#[tokio::test]
async fn a_link_closed_by_its_owner_goes_down_and_is_dialled_again() {
    let mut a = start(builder()).await;
    let mut b = start(builder().peer(address(&a))).await;
    let (_, to_a) = linked(&mut a, &mut b).await;
    b.close(to_a);
    assert!(b.send(to_a, Bytes::new()).is_err());
    let mut down = false;
    let again = until(&mut [&mut a, &mut b], |index, _, event| match (index, event) {
        (1, Event::Down { link, .. }) => {
            assert_eq!(link, to_a);
            down = true;
            None
        }
        (1, Event::Up { link, remote }) => Some((link, remote)),
        (_, _) => None,
    })
    .await;
    assert!(down, "down before up");
    assert_ne!(again.0, to_a, "ids are not used again");
    assert_eq!(again.1.dialled, Some(address(&a)));
}

#[tokio::test]
async fn a_restarted_peer_gets_its_address_back_and_is_linked_within_a_second_or_two() {
    let mut a = start(builder()).await;
    let at = address(&a);
    let mut b = start(builder().peer(&at)).await;
    let (_, to_a) = linked(&mut a, &mut b).await;
    drop(a);
    let gone = until(&mut [&mut b], |_, _, event| {
        if let Event::Down { link, reason } = event { Some((link, reason)) } else { None }
    })
    .await;
    assert_eq!(gone.0, to_a);
    noted(&mut [&mut b], 0, "dial-failed").await;

    let began = Instant::now();
    let mut a = start(builder().listen(&at)).await;
    let (to_b, to_a) = linked(&mut a, &mut b).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(carry(&mut a, to_b, &mut b, Bytes::from_static(b"here again")).await, "here again");
    assert_eq!(carry(&mut b, to_a, &mut a, Bytes::from_static(b"so am I")).await, "so am I");
}

#[tokio::test]
async fn a_half_open_link_is_noticed_within_seconds_and_dialled_again() {
    let mut a = start(builder()).await;
    let proxy = Proxy::to(address(&a), Trick::None).await;
    let mut b = start(builder().peer(&proxy.address)).await;
    linked(&mut a, &mut b).await;
    proxy.stall();
    let began = Instant::now();
    let (mut downs, mut noted) = (0, 0);
    until(&mut [&mut a, &mut b], |_, _, event| {
        noted += usize::from(matches!(event, Event::Note { what: "link-silent", .. }));
        downs += usize::from(matches!(event, Event::Down { .. }));
        (downs == 2).then_some(())
    })
    .await;
    assert_eq!(noted, 2);
    let took = began.elapsed().as_secs_f32();
    assert!((1.0..10.0).contains(&took), "{took} s");
    proxy.heal();
    linked(&mut a, &mut b).await;
}

#[tokio::test]
async fn an_idle_link_stays_up() {
    let mut a = start(builder()).await;
    let mut b = start(builder().peer(address(&a))).await;
    linked(&mut a, &mut b).await;
    // A stranger's five seconds are the clock: longer than the silence that would end the link.
    let stranger = tokio::net::TcpStream::connect(address(&a)).await.expect("it listens");
    until(&mut [&mut a, &mut b], |_, _, event| {
        assert!(!matches!(event, Event::Down { .. }), "{event:?}");
        matches!(event, Event::Note { what: "handshake-timeout", .. }).then_some(())
    })
    .await;
    drop(stranger);
}

#[tokio::test]
async fn peers_that_dial_each_other_at_once_keep_one_link() {
    for _ in 0..20 {
        let (bound_a, bound_b) = (bound(), bound());
        let (at_a, at_b) = (local(&bound_a), local(&bound_b));
        let mut a = start(builder().listener(bound_a).peer(&at_b)).await;
        let mut b = start(builder().listener(bound_b).peer(&at_a)).await;
        let (to_b, to_a) = linked(&mut a, &mut b).await;
        // Carry frames for as long as a second connection would need to come up.
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(50) {
            carry(&mut a, to_b, &mut b, Bytes::from_static(b"ping")).await;
            carry(&mut b, to_a, &mut a, Bytes::from_static(b"pong")).await;
        }
    }
}

fn bound() -> std::net::TcpListener {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a free port")
}

fn local(bound: &std::net::TcpListener) -> String {
    bound.local_addr().expect("bound").to_string()
}

#[tokio::test]
async fn a_restarted_peer_replaces_nothing_until_its_old_link_is_down() {
    let mut a = start(builder()).await;
    let proxy = Proxy::to(address(&a), Trick::None).await;
    let mut old = start(builder().peer(&proxy.address)).await;
    let (to_old, _) = linked(&mut a, &mut old).await;
    // The old process dies and the network says nothing of it.
    proxy.stall();
    drop(old);
    let mut new = start(builder().peer(address(&a))).await;
    let (to_new, _) = linked(&mut a, &mut new).await;
    assert_ne!(to_old, to_new);
    carry(&mut a, to_new, &mut new, Bytes::from_static(b"both are there")).await;
    let down = until(&mut [&mut a, &mut new], |index, _, event| match (index, event) {
        (0, Event::Down { link, .. }) => Some(link),
        (_, _) => None,
    })
    .await;
    assert_eq!(down, to_old);
    carry(&mut a, to_new, &mut new, Bytes::from_static(b"and one is left")).await;
}

#[tokio::test]
async fn a_slow_peer_does_not_hold_up_the_others() {
    const FRAMES: usize = 500;
    let mut a = start(builder()).await;
    let mut slow = start(builder().peer(address(&a))).await;
    let (to_slow, _) = linked(&mut a, &mut slow).await;
    let mut quick = start(builder().peer(address(&a))).await;
    let (to_quick, _) = linked(&mut a, &mut quick).await;
    // From here on nobody polls the slow one: its socket fills up.
    let frame = Bytes::from(vec![1; 64 * 1_024]);
    let (mut to_slow_taken, mut came) = (0, 0);
    a.send(to_slow, frame.clone()).expect("writable");
    a.send(to_quick, frame.clone()).expect("writable");
    until(&mut [&mut a, &mut quick], |index, mesh, event| {
        if let (0, Event::Writable { link }) = (index, &event) {
            to_slow_taken += usize::from(*link == to_slow);
            mesh.send(*link, frame.clone()).expect("writable");
        }
        came += usize::from(index == 1 && matches!(event, Event::Received { .. }));
        (came == FRAMES).then_some(())
    })
    .await;
    assert!(to_slow_taken < FRAMES, "the slow peer's link took {to_slow_taken} frames, so it was not slow");
}

#[tokio::test]
async fn a_mesh_that_dials_itself_notices_and_ignores_it() {
    let bound = bound();
    let proxy = Proxy::to(local(&bound), Trick::None).await;
    let mut a = start(builder().listener(bound).peer(&proxy.address)).await;
    let detail = noted(&mut [&mut a], 0, "dial-self").await;
    assert!(detail.contains("this node itself"), "{detail}");
}

#[tokio::test]
async fn peers_are_found_by_name() {
    let mut a = start(builder()).await;
    let port = address(&a).rsplit_once(':').map(|(_, port)| port.to_owned()).expect("a port");
    let mut b = start(builder().discover(format!("localhost:{port}"))).await;
    assert_eq!(b.properties().peers, Peers::Elastic);
    let (to_b, _): (LinkId, LinkId) = linked(&mut a, &mut b).await;
    assert_eq!(carry(&mut a, to_b, &mut b, Bytes::from_static(b"found")).await, "found");
}

#[tokio::test]
async fn what_was_sent_before_a_close_arrives() {
    let mut a = start(builder()).await;
    let mut b = start(builder().peer(address(&a))).await;
    let (to_b, _) = linked(&mut a, &mut b).await;
    a.send(to_b, Bytes::from_static(b"bye")).expect("writable");
    patiently(unstale_port::close(&mut a)).await;
    let mut heard = false;
    until(&mut [&mut b], |_, _, event| {
        heard |= matches!(&event, Event::Received { frame, .. } if frame == "bye");
        matches!(event, Event::Down { .. }).then_some(())
    })
    .await;
    assert!(heard);
}
