//! `unstale doctor`: what there is to know of a Redis before caches rely on it, and what to do about it.

mod caches;
mod channels;
mod clock;
mod cluster;
mod entries;
mod estate;
mod found;
mod info;
mod keys;
mod memory;
mod registers;
mod replication;
mod report;
mod rights;
mod round_trip;
mod scan;
mod stores;
mod version;

use clap::Args;
use unstale_port::Kind;
use unstale_redis::{Role, Settings};

use self::info::Info;
use self::keys::Own;
use self::report::{Check, Report};
use crate::exit::Exit;
use crate::server::{Server, Url};
use crate::terminal::complain;

/// Looks at each Redis: whether it is there and fit for what caches need of it, what the user may do, how its clock and its
/// round trips are, and which caches are on it. Each finding says what to do.
///
/// It reads, but for the rights and the round trip: those are tried, with keys of its own that begin with
/// `unstale:doctor:`, live for a minute and are removed, and messages on a channel of that name.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// redis://, rediss://, redis+sentinel://…/SERVICE or redis+cluster://; the password by ?password_env=VARIABLE or
    /// ?password_file=PATH
    #[arg(required = true, value_name = "URL")]
    urls: Vec<String>,
    /// Try nothing: leave the rights and the round trip out
    #[arg(long)]
    read_only: bool,
    /// What its own keys and channels begin with, where an access list allows only some
    #[arg(long, value_name = "PREFIX", default_value = "unstale:doctor:")]
    own: String,
    /// Look into so many entries of each kind at most
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    sample: u32,
    /// How many round trips are measured
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    tries: u32,
    /// Print JSON: one line per finding, and a last line with their counts
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "Examples:
  unstale doctor redis://cache.internal
  unstale doctor --read-only redis://app@cache.internal?password_env=REDIS_PASSWORD
  unstale doctor redis+sentinel://s1,s2,s3/shop redis+cluster://n1,n2,n3
  unstale doctor --sample 10000 redis://cache.internal     look into more of the entries that .NET nodes wrote
  unstale doctor --json redis://cache.internal | jq 'select(.status != \"ok\")'

Exit codes: 0 nothing failed, 1 something did, 64 bad usage, 69 a Redis cannot be reached.";

/// Examines each, and says what was found.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let mut urls = Vec::new();
    let mut is_fit = true;
    for (index, url) in arguments.urls.iter().enumerate() {
        match url.parse() {
            Ok(url) => urls.push(url),
            Err(error) => {
                complain("doctor", format!("URL {}: {error}", index + 1), Exit::Usage);
                is_fit = false;
            }
        }
    }
    if !is_fit {
        return Exit::Usage;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(examine_all(arguments, &urls)),
        Err(error) => complain("doctor", error, Exit::Bug),
    }
}

async fn examine_all(arguments: &Arguments, urls: &[Url]) -> Exit {
    let mut report = Report::new(arguments.json);
    for url in urls {
        report.begin(&url.to_string());
        examine(arguments, &url.settings, &mut report).await;
    }
    report.finish()
}

/// One deployment. It ends early where there is nothing more to learn.
async fn examine(arguments: &Arguments, settings: &Settings, report: &mut Report) {
    let settings = settings.clone().role(Role::Any);
    let server = match Server::connect(settings).await {
        Ok(server) => server,
        Err(error) if error.kind() == Kind::Unauthenticated => {
            let says = format!(
                "{error}: give a user and a password that it takes, by ?password_env= or ?password_file="
            );
            report.add(&Check::fail("login", says));
            return;
        }
        Err(error) => {
            report.unreachable(&Check::fail("reachable", format!("{error}: nothing else can be said of it")));
            return;
        }
    };
    report.add(&Check::ok("reachable", "it answers, and takes the login"));
    let nodes = cluster::nodes(&server, report).await;
    let mut is_replica = false;
    for node in &nodes {
        let info = match Info::read(&node.server).await {
            Ok(info) => info,
            Err(error) => {
                report.add(&node.named(Check::warn("info", format!("{error}: let the user run INFO"))));
                continue;
            }
        };
        let mut checks = vec![version::check(&info)];
        checks.extend(replication::checks(&info));
        checks.extend(memory::checks(&node.server, &info).await);
        checks.push(clock::check(&node.server).await);
        for check in checks {
            report.add(&node.named(check));
        }
        is_replica |= info.is_replica();
    }
    if !arguments.read_only && !is_replica {
        let own = Own::new(&arguments.own);
        for check in rights::checks(&server, &own).await {
            report.add(&check);
        }
        report.add(&round_trip::check(&server, &own, arguments.tries).await);
    }
    caches::survey(&nodes, arguments.sample as usize, report).await;
}
