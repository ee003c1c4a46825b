//! Three nodes on one Redis, a database, traffic, and a judge.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, interval};
use unstale_audit::Fault;
use unstale_servers::{Proxy, Redis, RedisOptions};

use crate::authority::Authority;
use crate::figures::{Figures, say};
use crate::flawed::Flaw;
use crate::judge::{Judge, Verdict, now};
use crate::member::{Demand, HOT, Member, ROWS, STILL, Start};
use crate::traffic::Traffic;

/// Far beyond anything that passes.
const PATIENCE: Duration = Duration::from_secs(60);
/// From when on after the recovery nothing is old any more.
const SETTLED_AFTER: Duration = Duration::from_secs(1);
/// How many reads are judged in each calm and in each fault.
const READS: u64 = 200;

/// How an estate is built.
pub(crate) struct Plan {
    /// For people.
    pub(crate) name: &'static str,
    pub(crate) redis: RedisOptions,
    /// Its database is a file of SQLite.
    pub(crate) is_in_sqlite: bool,
    /// How far the clocks of each node are ahead of those of the one before.
    pub(crate) apart: Duration,
    pub(crate) body_bytes: usize,
    pub(crate) flaw: Option<Flaw>,
}

impl Plan {
    pub(crate) fn new(name: &'static str) -> Self {
        let apart = Duration::ZERO;
        Self { name, redis: Redis::options(), is_in_sqlite: false, apart, body_bytes: 16, flaw: None }
    }
}

/// A running estate of three nodes, each behind its own network.
pub(crate) struct Estate {
    pub(crate) name: &'static str,
    pub(crate) redis: Redis,
    /// One for each member; none where they come by sentinels.
    pub(crate) networks: Vec<Proxy>,
    pub(crate) members: Vec<Member>,
    pub(crate) traffic: Traffic,
    authority: Authority,
    judge: Judge,
    listeners: JoinSet<()>,
}

/// A fault that goes on.
pub(crate) struct Ongoing {
    what: String,
    fault: Fault,
    /// Entries in memory before it.
    resident: u64,
    lates: u64,
}

impl Estate {
    /// Starts it, and waits until all of it is well and was read for a while.
    pub(crate) async fn start(plan: Plan) -> Self {
        let redis = plan.redis.clone().start().await.unwrap();
        let mut networks = Vec::new();
        for _ in 0..3 {
            networks.push(Proxy::to(redis.address()).await.unwrap());
        }
        let urls: Vec<_> = networks.iter().map(Proxy::url).collect();
        Self::start_on(plan, redis, networks, &urls).await
    }

    /// The same, with members that come by these URLs.
    pub(crate) async fn start_on(plan: Plan, redis: Redis, networks: Vec<Proxy>, urls: &[String]) -> Self {
        let Plan { name, is_in_sqlite, apart, body_bytes, flaw, .. } = plan;
        let authority = if is_in_sqlite {
            Authority::in_sqlite(&redis.folder().join("rows.db"), ROWS)
        } else {
            Authority::in_memory(ROWS)
        };
        let judge = Judge::new();
        let (mut members, mut listeners) = (Vec::new(), JoinSet::new());
        for ((name, url), process) in ["a", "b", "c"].into_iter().zip(urls).zip(0..) {
            let (name, url, ahead) = (name.to_owned(), url.clone(), apart * process);
            let authority = authority.clone();
            let member =
                Member::start(Start { name, process, url, authority, ahead, body_bytes, flaw }).await;
            listeners.spawn(judge.clone().follow(process, ahead, member.node.events()));
            members.push(member);
        }
        until("all are well at first", || members.iter().all(Member::is_well)).await;
        let traffic = Traffic::start(&members, &authority, &judge);
        let mut estate = Self { name, redis, networks, members, traffic, authority, judge, listeners };
        estate.fill().await;
        estate.go_on().await;
        estate
    }

    /// Marks that a fault begins. Call it before.
    pub(crate) async fn begins(&mut self, what: impl Into<String>) -> Ongoing {
        self.fill().await;
        let resident = self.members.iter().map(Member::resident).sum();
        Ongoing { what: what.into(), fault: self.judge.fault_begins(), resident, lates: self.lates() }
    }

    /// Reads and writes go on for a while.
    pub(crate) async fn go_on(&mut self) {
        let (reads, writes) = (self.traffic.reads(), self.traffic.writes());
        until("reads and writes", || {
            self.traffic.check();
            self.traffic.reads() > reads + READS && self.traffic.writes() > writes + READS / 20
        })
        .await;
    }

