//! Records what the service reads and writes, for `unstale audit check`.

use std::path::Path;
use std::sync::Arc;

use unstale::{Instant, Node, Read, Receipt, Served, SessionToken};
use unstale_audit::{Begin, Clock, Error, Marks, Recorder, Token};

use crate::database::Product;
use crate::demand::Demand;

/// The history of this process, if one is wanted. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recording {
    to: Option<Arc<To>>,
}

#[derive(Debug)]
struct To {
    recorder: Recorder,
    process: u32,
}

impl Recording {
    /// Goes on with the history in `file`, if there is to be one; it is made if it is absent.
    pub(crate) fn open(file: Option<&Path>, node: &Node) -> Result<Self, Error> {
        let Some(file) = file else { return Ok(Self::default()) };
        let (now, name) = (node.now().0, node.status().name.to_string());
        // Nobody tells this process when links are cut or others are killed, so it marks no faults.
        let begin = Begin {
            clock: Clock::of_this_boot(),
            marks: Marks::None,
            at: now,
            source: "unstale-example-http",
        };
        let recorder = Recorder::open(file, &begin)?;
        // Processes of one name differ by when they began.
        let process = recorder.process(&name, now)?;
        Ok(Self { to: Some(Arc::new(To { recorder, process })) })
    }

    /// A read was answered that began at `began`, and showed `shown`: each with its id, and its version if there is such a row.
    pub(crate) fn read<'a, T>(
        &self,
        node: &Node,
        began: Instant,
        demand: &Demand,
        read: &Read<T>,
        shown: impl IntoIterator<Item = (&'a str, Option<u64>)>,
    ) {
        let Some(To { recorder, process }) = self.to.as_deref() else { return };
        let ended = node.now().0;
        let stream = demand.session.map(|token| token.stream().to_string());
        let token = stream.as_deref().zip(demand.session).map(|(stream, token)| act(stream, token));
        for (id, version) in shown {
            let key = key(id);
            let plain = unstale_audit::Read::new(*process, key.as_bytes(), 0, served(read));
            let within = within(demand, read);
            recorder.read(&unstale_audit::Read { version, began: began.0, ended, within, token, ..plain });
        }
    }

    /// A write returned that began at `began`: these rows have these versions now.
    pub(crate) fn write<'a>(
        &self,
        node: &Node,
        began: Instant,
        receipt: &Receipt,
        rows: impl IntoIterator<Item = (&'a str, u64)>,
    ) {
        let Some(To { recorder, process }) = self.to.as_deref() else { return };
        let ended = node.now().0;
        let stream = receipt.session().stream().to_string();
        let (announced, token) = (receipt.announced(), Some(act(&stream, receipt.session())));
        for (id, version) in rows {
            let key = key(id);
            let plain = unstale_audit::Write::new(*process, key.as_bytes(), version);
            recorder.write(&unstale_audit::Write { began: began.0, ended, announced, token, ..plain });
        }
    }
}

impl Product {
    /// What a read of the row shows.
    pub(crate) fn shown(&self) -> (&str, Option<u64>) {
        (&self.id, Some(self.version))
    }
}

fn key(id: &str) -> String {
    format!("product {id}")
}

fn act(stream: &str, token: SessionToken) -> Token<&[u8]> {
    Token { stream: stream.as_bytes(), number: token.seq().0 }
}

fn served<T>(read: &Read<T>) -> unstale_audit::Served {
    match read.served() {
        Served::Hit => unstale_audit::Served::Hit,
        Served::Load => unstale_audit::Served::Load,
        Served::Stale => unstale_audit::Served::Stale,
        Served::Bypass | _ => unstale_audit::Served::Bypass,
    }
}

/// Within how many nanoseconds an answer was called proven.
fn within<T>(demand: &Demand, read: &Read<T>) -> Option<u64> {
    if !read.proven() {
        return None;
    }
    let demanded = demand.freshness.map(|freshness| freshness.duration());
    // Without a demand the answer is no older than its proof.
    let within = demanded.or_else(|| read.proof_age())?;
    Some(u64::try_from(within.as_nanos()).unwrap_or(u64::MAX))
}
