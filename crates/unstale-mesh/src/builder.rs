//! How a mesh is configured and started.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, lookup_host};
use unstale_port::{Delivery, Error, Kind, Peer, Peers, Properties, Retry};

use crate::address::{self, Address, config};
use crate::handshake::{Identity, Terms};
use crate::mesh::{Mesh, Setup};
use crate::secret::{STRONG_BYTES_MIN, Secret};
use crate::session::FRAME_BYTES_MAX;
use crate::stream::Transport;
use crate::target::Dialling;

const CLUSTER_BYTES_MAX: usize = 255;
/// Connections that the kernel may hold for us; enough for a thousand at once.
const BACKLOG: u32 = 1_024;

/// Builds a [`Mesh`]; made by [`Mesh::builder`].
///
/// Without a secret or TLS, only loopback addresses are allowed anywhere. Settings are checked by [`Self::start`].
#[derive(Debug)]
#[must_use = "a builder does nothing until it is started"]
pub struct Builder {
    cluster: String,
    listen: Listen,
    advertise: Option<String>,
    peers: Vec<String>,
    discover: Option<String>,
    secret: Option<Secret>,
    beyond: Beyond,
    transport: Transport,
}

#[derive(Debug)]
enum Listen {
    Address(String),
    Bound(std::net::TcpListener),
}

/// Whether a listener may be reached from other hosts without TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beyond {
    Refused,
    Allowed,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            cluster: "unstale".to_owned(),
            listen: Listen::Address("127.0.0.1:0".to_owned()),
            advertise: None,
            peers: Vec::new(),
            discover: None,
            secret: None,
            beyond: Beyond::Refused,
            transport: Transport::Tcp,
        }
    }
}

