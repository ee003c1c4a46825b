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

const MESSAGE: &[u8] = b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n";
/// One entry of a stream.
const ENTRIES: &[u8] = b"%1\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\nm\r\n$1\r\ne\r\n";

/// A session that awaits so many answers.
fn session(subscriber: Wire, publisher: Wire, reader: Option<Wire>, awaited: usize) -> Session {
    let now = Instant::now();
    let alive = Alive { bytes: 0, at: now };
    Session {
        run: Bytes::new(),
        tick_at: now,
        sha: Bytes::new(),
        publisher,
        answered: alive,
        awaited: VecDeque::from(vec![(Awaited::Nothing, now); awaited]),
        subscriber,
        heard: alive,
        pinged: None,
        turn: Turn::Subscriber,
        reader,
        read: alive,
    }
}

#[tokio::test]
async fn answers_are_read_between_messages() {
    let (subscriber, _heard) = saying(&MESSAGE.repeat(1_000)).await;
    let (publisher, _answered) = saying(b":1\r\n").await;
    let mut session = session(subscriber, publisher, None, 1);
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

#[tokio::test]
async fn the_stream_is_read_between_messages_and_answers() {
    let (subscriber, _heard) = saying(&MESSAGE.repeat(1_000)).await;
    let (publisher, _answered) = saying(&b":1\r\n".repeat(1_000)).await;
    let (reader, _read) = saying(ENTRIES).await;
    let mut session = session(subscriber, publisher, Some(reader), 1_000);
    let mut feed = Feed::of_stream(&Names::new("unstale", "shop").expect("plain"), 10);
    let mut seen = [0; 3];
    for _ in 0..3 {
        match poll_fn(|cx| session.poll(cx, &mut feed)).await.expect("all are open") {
            Taken::Pushed { .. } => seen[0] += 1,
            Taken::Reply(..) => seen[1] += 1,
            Taken::Fed(messages) => {
                assert_eq!(messages, ["e"]);
                seen[2] += 1;
            }
        }
    }
    assert_eq!(seen, [1; 3], "each has its turn");
}
