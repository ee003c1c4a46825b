//! Links: that they come, carry and come back.

use bytes::Bytes;
use unstale_port::{Backplane, Event, Kind, LinkId};

use crate::harness::{address, builder, carry, linked, start, until};

#[tokio::test]
async fn two_meshes_that_share_a_secret_exchange_frames() {
    let mut a = start(builder()).await;
    let mut b = start(builder().peer(address(&a))).await;
    let (to_b, to_a) = linked(&mut a, &mut b).await;
    for round in 0..10u8 {
        let frame = Bytes::from(vec![round; usize::from(round) * 1_000]);
        assert_eq!(carry(&mut a, to_b, &mut b, frame.clone()).await, frame);
        assert_eq!(carry(&mut b, to_a, &mut a, frame.clone()).await, frame);
    }
}

#[tokio::test]
async fn frames_up_to_the_limit_are_carried_and_beyond_are_refused() {
    let mut a = start(builder()).await;
    let mut b = start(builder().peer(address(&a))).await;
    let (to_b, _) = linked(&mut a, &mut b).await;
    let limit = a.properties().frame_bytes_max;
    for bytes in [0, 1, 65_517, 65_518, 65_519, 131_036, 131_037, limit] {
        let frame: Bytes = (0..bytes).map(|at| (at % 251) as u8).collect();
        assert_eq!(carry(&mut a, to_b, &mut b, frame.clone()).await, frame, "{bytes} bytes");
    }
    let error = a.send(to_b, Bytes::from(vec![0; limit + 1])).expect_err("too large");
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(a.send(to_b, Bytes::from_static(b"the link takes a frame still")).is_ok());
}

#[tokio::test]
async fn a_link_takes_one_frame_at_a_time() {
    let mut a = start(builder()).await;
    let mut b = start(builder().peer(address(&a))).await;
    let (to_b, _) = linked(&mut a, &mut b).await;
    a.send(to_b, Bytes::from_static(b"1")).expect("writable");
    let error = a.send(to_b, Bytes::from_static(b"2")).expect_err("not writable before it says so again");
    assert_eq!(error.kind(), Kind::Rejected);
    let error = a.send(LinkId(u64::MAX), Bytes::new()).expect_err("no such link");
    assert_eq!(error.kind(), Kind::Gone);
}

#[tokio::test]
async fn frames_arrive_in_the_order_in_which_they_were_sent() {
    const FRAMES: u32 = 2_000;
    let mut a = start(builder()).await;
    let mut b = start(builder().peer(address(&a))).await;
    let (to_b, _) = linked(&mut a, &mut b).await;
    let (mut sent, mut received) = (0u32, 0u32);
    a.send(to_b, Bytes::copy_from_slice(&sent.to_be_bytes())).expect("writable");
    until(&mut [&mut a, &mut b], |_, mesh, event| {
        if let Event::Received { frame, .. } = event {
            assert_eq!(&frame[..], &received.to_be_bytes()[..]);
            received += 1;
        } else if matches!(event, Event::Writable { link } if link == to_b) && sent + 1 < FRAMES {
            sent += 1;
            mesh.send(to_b, Bytes::copy_from_slice(&sent.to_be_bytes())).expect("writable");
        }
        (received == FRAMES).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_link_that_is_always_writing_goes_on_reading_and_the_other_way_round() {
    const FRAMES: usize = 500;
    let mut a = start(builder()).await;
    let mut b = start(builder().peer(address(&a))).await;
    let (to_b, to_a) = linked(&mut a, &mut b).await;
    let frame = Bytes::from_static(b"as many as there is room for");
    a.send(to_b, frame.clone()).expect("writable");
    b.send(to_a, frame.clone()).expect("writable");
    let mut received = [0, 0];
    until(&mut [&mut a, &mut b], |index, mesh, event| {
        if let Event::Writable { link } = event {
            mesh.send(link, frame.clone()).expect("writable");
        } else {
            assert!(matches!(event, Event::Received { .. }), "unexpected {event:?}");
            received[index] += 1;
        }
        received.iter().all(|received| *received >= FRAMES).then_some(())
    })
    .await;
}
