//! One node of the demo: a process of its own, which the supervisor starts and speaks to over stdin and stdout.

mod coherent;
mod dotnet;
mod log;
mod naive;
mod pace;
mod source;
mod subject;
mod traffic;
mod work;

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines, Stdin, Stdout};
use tokio::runtime::Builder;

use self::log::Log;
use self::source::Source;
use self::subject::Subject;
use self::traffic::Traffic;
use super::database::Database;
use super::line::{Kept, Order, Report, Start, to_line};
use crate::exit::Exit;

/// How often a node reports.
const TICK: Duration = Duration::from_millis(100);

/// How long the traffic may take to end before the node leaves.
const DRAIN: Duration = Duration::from_millis(1_500);

/// Runs the node until it is told to leave or its supervisor is gone.
pub(crate) fn run() -> Exit {
    let runtime = match Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return trouble(&error),
    };
    let exit = runtime.block_on(async {
        let mut line = Wire::new();
        match live(&mut line).await {
            Ok(()) => Exit::Fine,
            Err(error) => {
                let _ = line.say(&Report::Trouble(error.to_string())).await;
                Exit::Bug
            }
        }
    });
    // A load may still be blocked on the database.
    runtime.shutdown_background();
    exit
}

fn trouble(error: &io::Error) -> Exit {
    eprintln!("unstale demo-node: {error}");
    Exit::Bug
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// The lines to and from the supervisor.
struct Wire {
    orders: Lines<BufReader<Stdin>>,
    reports: Stdout,
}

impl Wire {
    fn new() -> Self {
        Self { orders: BufReader::new(tokio::io::stdin()).lines(), reports: tokio::io::stdout() }
    }

    /// The next order; `None` once the supervisor is gone. Cancel-safe.
    async fn order(&mut self) -> Result<Option<Order>, Failure> {
        match self.orders.next_line().await? {
            Some(line) => Ok(Some(serde_json::from_str(&line)?)),
            None => Ok(None),
        }
    }

    async fn say(&mut self, report: &Report) -> Result<(), Failure> {
        self.reports.write_all(&to_line(report)?).await?;
        Ok(self.reports.flush().await?)
    }
}

async fn live(wire: &mut Wire) -> Result<(), Failure> {
    let start = match wire.order().await? {
        Some(Order::Start(start)) => start,
        Some(_) => return Err("the first line has to say who this node is".into()),
        None => return Ok(()),
    };
    let source = Arc::new(Source::new(Database::open(&start.database)?, start.rows));
    let log = Arc::new(Log::default());
    let (subject, address) = Subject::start(&start, Arc::clone(&source), Arc::clone(&log)).await?;
    if let Some(address) = address {
        wire.say(&Report::Listening(address)).await?;
    }
    let traffic = Traffic::new(&start, Arc::clone(&source), Arc::new(subject), Arc::clone(&log));
    let mut prepared = pin!(prepare(&start, &traffic));
    loop {
        let order = tokio::select! {
            () = &mut prepared => break,
            order = wire.order() => order?,
        };
        // Over a Redis a successor is joined only once its predecessor was ended, and meanwhile the run goes on.
        match order {
            Some(Order::Quiet) => traffic.quiet(),
            Some(Order::Recall) => wire.say(&Report::Kept(Kept::default())).await?,
            Some(Order::Leave) => {
                traffic.leave().await;
                return Ok(());
            }
            Some(Order::Go | Order::Session { .. } | Order::Remember | Order::Sweep) => {}
            Some(Order::Start(_)) => return Err("a node starts once".into()),
            None => return Ok(()),
        }
    }
    wire.say(&Report::Ready).await?;
    serve(wire, &traffic).await
}

async fn prepare(start: &Start, traffic: &Traffic) {
    traffic.joined().await;
    if start.warm {
        traffic.warm().await;
    }
}

async fn serve(wire: &mut Wire, traffic: &Traffic) -> Result<(), Failure> {
    let mut ticks = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            _ = ticks.tick() => wire.say(&Report::Tick(traffic.tick())).await?,
            order = wire.order() => match order? {
                Some(Order::Go) => traffic.go(),
                Some(Order::Session { row, version, token }) => traffic.session(row, version, token),
                Some(Order::Remember) => traffic.remember(),
                Some(Order::Recall) => {
                    let kept = traffic.recall()?;
                    wire.say(&Report::Kept(kept)).await?;
                }
                Some(Order::Sweep) => traffic.sweep(),
                Some(Order::Quiet) => traffic.quiet(),
                Some(Order::Leave) => {
                    traffic.end(DRAIN).await;
                    wire.say(&Report::Tick(traffic.tick())).await?;
                    traffic.leave().await;
                    return Ok(());
                }
                Some(Order::Start(_)) => return Err("a node starts once".into()),
                None => return Ok(()),
            },
        }
    }
}
