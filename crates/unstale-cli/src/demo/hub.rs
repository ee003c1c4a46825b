//! The nodes meet in a Redis: what they have to know of it, and what is left of them there.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::lookup_host;
use tokio::time::timeout;

use crate::server::{Scan, Server, Url, command};

/// What the names of keys and channels begin with.
pub(crate) const PREFIX: &str = "unstale-demo";

/// A Redis as the supervisor knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hub {
    /// As the user named it; without a password in it.
    url: String,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    /// The names of this run, which no other run has.
    run: String,
    /// The program of a .NET node that takes part.
    pub(crate) dotnet: Option<PathBuf>,
}

/// A Redis as a node knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spoke {
    /// Through the proxy that the supervisor can cut.
    pub(crate) url: String,
    /// Of the proxy.
    pub(crate) address: SocketAddr,
    /// The names of this run.
    pub(crate) run: String,
    /// Whether a .NET node shares the cache.
    pub(crate) with_dotnet: bool,
}

/// Why the nodes cannot meet there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoHub {
    /// It makes no sense.
    Usage(String),
    /// It is not there.
    Unavailable(String),
}

/// How long its address may take to be found.
const LOOKUP_MAX: Duration = Duration::from_secs(5);

impl Hub {
    /// Finds the Redis of a URL and tries it.
    pub(crate) async fn find(url: &str, dotnet: Option<PathBuf>) -> Result<Self, NoHub> {
        let parsed: Url = url.parse().map_err(|error| NoHub::Usage(format!("--redis: {error}")))?;
        let Some((before, host, after)) = authority(url) else {
            let says =
                "--redis: the demo cuts the links to one server, so it takes redis://HOST[:PORT] alone";
            return Err(NoHub::Usage(says.to_owned()));
        };
        if dotnet.is_some() && (before != SCHEME || !matches!(after, "" | "/" | "/0")) {
            let says = "--dotnet: the node of .NET is told HOST[:PORT] alone, so --redis takes no user, password, database or \
                        option beside it";
            return Err(NoHub::Usage(says.to_owned()));
        }
        let host = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
            host.to_owned()
        } else {
            format!("{host}:6379")
        };
        let unavailable = |why: String| NoHub::Unavailable(format!("{parsed}: {why}"));
        parsed.settings.probe().await.map_err(|error| unavailable(error.to_string()))?;
        let found = timeout(LOOKUP_MAX, lookup_host(&host))
            .await
            .map_err(|_| unavailable("its name is not resolved".to_owned()))?;
        let mut addresses = found.map_err(|error| unavailable(error.to_string()))?;
        let address = addresses.next().ok_or_else(|| unavailable("its name has no address".to_owned()))?;
        let run = format!("{:08x}", getrandom::u32().unwrap_or_else(|_| std::process::id()));
        Ok(Self { url: url.to_owned(), address, run, dotnet })
    }

    /// What a node has to know that comes in by a proxy.
    pub(crate) fn spoke(&self, proxy: SocketAddr) -> Spoke {
        let url = match authority(&self.url) {
            Some((before, _, after)) => format!("{before}{proxy}{after}"),
            None => self.url.clone(),
        };
        Spoke { url, address: proxy, run: self.run.clone(), with_dotnet: self.dotnet.is_some() }
    }

    /// Removes what the run has left there. What cannot be removed is left behind.
    pub(crate) async fn tidy(&self) {
        let Ok(url) = self.url.parse::<Url>() else { return };
        let Ok(server) = Server::connect(url.settings).await else { return };
        let mut scan = Scan::like(format!("*{PREFIX}*{}*", self.run));
        while let Ok(Some(keys)) = scan.next(&server).await {
            if !keys.is_empty() {
                let unlink = command([&b"UNLINK"[..]].into_iter().chain(keys.iter().map(AsRef::as_ref)));
                if server.ask(&unlink).await.is_err() {
                    return;
                }
            }
        }
    }
}

impl Spoke {
    /// The name of the group, the namespace of the store, and the name of the cache that .NET shares.
    pub(crate) fn name(&self) -> String {
        format!("{PREFIX}-{}", self.run)
    }
}

/// What a URL of one server without TLS begins with.
const SCHEME: &str = "redis://";

/// What stands before `HOST[:PORT]` in a URL of one server without TLS, that itself, and what follows it.
fn authority(url: &str) -> Option<(&str, &str, &str)> {
    let end = url.strip_prefix(SCHEME)?.find(['/', '?']).map_or(url.len(), |at| SCHEME.len() + at);
    let begin = url[..end].rfind('@').map_or(SCHEME.len(), |at| at + 1);
    (begin < end).then(|| (&url[..begin], &url[begin..end], &url[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(url: &str) -> Hub {
        Hub {
            url: url.to_owned(),
            address: ([127, 0, 0, 1], 1).into(),
            run: "00c0ffee".to_owned(),
            dotnet: None,
        }
    }

    #[test]
    fn nodes_come_by_the_proxy_with_everything_else_of_the_url() {
        let proxy = SocketAddr::from(([127, 0, 0, 1], 7_000));
        for (url, through) in [
            ("redis://cache.internal", "redis://127.0.0.1:7000"),
            ("redis://app@cache:6380/2?password_env=P", "redis://app@127.0.0.1:7000/2?password_env=P"),
            ("redis://[::1]:6379", "redis://127.0.0.1:7000"),
            ("redis://redis", "redis://127.0.0.1:7000"),
            ("redis://app@app", "redis://app@127.0.0.1:7000"),
            ("redis://r@r:1/1?password_env=r", "redis://r@127.0.0.1:7000/1?password_env=r"),
        ] {
            assert_eq!(hub(url).spoke(proxy).url, through);
        }
        assert_eq!(hub("redis://h").spoke(proxy).name(), "unstale-demo-00c0ffee");
    }

    #[test]
    fn only_one_server_without_tls_can_be_cut() {
        assert_eq!(authority("redis://u@h:1/2"), Some(("redis://u@", "h:1", "/2")));
        assert_eq!(authority("redis://h?a=@b"), Some(("redis://", "h", "?a=@b")));
        for url in ["rediss://h", "redis+cluster://a,b", "redis+sentinel://a/s", "redis://"] {
            assert_eq!(authority(url), None, "{url}");
        }
    }
}
