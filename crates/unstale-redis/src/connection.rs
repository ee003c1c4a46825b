//! A connection for commands, kept up in the background and shared by all who clone it.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::{
    AsyncConnectionConfig, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Pipeline,
    ProtocolVersion, RedisConnectionInfo, RedisResult, Value,
};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use unstale_port::{Error, Kind, Retry};

use crate::address::Address;
use crate::backoff::Backoff;
use crate::dial;
use crate::error::{of_client, timed_out, unavailable};
use crate::health::{Health, Pulse};
use crate::settings::{Deployment, Settings};

/// How often an idle connection is asked whether it is there.
const PING_EVERY: Duration = Duration::from_millis(500);
/// How long it may take to answer: with the interval, a half-open connection is noticed within 2 s.
const PING_MAX: Duration = Duration::from_secs(1);

/// A connection for commands: to one server, to the present master of a service, or to a cluster. Clones share it.
///
/// It comes up in the background, answers pings, and when it is lost it is made again for ever, with a wait drawn between 0
/// and at most 1 s. While it is down, commands fail at once. Needs a tokio runtime.
#[derive(Clone, Debug)]
pub struct Connection {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    line: Arc<Line>,
    keeper: JoinHandle<()>,
}

/// What the keeper and the callers share.
#[derive(Debug)]
struct Line {
    settings: Settings,
    up: Mutex<Option<Up>>,
    /// Counts the times that it came up.
    ups: watch::Sender<u64>,
    /// A command was not answered as it should be: the connection may be broken.
    doubt: Notify,
    /// The server takes no writes any more: another one does.
    is_elsewhere: AtomicBool,
    pulse: Pulse,
}

/// A connection that came up, and for how many times one had by then: with another number there may be another server
/// process at the other end, with other data. (In a cluster that is so in any case.)
#[derive(Clone, Debug)]
pub(crate) struct Up {
    pub(crate) number: u64,
    live: Live,
}

#[derive(Clone)]
enum Live {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    /// Begins to connect, in the background.
    pub fn open(settings: Settings) -> Self {
        let line = Arc::new(Line {
            settings,
            up: Mutex::new(None),
            ups: watch::Sender::new(0),
            doubt: Notify::new(),
            is_elsewhere: AtomicBool::new(false),
            pulse: Pulse::new(),
        });
        let keeper = tokio::spawn(keep(Arc::clone(&line)));
        Self { shared: Arc::new(Shared { line, keeper }) }
    }

    /// How it is.
    pub fn health(&self) -> Health {
        self.shared.line.pulse.read()
    }

    /// Waits until it is up. Cancel-safe.
    pub async fn until_up(&self) {
        let mut ups = self.shared.line.ups.subscribe();
        while self.shared.line.lock().is_none() {
            if ups.changed().await.is_err() {
                return;
            }
        }
    }

    /// Runs one command.
    ///
    /// # Errors
    /// `Unavailable` while it is down, `Timeout` without an answer within [`Settings::response_timeout`]; else as the server
    /// says. After either it is not known whether the command took place.
    pub async fn run(&self, operation: &'static str, command: &Cmd) -> Result<Value, Error> {
        self.run_on(&self.up(operation)?, operation, command).await
    }

    /// [`Self::run`], over this connection and no later one.
    pub(crate) async fn run_on(
        &self,
        up: &Up,
        operation: &'static str,
        command: &Cmd,
    ) -> Result<Value, Error> {
        let mut live = up.live.clone();
        let answer = async move { live.req_packed_command(command).await?.extract_error() };
        self.watched(operation, answer).await
    }

    /// Runs commands in one round trip, and gives their replies in order; the first error is that of all. In a cluster they
    /// have to be for keys of one slot.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub async fn run_all(&self, operation: &'static str, pipeline: &Pipeline) -> Result<Vec<Value>, Error> {
        self.run_all_on(&self.up(operation)?, operation, pipeline).await
    }

    /// [`Self::run_all`], over this connection and no later one.
    pub(crate) async fn run_all_on(
        &self,
        up: &Up,
        operation: &'static str,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, Error> {
        let mut live = up.live.clone();
        let count = pipeline.cmd_iter().count();
        let answers = async move {
            let replies = live.req_packed_commands(pipeline, 0, count).await?;
            replies.into_iter().map(Value::extract_error).collect()
        };
        self.watched(operation, answers).await
    }

    /// Whether commands for keys of different slots have to be sent apart.
    pub fn is_cluster(&self) -> bool {
        self.shared.line.settings.is_cluster()
    }

    /// Which of the server's databases it is for.
    pub(crate) fn database(&self) -> u32 {
        self.shared.line.settings.database
    }

    /// The present connection.
    pub(crate) fn up(&self, operation: &'static str) -> Result<Up, Error> {
        let up = self.shared.line.lock().clone();
        up.ok_or_else(|| {
            let why = self.health().last_error.unwrap_or_else(|| "not connected yet".to_owned());
            Error::new(Kind::Unavailable, Retry::Reconnected, operation, why)
        })
    }

    /// Bounds the wait, and tells the keeper if the connection is to blame.
    async fn watched<T>(
        &self,
        operation: &'static str,
        answer: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Error> {
        let limit = self.shared.line.settings.response_timeout;
        let answer = match timeout(limit, answer).await {
            Ok(answer) => answer.map_err(|cause| of_client(operation, cause)),
            Err(_) => Err(timed_out(operation, limit)),
        };
        if let Err(error) = &answer
            && error.retry() == Retry::Reconnected
        {
            let line = &self.shared.line;
            line.is_elsewhere.fetch_or(error.kind() == Kind::Unavailable, Ordering::Relaxed);
            line.doubt.notify_one();
        }
        answer
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Option<Up>> {
        self.up.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionLike for Live {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> redis::RedisFuture<'a, Value> {
        match self {
            Self::Server(server) => server.req_packed_command(command),
            Self::Cluster(cluster) => cluster.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> redis::RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(server) => server.req_packed_commands(pipeline, offset, count),
            Self::Cluster(cluster) => cluster.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(server) => server.get_db(),
            Self::Cluster(cluster) => cluster.get_db(),
        }
    }
}

impl std::fmt::Debug for Live {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Server(_) => "Server(..)",
            Self::Cluster(_) => "Cluster(..)",
        })
    }
}

