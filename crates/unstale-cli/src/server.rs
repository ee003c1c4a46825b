//! A Redis that a command of this program talks to.

pub(crate) mod reply;
mod scan;
mod url;

use std::time::Duration;

use redis::{Cmd, Pipeline, Value};
use tokio::time::timeout;
use unstale_port::{Error, Kind, Retry};
use unstale_redis::{Connection, Settings};

pub(crate) use scan::Scan;
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
        let connection = connected(settings.clone()).await?;
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

    /// What its clock says, since 1970.
    pub(crate) async fn time(&self) -> Result<Duration, Error> {
        let answer = self.ask(&command(["TIME"])).await?;
        let time = match reply::list(&answer) {
            [seconds, micros] => reply::number(seconds).zip(reply::number(micros)),
            _ => None,
        };
        let (seconds, micros) = time.ok_or_else(|| {
            Error::new(Kind::Rejected, Retry::Never, "time", "TIME is not answered with a time")
        })?;
        Ok(Duration::from_secs(seconds.unsigned_abs())
            .saturating_add(Duration::from_micros(micros.unsigned_abs())))
    }

    /// With whom it was made.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// A connection that came up in time.
pub(crate) async fn connected(settings: Settings) -> Result<Connection, Error> {
    let connection = Connection::open(settings);
    if timeout(UP_MAX, connection.until_up()).await.is_err() {
        let why = connection.health().last_error.unwrap_or_else(|| "not connected".to_owned());
        return Err(Error::new(Kind::Unavailable, Retry::Reconnected, "connect", why));
    }
    Ok(connection)
}

/// Whether what was asked of a key is nothing that keys of its type have.
pub(crate) fn is_of_another_type(error: &Error) -> bool {
    error.kind() == Kind::Rejected && error.to_string().contains("WRONGTYPE")
}

/// A command of these words.
pub(crate) fn command<W: AsRef<[u8]>>(words: impl IntoIterator<Item = W>) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word.as_ref());
    }
    command
}

/// `NAME key word…`
pub(crate) fn of_key(name: &str, key: &[u8], words: &[&str]) -> Cmd {
    command([name.as_bytes(), key].into_iter().chain(words.iter().map(|word| word.as_bytes())))
}
