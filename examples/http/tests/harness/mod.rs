//! Real processes of the example, a small HTTP client, and links that can be cut.
#![expect(dead_code, reason = "each test file uses a part of it")]

pub(crate) mod client;
pub(crate) mod link;

use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use client::{Answer, request};
use link::Link;
use serde_json::Value;

/// How long anything may take that happens by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running process of the example; it is killed when this is dropped.
pub(crate) struct Process {
    arguments: Vec<String>,
    child: Child,
    pub(crate) http: SocketAddr,
}

impl Process {
    /// Starts the example on `mesh`, with a free port for HTTP.
    pub(crate) fn start(name: &str, mesh: SocketAddr, peers: &[SocketAddr], file: &Path) -> Self {
        Self::start_with(name, mesh, peers, file, &[])
    }

    /// The same, with more flags.
    pub(crate) fn start_with(
        name: &str,
        mesh: SocketAddr,
        peers: &[SocketAddr],
        file: &Path,
        flags: &[String],
    ) -> Self {
        let mut arguments: Vec<String> =
            ["--listen", "127.0.0.1:0", "--name", name, "--mesh"].map(str::to_owned).into();
        arguments.push(mesh.to_string());
        for peer in peers {
            arguments.extend(["--peer".to_owned(), peer.to_string()]);
        }
        arguments.extend(["--db".to_owned(), file.display().to_string()]);
        arguments.extend_from_slice(flags);
        let (child, http) = spawn(&arguments);
        Self { arguments, child, http }
    }

    /// Ends it as a crash would, and starts it again with the same arguments.
    pub(crate) fn kill_and_restart(&mut self) {
        self.kill();
        (self.child, self.http) = spawn(&self.arguments);
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        request(self.http, "GET", path, &[], "")
    }

    pub(crate) fn get_with(&self, path: &str, session: &str) -> Answer {
        request(self.http, "GET", path, &[("unstale-session", session)], "")
    }

    pub(crate) fn put(&self, id: &str, price: i64, category: &str) -> Answer {
        let body =
            serde_json::json!({ "name": format!("product {id}"), "price": price, "category": category });
        request(self.http, "PUT", &format!("/products/{id}"), &[], &body.to_string())
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        request(self.http, "DELETE", path, &[], "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        request(self.http, "POST", path, &[], body)
    }

    /// Waits until `/readyz` says 200.
    pub(crate) fn ready(&self) {
        eventually("ready", || self.get("/readyz").status == 200);
    }

    /// Resident memory in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(arguments: &[String]) -> (Child, SocketAddr) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_unstale-example-http"))
        .args(arguments)
        .env_remove("UNSTALE_MESH_SECRET")
        .stdout(Stdio::piped())
        .spawn()
        .expect("the example is built");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
    let http = line.trim().strip_prefix("listening on http://").and_then(|address| address.parse().ok());
    (child, http.unwrap_or_else(|| panic!("the example did not start: {line:?}")))
}

/// Three processes over one file, each reaching the others directly or, the last one, through links that can be cut.
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Process>,
    pub(crate) links: Vec<Link>,
    _folder: tempfile::TempDir,
}

impl Cluster {
    /// Three processes that are ready.
    pub(crate) fn start() -> Self {
        let (folder, file) = folder();
        let mesh = free_addresses(3);
        let others =
            |own: usize| mesh.iter().copied().filter(|address| *address != mesh[own]).collect::<Vec<_>>();
        let start = |own: usize| Process::start(["a", "b", "c"][own], mesh[own], &others(own), &file);
        Self::ready(vec![start(0), start(1), start(2)], Vec::new(), folder)
    }

    /// The same, where everything between the last one and the others goes over `links`.
    pub(crate) fn start_with_links() -> Self {
        let (folder, file) = folder();
        let mesh = free_addresses(3);
        let [a_to_c, b_to_c, c_to_a, c_to_b] = [mesh[2], mesh[2], mesh[0], mesh[1]].map(Link::to);
        let nodes = vec![
            Process::start("a", mesh[0], &[mesh[1], a_to_c.address()], &file),
            Process::start("b", mesh[1], &[mesh[0], b_to_c.address()], &file),
            Process::start("c", mesh[2], &[c_to_a.address(), c_to_b.address()], &file),
        ];
        Self::ready(nodes, vec![a_to_c, b_to_c, c_to_a, c_to_b], folder)
    }

    fn ready(nodes: Vec<Process>, links: Vec<Link>, folder: tempfile::TempDir) -> Self {
        for node in &nodes {
            node.ready();
        }
        Self { nodes, links, _folder: folder }
    }

    /// Waits until every node answers a plain read of `path` like this.
    pub(crate) fn settles_on(&self, path: &str, wanted: &Value) {
        for node in &self.nodes {
            eventually(&format!("{path} is {wanted}"), || node.get(path).json() == *wanted);
        }
    }
}

/// A folder for a database.
pub(crate) fn folder() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("shop.sqlite");
    (folder, file)
}

/// Addresses that nobody listens on just now.
pub(crate) fn free_addresses(count: usize) -> Vec<SocketAddr> {
    // All are bound at once, so that none is given out twice.
    let bound: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").expect("a free port")).collect();
    bound.iter().map(|listener| listener.local_addr().expect("bound")).collect()
}

/// Waits until something is so; fails after a while.
pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}
