//! A live .NET FusionCache node: it measures itself, by its own clock.

use serde_json::{Value, json};
use tokio::runtime::Builder;
use unstale_servers::{FusionNode, Program};

use crate::server::Server;

/// The node's own figures in nanoseconds per hit, the best of its rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hits {
    pub(crate) get: f64,
    pub(crate) load: f64,
}

/// From a remove on one of its nodes to its effect on another one, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Propagation {
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
}

/// Lets a node measure its hits.
///
/// # Errors
/// Why there is no figure: the node or the Redis that it insists on is absent, or it failed.
pub(crate) fn hits() -> Result<Hits, String> {
    let server = Server::start()?;
    let answers = ask(&server, &json!({"op": "bench_hit"}), 1)?;
    let answer = answers.first().ok_or("no answer")?;
    // A read that missed would look fast.
    if answer["missed"].as_u64() != Some(0) {
        return Err(format!("the node answered wrongly: {answer}"));
    }
    Ok(Hits { get: number(answer, "try_get_ns")?, load: number(answer, "get_or_set_ns")? })
}

/// Lets a node measure so many rounds of `count` messages over `server`; one more comes first, and is thrown away.
///
/// # Errors
/// As [`hits`].
pub(crate) fn propagation(server: &Server, rounds: u32, count: usize) -> Result<Vec<Propagation>, String> {
    let request = json!({"op": "bench_propagate", "count": count});
    let answers = ask(server, &request, rounds as usize + 1)?;
    let figures = answers.iter().skip(1).map(|answer| {
        if answer["lost"].as_u64() != Some(0) {
            return Err(format!("the node lost messages: {answer}"));
        }
        let of = |name| number(answer, name);
        Ok(Propagation { p50: of("p50_us")?, p99: of("p99_us")?, p999: of("p999_us")? })
    });
    figures.collect()
}

/// Lets a node remove so many keys, 64 of them at once, for so many rounds; one more comes first, and is thrown away. Keys per second.
///
/// # Errors
/// As [`hits`].
pub(crate) fn removals(server: &Server, rounds: u32, keys: usize) -> Result<Vec<f64>, String> {
    let request = json!({"op": "remove_many", "key": "k", "count": keys, "in_flight": 64});
    let answers = ask(server, &request, rounds as usize + 1)?;
    let rates = answers.iter().skip(1).map(|answer| {
        if answer["removed"].as_u64() != Some(keys as u64) {
            return Err(format!("the node removed other keys: {answer}"));
        }
        Ok(keys as f64 / number(answer, "seconds")?)
    });
    rates.collect()
}

fn ask(server: &Server, request: &Value, times: usize) -> Result<Vec<Value>, String> {
    if Program::FusionNode.path().is_none() {
        return Err(Program::FusionNode.missing().to_owned());
    }
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|error| error.to_string())?;
    let asked = runtime.block_on(async {
        let mut node = FusionNode::start(&server.address(), &[]).await?;
        let mut answers = Vec::new();
        for _ in 0..times {
            answers.push(node.ask(request).await?);
        }
        Ok::<_, std::io::Error>(answers)
    });
    asked.map_err(|error| error.to_string())
}

fn number(answer: &Value, name: &str) -> Result<f64, String> {
    answer[name].as_f64().ok_or_else(|| format!("no {name} in {answer}"))
}
