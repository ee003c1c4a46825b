//! A bad network between a client and a server.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, lookup_host};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until};

const CHUNK_BYTES: usize = 4 * 1_024;
/// Chunks on their way in one direction of one connection; more stay with the sender.
const CHUNKS_MAX: usize = 256;
/// What else waits for a proxy that reads nothing: little, so that who sends notices soon.
const WINDOW_BYTES: u32 = 64 * 1_024;

/// One way of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client to the server.
    ToServer,
    /// From the server to the client.
    ToClient,
}

/// Listens on a free port of loopback and passes connections on, as well as it is told to. Settings count at once, for
/// open connections too. When dropped, it stops listening and closes them all.
#[derive(Debug)]
pub struct Proxy {
    address: String,
    weather: watch::Sender<Weather>,
    listener: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    latency: Duration,
    bytes_per_second_max: Option<u32>,
    is_to_server_blocked: bool,
    is_to_client_blocked: bool,
    /// Connections of an earlier generation are closed.
    generation: u64,
}

impl Proxy {
    /// Passes connections on to `server`, `HOST:PORT`, without a fault.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn to(server: impl Into<String>) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let weather = watch::Sender::new(Weather::default());
        let listener = tokio::spawn(serve(listener, server.into(), weather.clone()));
        Ok(Self { address, weather, listener })
    }

    /// Where clients connect: `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `redis://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Each byte takes so much longer, each way. What is under way keeps its time.
    pub fn delay(&self, latency: Duration) {
        self.weather.send_modify(|weather| weather.latency = latency);
    }

    /// Each way of each connection carries only so many bytes a second; `None`: all.
    pub fn throttle(&self, bytes_per_second_max: Option<u32>) {
        self.weather.send_modify(|weather| weather.bytes_per_second_max = bytes_per_second_max);
    }

    /// Nothing goes this way any more, on open connections and new ones, and nobody is told: half-open, as behind a route
    /// that drops packets. Both ways need two calls.
    pub fn block(&self, way: Way) {
        self.weather.send_modify(|weather| match way {
            Way::ToServer => weather.is_to_server_blocked = true,
            Way::ToClient => weather.is_to_client_blocked = true,
        });
    }

    /// Ends blocks, latency and throttling. What waited goes on, as a network's retransmissions would.
    pub fn heal(&self) {
        self.weather.send_modify(|weather| {
            *weather = Weather { generation: weather.generation, ..Weather::default() };
        });
    }

    /// Closes every open connection, with the loss of what was under way. New ones are passed on.
    pub fn cut(&self) {
        self.weather.send_modify(|weather| weather.generation += 1);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listener.abort();
        self.cut();
    }
}

async fn serve(listener: TcpListener, server: String, weather: watch::Sender<Weather>) {
    while let Ok((client, _)) = listener.accept().await {
        let (server, mut cut) = (server.clone(), weather.subscribe());
        let generation = cut.borrow().generation;
        tokio::spawn(async move {
            let weather = cut.clone();
            tokio::select! {
                _ = cut.wait_for(|weather| weather.generation != generation) => {}
                _ = connect(client, server, weather) => {}
            }
        });
    }
}

/// Until either end closes: the other is closed then, too.
async fn connect(client: TcpStream, server: String, weather: watch::Receiver<Weather>) -> io::Result<()> {
    let server = dial(&server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        ended = pass(from_client, to_server, Way::ToServer, weather.clone()) => ended,
        ended = pass(from_server, to_client, Way::ToClient, weather) => ended,
    }
}

async fn dial(server: &str) -> io::Result<TcpStream> {
    let address = lookup_host(server).await?.next().ok_or(io::ErrorKind::NotFound)?;
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_recv_buffer_size(WINDOW_BYTES)?;
    socket.connect(address).await
}

async fn pass(
    from: OwnedReadHalf,
    to: OwnedWriteHalf,
    way: Way,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    let (taken, given) = tokio::join!(take(from, sender, weather.clone()), give(to, receiver, way, weather));
    taken.and(given)
}

/// Reads chunks and notes when each is due at the other end.
async fn take(
    mut from: OwnedReadHalf,
    chunks: mpsc::Sender<(Instant, Vec<u8>)>,
    weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    loop {
        let mut chunk = vec![0; CHUNK_BYTES];
        let length = from.read(&mut chunk).await?;
        chunk.truncate(length);
        let due = Instant::now() + weather.borrow().latency;
        if length == 0 || chunks.send((due, chunk)).await.is_err() {
            return Ok(());
        }
    }
}

async fn give(
    mut to: OwnedWriteHalf,
    mut chunks: mpsc::Receiver<(Instant, Vec<u8>)>,
    way: Way,
    mut weather: watch::Receiver<Weather>,
) -> io::Result<()> {
    while let Some((due, chunk)) = chunks.recv().await {
        sleep_until(due).await;
        let mut rest = chunk.as_slice();
        while !rest.is_empty() {
            let now = *weather.wait_for(|weather| !weather.blocks(way)).await.map_err(io::Error::other)?;
            // A tenth of a second's share at once, so that a change of the rate is felt.
            let share = now.bytes_per_second_max.map_or(rest.len(), |rate| (rate as usize / 10).max(1));
            let (first, later) = rest.split_at(share.min(rest.len()));
            to.write_all(first).await?;
            if let Some(rate) = now.bytes_per_second_max {
                sleep(Duration::from_secs_f64(first.len() as f64 / f64::from(rate.max(1)))).await;
            }
            rest = later;
        }
    }
    Ok(())
}

impl Weather {
    fn blocks(&self, way: Way) -> bool {
        match way {
            Way::ToServer => self.is_to_server_blocked,
            Way::ToClient => self.is_to_client_blocked,
        }
    }
}
