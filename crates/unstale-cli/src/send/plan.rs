//! Commands that are sent, in their order.

use bytes::Bytes;
use redis::{Value as Answer, pipe};
use serde_json::{Map, Value, json};

use crate::decode::hex;
use crate::server::{Server, command, reply};
use crate::terminal::plain;

/// What is to be sent, and what is said of it.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) steps: Vec<Step>,
    pub(super) facts: Map<String, Value>,
}

/// Commands that are sent together.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Deletes an entry.
    Delete(Words),
    /// Writes a mark in one go, so that it never stays without an end.
    Mark(Vec<Words>),
    /// Tells the nodes.
    Publish(Words),
}

/// The words of a command.
pub(super) type Words = Vec<Bytes>;

/// What became of it.
#[derive(Clone, Debug)]
pub(super) struct Done {
    facts: Map<String, Value>,
    level: &'static str,
    /// In a cluster only those of one node are counted, so nothing is said.
    received: Option<i64>,
}

impl Plan {
    pub(super) async fn carry_out(self, server: &Server) -> Result<Done, String> {
        let (mut level, mut received) = ("left", None);
        for step in self.steps {
            match step {
                Step::Delete(words) => {
                    let count = ask(server, &words).await?;
                    level = if reply::number(&count) == Some(0) { "absent" } else { "deleted" };
                }
                Step::Mark(commands) => {
                    let mut together = pipe();
                    for words in &commands {
                        together.add_command(command(words));
                    }
                    server.ask_all(&together).await.map_err(|error| error.to_string())?;
                    level = "marked";
                }
                Step::Publish(words) => {
                    let count = ask(server, &words).await.map_err(|error| {
                        if level == "left" {
                            error
                        } else {
                            format!("the second level is {level}, and the nodes are not told: {error}")
                        }
                    })?;
                    received = reply::number(&count).filter(|_| !server.settings().is_cluster());
                }
            }
        }
        Ok(Done { facts: self.facts, level, received })
    }

    /// The commands as one would type them; bytes that are no text in hexadecimal digits.
    pub(super) fn words(&self) -> String {
        let quoted = |word: &Bytes| match std::str::from_utf8(word) {
            Ok(text)
                if !text.is_empty()
                    && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\')) =>
            {
                text.to_owned()
            }
            _ => {
                let escape = |byte: &u8| match byte {
                    b'"' | b'\\' => format!("\\{}", char::from(*byte)),
                    b' '..=b'~' => char::from(*byte).to_string(),
                    byte => format!("\\x{}", hex::digits(&[*byte])),
                };
                format!("\"{}\"", word.iter().map(escape).collect::<String>())
            }
        };
        let line = |words: &Words| words.iter().map(quoted).collect::<Vec<_>>().join(" ") + "\n";
        self.commands().iter().map(line).collect()
    }

    pub(super) fn json(&self) -> String {
        let word = |word: &Bytes| match std::str::from_utf8(word) {
            Ok(text) if !text.contains(char::is_control) => json!(text),
            _ => json!({ "hex": hex::digits(word) }),
        };
        let commands: Vec<Vec<Value>> =
            self.commands().iter().map(|words| words.iter().map(word).collect()).collect();
        let mut line = self.facts.clone();
        line.insert("dry_run".to_owned(), true.into());
        line.insert("commands".to_owned(), json!(commands));
        format!("{}\n", Value::Object(line))
    }

    fn commands(&self) -> Vec<Words> {
        let of_step = |step: &Step| match step {
            Step::Delete(words) | Step::Publish(words) => vec![words.clone()],
            Step::Mark(commands) => commands.clone(),
        };
        self.steps.iter().flat_map(of_step).collect()
    }
}

async fn ask(server: &Server, words: &[Bytes]) -> Result<Answer, String> {
    server.ask(&command(words)).await.map_err(|error| error.to_string())
}

impl Done {
    pub(super) fn words(&self) -> String {
        let fact = |name: &str| self.facts.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let level = match self.level {
            "left" => "the second level was left alone".to_owned(),
            "absent" => format!("{} was not in the second level", fact("store_key")),
            level => format!("{} was {level} in the second level", fact("store_key")),
        };
        let received = match self.received {
            None => "published; in a cluster nobody counts who listens".to_owned(),
            Some(0) => "published, and nobody listens on that channel: look at the name of the cache, or unstale doctor".to_owned(),
            Some(count) => format!("published, {count} listen"),
        };
        let published =
            format!("{} {} on {}: {received}", fact("action"), fact("cache_key"), fact("channel"));
        format!("{}\n{}\n", plain(&level), plain(&published))
    }

    pub(super) fn json(&self) -> String {
        let mut line = self.facts.clone();
        line.insert("level".to_owned(), self.level.into());
        line.insert("received".to_owned(), self.received.into());
        format!("{}\n", Value::Object(line))
    }
}
