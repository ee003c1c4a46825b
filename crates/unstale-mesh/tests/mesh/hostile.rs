//! Bytes that no honest peer sends: refused, counted, and harmless to everybody else.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use unstale_mesh::{Builder, Mesh, Secret};
use unstale_port::{Backplane, Event};

use crate::harness::{address, builder, linked, noted, patiently, secret, start, until};
use crate::proxy::{Proxy, Trick};

/// What a mesh counts when a stranger sends `bytes` and leaves.
async fn refused(bytes: &[u8]) -> String {
    let mut mesh = start(builder()).await;
    let mut stranger = TcpStream::connect(address(&mesh)).await.expect("it listens");
    stranger.write_all(bytes).await.expect("sent");
    stranger.shutdown().await.expect("left");
    let what = until(&mut [&mut mesh], |_, _, event| {
        let Event::Note { what, detail } = event else { panic!("unexpected {event:?}") };
        assert!(detail.starts_with("127.0.0.1: "), "{detail}");
        Some(what.to_owned())
    })
    .await;
    assert_eq!(mesh.unauthenticated(), 0);
    what
}

#[tokio::test]
async fn garbage_instead_of_a_greeting_is_counted_and_closed() {
    assert_eq!(refused(b"GET / HTTP/1.1\r\nHost: shop\r\n\r\n").await, "handshake-oversized");
    assert_eq!(refused(&[0, 5, b'h', b'e', b'l', b'l', b'o']).await, "handshake-garbage");
    assert_eq!(refused(&[0, 0]).await, "handshake-garbage");
    assert_eq!(refused(&[0xff; 5_000]).await, "handshake-oversized");
    assert_eq!(refused(&[0x04, 0x01]).await, "handshake-oversized");
    assert_eq!(refused(&[0, 80, b'u', b'n', b's']).await, "handshake-broken");
    assert_eq!(refused(&[]).await, "handshake-broken");
    assert_eq!(refused(b"\x00\x10unstale\x02clusters").await, "handshake-version");
    assert_eq!(refused(b"\x00\x10unstale\x01clusters").await, "handshake-cluster");
}

/// What both sides count when they do not fit.
async fn mismatch(listener: Builder, dialler: Builder) -> (String, String) {
    let mut a = start(listener).await;
    let mut b = start(dialler.peer(address(&a))).await;
    let (mut at_a, mut at_b) = (None, None);
    until(&mut [&mut a, &mut b], |index, _, event| {
        let Event::Note { what, detail } = event else { panic!("unexpected {event:?}") };
        let noted = if index == 0 { &mut at_a } else { &mut at_b };
        noted.get_or_insert_with(|| format!("{what}: {detail}"));
        at_a.clone().zip(at_b.clone())
    })
    .await
}

#[tokio::test]
async fn another_secret_is_refused_and_both_sides_say_why() {
    let other = Secret::new("another secret for tests").expect("not empty");
    let (listener, dialler) = mismatch(builder(), builder().secret(other)).await;
    assert!(listener.starts_with("handshake-secret: ") && listener.contains("shared secret"), "{listener}");
    assert!(dialler.starts_with("handshake-refused: ") && dialler.contains("shared secret"), "{dialler}");
}

#[tokio::test]
async fn no_secret_is_another_secret() {
    let (listener, _) = mismatch(builder(), builder().secret(None)).await;
    assert!(listener.starts_with("handshake-secret: "), "{listener}");
}

#[tokio::test]
async fn another_cluster_is_refused_and_both_sides_say_why() {
    let (listener, dialler) = mismatch(builder(), builder().cluster("shed")).await;
    assert!(listener.starts_with("handshake-cluster: ") && listener.contains("cluster"), "{listener}");
    assert!(dialler.starts_with("handshake-refused: ") && dialler.contains("cluster"), "{dialler}");
}

