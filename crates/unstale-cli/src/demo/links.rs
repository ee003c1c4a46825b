//! Every link of the nodes, by proxies, so that any node can be cut off: one per ordered pair on a mesh, one per node to the
//! Redis where they meet.

use std::io;
use std::net::SocketAddr;

use super::proxy::{Link, Passage};

/// The links of a run.
#[derive(Debug)]
pub(crate) enum Links {
    /// Between the nodes.
    Mesh(Mesh),
    /// From each node to one server.
    Hub(Vec<Link>),
}

impl Links {
    /// Opens a link from each of `nodes` nodes to each other one.
    pub(crate) async fn mesh(nodes: usize) -> io::Result<Self> {
        Ok(Self::Mesh(Mesh::open(nodes).await?))
    }

    /// Opens a link from each of `nodes` nodes to the server at `address`.
    pub(crate) async fn hub(nodes: usize, address: SocketAddr) -> io::Result<Self> {
        let mut links = Vec::with_capacity(nodes);
        for _ in 0..nodes {
            let link = Link::open().await?;
            link.lead_to(address);
            links.push(link);
        }
        Ok(Self::Hub(links))
    }

    /// Where `from` dials each other node, with that node's index.
    pub(crate) fn addresses(&self, from: usize) -> Vec<(usize, SocketAddr)> {
        match self {
            Self::Mesh(mesh) => mesh.addresses(from).collect(),
            Self::Hub(_) => Vec::new(),
        }
    }

    /// Where `node` dials the server, if there is one.
    pub(crate) fn to_hub(&self, node: usize) -> Option<SocketAddr> {
        match self {
            Self::Mesh(_) => None,
            Self::Hub(links) => links.get(node).map(Link::address),
        }
    }

    /// The node `to` listens at `address`.
    pub(crate) fn lead_to(&self, to: usize, address: SocketAddr) {
        if let Self::Mesh(mesh) = self {
            mesh.lead_to(to, address);
        }
    }

    /// Cuts off `node`, or heals its links.
    pub(crate) fn set(&self, node: usize, passage: Passage) {
        match self {
            Self::Mesh(mesh) => mesh.set(node, passage),
            Self::Hub(links) => {
                if let Some(link) = links.get(node) {
                    link.set(passage);
                }
            }
        }
    }
}

/// The links of a mesh.
#[derive(Debug)]
pub(crate) struct Mesh {
    /// By dialling node and dialled node; none from a node to itself.
    links: Vec<Vec<Option<Link>>>,
}

impl Mesh {
    /// Opens a link from each of `nodes` nodes to each other one.
    async fn open(nodes: usize) -> io::Result<Self> {
        let mut links = Vec::with_capacity(nodes);
        for from in 0..nodes {
            let mut row = Vec::with_capacity(nodes);
            for to in 0..nodes {
                row.push(if from == to { None } else { Some(Link::open().await?) });
            }
            links.push(row);
        }
        Ok(Self { links })
    }

    /// Where `from` dials each other node, with that node's index.
    fn addresses(&self, from: usize) -> impl Iterator<Item = (usize, SocketAddr)> {
        let links = self.links[from].iter().enumerate();
        links.filter_map(|(to, link)| link.as_ref().map(|link| (to, link.address())))
    }

    /// The node `to` listens at `address`.
    fn lead_to(&self, to: usize, address: SocketAddr) {
        for link in self.links.iter().filter_map(|row| row[to].as_ref()) {
            link.lead_to(address);
        }
    }

    /// Cuts off `node`, or heals its links.
    fn set(&self, node: usize, passage: Passage) {
        for (from, row) in self.links.iter().enumerate() {
            for (to, link) in row.iter().enumerate() {
                if let (true, Some(link)) = (from == node || to == node, link) {
                    link.set(passage);
                }
            }
        }
    }
}
