use super::*;

/// A link to a listener of the test, and a connection through it.
struct World {
    link: Link,
    behind: TcpListener,
}

impl World {
    async fn new() -> Self {
        let behind = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
        let link = Link::open().await.expect("a free port");
        link.lead_to(behind.local_addr().expect("bound"));
        Self { link, behind }
    }

    async fn connect(&self) -> (TcpStream, TcpStream) {
        let dialler = TcpStream::connect(self.link.address()).await.expect("the link listens");
        let (node, _) = within(self.behind.accept()).await.expect("the link dials");
        (dialler, node)
    }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.expect("done in time")
}

async fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 64];
    match within(stream.read(&mut buffer)).await {
        Ok(count @ 1..) => Some(buffer[..count].to_vec()),
        Ok(0) | Err(_) => None,
    }
}

#[tokio::test]
async fn bytes_pass_both_ways_while_the_link_is_open() {
    let world = World::new().await;
    let (mut dialler, mut node) = world.connect().await;
    dialler.write_all(b"to").await.expect("open");
    assert_eq!(read(&mut node).await.as_deref(), Some(&b"to"[..]));
    node.write_all(b"fro").await.expect("open");
    assert_eq!(read(&mut dialler).await.as_deref(), Some(&b"fro"[..]));
    drop(node);
    assert_eq!(read(&mut dialler).await, None);
}

#[tokio::test]
async fn a_refusing_cut_breaks_connections_and_refuses_new_ones_until_it_heals() {
    let world = World::new().await;
    let (mut dialler, mut node) = world.connect().await;
    world.link.set(Passage::Cut(Cut::Refuse));
    assert_eq!(read(&mut dialler).await, None);
    assert_eq!(read(&mut node).await, None);
    let mut refused = TcpStream::connect(world.link.address()).await.expect("the link listens");
    assert_eq!(read(&mut refused).await, None);

    world.link.set(Passage::Open);
    let (mut dialler, mut node) = world.connect().await;
    dialler.write_all(b"again").await.expect("open");
    assert_eq!(read(&mut node).await.as_deref(), Some(&b"again"[..]));
}

#[tokio::test]
async fn a_swallowing_cut_keeps_connections_loses_their_bytes_and_breaks_them_when_it_heals() {
    let world = World::new().await;
    let (mut dialler, mut node) = world.connect().await;
    world.link.set(Passage::Cut(Cut::Swallow));
    // More than every buffer on the way holds: writing it all shows that somebody reads.
    let lost = vec![7; 32 << 20];
    within(dialler.write_all(&lost)).await.expect("the connection stays");
    let silence = tokio::time::timeout(Duration::from_millis(50), node.read(&mut [0])).await;
    assert!(silence.is_err(), "nothing came through: {silence:?}");

    world.link.set(Passage::Open);
    assert_eq!(read(&mut node).await, None);
    assert_eq!(read(&mut dialler).await, None);
}

#[tokio::test]
async fn a_connection_begun_while_the_link_swallows_gets_no_answer_and_ends_when_it_heals() {
    let world = World::new().await;
    world.link.set(Passage::Cut(Cut::Swallow));
    let mut dialler = TcpStream::connect(world.link.address()).await.expect("the link listens");
    within(dialler.write_all(&vec![7; 32 << 20])).await.expect("somebody reads");
    world.link.set(Passage::Open);
    assert_eq!(read(&mut dialler).await, None);
}

#[tokio::test]
async fn a_restarted_node_is_reached_at_its_new_address() {
    let world = World::new().await;
    let (dialler, node) = world.connect().await;
    drop((dialler, node));
    let successor = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    world.link.lead_to(successor.local_addr().expect("bound"));
    let mut dialler = TcpStream::connect(world.link.address()).await.expect("the link listens");
    let (mut node, _) = within(successor.accept()).await.expect("the link dials");
    dialler.write_all(b"hi").await.expect("open");
    assert_eq!(read(&mut node).await.as_deref(), Some(&b"hi"[..]));
}