/// Sends ten frames through a proxy that plays a trick on one of them; what came in before the link broke, and what was
/// counted for it. Then the link must come back and carry again.
async fn tricked(trick: Trick) -> (Vec<Bytes>, Option<&'static str>) {
    let mut a = start(builder()).await;
    let proxy = Proxy::to(address(&a), trick).await;
    let mut b = start(builder().peer(&proxy.address)).await;
    let (_, to_a) = linked(&mut a, &mut b).await;
    let (mut came, mut counted, mut next) = (Vec::new(), None, 1);
    b.send(to_a, Bytes::from_static(&[0])).expect("writable");
    until(&mut [&mut a, &mut b], |index, mesh, event| match (index, event) {
        (0, Event::Received { frame, .. }) => {
            came.push(frame);
            None
        }
        (0, Event::Note { what, .. }) => {
            counted = Some(what);
            None
        }
        (0, Event::Down { .. }) => Some(()),
        (1, Event::Writable { link }) if link == to_a && next < 10 => {
            mesh.send(link, Bytes::copy_from_slice(&[next])).expect("writable");
            next += 1;
            None
        }
        (_, _) => None,
    })
    .await;
    assert!(proxy.is_done());
    let (mut a, mut b) = (a, b);
    until(&mut [&mut a, &mut b], |index, mesh, event| match (index, event) {
        (1, Event::Writable { link }) if link != to_a => {
            let _ = mesh.send(link, Bytes::from_static(b"again"));
            None
        }
        (0, Event::Received { frame, .. }) => (frame == "again").then_some(()),
        (_, _) => None,
    })
    .await;
    (came, counted)
}

fn frames(count: u8) -> Vec<Bytes> {
    (0..count).map(|at| Bytes::copy_from_slice(&[at])).collect()
}

#[tokio::test]
async fn a_tampered_frame_breaks_the_link_and_is_not_delivered() {
    assert_eq!(tricked(Trick::Flip(3)).await, (frames(3), Some("frame-forged")));
}

#[tokio::test]
async fn a_replayed_frame_breaks_the_link_and_is_not_delivered_twice() {
    assert_eq!(tricked(Trick::Repeat(3)).await, (frames(4), Some("frame-forged")));
}

#[tokio::test]
async fn reordered_frames_break_the_link_and_are_not_delivered() {
    assert_eq!(tricked(Trick::Swap(3)).await, (frames(3), Some("frame-forged")));
}

#[tokio::test]
async fn a_frame_that_was_left_out_breaks_the_link() {
    assert_eq!(tricked(Trick::Leave(3)).await, (frames(3), Some("frame-forged")));
}

#[tokio::test]
async fn a_truncated_frame_is_not_delivered() {
    assert_eq!(tricked(Trick::Cut(3)).await, (frames(3), None));
}

#[tokio::test]
async fn garbage_after_the_handshake_breaks_the_link() {
    let garbage = b"\x00\x05hello".to_vec();
    assert_eq!(tricked(Trick::Insert(3, garbage)).await, (frames(3), Some("frame-forged")));
}

#[tokio::test]
async fn a_replayed_greeting_is_answered_and_proves_nothing() {
    let mut a = start(builder()).await;
    // Somebody records what an honest dialler says.
    let spy = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let mut b = start(builder().peer(spy.local_addr().expect("bound").to_string())).await;
    let mut greeting = [0; 82];
    patiently(async {
        let mut meshes = [&mut b];
        let recorded = async {
            let (mut dialler, _) = spy.accept().await.expect("dialled");
            dialler.read_exact(&mut greeting).await.expect("greeted");
        };
        tokio::select! {
            () = recorded => {}
            () = until(&mut meshes, |_, _, _| None) => {}
        }
    })
    .await;
    let mut replay = TcpStream::connect(address(&a)).await.expect("it listens");
    replay.write_all(&greeting).await.expect("sent");
    replay.write_all(&[0, 18]).await.expect("sent");
    replay.write_all(&[7; 18]).await.expect("sent");
    assert!(noted(&mut [&mut a], 0, "handshake-unproven").await.contains("did not prove"));
    assert_eq!(a.unauthenticated(), 0);
    let mut answer = [0; 66];
    patiently(replay.read_exact(&mut answer)).await.expect("a greeting alone is answered");
}

