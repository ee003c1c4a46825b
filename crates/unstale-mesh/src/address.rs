//! Addresses as they are configured: `HOST:PORT`, for peers with an optional `NAME=` before them.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use unstale_port::{Error, Kind, Peer, Retry};

/// A checked `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    text: String,
    host: String,
    port: u16,
}

impl Address {
    pub(crate) fn parse(what: &str, text: &str) -> Result<Self, Error> {
        let wrong = || config(format!("{what} `{text}` is not HOST:PORT"));
        let (_, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let host = host_of(text);
        let port = port.parse().map_err(|_| wrong())?;
        if host.is_empty() || host.contains(|c: char| c.is_whitespace() || c == '=') {
            return Err(wrong());
        }
        Ok(Self { text: text.to_owned(), host: host.to_owned(), port })
    }

    /// As configured.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether nobody but this host can be meant.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.parse::<IpAddr>().is_ok_and(|host| host.to_canonical().is_loopback())
    }

    /// Whether a listener at `bound` is what this address leads to, as far as that shows without dialling.
    pub(crate) fn is_served_by(&self, bound: SocketAddr) -> bool {
        let host = if self.host == "localhost" {
            Ok(IpAddr::from([127, 0, 0, 1]))
        } else {
            self.host.parse::<IpAddr>()
        };
        self.port == bound.port()
            && host.is_ok_and(|host| {
                host == bound.ip() || (bound.ip().is_unspecified() && is_of_this_host(host))
            })
    }
}

/// The host of an address, without brackets.
pub(crate) fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

/// Parses `[NAME=]HOST:PORT`.
pub(crate) fn parse_peer(text: &str) -> Result<(Peer, Address), Error> {
    let (name, address) = match text.split_once('=') {
        Some(("", _)) => return Err(config(format!("peer `{text}` has an empty name"))),
        Some((name, address)) => (Some(name.to_owned()), address),
        None => (None, text),
    };
    let parsed = Address::parse("peer", address)?;
    Ok((Peer { name, address: address.to_owned() }, parsed))
}

pub(crate) fn config(detail: impl Into<String>) -> Error {
    Error::new(Kind::Config, Retry::Never, "mesh", detail)
}

/// Only an address of this host can be bound.
fn is_of_this_host(host: IpAddr) -> bool {
    UdpSocket::bind((host, 0)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_have_an_optional_name_before_the_address() {
        let (peer, _) = parse_peer("b=127.0.0.1:7003").expect("a peer");
        assert_eq!(peer, Peer { name: Some("b".to_owned()), address: "127.0.0.1:7003".to_owned() });
        let (peer, _) = parse_peer("[::1]:7003").expect("a peer");
        assert_eq!(peer, Peer { name: None, address: "[::1]:7003".to_owned() });
    }

    #[test]
    fn what_is_no_address_is_refused_by_name() {
        for text in
            ["", "b", "b=", "=127.0.0.1:1", "127.0.0.1", "127.0.0.1:70000", ":7000", "a b:1", "a=b=c:1"]
        {
            let error = parse_peer(text).expect_err(text).to_string();
            assert!(error.contains(text.split_once('=').map_or(text, |(_, rest)| rest)), "{error}");
        }
    }

    #[test]
    fn loopback_is_told_from_the_rest() {
        let is_loopback = |text| Address::parse("peer", text).expect(text).is_loopback();
        for text in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "localhost:1", "[::ffff:127.0.0.1]:1"] {
            assert!(is_loopback(text), "{text}");
        }
        for text in ["0.0.0.0:1", "10.0.0.1:1", "[::]:1", "example.invalid:1"] {
            assert!(!is_loopback(text), "{text}");
        }
    }

    #[test]
    fn the_own_listener_is_recognised_by_address_even_when_it_listens_everywhere() {
        let served = |text, bound: &str| {
            Address::parse("peer", text).expect(text).is_served_by(bound.parse().expect("an address"))
        };
        assert!(served("127.0.0.1:7000", "127.0.0.1:7000"));
        assert!(served("localhost:7000", "127.0.0.1:7000"));
        assert!(served("127.0.0.1:7000", "0.0.0.0:7000"));
        assert!(!served("127.0.0.1:7001", "127.0.0.1:7000"));
        assert!(!served("192.0.2.1:7000", "0.0.0.0:7000"));
    }
}
