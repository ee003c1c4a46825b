//! A redis-server.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::BufStream;
use tokio::net::UnixStream;
use tokio::time::{Instant, sleep, timeout_at};

use crate::child::Process;
use crate::port;
use crate::program::Program;
use crate::reply::{Reply, ask};

/// A server of this size starts in 35 ms; one that is loaded down gets this.
const START_MAX: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// How many keys that nobody needs there are before memory is limited, and how large each is.
const BALLAST: u32 = 100;
const BALLAST_BYTES: usize = 20_000;
/// How often a port may be lost to somebody else.
const PORTS_MAX: usize = 5;
/// Who sets servers up that have access lists.
const HARNESS: &str = "harness";

/// A running `redis-server`, a child of this process; stopped when dropped.
#[derive(Debug)]
pub struct Redis {
    port: u16,
    login: Option<(String, String)>,
    process: Process,
    folder: TempDir,
}

/// How to start a [`Redis`].
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until they are started"]
pub struct RedisOptions {
    is_append_only: bool,
    password: Option<String>,
    acl: Vec<String>,
    tls: Option<TlsFiles>,
    is_cluster: bool,
    config: Vec<(String, String)>,
}

/// Where the certificates of a server with TLS are.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The server's certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Who signs the certificates of clients, PEM.
    pub authority: PathBuf,
    /// `tls-auth-clients`: `yes`, `no` or `optional`.
    pub clients: &'static str,
}

/// With what a server starts again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Data {
    /// With what it had written; without [`RedisOptions::append_only`] that is nothing.
    Kept,
    /// With nothing, as if its disk had been lost.
    Emptied,
}

impl Redis {
    /// Starts one with the defaults: it keeps nothing over a restart and asks for no password.
    ///
    /// # Errors
    /// If `redis-server` is not there, dies, or does not answer within 20 s.
    pub async fn start() -> io::Result<Self> {
        Self::options().start().await
    }

    /// Options, to be started with [`RedisOptions::start`].
    pub fn options() -> RedisOptions {
        RedisOptions::default()
    }