#[tokio::test]
async fn a_thousand_connections_that_never_finish_do_not_keep_honest_peers_out() {
    const STRANGERS: usize = 1_000;
    more_files();
    let mut a = start(builder()).await;
    let mut b = start(builder().peer(address(&a))).await;
    let (to_b, _) = linked(&mut a, &mut b).await;
    let before = resident_bytes();

    let mut strangers = Vec::new();
    let (mut crowded, mut timed_out, mut details, mut carried, mut most) = (0, 0, 0, 0, 0);
    let mut c = None;
    let mut c_is_up = false;
    a.send(to_b, Bytes::from_static(b"ping")).expect("writable");
    while strangers.len() < STRANGERS || crowded + timed_out < STRANGERS || !c_is_up {
        if strangers.len() < STRANGERS {
            let mut stranger = TcpStream::connect(address(&a)).await.expect("it listens");
            // Some say nothing, some begin to.
            if strangers.len() % 2 == 0 {
                stranger.write_all(&[0, 80, b'u', b'n']).await.expect("sent");
            }
            strangers.push(stranger);
        }
        if strangers.len() == STRANGERS / 2 && c.is_none() {
            c = Some(start(builder().peer(address(&a))).await);
        }
        let mut meshes: Vec<&mut Mesh> = [&mut a, &mut b].into_iter().chain(c.as_mut()).collect();
        let step = |index: usize, mesh: &mut Mesh, event: Event| {
            most = most.max(if index == 0 { mesh.unauthenticated() } else { 0 });
            match (index, event) {
                (0, Event::Note { what, detail }) => {
                    crowded += usize::from(what == "handshake-crowded");
                    timed_out += usize::from(what == "handshake-timeout");
                    details += usize::from(!detail.is_empty());
                    Some(())
                }
                // The honest go on: who has room sends.
                (0, Event::Writable { link }) if link == to_b => {
                    mesh.send(link, Bytes::from_static(b"ping")).expect("writable");
                    None
                }
                (1, Event::Received { .. }) => {
                    carried += 1;
                    (carried % 8 == 0).then_some(())
                }
                (2, Event::Up { .. }) => {
                    c_is_up = true;
                    Some(())
                }
                (_, Event::Down { reason, .. }) => panic!("an honest link went down: {reason}"),
                (_, _) => None,
            }
        };
        until(&mut meshes, step).await;
    }
    assert!(most <= 256, "{most} waited to authenticate");
    assert_eq!(crowded + timed_out, STRANGERS);
    assert!(crowded >= STRANGERS - 256, "{crowded}");
    assert_eq!(details, usize::from(crowded > 0) + usize::from(timed_out > 0), "once per peer and minute");
    assert_eq!(a.unauthenticated(), 0);
    assert!(carried > 100, "{carried}");
    let grown = resident_bytes().saturating_sub(before);
    assert!(grown < 16 * 1_024 * 1_024, "{grown} bytes");
}

/// Both ends of every connection are in this process.
fn more_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .expect("up to the maximum");
}

/// The memory of this process, where the system says.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok()).map_or(0, |kib| kib * 1_024)
}

#[tokio::test]
async fn a_stranger_that_says_nothing_is_closed_after_five_seconds() {
    let mut a = start(builder().secret(secret())).await;
    let mut stranger = TcpStream::connect(address(&a)).await.expect("it listens");
    let began = std::time::Instant::now();
    assert!(noted(&mut [&mut a], 0, "handshake-timeout").await.contains("too long"));
    let took = began.elapsed().as_secs_f32();
    assert!((4.5..15.0).contains(&took), "{took} s");
    assert_eq!(patiently(stranger.read(&mut [0; 8])).await.expect("closed in order"), 0);
}
