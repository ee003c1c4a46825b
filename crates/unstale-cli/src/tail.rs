//! `unstale tail`: invalidations as they pass, decoded.

mod decoded;
mod feed;
mod line;
mod tally;

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use clap::{Args, ValueEnum};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep_until};
use unstale_codec::fusion::{Names, Ticks};
use unstale_redis::{Overheard, Topic};

use self::decoded::{Repeats, decode};
use self::feed::{Feed, Heard};
use self::line::Line;
use self::tally::Tally;
use crate::exit::Exit;
use crate::server::Url;
use crate::terminal::complain;

/// Follows what is published on a Redis, each message with its time, source, act, key and age; what is no message is shown
/// in hexadecimal digits with the reason. It goes on over lost connections, and says what it may have missed. It reads and
/// is no member: nobody waits for it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// redis://, rediss://, redis+sentinel://…/SERVICE or redis+cluster://; the password by ?password_env=VARIABLE or
    /// ?password_file=PATH
    #[arg(value_name = "URL")]
    url: String,
    /// Which messages
    #[arg(long, value_enum, value_name = "CODEC", default_value_t = CodecName::Fusion)]
    codec: CodecName,
    /// Only this channel; may be given several times. Default: every backplane of the codec
    #[arg(long, value_name = "NAME", conflicts_with_all = ["cache_name", "group", "prefix"])]
    channel: Vec<String>,
    /// Only this cache: of fusion its channel, of native its acts and those on all caches
    #[arg(long, value_name = "NAME")]
    cache_name: Option<String>,
    /// Of native, only this group, and what it puts into a stream, too
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// Of native, what the names of keys and channels begin with [default: unstale]
    #[arg(long, value_name = "NAME")]
    prefix: Option<String>,
    /// Of native, also beats, greetings and other messages without acts
    #[arg(long)]
    all: bool,
    /// End after so many messages
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// End after so many seconds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    seconds: Option<u32>,
    /// Print JSON: one line per message, and a last line with their counts
    #[arg(long)]
    json: bool,
}

/// Whose messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CodecName {
    /// FusionCache of .NET
    Fusion,
    /// unstale
    Native,
}

const EXAMPLES: &str = "Examples:
  unstale tail redis://cache.internal                           every FusionCache backplane there
  unstale tail --cache-name Products redis://cache.internal     one of them
  unstale tail --codec native --group shop redis://cache.internal
  unstale tail --json --seconds 60 redis://cache.internal | tail -n 1     a minute, only the counts

It ends by --count, --seconds, SIGINT or SIGTERM, with the counts.

Exit codes: 0 it ended as it should, 64 bad usage, 69 the Redis cannot be reached to begin with.";

/// Follows to the end.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let url: Url = match arguments.url.parse() {
        Ok(url) => url,
        Err(error) => return complain("tail", error, Exit::Usage),
    };
    if arguments.codec == CodecName::Fusion
        && let Some(option) = arguments.native()
    {
        return complain("tail", format!("{option} is of --codec native"), Exit::Usage);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(follow(arguments, &url)),
        Err(error) => complain("tail", error, Exit::Bug),
    }
}

async fn follow(arguments: &Arguments, url: &Url) -> Exit {
    if let Err(error) = url.settings.probe().await {
        return complain("tail", format!("{url}: {error}"), Exit::Unavailable);
    }
    let signals = signal(SignalKind::interrupt())
        .and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
    let (interrupt, terminate) = match signals {
        Ok(signals) => signals,
        Err(error) => return complain("tail", error, Exit::Bug),
    };
    let topics = arguments.topics();
    let mut feed = Feed::open(&url.settings, topics.clone(), arguments.stream());
    let mut tail = Tail {
        arguments,
        tally: Tally::default(),
        repeats: Repeats::default(),
        lost: None,
        unread: None,
        topics: topics.iter().map(name).collect(),
    };
    let due = arguments.seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds.into()));
    let ended = tail.until_end(&mut feed, Ends { due, interrupt, terminate }).await;
    if ended.is_ok() {
        let summary = tail.tally.summary();
        let _ = tail.print(&summary);
    }
    Exit::Fine
}

/// What ends it.
struct Ends {
    due: Option<Instant>,
    interrupt: Signal,
    terminate: Signal,
}

