//! A sentinel that watches a master and promotes a replica.

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::BufStream;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::child::Process;
use crate::port;
use crate::program::Program;
use crate::redis::Redis;
use crate::reply::{Reply, ask};

const START_MAX: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// A running sentinel, a child of this process; stopped when dropped. It calls a master dead after 500 ms without an
/// answer and needs nobody's agreement.
#[derive(Debug)]
pub struct Sentinel {
    port: u16,
    service: String,
    process: Process,
    folder: TempDir,
}

impl Sentinel {
    /// Watches `master` under the name `service`, and waits until it has found `replicas` replicas.
    ///
    /// # Errors
    /// If it dies, or has not found them within 20 s.
    pub async fn watch(service: &str, master: &Redis, replicas: usize) -> io::Result<Self> {
        let program = Program::RedisServer;
        let path =
            program.path().ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, program.missing()))?;
        let folder = TempDir::new()?;
        let port = port::free()?;
        let folder_text = folder.path().display();
        let text = format!(
            "bind 127.0.0.1\nport {port}\ndir {folder_text}\nlogfile {folder_text}/log\nprotected-mode no\n\
             sentinel monitor {service} 127.0.0.1 {} 1\nsentinel down-after-milliseconds {service} 500\n\
             sentinel failover-timeout {service} 3000\n",
            master.port()
        );
        let config = folder.path().join("sentinel.conf");
        std::fs::write(&config, text)?;
        let arguments = vec![OsString::from(config), OsString::from("--sentinel")];
        let process = Process::new(path, arguments, folder.path().join("log"));
        let mut sentinel = Self { port, service: service.to_owned(), process, folder };
        sentinel.process.spawn()?;
        sentinel.until_found(replicas).await?;
        Ok(sentinel)
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Its log so far.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn log(&self) -> io::Result<String> {
        std::fs::read_to_string(self.folder.path().join("log"))
    }

    /// `kill -9`, and waits for its end.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// The port of the present master.
    ///
    /// # Errors
    /// If the sentinel does not answer, or knows none.
    pub async fn master_port(&self) -> io::Result<u16> {
        let reply = self.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &self.service]).await?;
        let port = reply.list().get(1).and_then(Reply::text).and_then(|port| port.parse().ok());
        port.ok_or_else(|| io::Error::other(format!("{reply:?} names no master")))
    }

    /// Waits until the master is another one than that at `port`.
    ///
    /// # Errors
    /// If it is not within 20 s.
    pub async fn until_master_is_not(&self, port: u16) -> io::Result<()> {
        let due = Instant::now() + START_MAX;
        while self.master_port().await? == port {
            if Instant::now() > due {
                return Err(io::Error::other(format!("no failover from {port}:\n{}", self.log()?)));
            }
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Runs one command on the sentinel.
    ///
    /// # Errors
    /// If it does not answer, or with an error.
    pub async fn command(&self, words: &[&str]) -> io::Result<Reply> {
        let mut stream = BufStream::new(TcpStream::connect(self.address()).await?);
        ask(&mut stream, words).await
    }

    async fn until_found(&mut self, replicas: usize) -> io::Result<()> {
        let due = Instant::now() + START_MAX;
        let service = self.service.clone();
        loop {
            self.process.check_alive()?;
            let found = match self.command(&["SENTINEL", "REPLICAS", &service]).await {
                Ok(reply) if reply.list().len() >= replicas => return Ok(()),
                Ok(reply) => format!("{} of {replicas} replicas", reply.list().len()),
                Err(error) => error.to_string(),
            };
            if Instant::now() > due {
                return Err(io::Error::other(found));
            }
            sleep(LOOK_AGAIN).await;
        }
    }
}