/// Connects, watches, connects again.
async fn keep(line: Arc<Line>) {
    let mut backoff = Backoff::new(seed());
    loop {
        match connect(&line.settings).await {
            Ok((mut live, driver)) => {
                backoff.reset();
                line.is_elsewhere.store(false, Ordering::Relaxed);
                let number = *line.ups.borrow() + 1;
                *line.lock() = Some(Up { number, live: live.clone() });
                line.pulse.up();
                line.ups.send_replace(number);
                tracing::info!(redis = %line.settings, "connected");
                let error = tokio::select! {
                    () = driver => unavailable("read", std::io::ErrorKind::UnexpectedEof.into()),
                    error = watch(&line, &mut live) => error,
                };
                *line.lock() = None;
                tracing::warn!(redis = %line.settings, %error, "connection lost");
                line.pulse.down(error.to_string());
            }
            Err(error) => {
                tracing::debug!(redis = %line.settings, %error, "not connected");
                line.pulse.down(error.to_string());
            }
        }
        sleep(backoff.next()).await;
    }
}

/// Until the connection is found broken.
async fn watch(line: &Line, live: &mut Live) -> Error {
    let mut ping = Cmd::new();
    ping.arg("PING");
    loop {
        drop(timeout(PING_EVERY, line.doubt.notified()).await);
        if line.is_elsewhere.swap(false, Ordering::Relaxed) {
            let detail = "the server is gone, or is no master any more";
            return Error::new(Kind::Unavailable, Retry::Reconnected, "watch", detail);
        }
        // A command that waited in vain may only have been slow: the ping says which.
        match timeout(PING_MAX, live.req_packed_command(&ping)).await {
            // Also an error is an answer.
            Ok(Ok(_)) => {}
            Ok(Err(cause)) => return of_client("ping", cause),
            Err(_) => return timed_out("ping", PING_MAX),
        }
    }
}

type Driver = std::pin::Pin<Box<dyn Future<Output = ()> + Send>>;

async fn connect(settings: &Settings) -> Result<(Live, Driver), Error> {
    if let Deployment::Cluster(nodes) = &settings.deployment {
        let limit = settings.connect_timeout.saturating_mul(2);
        let connected = timeout(limit, cluster(settings, nodes)?.get_async_connection()).await;
        let connection = connected.map_err(|_| timed_out("connect", limit))?;
        let connection = connection.map_err(|cause| of_client("connect", cause))?;
        return Ok((Live::Cluster(connection), Box::pin(std::future::pending())));
    }
    // It comes logged in; redis-rs only has to know which protocol is spoken.
    let stream = dial::open(settings).await?.into_stream();
    let info = RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let made =
        timeout(settings.connect_timeout, MultiplexedConnection::new_with_config(&info, stream, config))
            .await;
    let made = made.map_err(|_| timed_out("connect", settings.connect_timeout))?;
    let (connection, driver) = made.map_err(|cause| of_client("connect", cause))?;
    Ok((Live::Server(connection), Box::pin(driver)))
}

fn cluster(settings: &Settings, nodes: &[Address]) -> Result<ClusterClient, Error> {
    let infos = nodes.iter().map(|node| node_info(settings, node)).collect::<Result<Vec<_>, _>>()?;
    let builder = ClusterClient::builder(infos)
        .use_protocol(ProtocolVersion::RESP3)
        .connection_timeout(settings.connect_timeout)
        .response_timeout(settings.response_timeout)
        .retries(2);
    #[cfg(feature = "tls")]
    let builder = match &settings.tls {
        Some(tls) => builder.tls(redis::TlsMode::Secure).certs(tls.certificates()),
        None => builder,
    };
    builder.build().map_err(|cause| of_client("connect", cause))
}

fn node_info(settings: &Settings, node: &Address) -> Result<ConnectionInfo, Error> {
    let (host, port) = (node.host.clone(), node.port);
    let address = if settings.is_tls() {
        ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None }
    } else {
        ConnectionAddr::Tcp(host, port)
    };
    let mut info =
        RedisConnectionInfo::default().set_protocol(ProtocolVersion::RESP3).set_skip_set_lib_name();
    if let Some(user) = &settings.login.user {
        info = info.set_username(user);
    }
    if let Some(password) = &settings.login.password {
        info = info.set_password(password.read()?);
    }
    let made = address.into_connection_info().map_err(|cause| of_client("connect", cause))?;
    Ok(made.set_redis_settings(info))
}

/// Differs from process to process, so that they do not all try at once.
fn seed() -> u64 {
    // Without random numbers the waits are drawn from the same row everywhere, which is no harm.
    getrandom::u64().unwrap_or_default()
}
