//! How a connection comes up: the address, TCP, TLS, login.

use std::io;

use tokio::net::TcpStream;
use tokio::time::timeout;
use unstale_port::{Error, Kind, Retry};

use crate::address::Address;
use crate::error::{refused as refused_by_server, timed_out, unavailable};
use crate::login::{Login, Password};
use crate::reply::Value;
use crate::settings::{Deployment, Role, Settings};
use crate::stream::Stream;
use crate::wire::Wire;

/// How often a cluster may say that a key is elsewhere.
const MOVES_MAX: usize = 5;

/// A connection to the server, the present master, or some node of a cluster, logged in and named. Takes no longer than
/// [`Settings::connect_timeout`] for each address that it tries, sentinels too.
pub(crate) async fn open(settings: &Settings) -> Result<Wire, Error> {
    match &settings.deployment {
        Deployment::Single(address) => open_at(settings, address, settings.role).await,
        Deployment::Sentinel { sentinels, service } => {
            let master = master_of(settings, sentinels, service).await?;
            open_at(settings, &master, settings.role).await
        }
        Deployment::Cluster(nodes) => open_some(settings, nodes).await.map(|(wire, _)| wire),
    }
}

/// A connection to the first node that answers, and where that is.
async fn open_some(settings: &Settings, nodes: &[Address]) -> Result<(Wire, Address), Error> {
    let mut last = None;
    for node in nodes {
        match open_at(settings, node, Role::Any).await {
            Ok(wire) => return Ok((wire, node.clone())),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| nobody("no node of the cluster is named")))
}

/// The same, to the node of a cluster that has this key.
pub(crate) async fn open_for(settings: &Settings, key: &[u8]) -> Result<Wire, Error> {
    let Deployment::Cluster(nodes) = &settings.deployment else { return open(settings).await };
    let (mut wire, mut at) = open_some(settings, nodes).await?;
    for _ in 0..MOVES_MAX {
        let limit = settings.connect_timeout;
        let asked = timeout(limit, wire.call("find a node", &[b"EXISTS", key])).await;
        let line = match asked.unwrap_or_else(|_| Err(timed_out("find a node", limit)))? {
            Value::Error(line) => line,
            Value::Text(_) | Value::Number(_) | Value::Nothing | Value::List(_) | Value::Push(_) => {
                return Ok(wire);
            }
        };
        at = moved_to(&line, &at).ok_or_else(|| refused_by_server("find a node", &line))?;
        wire = open_at(settings, &at, Role::Master).await?;
    }
    Err(nobody(format!("no node of the cluster has the key after {MOVES_MAX} moves")))
}

/// `MOVED SLOT HOST:PORT`, where an IPv6 host has no brackets, and none at all is that of the node which says so.
fn moved_to(line: &str, from: &Address) -> Option<Address> {
    let (host, port) = line.strip_prefix("MOVED ")?.split(' ').nth(1)?.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    match host {
        "" => Some(Address { host: from.host.clone(), port }),
        _ if host.contains(':') && !host.starts_with('[') => Address::parse(&format!("[{host}]"), port).ok(),
        _ => Address::parse(host, port).ok(),
    }
}

async fn open_at(settings: &Settings, address: &Address, wanted: Role) -> Result<Wire, Error> {
    let limit = settings.connect_timeout;
    let opened = timeout(limit, async {
        let mut wire = connect(settings, address).await?;
        let hello = log_in(&mut wire, settings, &settings.login).await?;
        if hello.field("proto").and_then(Value::number) != Some(3) {
            return Err(nobody(format!("{address} does not speak RESP3")));
        }
        let role = hello.field("role").and_then(Value::text).unwrap_or_default();
        if wanted == Role::Master && role != "master" {
            return Err(nobody(format!("{address} is a {role} and takes no writes")));
        }
        if settings.database != 0 {
            wire.ask("select", &[b"SELECT", settings.database.to_string().as_bytes()]).await?;
        }
        Ok(wire)
    });
    opened.await.unwrap_or_else(|_| Err(timed_out("connect", limit)))
}

