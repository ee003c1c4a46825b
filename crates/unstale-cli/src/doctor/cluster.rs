//! The servers of a deployment.

use super::report::{Check, Report};
use crate::server::{Server, command, reply};

/// A server that keeps a share of the keys.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) server: Server,
    /// Its address, where it is one of several.
    address: Option<String>,
}

impl Node {
    /// The finding with its address in it.
    pub(super) fn named(&self, check: Check) -> Check {
        match &self.address {
            Some(address) => check.fact("node", address.clone()),
            None => check,
        }
    }
}

/// The server itself, or the masters of its cluster as far as they answer.
pub(super) async fn nodes(server: &Server, report: &mut Report) -> Vec<Node> {
    if !server.settings().is_cluster() {
        return vec![Node { server: server.clone(), address: None }];
    }
    let (addresses, check) = masters(server).await;
    report.add(&check);
    let mut nodes = Vec::new();
    for address in addresses {
        let connected = match server.settings().clone().at(&address) {
            Ok(settings) => Server::connect(settings).await,
            Err(error) => Err(error),
        };
        match connected {
            Ok(server) => nodes.push(Node { server, address: Some(address) }),
            Err(error) => {
                let says = format!("{error}: every node has to reach each master of a cluster");
                report.add(&Check::fail("node", says).fact("node", address));
            }
        }
    }
    nodes
}

async fn masters(server: &Server) -> (Vec<String>, Check) {
    let asked = server.ask(&command(["CLUSTER", "NODES"])).await;
    let text = match asked {
        Ok(answer) => reply::text(&answer).unwrap_or_default(),
        Err(error) => {
            return (Vec::new(), Check::fail("cluster", format!("{error}: let the user run CLUSTER NODES")));
        }
    };
    let shape = Shape::parse(&text);
    (shape.masters.clone(), shape.check())
}

/// What `CLUSTER NODES` says.
#[derive(Debug, Default)]
struct Shape {
    masters: Vec<String>,
    failed: usize,
    slots: u32,
}

const SLOTS: u32 = 16_384;

impl Shape {
    fn parse(text: &str) -> Self {
        let mut shape = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let [_, address, flags, ..] = words[..] else { continue };
            let flags: Vec<&str> = flags.split(',').collect();
            if flags.iter().any(|flag| flag.starts_with("fail") || *flag == "noaddr") {
                shape.failed += 1;
            } else if flags.contains(&"master") {
                let slots: u32 = words.iter().skip(8).filter_map(|range| count(range)).sum();
                shape.slots += slots;
                // `host:port@cport,hostname`
                let address = address.split(['@', ',']).next().unwrap_or_default();
                if slots > 0 {
                    shape.masters.push(address.to_owned());
                }
            }
        }
        shape
    }

    fn check(&self) -> Check {
        let Self { masters, failed, slots } = self;
        let missing = SLOTS.saturating_sub(*slots);
        let masters = masters.len();
        let check = if missing > 0 {
            Check::fail(
                "cluster",
                format!("{missing} of {SLOTS} slots are served by nobody: redis-cli --cluster check"),
            )
        } else if *failed > 0 {
            Check::warn("cluster", format!("{masters} masters serve all slots; {failed} nodes have failed"))
        } else {
            Check::ok("cluster", format!("{masters} masters serve all slots"))
        };
        check.fact("masters", masters).fact("failed", *failed).fact("slots", *slots)
    }
}

/// How many slots `0-5460` or `17` are; slots that move (`[…]`) are counted where they are.
fn count(range: &str) -> Option<u32> {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last && last < SLOTS).then(|| last - first + 1)
}

#[cfg(test)]
mod tests {
    use super::super::report::Status;
    use super::*;

    const HEALTHY: &str = "a 10.0.0.1:7000@17000 myself,master - 0 0 1 connected 0-5460
b 10.0.0.2:7000@17000,host master - 0 0 2 connected 5461-10922 [7-<-c]
c 10.0.0.3:7000@17000 master - 0 0 3 connected 10923-16382 16383
d 10.0.0.4:7000@17000 slave a 0 0 1 connected\n";

    #[test]
    fn masters_and_their_slots_are_counted() {
        let shape = Shape::parse(HEALTHY);
        assert_eq!(shape.masters, ["10.0.0.1:7000", "10.0.0.2:7000", "10.0.0.3:7000"]);
        assert_eq!(shape.check().status, Status::Ok);
        let broken = HEALTHY.replace("10.0.0.3:7000@17000 master", "10.0.0.3:7000@17000 master,fail");
        assert_eq!(Shape::parse(&broken).check().status, Status::Fail);
        let replica_down = HEALTHY.replace("slave a", "slave,fail? a");
        assert_eq!(Shape::parse(&replica_down).check().status, Status::Warn);
        assert_eq!(Shape::parse("what is no list").check().status, Status::Fail);
    }
}