    /// The port; the same over restarts.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// `redis://127.0.0.1:PORT`, without a user or password.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// The folder that goes with it, for files of its test.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.process.id()
    }

    /// `kill -9`, and waits for its end.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// `kill -STOP`: it answers nobody, and its connections stay open.
    ///
    /// # Panics
    /// If it was killed.
    pub fn pause(&self) {
        self.process.pause();
    }

    /// Ends a pause.
    ///
    /// # Panics
    /// If it was killed.
    pub fn resume(&self) {
        self.process.resume();
    }

    /// Starts it again on its port, killed before if it still runs.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn restart(&mut self, data: Data) -> io::Result<()> {
        self.process.kill();
        if data == Data::Emptied {
            std::fs::remove_dir_all(self.folder.path().join("data"))?;
            std::fs::create_dir(self.folder.path().join("data"))?;
        }
        self.process.spawn()?;
        self.until_ready().await
    }

    /// Runs one command past network, TLS and access lists, on a connection of its own.
    ///
    /// # Errors
    /// If the server does not answer within 20 s, or with an error.
    pub async fn command(&self, words: &[&str]) -> io::Result<Reply> {
        within(Instant::now() + START_MAX, async {
            let mut stream = BufStream::new(UnixStream::connect(self.folder.path().join("socket")).await?);
            if let Some((user, password)) = &self.login {
                ask(&mut stream, &["AUTH", user, password]).await?;
            }
            ask(&mut stream, words).await
        })
        .await
    }

    /// One field of `INFO everything`; none if there is no such field.
    ///
    /// # Errors
    /// As [`Redis::command`].
    pub async fn info(&self, field: &str) -> io::Result<Option<String>> {
        let info = self.command(&["INFO", "everything"]).await?;
        let mut fields = info.text().unwrap_or_default().lines().filter_map(|line| line.split_once(':'));
        Ok(fields.find(|(name, _)| *name == field).map(|(_, value)| value.to_owned()))
    }

    /// How often a command was run since the server was started, such as `evalsha`.
    ///
    /// # Errors
    /// As [`Redis::command`].
    pub async fn calls(&self, command: &str) -> io::Result<u64> {
        let statistics = self.info(&format!("cmdstat_{command}")).await?;
        let calls = statistics.as_deref().and_then(|text| text.strip_prefix("calls=")?.split(',').next());
        Ok(calls.and_then(|calls| calls.parse().ok()).unwrap_or(0))
    }

    /// Takes away its memory, and fills it with keys that nobody needs until it has evicted so many keys. It goes on
    /// evicting until `maxmemory` is 0 again.
    ///
    /// # Errors
    /// As [`Redis::command`], such as where its policy evicts nothing.
    pub async fn evict(&self, keys: u64) -> io::Result<()> {
        let mut ballast = 0;
        while ballast < BALLAST {
            self.load(&mut ballast).await?;
        }
        let limit = self.number("used_memory").await?.to_string();
        self.command(&["CONFIG", "SET", "maxmemory", &limit]).await?;
        while self.number("evicted_keys").await? < keys {
            self.load(&mut ballast).await?;
        }
        Ok(())
    }

    async fn number(&self, field: &str) -> io::Result<u64> {
        let value = self.info(field).await?;
        let number = value.as_deref().and_then(|value| value.parse().ok());
        number.ok_or_else(|| io::Error::other(format!("{field} is {value:?} and no number")))
    }

    async fn load(&self, ballast: &mut u32) -> io::Result<()> {
        *ballast += 1;
        let key = format!("ballast {ballast}");
        self.command(&["SET", &key, &"b".repeat(BALLAST_BYTES)]).await?;
        Ok(())
    }

    /// Waits until one field of `INFO` has this value, such as `connected_clients` or `master_link_status`.
    ///
    /// # Errors
    /// If it has not within 20 s, or the server is gone.
    pub async fn until_info(&self, field: &str, value: &str) -> io::Result<()> {
        let due = Instant::now() + START_MAX;
        loop {
            let seen = self.info(field).await?;
            if seen.as_deref() == Some(value) {
                return Ok(());
            }
            if Instant::now() > due {
                return Err(io::Error::other(format!("{field} is {seen:?} and not {value}")));
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Its own socket file answers only if this very child listens on the port: that was bound before.
    async fn until_ready(&mut self) -> io::Result<()> {
        let due = Instant::now() + START_MAX;
        loop {
            self.process.check_alive()?;
            let Err(error) = within(due, self.command(&["PING"])).await else { return Ok(()) };
            if Instant::now() > due {
                return Err(error);
            }
            sleep(LOOK_AGAIN).await;
        }
    }
}

impl RedisOptions {
    /// Keeps what was written, by an append-only file, over a kill too.
    pub fn append_only(mut self) -> Self {
        self.is_append_only = true;
        self
    }

    /// Asks for a password (`requirepass`).
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// Adds a line to the access list, such as `user app on >secret ~* &* +@all`. What it does not say of the user
    /// `default` is that this may do everything.
    pub fn acl(mut self, line: impl Into<String>) -> Self {
        self.acl.push(line.into());
        self
    }

    /// Speaks TLS on its port, and nothing else; with masters and nodes of its cluster too.
    pub fn tls(mut self, files: TlsFiles) -> Self {
        self.tls = Some(files);
        self
    }

    /// Holds no more than this; what goes first then, `maxmemory-policy` of [`Self::config`] says.
    pub fn memory_bytes_max(self, bytes: u64) -> Self {
        self.config("maxmemory", bytes.to_string())
    }

    /// Follows another one. [`Redis::until_info`] of `master_link_status` says when it has caught up.
    pub fn replica_of(self, master: &Redis) -> Self {
        let login = master.login.clone();
        let replica = self.config("replicaof", format!("127.0.0.1 {}", master.port));
        match login {
            Some((user, password)) => replica.config("masteruser", user).config("masterauth", password),
            None => replica,
        }
    }

    /// A line of `redis.conf`.
    pub fn config(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((name.into(), value.into()));
        self
    }

    /// A node of a cluster, still without slots; see [`crate::Cluster`].
    pub(crate) fn cluster(mut self) -> Self {
        self.is_cluster = true;
        self
    }

    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub async fn start(self) -> io::Result<Redis> {
        let program = Program::RedisServer;
        let path =
            program.path().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, program.missing()))?;
        let mut last = None;
        for _ in 0..PORTS_MAX {
            let folder = TempDir::new()?;
            std::fs::create_dir(folder.path().join("data"))?;
            let port = port::free()?;
            let config = folder.path().join("redis.conf");
            std::fs::write(&config, self.text(folder.path(), port)?)?;
            let log = folder.path().join("log");
            let process = Process::new(path.clone(), vec![OsString::from(config)], log);
            let mut redis = Redis { port, login: self.login(), process, folder };
            redis.process.spawn()?;
            match redis.until_ready().await {
                Ok(()) => return Ok(redis),
                // Somebody else may have been quicker at the port.
                Err(error) if error.to_string().contains("Address already in use") => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(last.unwrap_or_else(|| io::Error::other("no port")))
    }

    /// As whom the harness comes.
    fn login(&self) -> Option<(String, String)> {
        let secret = "a secret of the harness".replace(' ', "-");
        if self.acl.is_empty() {
            self.password.clone().map(|password| ("default".to_owned(), password))
        } else {
            Some((HARNESS.to_owned(), secret))
        }
    }

    /// `redis.conf`; the access list is written beside it.
    fn text(&self, folder: &Path, port: u16) -> io::Result<String> {
        let folder_text = folder.display();
        let mut text = format!(
            "bind 127.0.0.1\ndir {folder_text}/data\nlogfile {folder_text}/log\nunixsocket {folder_text}/socket\n\
             daemonize no\nprotected-mode no\nsave \"\"\nappendonly {}\nrepl-diskless-sync-delay 0\n",
            if self.is_append_only { "yes" } else { "no" }
        );
        let mut line = |name: &str, value: &str| {
            // Words of a value stay words; only what needs it is quoted.
            let quoted = value.contains(['"', '\\', '#']) || value.is_empty();
            let value = if quoted { format!("{value:?}") } else { value.to_owned() };
            writeln!(text, "{name} {value}").expect("a string takes what is written");
        };
        match &self.tls {
            None => line("port", &port.to_string()),
            Some(tls) => {
                line("port", "0");
                line("tls-port", &port.to_string());
                line("tls-cert-file", &tls.certificate.display().to_string());
                line("tls-key-file", &tls.key.display().to_string());
                line("tls-ca-cert-file", &tls.authority.display().to_string());
                line("tls-auth-clients", tls.clients);
                line("tls-replication", "yes");
                line("tls-cluster", "yes");
            }
        }
        if self.is_cluster {
            line("cluster-enabled", "yes");
            line("cluster-config-file", &format!("{folder_text}/nodes.conf"));
            line("cluster-port", &port::free()?.to_string());
            line("cluster-node-timeout", "1000");
        }
        match (&self.password, self.acl.is_empty()) {
            (Some(password), true) => line("requirepass", password),
            (_, true) => {}
            (_, false) => {
                let (user, secret) = self.login().expect("with an access list the harness has a login");
                let list = format!("{}\nuser {user} on >{secret} ~* &* +@all\n", self.acl.join("\n"));
                std::fs::write(folder.join("users.acl"), list)?;
                line("aclfile", &format!("{folder_text}/users.acl"));
            }
        }
        for (name, value) in &self.config {
            line(name, value);
        }
        Ok(text)
    }
}

async fn within<T>(due: Instant, what: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout_at(due, what).await.map_err(io::Error::from)?
}
