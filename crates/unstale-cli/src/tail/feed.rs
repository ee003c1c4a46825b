//! What is heard: channels, and the stream of a group.

use std::time::Duration;

use bytes::Bytes;
use redis::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use unstale_port::{Error, Kind};
use unstale_redis::{Connection, Notice, Settings, Subscription, Topic};

use crate::server::{command, reply};

/// What a feed says.
#[derive(Debug)]
pub(super) enum Heard {
    Began,
    Message {
        channel: Bytes,
        payload: Bytes,
    },
    Lost(String),
    /// The server answers, but the stream cannot be read.
    Unread(String),
    /// The stream is read again, from where it was left.
    Read,
}

/// Channels, and a stream beside them.
#[derive(Debug)]
pub(super) struct Feed {
    subscription: Subscription,
    entries: Option<Entries>,
}

/// The entries of a stream, from now on.
#[derive(Debug)]
struct Entries {
    heard: mpsc::Receiver<Heard>,
    reader: JoinHandle<()>,
}

const WAITING_MAX: usize = 1_024;
/// After an error of the stream; its connection comes back by itself.
const AGAIN: Duration = Duration::from_millis(200);

impl Feed {
    pub(super) fn open(settings: &Settings, topics: Vec<Topic>, stream: Option<String>) -> Self {
        let entries = stream.map(|key| {
            let (sender, heard) = mpsc::channel(WAITING_MAX);
            let reader = Reader { connection: Connection::open(settings.clone()), key, last: None };
            Entries { heard, reader: tokio::spawn(read(reader, sender)) }
        });
        Self { subscription: Subscription::open(settings.clone(), topics), entries }
    }

    /// What is heard next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Heard {
        let entries = async {
            match &mut self.entries {
                Some(entries) => entries.heard.recv().await,
                None => None,
            }
        };
        tokio::select! {
            notice = self.subscription.next() => match notice {
                Notice::Began => Heard::Began,
                Notice::Message { channel, payload } => Heard::Message { channel, payload },
                Notice::Lost(error) => Heard::Lost(error.to_string()),
            },
            Some(heard) = entries => heard,
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Whoever reads a stream.
struct Reader {
    connection: Connection,
    key: String,
    /// The last entry; none before it is known.
    last: Option<String>,
}

/// Reads on after the last entry; nothing is missed over a lost connection unless the stream was trimmed.
async fn read(mut reader: Reader, sender: mpsc::Sender<Heard>) {
    let mut is_unread = false;
    loop {
        reader.connection.until_up().await;
        let heard = match reader.next().await {
            Ok(payloads) => {
                let channel = Bytes::from(reader.key.clone());
                let message = |payload| Heard::Message { channel: channel.clone(), payload };
                let again = std::mem::take(&mut is_unread).then_some(Heard::Read);
                again.into_iter().chain(payloads.into_iter().map(message)).collect()
            }
            Err(error) => {
                sleep(AGAIN).await;
                // A lost connection is noticed by the subscription, too.
                let is_refused = matches!(error.kind(), Kind::Rejected | Kind::Unauthenticated);
                if is_refused && !std::mem::replace(&mut is_unread, true) {
                    vec![Heard::Unread(error.to_string())]
                } else {
                    Vec::new()
                }
            }
        };
        for heard in heard {
            if sender.send(heard).await.is_err() {
                return;
            }
        }
    }
}

impl Reader {
    /// The messages of the next entries, perhaps none.
    async fn next(&mut self) -> Result<Vec<Bytes>, Error> {
        let Some(last) = &mut self.last else {
            // Of entries that come between two readings with `$` nothing would be heard.
            let newest = ["XREVRANGE", &self.key, "+", "-", "COUNT", "1"];
            let newest = self.connection.run("stream", &command(newest)).await?;
            self.last = Some(reply::list(&newest).first().and_then(id).unwrap_or_else(|| "0-0".to_owned()));
            return Ok(Vec::new());
        };
        let words = ["XREAD", "COUNT", "64", "BLOCK", "400", "STREAMS", &self.key, last];
        let answer = self.connection.run("stream", &command(words)).await?;
        let mut payloads = Vec::new();
        for (_, entries) in reply::pairs(&answer) {
            for entry in reply::list(&entries) {
                if let Some(id) = id(entry) {
                    *last = id;
                }
                payloads.extend(messages(entry));
            }
        }
        Ok(payloads)
    }
}

fn id(entry: &Value) -> Option<String> {
    reply::text(reply::list(entry).first()?)
}

fn messages(entry: &Value) -> Vec<Bytes> {
    let fields = reply::list(entry).get(1).map(reply::pairs).unwrap_or_default();
    let of_message = fields.into_iter().filter(|(name, _)| reply::text(name).as_deref() == Some("m"));
    of_message.filter_map(|(_, value)| reply::bytes(&value)).collect()
}
