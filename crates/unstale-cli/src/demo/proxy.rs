//! A link between two nodes that can be cut: a TCP proxy for one direction of dialling.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::schedule::Cut;

/// What a link lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Passage {
    /// Everything.
    Open,
    /// Nothing.
    Cut(Cut),
}

#[derive(Clone, Copy, Debug)]
struct Route {
    passage: Passage,
    /// Where connections lead; nowhere before the node behind it has said where it listens.
    target: Option<SocketAddr>,
}

/// A listener whose connections lead to one node. Dropping it breaks every connection.
#[derive(Debug)]
pub(crate) struct Link {
    address: SocketAddr,
    route: watch::Sender<Route>,
    listening: JoinHandle<()>,
}

impl Link {
    /// Listens on a free port of this machine.
    pub(crate) async fn open() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (route, routes) = watch::channel(Route { passage: Passage::Open, target: None });
        Ok(Self { address, route, listening: tokio::spawn(listen(listener, routes)) })
    }

    /// The address to dial.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections lead to `target`.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        self.route.send_modify(|route| route.target = Some(target));
    }

    /// Cuts or heals the link. Bytes that were under way when it was cut are lost, and so are the connections that lost them.
    pub(crate) fn set(&self, passage: Passage) {
        self.route.send_if_modified(|route| std::mem::replace(&mut route.passage, passage) != passage);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(listener: TcpListener, routes: watch::Receiver<Route>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => { connections.spawn(carry(stream, routes.clone())); }
                // Out of file descriptors: they come back when connections end.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
        }
    }
}

/// Carries one connection until an end closes it or the link is cut under it.
async fn carry(dialler: TcpStream, mut routes: watch::Receiver<Route>) {
    let route = *routes.borrow_and_update();
    match (route.passage, route.target) {
        (Passage::Open, Some(target)) => {
            let Ok(node) = TcpStream::connect(target).await else { return };
            join(dialler, node, routes).await;
        }
        (Passage::Open, None) | (Passage::Cut(Cut::Refuse), _) => break_off(&dialler),
        (Passage::Cut(Cut::Swallow), _) => {
            let (reading, _writing) = dialler.into_split();
            swallow(reading, changed(&mut routes, route.passage)).await;
        }
    }
}

async fn join(dialler: TcpStream, node: TcpStream, routes: watch::Receiver<Route>) {
    let _ = dialler.set_nodelay(true).and_then(|()| node.set_nodelay(true));
    let (from_dialler, to_dialler) = dialler.into_split();
    let (from_node, to_node) = node.into_split();
    tokio::join!(pump(from_dialler, to_node, routes.clone()), pump(from_node, to_dialler, routes),);
}

/// Carries one direction. When the link is cut, what was read and not yet written is lost.
async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut routes: watch::Receiver<Route>) {
    let mut buffer = vec![0; 16 * 1024];
    let copy = async {
        while let Ok(count @ 1..) = from.read(&mut buffer).await {
            if to.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
    };
    tokio::select! {
        // Nothing passes once the link is cut.
        biased;
        cut = changed(&mut routes, Passage::Open) => match cut {
            Passage::Cut(Cut::Swallow) => swallow(from, changed(&mut routes, cut)).await,
            Passage::Cut(Cut::Refuse) | Passage::Open => break_off(to.as_ref()),
        },
        () = copy => {}
    }
}

/// Reads and forgets until the link is healed or cut in another way. The connection ends then: a hole in it cannot be mended.
async fn swallow(mut from: OwnedReadHalf, healed: impl Future<Output = Passage>) {
    let mut buffer = vec![0; 16 * 1024];
    let reading = async {
        while let Ok(1..) = from.read(&mut buffer).await {}
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = reading => {}
        _ = healed => {}
    }
    break_off(from.as_ref());
}

/// The passage, once it is no longer `current`. The end of the link counts as a break.
async fn changed(routes: &mut watch::Receiver<Route>, current: Passage) -> Passage {
    match routes.wait_for(|route| route.passage != current).await {
        Ok(route) => route.passage,
        Err(_) => Passage::Cut(Cut::Refuse),
    }
}

/// Makes the end of the connection a reset, as a broken wire would show it, instead of a goodbye.
fn break_off(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

#[cfg(test)]
mod tests;
