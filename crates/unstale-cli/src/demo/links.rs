//! Every link between the nodes: one proxy per ordered pair, so that any node can be cut off.

use std::io;
use std::net::SocketAddr;

use super::proxy::{Link, Passage};

/// The links of a cluster.
#[derive(Debug)]
pub(crate) struct Links {
    /// By dialling node and dialled node; none from a node to itself.
    links: Vec<Vec<Option<Link>>>,
}

impl Links {
    /// Opens a link from each of `nodes` nodes to each other one.
    pub(crate) async fn open(nodes: usize) -> io::Result<Self> {
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
    pub(crate) fn addresses(&self, from: usize) -> impl Iterator<Item = (usize, SocketAddr)> {
        let links = self.links[from].iter().enumerate();
        links.filter_map(|(to, link)| link.as_ref().map(|link| (to, link.address())))
    }

    /// The node `to` listens at `address`.
    pub(crate) fn lead_to(&self, to: usize, address: SocketAddr) {
        for link in self.links.iter().filter_map(|row| row[to].as_ref()) {
            link.lead_to(address);
        }
    }

    /// Cuts off `node`, or heals its links.
    pub(crate) fn set(&self, node: usize, passage: Passage) {
        for (from, row) in self.links.iter().enumerate() {
            for (to, link) in row.iter().enumerate() {
                if let (true, Some(link)) = (from == node || to == node, link) {
                    link.set(passage);
                }
            }
        }
    }
}
