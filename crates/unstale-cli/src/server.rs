//! A Redis that a command of this program talks to.

pub(crate) mod reply;
mod url;

use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tokio::time::timeout;
use unstale_port::{Error, Kind, Retry};
use unstale_redis::{Connection, Settings};

pub(crate) use url::Url;

/// A connection that is up, with whom it is to.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    settings: Settings,
    connection: Connection,
}

/// How long a connection that could be made once may take to be made again.
const UP_MAX: Duration = Duration::from_secs(5);

impl Server {
    /// Connects and logs in.
    pub(crate) async fn connect(settings: Settings) -> Result<Self, Error> {
        settings.probe().await?;
        let connection = Connection::open(settings.clone());
        if timeout(UP_MAX, connection.until_up()).await.is_err() {
            let why = connection.health().last_error.unwrap_or_else(|| "not connected".to_owned());
            return Err(Error::new(Kind::Unavailable, Retry::Reconnected, "connect", why));
        }
        Ok(Self { settings, connection })
    }

    /// Runs one command.
    pub(crate) async fn ask(&self, command: &Cmd) -> Result<Value, Error> {
        self.connection.run("command", command).await
    }

    /// Runs commands in one round trip; the first error is that of all.
    pub(crate) async fn ask_all(&self, commands: &Pipeline) -> Result<Vec<Value>, Error> {
        self.connection.run_all("commands", commands).await
    }

    /// With whom it was made.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// A command of these words.
pub(crate) fn command<W: AsRef<[u8]>>(words: impl IntoIterator<Item = W>) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word.as_ref());
    }
    command
}