async fn connect(settings: &Settings, address: &Address) -> Result<Wire, Error> {
    let Address { host, port } = address;
    let refused = |cause: io::Error| {
        let what = io::Error::new(cause.kind(), format!("{address}: {cause}"));
        unavailable("connect", what)
    };
    let tcp = TcpStream::connect((host.as_str(), *port)).await.map_err(refused)?;
    tcp.set_nodelay(true).map_err(refused)?;
    #[cfg(feature = "tls")]
    if let Some(tls) = &settings.tls {
        return Ok(Wire::new(Stream::Tls(tls.connect(host, tcp).await?)));
    }
    #[cfg(not(feature = "tls"))]
    if let Some(tls) = &settings.tls {
        match *tls {}
    }
    Ok(Wire::new(Stream::Tcp(tcp)))
}

async fn log_in(wire: &mut Wire, settings: &Settings, login: &Login) -> Result<Value, Error> {
    let password = login.password.as_ref().map(Password::read).transpose()?;
    let user = login.user.as_deref().unwrap_or("default");
    let mut command: Vec<&[u8]> = vec![b"HELLO", b"3"];
    if let Some(password) = &password {
        command.extend([b"AUTH".as_slice(), user.as_bytes(), password.as_bytes()]);
    }
    command.extend([b"SETNAME".as_slice(), settings.client_name.as_bytes()]);
    wire.ask("log in", &command).await
}

/// Asks one sentinel after the other.
async fn master_of(settings: &Settings, sentinels: &[Address], service: &str) -> Result<Address, Error> {
    let mut last = None;
    for sentinel in sentinels {
        let limit = settings.connect_timeout;
        let asked = timeout(limit, async {
            let mut wire = connect(settings, sentinel).await?;
            log_in(&mut wire, settings, &settings.sentinel_login).await?;
            let command: [&[u8]; 3] = [b"SENTINEL", b"GET-MASTER-ADDR-BY-NAME", service.as_bytes()];
            wire.ask("ask a sentinel", &command).await
        });
        match asked.await.unwrap_or_else(|_| Err(timed_out("ask a sentinel", limit))) {
            Ok(reply) => match address_in(&reply) {
                Some(master) => return Ok(master),
                None => last = Some(nobody(format!("{sentinel} knows no master of `{service}`"))),
            },
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| nobody("no sentinel is named")))
}

fn address_in(reply: &Value) -> Option<Address> {
    let [host, port] = reply.list() else { return None };
    Some(Address { host: host.text()?.to_owned(), port: port.text()?.parse().ok()? })
}

fn nobody(detail: impl Into<String>) -> Error {
    Error::new(Kind::Unavailable, Retry::Reconnected, "connect", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_key_is_where_the_node_says() {
        let from = Address::parse("10.0.0.1:7000", 0).expect("an address");
        let moved = |line| moved_to(line, &from).map(|address| address.to_string());
        for (line, to) in [
            ("MOVED 3999 10.0.0.2:7001", "10.0.0.2:7001"),
            ("MOVED 3999 node-2.cache.internal:7001", "node-2.cache.internal:7001"),
            ("MOVED 3999 fd00::2:7001", "[fd00::2]:7001"),
            ("MOVED 3999 ::1:7001", "[::1]:7001"),
            ("MOVED 3999 [::1]:7001", "[::1]:7001"),
            ("MOVED 3999 :7001", "10.0.0.1:7001"),
        ] {
            assert_eq!(moved(line).as_deref(), Some(to), "{line}");
        }
        for line in [
            "MOVED 3999",
            "MOVED 3999 host",
            "MOVED 3999 host:0",
            "MOVED 3999 ?:7001",
            "MOVED 3999 a:b:1",
            "ASK 1 h:1",
        ] {
            assert_eq!(moved(line), None, "{line}");
        }
    }
}
