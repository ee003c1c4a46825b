//! What is heard: channels, and the stream of a group.

use std::time::Duration;

use bytes::Bytes;
use redis::Value;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use unstale_redis::{Connection, Notice, Settings, Subscription, Topic};

use crate::server::{command, reply};

/// What a feed says.
#[derive(Debug)]
pub(super) enum Heard {
    Began,
    Message { channel: Bytes, payload: Bytes },
    Lost(String),
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
    messages: mpsc::Receiver<(Bytes, Bytes)>,
    reader: JoinHandle<()>,
}

const WAITING_MAX: usize = 1_024;
/// After an error of the stream; its connection comes back by itself.
const AGAIN: Duration = Duration::from_millis(200);

impl Feed {
    pub(super) fn open(settings: &Settings, topics: Vec<Topic>, stream: Option<String>) -> Self {
        let entries = stream.map(|key| {
            let (sender, messages) = mpsc::channel(WAITING_MAX);
            let reader = tokio::spawn(read(Connection::open(settings.clone()), key, sender));
            Entries { messages, reader }
        });
        Self { subscription: Subscription::open(settings.clone(), topics), entries }
    }

    /// What is heard next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Heard {
        let entries = async {
            match &mut self.entries {
                Some(entries) => entries.messages.recv().await,
                None => None,
            }
        };
        tokio::select! {
            notice = self.subscription.next() => match notice {
                Notice::Began => Heard::Began,
                Notice::Message { channel, payload } => Heard::Message { channel, payload },
                Notice::Lost(error) => Heard::Lost(error.to_string()),
            },
            Some((channel, payload)) = entries => Heard::Message { channel, payload },
        }
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

/// Reads on after the last entry; nothing is missed over a lost connection unless the stream was trimmed.
async fn read(connection: Connection, key: String, sender: mpsc::Sender<(Bytes, Bytes)>) {
    let mut last = "$".to_owned();
    loop {
        connection.until_up().await;
        if last == "$" {
            // Of entries that come between two readings with `$` nothing would be heard.
            match connection.run("stream", &command(["XREVRANGE", &key, "+", "-", "COUNT", "1"])).await {
                Ok(newest) => {
                    last = reply::list(&newest).first().and_then(id).unwrap_or_else(|| "0-0".to_owned());
                }
                Err(_) => sleep(AGAIN).await,
            }
            continue;
        }
        let words = ["XREAD", "COUNT", "64", "BLOCK", "400", "STREAMS", &key, &last];
        let Ok(answer) = connection.run("stream", &command(words)).await else {
            sleep(AGAIN).await;
            continue;
        };
        for (_, entries) in reply::pairs(&answer) {
            for entry in reply::list(&entries) {
                last = id(entry).unwrap_or(last);
                for payload in messages(entry) {
                    if sender.send((key.clone().into(), payload)).await.is_err() {
                        return;
                    }
                }
            }
        }
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