impl Builder {
    /// The name of the cluster, 1 to 255 bytes; meshes of other clusters are refused. Default: `unstale`.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// The address to listen on, `HOST:PORT`; port 0 takes a free one. Default: `127.0.0.1:0`.
    ///
    /// A restarted process gets its address back at once. Beyond loopback, see [`Self::beyond_loopback_without_tls`].
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = Listen::Address(address.into());
        self
    }

    /// Listens on a socket that is bound already: handed over by a supervisor, or bound early to know its port.
    pub fn listener(mut self, bound: std::net::TcpListener) -> Self {
        self.listen = Listen::Bound(bound);
        self
    }

    /// The address that peers should dial, `HOST:PORT`. Default: the bound address, unless it is a wildcard.
    pub fn advertise(mut self, address: impl Into<String>) -> Self {
        self.advertise = Some(address.into());
        self
    }

    /// Adds a peer to the fixed list: `HOST:PORT`, or `NAME=HOST:PORT` where NAME is its node's name. One's own address
    /// in the list is noticed and left out.
    pub fn peer(mut self, peer: impl Into<String>) -> Self {
        self.peers.push(peer.into());
        self
    }

    /// Dials whoever a DNS name resolves to, `NAME:PORT`, instead of a fixed list. It is asked again every 5 s; when there
    /// is no answer the last one counts; whoever is no longer named is not dialled again.
    pub fn discover(mut self, name: impl Into<String>) -> Self {
        self.discover = Some(name.into());
        self
    }

    /// The secret that all nodes of the cluster share.
    pub fn secret(mut self, secret: impl Into<Option<Secret>>) -> Self {
        self.secret = secret.into();
        self
    }

    /// Lets others than this host reach the listener without TLS. Frames are authenticated and sealed by the shared secret
    /// all the same, so they are as safe as the secret is hard to guess: it needs 16 bytes or more.
    pub fn beyond_loopback_without_tls(mut self) -> Self {
        self.beyond = Beyond::Allowed;
        self
    }

    /// Runs everything inside TLS with certificates on both sides. A secret is optional then, and the listener may be
    /// reached from other hosts.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: crate::tls::Tls) -> Self {
        self.transport = Transport::Tls(tls);
        self
    }

    /// Binds the listener and gives the mesh; peers are dialled from its first poll on. Needs a tokio runtime.
    ///
    /// # Errors
    /// `Config` for settings that make no sense or are not safe, `Unavailable` if the address cannot be bound.
    pub async fn start(self) -> Result<Mesh, Error> {
        let peers = self.parse_peers()?;
        let discover = self.discover.as_deref().map(|name| Address::parse("name", name)).transpose()?;
        let advertise =
            self.advertise.as_deref().map(|text| Address::parse("advertise", text)).transpose()?;
        if self.cluster.is_empty() || self.cluster.len() > CLUSTER_BYTES_MAX {
            let bytes = self.cluster.len();
            return Err(config(format!("cluster name of {bytes} bytes is outside 1 to {CLUSTER_BYTES_MAX}")));
        }
        if discover.is_some() && !peers.is_empty() {
            return Err(config("a fixed list of peers and a DNS name exclude each other"));
        }
        let addresses = peers.iter().map(|(_, address)| address).chain(&discover).chain(&advertise);
        self.check_dialled(addresses)?;

        let listener = match self.listen {
            Listen::Address(ref text) => {
                let address = resolve(text).await?;
                self.check_listened(address)?;
                bind(address)?
            }
            Listen::Bound(ref bound) => {
                let address = bound.local_addr().map_err(unbound)?;
                self.check_listened(address)?;
                let bound = bound.try_clone().map_err(unbound)?;
                bound.set_nonblocking(true).map_err(unbound)?;
                TcpListener::from_std(bound).map_err(unbound)?
            }
        };
        let bound = listener.local_addr().map_err(unbound)?;
        let advertised = match advertise {
            Some(address) => Some(address.text().to_owned()),
            None if bound.ip().is_unspecified() => None,
            None => Some(bound.to_string()),
        };
        let peers = match discover {
            Some(_) => Peers::Elastic,
            None => Peers::Fixed(without_oneself(peers, bound, advertised.as_deref())),
        };
        Ok(Mesh::new(Setup {
            properties: Properties {
                delivery: Delivery::Fifo,
                frame_bytes_max: FRAME_BYTES_MAX,
                listening: Some(bound.to_string()),
                advertised,
                peers,
            },
            dialling: if self.proves_peers() { Dialling::Anywhere } else { Dialling::Loopback },
            terms: Terms::new(identity()?, &self.cluster, self.secret.unwrap_or_else(Secret::known_to_all)),
            transport: self.transport,
            discover: discover.map(|name| name.text().to_owned()),
            listener,
        }))
    }

    fn parse_peers(&self) -> Result<Vec<(Peer, Address)>, Error> {
        let (mut names, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        let mut parsed = Vec::new();
        for text in &self.peers {
            let (peer, address) = address::parse_peer(text)?;
            if !addresses.insert(peer.address.clone()) {
                return Err(config(format!("peer address `{}` is given twice", peer.address)));
            }
            if let Some(name) = &peer.name
                && !names.insert(name.clone())
            {
                return Err(config(format!("peer name `{name}` is given twice")));
            }
            parsed.push((peer, address));
        }
        Ok(parsed)
    }

    fn proves_peers(&self) -> bool {
        self.secret.is_some() || self.transport.authenticates()
    }

    /// Nobody is to be trusted beyond loopback without a proof.
    fn check_dialled<'a>(&self, mut addresses: impl Iterator<Item = &'a Address>) -> Result<(), Error> {
        if self.proves_peers() {
            return Ok(());
        }
        match addresses.find(|address| !address.is_loopback()) {
            Some(address) => Err(config(format!(
                "address `{}` is beyond loopback, which needs a shared secret",
                address.text()
            ))),
            None => Ok(()),
        }
    }

    fn check_listened(&self, address: SocketAddr) -> Result<(), Error> {
        if address.ip().to_canonical().is_loopback() || self.transport.authenticates() {
            return Ok(());
        }
        let Some(secret) = &self.secret else {
            return Err(config(format!("listening on {address}, beyond loopback, needs a shared secret")));
        };
        if self.beyond == Beyond::Refused {
            return Err(config(format!(
                "listening on {address}, beyond loopback, needs TLS or the explicit beyond_loopback_without_tls"
            )));
        }
        if !secret.is_strong() {
            return Err(config(format!(
                "listening on {address}, beyond loopback, needs a shared secret of at least {STRONG_BYTES_MIN} bytes"
            )));
        }
        Ok(())
    }
}

async fn resolve(text: &str) -> Result<SocketAddr, Error> {
    Address::parse("listen", text)?;
    let mut found = lookup_host(text).await.map_err(unbound)?;
    found.next().ok_or_else(|| config(format!("listen `{text}` has no address")))
}

fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    let socket =
        if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.map_err(unbound)?;
    socket.set_reuseaddr(true).map_err(unbound)?;
    let taken = |cause| unavailable(&format!("cannot listen on {address}"), cause);
    socket.bind(address).map_err(taken)?;
    socket.listen(BACKLOG).map_err(taken)
}

fn without_oneself(peers: Vec<(Peer, Address)>, bound: SocketAddr, advertised: Option<&str>) -> Vec<Peer> {
    let is_oneself = |address: &Address| advertised == Some(address.text()) || address.is_served_by(bound);
    peers.into_iter().filter(|(_, address)| !is_oneself(address)).map(|(peer, _)| peer).collect()
}

fn identity() -> Result<Identity, Error> {
    let mut identity = [0; 16];
    getrandom::fill(&mut identity)
        .map_err(|cause| unavailable("the system gives no random numbers", std::io::Error::other(cause)))?;
    Ok(Identity(identity))
}

fn unbound(cause: std::io::Error) -> Error {
    unavailable("cannot listen", cause)
}

fn unavailable(what: &str, cause: std::io::Error) -> Error {
    let detail = format!("{what}: {cause}");
    Error::new(Kind::Unavailable, Retry::After(Duration::from_secs(1)), "mesh", detail).with_source(cause)
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
