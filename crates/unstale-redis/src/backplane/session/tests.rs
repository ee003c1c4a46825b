//! Connections whose other ends are the test.

use std::future::poll_fn;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::stream::Stream;

/// A connection from which all of this is to be read, and its other end.
async fn saying(bytes: &[u8]) -> (Wire, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let near = TcpStream::connect(listener.local_addr().expect("bound")).await.expect("it listens");
    let (mut far, _) = listener.accept().await.expect("it came");
    far.write_all(bytes).await.expect("it fits into the socket");
    near.readable().await.expect("open");
    (Wire::new(Stream::Tcp(near)), far)
}

#[tokio::test]
async fn answers_are_read_between_messages() {
    let message = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n";
    let (subscriber, _heard) = saying(&message.repeat(1_000)).await;
    let (publisher, _answered) = saying(b":1\r\n").await;
    let now = Instant::now();
    let alive = Alive { bytes: 0, at: now };
    let mut session = Session {
        run: Bytes::new(),
        tick_at: now,
        sha: Bytes::new(),
        publisher,
        answered: alive,
        awaited: VecDeque::from([(Awaited::Nothing, now)]),
        subscriber,
        heard: alive,
        pinged: None,
        is_publishers_turn: false,
        reader: None,
        read: alive,
    };
    let mut feed = Feed::PubSub;
    for before in 0..3 {
        match poll_fn(|cx| session.poll(cx, &mut feed)).await.expect("both are open") {
            Taken::Reply(Awaited::Nothing, reply) => {
                assert_eq!((reply.number(), before), (Some(1), 1), "after one message");
                return;
            }
            Taken::Pushed { message, .. } => assert_eq!(message, "m"),
            Taken::Reply(..) | Taken::Fed(_) => panic!("nothing else was said"),
        }
    }
    panic!("a thousand messages come before the answer");
}
