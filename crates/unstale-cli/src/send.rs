//! `unstale send`: one invalidation by hand.

mod command_line;
mod fusion;
mod native;
mod plan;

use std::io::{self, Write};

use clap::{Args, ValueEnum};
use unstale_codec::fusion::{InternalStrings, KeyModifier, Names};

use self::native::KeyType;
use self::plan::Done;
use crate::exit::Exit;
use crate::fusion::Serializer;
use crate::server::{Server, Url};

/// Tells every node that something is out of date: one key, what carries a tag, or all of a cache.
///
/// To FusionCache nodes it does what one of them would do: first the second level (the entry deleted, the mark of a tag or
/// of a clear written by the serializer that the other entries have), then the message. It says how many listened.
///
/// To unstale nodes it is a node that joins, acts and leaves; it says whether the act was announced, and counted by another.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Arguments {
    /// redis://, rediss://, redis+sentinel://…/SERVICE or redis+cluster://; the password by ?password_env=VARIABLE or
    /// ?password_file=PATH
    #[arg(value_name = "URL")]
    url: String,
    /// To whom
    #[arg(long, value_enum, value_name = "CODEC")]
    codec: CodecName,
    /// The name of the cache
    #[arg(long, value_name = "NAME")]
    cache: String,
    #[command(flatten)]
    subject: Subject,
    /// What happened. Of fusion a key: remove (default), expire or set; all of it: expire (default) or remove; a tag expires.
    /// Of native: remove (default) or expire
    #[arg(long, value_enum, value_name = "ACTION")]
    action: Option<ActionName>,
    #[command(flatten)]
    nodes: NativeNodes,
    #[command(flatten)]
    names: FusionNames,
    /// Who says so; default: a name that nobody has
    #[arg(long, value_name = "ID")]
    source: Option<String>,
    /// Leave the second level alone. Nodes that load from it get the old value again
    #[arg(long)]
    no_l2: bool,
    /// Send nothing: print the commands and their bytes
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Subject {
    /// One key, without the prefix of its cache
    #[arg(long, value_name = "K")]
    key: Option<String>,
    /// What carries this tag
    #[arg(long, value_name = "T")]
    tag: Option<String>,
    /// All of it
    #[arg(long)]
    clear: bool,
}

/// How unstale nodes are configured.
#[derive(Debug, Args)]
#[command(next_help_heading = "How the unstale nodes are configured")]
struct NativeNodes {
    /// The group of their backplane
    #[arg(long, value_name = "NAME", default_value = "default")]
    group: String,
    /// What the names of their keys and channels begin with
    #[arg(long, value_name = "NAME", default_value = "unstale")]
    prefix: String,
    /// The cluster that they are nodes of; default: the name of the group
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// The namespace of their second level
    #[arg(long, value_name = "NAME", default_value = "unstale")]
    namespace: String,
    /// What --key is
    #[arg(long, value_enum, value_name = "TYPE", default_value_t = KeyType::Text)]
    key_type: KeyType,
}

/// How FusionCache nodes are configured, which nothing in a Redis says.
#[derive(Debug, Args)]
#[command(next_help_heading = "How the FusionCache nodes are configured")]
struct FusionNames {
    /// CacheKeyPrefix
    #[arg(long, value_name = "PREFIX", default_value = "")]
    key_prefix: String,
    /// BackplaneChannelPrefix, if it is not the name of the cache
    #[arg(long, value_name = "PREFIX")]
    channel_prefix: Option<String>,
    /// InstanceName of the Redis cache
    #[arg(long, value_name = "NAME", default_value = "")]
    instance_name: String,
    /// Where keys in Redis have the version
    #[arg(long, value_enum, value_name = "PLACE", default_value_t = Modifier::Prefix)]
    key_modifier: Modifier,
    /// SetToSafeStrings was called
    #[arg(long)]
    safe_strings: bool,
    /// The serializer of marks; default: the one that entries were written by
    #[arg(long, value_enum, value_name = "NAME")]
    serializer: Option<Serializer>,
}

