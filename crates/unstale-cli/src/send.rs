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
use crate::terminal::complain;

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
    /// The group of their backplane [default: default]
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// What the names of their keys and channels begin with [default: unstale]
    #[arg(long, value_name = "NAME")]
    prefix: Option<String>,
    /// The cluster that they are nodes of; default: the name of the group
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
    /// The namespace of their second level [default: unstale]
    #[arg(long, value_name = "NAME", conflicts_with = "no_l2")]
    namespace: Option<String>,
    /// What --key is [default: text]
    #[arg(long, value_enum, value_name = "TYPE")]
    key_type: Option<KeyType>,
}

/// How FusionCache nodes are configured, which nothing in a Redis says.
#[derive(Debug, Args)]
#[command(next_help_heading = "How the FusionCache nodes are configured")]
struct FusionNames {
    /// CacheKeyPrefix
    #[arg(long, value_name = "PREFIX")]
    key_prefix: Option<String>,
    /// BackplaneChannelPrefix, if it is not the name of the cache
    #[arg(long, value_name = "PREFIX")]
    channel_prefix: Option<String>,
    /// InstanceName of the Redis cache
    #[arg(long, value_name = "NAME")]
    instance_name: Option<String>,
    /// Where keys in Redis have the version [default: prefix]
    #[arg(long, value_enum, value_name = "PLACE")]
    key_modifier: Option<Modifier>,
    /// SetToSafeStrings was called
    #[arg(long)]
    safe_strings: bool,
    /// The serializer of marks; default: the one that entries were written by
    #[arg(long, value_enum, value_name = "NAME", conflicts_with_all = ["key", "no_l2"])]
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
        Err(error) => return complain("send", error, Exit::Usage),
    };
    let target = match arguments.target() {
        Ok(target) => target,
        Err(error) => return complain("send", error, Exit::Usage),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(send(arguments, &url, &target)),
        Err(error) => complain("send", error, Exit::Bug),
    }
}

async fn send(arguments: &Arguments, url: &Url, target: &Target) -> Exit {
    match target {
        Target::Fusion(target) => send_fusion(arguments, url, target).await,
        Target::Native(target) if arguments.dry_run => match target.dry(arguments.json) {
            Ok(told) => print(&told),
            Err(error) => complain("send", error, Exit::Usage),
        },
        Target::Native(target) => {
            if let Err(error) = url.settings.probe().await {
                return complain("send", format!("{url}: {error}"), Exit::Unavailable);
            }
            match target.send(url.settings.clone(), arguments.json).await {
                Ok(told) => print(&told),
                Err((error, exit)) => complain("send", error, exit),
            }
        }
    }
}

async fn send_fusion(arguments: &Arguments, url: &Url, target: &fusion::Target) -> Exit {
    let server = match Server::connect(url.settings.clone()).await {
        Ok(server) => server,
        Err(error) => return complain("send", format!("{url}: {error}"), Exit::Unavailable),
    };
    let plan = match fusion::plan(&server, target).await {
        Ok(plan) => plan,
        Err(error) => return complain("send", error.says, error.exit),
    };
    if arguments.dry_run {
        return print(&if arguments.json { plan.json() } else { plan.words() });
    }
    match plan.carry_out(&server).await {
        Ok(done) => print(&told(&done, arguments.json)),
        Err(error) => complain("send", error, Exit::Unavailable),
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

impl NativeNodes {
    /// An option that was given.
    fn given(&self) -> Option<&'static str> {
        let Self { group, prefix, cluster, namespace, key_type } = self;
        first([
            ("--group", group.is_some()),
            ("--prefix", prefix.is_some()),
            ("--cluster", cluster.is_some()),
            ("--namespace", namespace.is_some()),
            ("--key-type", key_type.is_some()),
        ])
    }
}

fn first<const N: usize>(options: [(&'static str, bool); N]) -> Option<&'static str> {
    options.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name)
}

impl FusionNames {
    /// An option that was given.
    fn given(&self) -> Option<&'static str> {
        let Self { key_prefix, channel_prefix, instance_name, key_modifier, safe_strings, serializer } = self;
        first([
            ("--key-prefix", key_prefix.is_some()),
            ("--channel-prefix", channel_prefix.is_some()),
            ("--instance-name", instance_name.is_some()),
            ("--key-modifier", key_modifier.is_some()),
            ("--safe-strings", *safe_strings),
            ("--serializer", serializer.is_some()),
        ])
    }

    fn names(&self, cache: &str) -> Names {
        // .NET's own defaults of `SetToSafeStrings`.
        let strings =
            if self.safe_strings { InternalStrings::safe('-', '_') } else { InternalStrings::default() };
        Names {
            channel_prefix: self.channel_prefix.clone().unwrap_or_else(|| cache.to_owned()),
            key_prefix: self.key_prefix.clone().unwrap_or_default(),
            instance_name: self.instance_name.clone().unwrap_or_default(),
            modifier: match self.key_modifier {
                None | Some(Modifier::Prefix) => KeyModifier::Prefix,
                Some(Modifier::Suffix) => KeyModifier::Suffix,
                Some(Modifier::None) => KeyModifier::None,
            },
            strings,
        }
    }
}
