//! A cache as it is often written: a map, and a message to every peer after each write. Nothing fences a load against an
//! invalidation, and a message that cannot be sent is forgotten.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::log::Log;
use super::source::{Row, Source};
use crate::demo::clock;
use crate::demo::line::{ActNumber, Start};

/// How many messages may wait for a peer; the next ones are forgotten.
const QUEUE: usize = 1_024;

/// How long to wait before a peer is dialled again.
const REDIAL: Duration = Duration::from_millis(200);

/// The cache and its connections; dropping it closes them.
#[derive(Debug)]
pub(super) struct Naive {
    rows: Arc<Rows>,
    source: Arc<Source>,
    name: String,
    number: AtomicU64,
    peers: Vec<mpsc::Sender<String>>,
    _connections: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Rows(Mutex<HashMap<u32, Row>>);

impl Rows {
    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Row>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Naive {
    /// Listens and begins to dial the peers.
    pub(super) async fn start(
        start: &Start,
        source: Arc<Source>,
        log: Arc<Log>,
    ) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(start.listen).await?;
        let address = listener.local_addr()?;
        let rows = Arc::new(Rows::default());
        let mut connections = JoinSet::new();
        connections.spawn(listen(listener, Arc::clone(&rows), log));
        let mut peers = Vec::new();
        for (_, peer) in &start.peers {
            let (messages, queue) = mpsc::channel(QUEUE);
            connections.spawn(dial(*peer, queue));
            peers.push(messages);
        }
        let name = format!("{}@{}", start.name, clock::now());
        let naive = Self { rows, source, name, number: AtomicU64::new(0), peers, _connections: connections };
        Ok((naive, address))
    }

    /// What the map holds, else what the database says.
    pub(super) async fn get_or_load(&self, row: u32) -> rusqlite::Result<Row> {
        if let Some(held) = self.resident(row) {
            return Ok(held);
        }
        let loaded = self.source.load(row).await?;
        self.rows.lock().insert(row, loaded);
        Ok(loaded)
    }

    /// What the map holds.
    pub(super) fn resident(&self, row: u32) -> Option<Row> {
        self.rows.lock().get(&row).copied()
    }

    /// Forgets a row here, and tells the peers to forget it.
    pub(super) fn remove(&self, row: u32) -> ActNumber {
        self.rows.lock().remove(&row);
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        for peer in &self.peers {
            // Fire and forget: a full queue is the peer's bad luck.
            let _ = peer.try_send(format!("{} {number} {row}\n", self.name));
        }
        ActNumber { stream: self.name.clone(), number }
    }
}

async fn listen(listener: TcpListener, rows: Arc<Rows>, log: Arc<Log>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (rows, log) = (Arc::clone(&rows), Arc::clone(&log));
        connections.spawn(async move {
            let mut lines = BufReader::new(stream).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                if let Some((act, row)) = parse(&line) {
                    rows.lock().remove(&row);
                    log.applied(act.clone(), act.number, clock::now());
                }
            }
        });
    }
}

fn parse(line: &str) -> Option<(ActNumber, u32)> {
    let mut words = line.split(' ');
    let (stream, number, row) = (words.next()?, words.next()?, words.next()?);
    Some((ActNumber { stream: stream.to_owned(), number: number.parse().ok()? }, row.parse().ok()?))
}

async fn dial(peer: SocketAddr, mut queue: mpsc::Receiver<String>) {
    loop {
        if let Ok(mut stream) = TcpStream::connect(peer).await {
            let _ = stream.set_nodelay(true);
            while let Some(message) = queue.recv().await {
                if stream.write_all(message.as_bytes()).await.is_err() {
                    break;
                }
            }
        }
        // What was said meanwhile is old news.
        while queue.try_recv().is_ok() {}
        if queue.is_closed() {
            return;
        }
        tokio::time::sleep(REDIAL).await;
    }
}
