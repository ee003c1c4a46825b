//! A cluster of masters that share the slots.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::redis::{Redis, RedisOptions};

const SLOTS: usize = 16_384;
const START_MAX: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Running masters of one cluster, without replicas; stopped when dropped.
#[derive(Debug)]
pub struct Cluster {
    /// The masters; the first has the lowest slots.
    pub masters: Vec<Redis>,
}

impl Cluster {
    /// Starts `count` masters, 1 or more, and waits until each of them can serve every slot. One is ready at once, three
    /// take a few seconds to meet.
    ///
    /// # Errors
    /// If one dies, or they have not met within 30 s.
    pub async fn start(count: usize) -> io::Result<Self> {
        Self::start_with(count, &Redis::options()).await
    }

    /// The same, each of them with these options.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn start_with(count: usize, options: &RedisOptions) -> io::Result<Self> {
        let mut masters = Vec::new();
        for index in 0..count {
            let master = options.clone().cluster().start().await?;
            let (first, next) = (index * SLOTS / count, (index + 1) * SLOTS / count);
            master
                .command(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &(next - 1).to_string()])
                .await?;
            masters.push(master);
        }
        let cluster = Self { masters };
        cluster.meet().await?;
        cluster.until_whole().await?;
        Ok(cluster)
    }

    /// `127.0.0.1:PORT` of each master.
    pub fn addresses(&self) -> Vec<String> {
        self.masters.iter().map(Redis::address).collect()
    }

    async fn meet(&self) -> io::Result<()> {
        let (first, others) = self.masters.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        for other in others {
            let bus = other.command(&["CONFIG", "GET", "cluster-port"]).await?;
            let bus = bus.list().get(1).and_then(|port| port.text()).unwrap_or_default().to_owned();
            first.command(&["CLUSTER", "MEET", "127.0.0.1", &other.port().to_string(), &bus]).await?;
        }
        Ok(())
    }

    async fn until_whole(&self) -> io::Result<()> {
        let due = Instant::now() + START_MAX;
        let known = format!("cluster_known_nodes:{}\r", self.masters.len());
        for master in &self.masters {
            loop {
                let info = master.command(&["CLUSTER", "INFO"]).await?;
                let info = info.text().unwrap_or_default();
                if info.contains("cluster_state:ok") && info.contains(&known) {
                    break;
                }
                if Instant::now() > due {
                    return Err(io::Error::other(format!("the cluster is not whole:\n{info}")));
                }
                sleep(LOOK_AGAIN).await;
            }
        }
        Ok(())
    }
}
