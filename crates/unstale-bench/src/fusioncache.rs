//! A live .NET FusionCache node: it measures itself, by its own clock, and tells the best of its rounds.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

/// The node's own figures in nanoseconds per hit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Figures {
    pub(crate) get: f64,
    pub(crate) load: f64,
}

/// Starts the node, lets it measure itself and ends it.
///
/// # Errors
/// Why there is no figure: the node or the Redis that it insists on is absent, or it failed.
pub(crate) fn measure() -> Result<Figures, String> {
    let path = find()?;
    let port = free_port()?;
    let mut redis = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("redis-server, which the node insists on, does not start: {error}"))?;
    let figures = ask(&path, port);
    let _ = redis.kill();
    let _ = redis.wait();
    figures
}

fn ask(path: &PathBuf, port: u16) -> Result<Figures, String> {
    let mut node = Command::new(path)
        .args(["--redis", &format!("127.0.0.1:{port},connectRetry=20")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("the node does not start: {error}"))?;
    let answer = converse(&mut node);
    let _ = node.kill();
    let _ = node.wait();
    answer
}

fn converse(node: &mut std::process::Child) -> Result<Figures, String> {
    let mut lines = BufReader::new(node.stdout.take().ok_or("no output")?).lines();
    let mut input = node.stdin.take().ok_or("no input")?;
    let mut next = || -> Result<Value, String> {
        let line = lines.next().ok_or("the node ended")?.map_err(|error| error.to_string())?;
        serde_json::from_str(&line).map_err(|error| format!("{error}: {line}"))
    };
    next()?;
    writeln!(input, r#"{{"op":"bench_hit"}}"#).map_err(|error| error.to_string())?;
    let answer = next()?;
    let of = |name: &str| answer[name].as_f64().ok_or_else(|| format!("no {name} in {answer}"));
    // A read that missed would look fast.
    if answer["missed"].as_u64() != Some(0) {
        return Err(format!("the node answered wrongly: {answer}"));
    }
    Ok(Figures { get: of("try_get_ns")?, load: of("get_or_set_ns")? })
}

fn find() -> Result<PathBuf, String> {
    let beside = || {
        let project = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
        project.join("../shared/peers/fusioncache-node/fusioncache-node")
    };
    let path = env::var_os("FUSIONCACHE_NODE").map_or_else(beside, PathBuf::from);
    if path.exists() {
        Ok(path)
    } else {
        Err(format!("no node at {}: FUSIONCACHE_NODE tells where it is", path.display()))
    }
}

fn free_port() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.local_addr().map(|address| address.port()).map_err(|error| error.to_string())
}
