//! Somebody on the way between two meshes, who can read lengths and change bytes.

use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What is done, once, to the records that the dialler sends after the handshake; they count from 0.
#[derive(Clone, Debug, Default)]
pub(crate) enum Trick {
    /// Nothing.
    #[default]
    None,
    /// One bit of a record is changed.
    Flip(usize),
    /// A record is sent twice.
    Repeat(usize),
    /// A record changes places with the one behind it.
    Swap(usize),
    /// A record is left out.
    Leave(usize),
    /// A record is cut in the middle and the connection closed.
    Cut(usize),
    /// Bytes are sent before a record.
    Insert(usize, Vec<u8>),
}

/// A proxy to one address.
pub(crate) struct Proxy {
    pub(crate) address: String,
    trick: Arc<Mutex<Trick>>,
    flows: watch::Sender<bool>,
}

/// Greeting and proof.
const HANDSHAKE_RECORDS: usize = 2;

impl Proxy {
    pub(crate) async fn to(upstream: String, trick: Trick) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let trick = Arc::new(Mutex::new(trick));
        let flows = watch::Sender::new(true);
        tokio::spawn(serve(listener, upstream, Arc::clone(&trick), flows.clone()));
        Self { address, trick, flows }
    }

    /// From now on nothing passes, and nobody is told.
    pub(crate) fn stall(&self) {
        self.flows.send_replace(false);
    }

    /// New connections pass again.
    pub(crate) fn heal(&self) {
        self.flows.send_replace(true);
    }

    pub(crate) fn is_done(&self) -> bool {
        matches!(*self.trick.lock().unwrap_or_else(PoisonError::into_inner), Trick::None)
    }
}

async fn serve(
    listener: TcpListener,
    upstream: String,
    trick: Arc<Mutex<Trick>>,
    flows: watch::Sender<bool>,
) {
    while let Ok((from, _)) = listener.accept().await {
        let Ok(to) = TcpStream::connect(&upstream).await else { continue };
        let (mut from_read, mut from_write) = from.into_split();
        let (mut to_read, mut to_write) = to.into_split();
        let trick = Arc::clone(&trick);
        let mut stalls = flows.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                // A connection that was open during a stall stays dead, as behind a dropped route.
                _ = stalls.wait_for(|flows| !flows) => {}
                _ = pass(&mut from_read, &mut to_write, &trick) => return,
                _ = copy(&mut to_read, &mut from_write) => return,
            }
            std::future::pending::<()>().await;
        });
    }
}

async fn pass(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    trick: &Mutex<Trick>,
) -> std::io::Result<()> {
    let mut index = 0;
    let mut held: Option<Vec<u8>> = None;
    loop {
        let mut record = read_record(from).await?;
        if index < HANDSHAKE_RECORDS {
            to.write_all(&record).await?;
            index += 1;
            continue;
        }
        let due = due(trick, index - HANDSHAKE_RECORDS);
        index += 1;
        match due {
            Trick::None => {}
            Trick::Flip(_) => record[2] ^= 1,
            Trick::Repeat(_) => to.write_all(&record).await?,
            Trick::Swap(_) => {
                held = Some(record);
                continue;
            }
            Trick::Leave(_) => continue,
            Trick::Cut(_) => return to.write_all(&record[..record.len() / 2]).await,
            Trick::Insert(_, bytes) => to.write_all(&bytes).await?,
        }
        to.write_all(&record).await?;
        if let Some(held) = held.take() {
            to.write_all(&held).await?;
        }
    }
}

async fn read_record(from: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let mut record = vec![0; 2];
    from.read_exact(&mut record).await?;
    let length = usize::from(u16::from_be_bytes([record[0], record[1]]));
    record.resize(2 + length, 0);
    from.read_exact(&mut record[2..]).await?;
    Ok(record)
}

/// Takes the trick if its record is this one.
fn due(trick: &Mutex<Trick>, record: usize) -> Trick {
    let mut trick = trick.lock().unwrap_or_else(PoisonError::into_inner);
    let at = match &*trick {
        Trick::None => return Trick::None,
        Trick::Flip(at)
        | Trick::Repeat(at)
        | Trick::Swap(at)
        | Trick::Leave(at)
        | Trick::Cut(at)
        | Trick::Insert(at, _) => *at,
    };
    if at == record { mem::take(&mut trick) } else { Trick::None }
}