    /// Waits until some member is not well.
    pub(crate) async fn is_felt(&self) {
        until("it is felt", || !self.members.iter().all(Member::is_well)).await;
    }

    /// The era of the register, as each member knows it.
    pub(crate) fn eras(&self) -> Vec<Option<u64>> {
        self.members.iter().map(Member::era).collect()
    }

    /// Waits until each member knows of another era than then.
    pub(crate) async fn until_eras_differ(&self, then: &[Option<u64>]) {
        until("another era", || {
            let is_later =
                |(member, then): (&Member, &Option<u64>)| member.era().is_some_and(|era| Some(era) != *then);
            self.members.iter().zip(then).all(is_later)
        })
        .await;
    }

    /// Waits until this is so of each member.
    pub(crate) async fn all(&self, what: &str, holds: impl Fn(&Member) -> bool) {
        until(what, || self.members.iter().all(&holds)).await;
    }

    /// Marks that a fault is over; waits until everything is as it was, and tells what it cost. Call it after.
    pub(crate) async fn healed(&mut self, ongoing: Ongoing) -> Figures {
        self.healed_at(Instant::now(), ongoing).await
    }

    /// The same, of a fault that was over at an instant already.
    pub(crate) async fn healed_at(&mut self, healed: Instant, ongoing: Ongoing) -> Figures {
        let Ongoing { what, fault, resident, lates } = ongoing;
        self.judge.fault_heals(fault);
        let uses: Vec<_> = self.members.iter().map(Member::store_uses).collect();
        self.all("well again", Member::is_well).await;
        until("all use the store again", || {
            self.members.iter().zip(&uses).all(|(member, before)| member.store_uses() > *before)
        })
        .await;
        self.all("still well", Member::is_well).await;
        let recovery = healed.elapsed();
        let settled = self.settle();
        let in_memory = self.members.iter().map(Member::resident).sum();
        let mut kept = 0;
        for member in &self.members {
            for row in HOT..ROWS {
                kept += u64::from(member.has_still(row).await);
            }
        }
        until("what was written until then is due", || now() > settled).await;
        self.go_on().await;
        let figures =
            Figures { fault: what, recovery, resident, in_memory, kept, late: self.lates() - lates };
        say(self.name, &figures);
        if in_memory < resident {
            for member in &self.members {
                say(self.name, &member.doubts());
            }
        }
        // Now and then, so that the reads do not pile up.
        self.judge.verdict();
        figures
    }

    /// What was found so far.
    pub(crate) fn verdict(&self) -> Verdict {
        self.judge.verdict()
    }

    /// Ends the traffic, and reads everything once more.
    pub(crate) async fn finish(mut self) -> Verdict {
        self.traffic.stop().await;
        let settled = self.settle();
        until("everything is due", || now() > settled).await;
        for row in 0..HOT {
            for member in &self.members {
                self.judge.read(member.read(row, Demand::Plain, Duration::ZERO).await.unwrap());
            }
        }
        for member in &self.members {
            // Redis may be gone.
            let _ = member.node.shutdown().await;
        }
        while self.listeners.join_next().await.is_some() {}
        let verdict = self.judge.verdict();
        say(self.name, &verdict);
        verdict
    }

    /// Ends it; nothing was promised that was not kept.
    pub(crate) async fn finish_kept(self) {
        let name = self.name;
        let verdict = self.finish().await;
        assert_eq!(verdict.violations(), 0, "{name}: {verdict}\n{}", verdict.examples);
        let judged = verdict.judged;
        let counts = [judged.plain, judged.proven, judged.session, judged.settled, verdict.applied];
        assert!(counts.iter().all(|count| *count > 50), "{name}: hardly anything was judged: {verdict}");
    }

    fn lates(&self) -> u64 {
        self.members.iter().map(Member::lates).sum()
    }

    /// No read is older than the database is now from the instant on that this returns.
    fn settle(&self) -> u64 {
        let settled = now() + SETTLED_AFTER.as_nanos() as u64;
        self.judge.settled(settled, (0..HOT).map(|row| (row, self.authority.version(row))));
        settled
    }

    /// Every member has in memory what nobody writes.
    async fn fill(&mut self) {
        for member in &self.members {
            for row in HOT..HOT + STILL {
                member.has_still(row).await;
            }
        }
    }
}

/// Waits until `holds`, looking every 2 ms.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    let mut ticks = interval(Duration::from_millis(2));
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "after {PATIENCE:?} still not: {what}");
        ticks.tick().await;
    }
}
