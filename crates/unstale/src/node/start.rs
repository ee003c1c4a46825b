//! From a plan to a running node.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle as Runtime;
use tokio::sync::{Notify, mpsc, watch};
use tracing::Instrument;
use unstale_core::{ActLog, Config, Machine, ProcessId, Seq, Size, State, Status, Stream};
use unstale_l1::{Domain, DomainConfig, Fills};

use super::builder::{Company, Plan};
use super::driver::{Driver, Transport};
use super::exchange::Exchanges;
use super::host::host_proof;
use super::origins::Origins;
use super::sessions::Sessions;
use super::shared::Shared;
use super::words::Words;
use super::{Handle, Node};
use crate::event::EventSink;
use crate::level::Level;
use crate::metrics::NodeMetrics;
use crate::{Error, ErrorKind};

/// Commands that wait for the driver; who gives more waits.
const COMMANDS_MAX: usize = 16;

pub(super) fn start(plan: Plan) -> Result<Node, Error> {
    let runtime = Runtime::try_current().map_err(|error| {
        Error::caused(ErrorKind::Config, "start", "a node starts on a tokio runtime", error)
    })?;
    // Panics here, at the caller's, rather than in the driver.
    drop(tokio::time::sleep(Duration::ZERO));
    let process = ProcessId(plan.seed.process());
    let stream = Stream::first(process);
    let now = plan.clock.now();
    let span = tracing::info_span!("node", name = %plan.name, %stream);
    let config = config(&plan);
    let machine = Machine::new(config, stream, plan.seed.choices(), now);
    // Whatever the machine made of its configuration counts once the driver has carried it out.
    let status = Status { state: State::Joining, ..machine.status(now) };
    let domain_config = DomainConfig {
        seed: plan.seed.of_tests(),
        fills: Fills::Refused,
        #[cfg(feature = "mutations")]
        without: plan.engine_without,
        ..DomainConfig::default()
    };
    let log = match plan.company {
        Company::Possible => ActLog::new(stream),
        Company::Never => ActLog::untold(stream),
    };
    let events = EventSink::new();
    let level = plan.store.map(|store| {
        Level::new(store, plan.breaker, plan.recovery_file.as_deref(), events.clone()).map(Arc::new)
    });
    let level = level.transpose()?;
    if let Some(level) = &level {
        runtime.spawn(Level::recover(Arc::downgrade(level)));
    }
    let shared = Arc::new(Shared {
        domain: Domain::new(domain_config, log.with_mechanisms(plan.mechanisms)),
        metrics: NodeMetrics::default(),
        events,
        origins: Origins::default(),
        words: Words::new(),
        sessions: Sessions::new(process),
        exchanges: Exchanges::new(),
        wake: Arc::new(Notify::new()),
        confirmed: watch::Sender::new((stream, Seq::ZERO)),
        status: watch::Sender::new(Arc::new(status)),
        clock: plan.clock,
        mechanisms: plan.mechanisms,
        epoch: now,
        level,
        cache_levels: Mutex::default(),
        store_breaker: plan.breaker,
        writes: plan.writes,
        scopes: plan.scopes,
        runtime: runtime.clone(),
        choices: AtomicU64::new(plan.seed.choices()),
        recovers_until_ms: AtomicU64::new(0),
    });
    let (commands, orders) = mpsc::channel(COMMANDS_MAX);
    let transport = Transport { backplane: plan.backplane, drain_deadline: plan.drain_deadline };
    let driver = Driver::new(Arc::clone(&shared), machine, stream, transport, orders);
    runtime.spawn(driver.run().instrument(span));
    Ok(Node { handle: Arc::new(Handle { shared, commands }) })
}

fn config(plan: &Plan) -> Config {
    let properties = plan.backplane.properties();
    let mut config = Config::new(plan.cluster.clone(), plan.name.clone(), plan.membership.clone());
    config.scopes = plan.scopes.told();
    config.mechanisms = plan.mechanisms;
    config.address = properties.advertised.clone().map(|address| Bytes::from(address.into_bytes()));
    config.host_proof = host_proof(properties.listening.as_deref());
    config.limits.message_bytes = Size::FRAME_MAX.bytes.min(properties.frame_bytes_max);
    config
}