/// Whose messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum CodecName {
    /// FusionCache of .NET
    Fusion,
    /// unstale
    Native,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Modifier {
    Prefix,
    Suffix,
    None,
}

/// What is to be sent.
#[derive(Clone, Debug)]
enum Target {
    Fusion(fusion::Target),
    Native(native::Target),
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ActionName {
    /// A newer value exists
    Set,
    /// It is gone, for fail-safe too
    Remove,
    /// It is out of date; fail-safe may still serve it
    Expire,
}

const EXAMPLES: &str = "Examples:
  unstale send redis://cache.internal --codec fusion --cache Products --key user:42
  unstale send redis://cache.internal --codec fusion --cache Products --tag vip --dry-run
  unstale send redis://cache.internal --codec fusion --cache Products --clear --action remove
  unstale send redis://cache.internal --codec native --group shop --cache users --key 42 --key-type u64
  unstale send redis://cache.internal --codec fusion --cache Products --key-prefix shop: --instance-name app: --key user:42

Exit codes: 0 it was sent, 64 bad usage, 65 what is in the second level does not say by which serializer to write,
69 the Redis cannot be reached or refuses.";

/// Sends it.
pub(crate) fn run(arguments: &Arguments) -> Exit {
    let url: Url = match arguments.url.parse() {
        Ok(url) => url,
        Err(error) => return complain(&error.to_string(), Exit::Usage),
    };
    let target = match arguments.target() {
        Ok(target) => target,
        Err(error) => return complain(&error, Exit::Usage),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(send(arguments, &url, &target)),
        Err(error) => complain(&error.to_string(), Exit::Bug),
    }
}

fn complain(error: &str, exit: Exit) -> Exit {
    // Where standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr(), "unstale send: {error}");
    exit
}

async fn send(arguments: &Arguments, url: &Url, target: &Target) -> Exit {
    match target {
        Target::Fusion(target) => send_fusion(arguments, url, target).await,
        Target::Native(target) if arguments.dry_run => print(&target.dry(arguments.json)),
        Target::Native(target) => {
            if let Err(error) = url.settings.probe().await {
                return complain(&format!("{url}: {error}"), Exit::Unavailable);
            }
            match target.send(url.settings.clone(), arguments.json).await {
                Ok(told) => print(&told),
                Err((error, exit)) => complain(&error, exit),
            }
        }
    }
}

async fn send_fusion(arguments: &Arguments, url: &Url, target: &fusion::Target) -> Exit {
    let server = match Server::connect(url.settings.clone()).await {
        Ok(server) => server,
        Err(error) => return complain(&format!("{url}: {error}"), Exit::Unavailable),
    };
    let plan = match fusion::plan(&server, target).await {
        Ok(plan) => plan,
        Err(error) => return complain(&error.says, error.exit),
    };
    if arguments.dry_run {
        return print(&if arguments.json { plan.json() } else { plan.words() });
    }
    match plan.carry_out(&server).await {
        Ok(done) => print(&told(&done, arguments.json)),
        Err(error) => complain(&error, Exit::Unavailable),
    }
}

fn told(done: &Done, is_json: bool) -> String {
    if is_json { done.json() } else { done.words() }
}

fn print(text: &str) -> Exit {
    let mut out = io::stdout().lock();
    // Where the reader has gone the exit code still tells.
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Exit::Fine
}

impl FusionNames {
    fn names(&self, cache: &str) -> Names {
        // .NET's own defaults of `SetToSafeStrings`.
        let strings =
            if self.safe_strings { InternalStrings::safe('-', '_') } else { InternalStrings::default() };
        Names {
            channel_prefix: self.channel_prefix.clone().unwrap_or_else(|| cache.to_owned()),
            key_prefix: self.key_prefix.clone(),
            instance_name: self.instance_name.clone(),
            modifier: match self.key_modifier {
                Modifier::Prefix => KeyModifier::Prefix,
                Modifier::Suffix => KeyModifier::Suffix,
                Modifier::None => KeyModifier::None,
            },
            strings,
        }
    }
}