impl Ends {
    async fn reached(&mut self) {
        let due = async {
            match self.due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = due => {}
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// A run.
struct Tail<'a> {
    arguments: &'a Arguments,
    tally: Tally,
    repeats: Repeats,
    /// Since when nothing is heard.
    lost: Option<Instant>,
    /// Since when the stream is not read.
    unread: Option<Instant>,
    topics: Vec<String>,
}

impl Tail<'_> {
    /// Prints what is heard; an error is standard output that nobody reads any more.
    async fn until_end(&mut self, feed: &mut Feed, mut ends: Ends) -> io::Result<()> {
        loop {
            let heard = tokio::select! {
                biased;
                heard = feed.next() => heard,
                () = ends.reached() => return Ok(()),
            };
            self.take(heard)?;
            let is_enough = self.arguments.count.is_some_and(|count| self.tally.messages() >= count);
            // A feed that is never empty must not hide the end.
            if is_enough || ends.due.is_some_and(|due| Instant::now() >= due) {
                return Ok(());
            }
        }
    }

    fn take(&mut self, heard: Heard) -> io::Result<()> {
        let now = now();
        match heard {
            Heard::Began => {
                let line = match self.lost.take() {
                    None => Line::listening(now, &self.topics),
                    Some(since) => Line::gap_ended(now, since.elapsed()),
                };
                self.print(&line)
            }
            Heard::Lost(error) => {
                if self.lost.is_some() {
                    return Ok(());
                }
                self.lost = Some(Instant::now());
                self.gap(now, &error)
            }
            Heard::Unread(error) => {
                self.unread = Some(Instant::now());
                self.gap(now, &error)
            }
            Heard::Read => match self.unread.take() {
                Some(since) => self.print(&Line::gap_ended(now, since.elapsed())),
                None => Ok(()),
            },
            Heard::Message { channel, payload } => self.message(now, &channel, &payload),
        }
    }

    /// Also one that lasts to the end is one.
    fn gap(&mut self, now: Ticks, why: &str) -> io::Result<()> {
        self.tally.gap();
        self.print(&Line::gap(now, why))
    }

    fn message(&mut self, now: Ticks, channel: &Bytes, payload: &Bytes) -> io::Result<()> {
        let Arguments { codec, cache_name, all, .. } = self.arguments;
        match decode(*codec, payload, &mut self.repeats) {
            Ok(items) => {
                for item in items {
                    let is_of_cache = *codec == CodecName::Fusion
                        || cache_name.as_deref().is_none_or(|name| item.concerns(name));
                    if is_of_cache && (*all || item.is_act()) {
                        self.tally.take(&item, now);
                        self.print(&Line::message(now, channel, &item))?;
                    }
                }
                Ok(())
            }
            Err(refused) => {
                self.tally.undecodable();
                self.print(&Line::undecodable(now, channel, payload, &refused))
            }
        }
    }

    fn print(&self, line: &Line) -> io::Result<()> {
        let text = if self.arguments.json { line.json() } else { line.words() };
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

impl Arguments {
    fn topics(&self) -> Vec<Topic> {
        if !self.channel.is_empty() {
            return self.channel.iter().map(|name| Topic::Channel(name.clone().into())).collect();
        }
        match (self.codec, &self.cache_name) {
            (CodecName::Fusion, Some(name)) => vec![Topic::Channel(Names::new(name).channel().into())],
            // Safe strings have another separator.
            (CodecName::Fusion, None) => {
                ["*.Backplane:*", "*-Backplane-*"].map(|pattern| Topic::Pattern(pattern.into())).into()
            }
            (CodecName::Native, _) => Overheard::topics(self.prefix(), self.group.as_deref()).into(),
        }
    }

    fn prefix(&self) -> &str {
        self.prefix.as_deref().unwrap_or("unstale")
    }

    /// An option of native that was given.
    fn native(&self) -> Option<&'static str> {
        let given =
            [("--group", self.group.is_some()), ("--prefix", self.prefix.is_some()), ("--all", self.all)];
        given.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name)
    }

    /// The stream of the group, if one is named.
    fn stream(&self) -> Option<String> {
        self.group.as_deref().map(|group| Overheard::stream(self.prefix(), group))
    }
}

fn name(topic: &Topic) -> String {
    let (Topic::Channel(name) | Topic::Pattern(name)) = topic;
    String::from_utf8_lossy(name).into_owned()
}

fn now() -> Ticks {
    Ticks::from_unix(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}
