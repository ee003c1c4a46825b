//! Connections for commands and subscriptions, on real servers that die, pause, move and are cut off.

#[cfg(feature = "tls")]
#[path = "../tls/certificates.rs"]
mod certificates;
mod deployments;
mod faults;
mod logins;
mod subscriptions;
#[cfg(feature = "tls")]
mod tls;

use std::time::Duration;

use redis::{Cmd, Value};
use tokio::time::{Instant, interval, timeout};
use unstale_redis::{Connection, Settings, State};

/// Far beyond anything that passes.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection by a URL, up.
pub(crate) async fn connected(url: &str) -> Connection {
    up(Settings::parse(url).expect("a URL")).await
}

pub(crate) async fn up(settings: Settings) -> Connection {
    let connection = Connection::open(settings);
    timeout(PATIENCE, connection.until_up()).await.unwrap_or_else(|_| panic!("{:?}", connection.health()));
    connection
}

pub(crate) async fn run(connection: &Connection, words: &[&str]) -> Result<Value, unstale_port::Error> {
    let mut command = Cmd::new();
    for word in words {
        command.arg(*word);
    }
    connection.run("test", &command).await
}

/// Waits until it is in this state, and gives how long that took.
pub(crate) async fn until(connection: &Connection, state: State) -> Duration {
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(1));
    while connection.health().state != state {
        assert!(began.elapsed() < PATIENCE, "not {state:?}: {:?}", connection.health());
        ticks.tick().await;
    }
    began.elapsed()
}
