//! A Redis that programs of others use too: scripts, and channels that anybody may publish on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use redis::{Cmd, Value};
use unstale_port::{Error, Heard, Kind, Listener, Reply, Retry, Script, Scripts, StoreFuture};

use crate::connection::Connection;
use crate::error::{config, kind_of};
use crate::settings::Settings;
use crate::subscription::{Notice, Subscription, Topic};

/// How deep replies may be nested.
const DEPTH_MAX: usize = 8;

/// A Redis that programs of others use too. One connection for scripts, and one for each subscription.
///
/// ```no_run
/// use unstale_redis::{Settings, SharedRedis};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), unstale_port::Error> {
/// let redis = SharedRedis::open(Settings::parse("redis://127.0.0.1")?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct SharedRedis {
    settings: Settings,
    connection: Connection,
    /// By the script's text.
    digests: Mutex<HashMap<&'static str, String>>,
}

impl SharedRedis {
    /// Begins to connect, in the background. Needs a tokio runtime.
    ///
    /// # Errors
    /// `Config` for a cluster: scripts need all their keys on one server.
    pub fn open(settings: Settings) -> Result<Self, Error> {
        if settings.is_cluster() {
            return Err(config(format!("{settings}: scripts of many keys need one server, not a cluster")));
        }
        let connection = Connection::open(settings.clone());
        Ok(Self { settings, connection, digests: Mutex::default() })
    }

    /// The connection for commands.
    pub const fn connection(&self) -> &Connection {
        &self.connection
    }

    fn digest(&self, script: &'static Script) -> String {
        let mut digests = self.digests.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = || redis::Script::new(script.text).get_hash().to_owned();
        digests.entry(script.text).or_insert_with(digest).clone()
    }
}

impl Scripts for SharedRedis {
    fn run<'a>(
        &'a self,
        script: &'static Script,
        keys: &'a [Bytes],
        arguments: &'a [Bytes],
    ) -> StoreFuture<'a, Reply> {
        Box::pin(async move {
            let digest = self.digest(script);
            let by_digest = command("EVALSHA", &digest, keys, arguments);
            let answer = match self.connection.run(script.name, &by_digest).await {
                Err(error) if is_unknown(&error) => {
                    let by_text = command("EVAL", script.text, keys, arguments);
                    self.connection.run(script.name, &by_text).await?
                }
                answer => answer?,
            };
            reply(script.name, answer, 0)
        })
    }

    fn listen(&self, channel: &str) -> Box<dyn Listener> {
        let topic = Topic::Channel(Bytes::copy_from_slice(channel.as_bytes()));
        Box::new(Channel(Subscription::open(self.settings.clone(), [topic])))
    }
}

/// One channel.
struct Channel(Subscription);

impl Listener for Channel {
    fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<Heard> {
        Poll::Ready(match ready!(self.0.poll_next(cx)) {
            Notice::Began => Heard::Began,
            Notice::Message { payload, .. } => Heard::Message(payload),
            Notice::Lost(error) => Heard::Lost(error),
        })
    }
}

fn command(name: &str, script: &str, keys: &[Bytes], arguments: &[Bytes]) -> Cmd {
    let mut command = Cmd::new();
    command.arg(name).arg(script).arg(keys.len());
    for word in keys.iter().chain(arguments) {
        command.arg(&word[..]);
    }
    command
}

/// Whether the server has not seen the script yet, or no longer knows it.
fn is_unknown(error: &Error) -> bool {
    error.kind() == Kind::Rejected && error.to_string().contains("NOSCRIPT")
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what no script of ours answers, whatever redis-rs adds")]
fn reply(operation: &'static str, value: Value, depth: usize) -> Result<Reply, Error> {
    Ok(match value {
        Value::Nil => Reply::Nothing,
        Value::Int(number) => Reply::Number(number),
        Value::BulkString(bytes) => Reply::Bytes(bytes.into()),
        Value::SimpleString(text) => Reply::Bytes(text.into()),
        Value::Okay => Reply::Bytes(Bytes::from_static(b"OK")),
        Value::Boolean(yes) => Reply::Number(i64::from(yes)),
        Value::Array(values) if depth < DEPTH_MAX => {
            let parts = values.into_iter().map(|value| reply(operation, value, depth + 1));
            Reply::List(parts.collect::<Result<_, _>>()?)
        }
        other => {
            let detail = format!("the script answered what no script of ours does: {}", kind_of(&other));
            return Err(Error::new(Kind::Rejected, Retry::Never, operation, detail));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cached_is_in_no_error() {
        let cached = || Value::BulkString(b"s3cret".to_vec());
        let deep = (0..=DEPTH_MAX).fold(cached(), |value, _| Value::Array(vec![value]));
        for (strange, kind) in [
            (Value::Set(vec![cached()]), "a list"),
            (deep, "a list"),
            (Value::Map(vec![(cached(), cached())]), "a map"),
        ] {
            let error = reply("read", strange, 0).expect_err("no script of ours answers so");
            let text = format!("{error} {error:?}");
            assert!(text.contains(&format!("ours does: {kind}")) && !text.contains("s3cret"), "{text}");
        }
    }
}
