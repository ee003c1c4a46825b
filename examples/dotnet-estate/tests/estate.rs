//! The service, a live .NET node and one Redis.

use std::io::{self, BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use unstale_servers::{FusionNode, Program, Redis, needs};

/// The service as a child process, killed when dropped.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(redis: &Redis, db: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_unstale-example-dotnet-estate"))
            .args(["--redis", &redis.url(), "--longest-factory-ms", "500", "--db"])
            .arg(db)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the service starts");
        let mut line = String::new();
        let out = child.stdout.take().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let address = line.trim().strip_prefix("listening on ").expect("an address").to_owned();
        Self { child, address }
    }

    /// Status, headers, body.
    async fn ask(&self, method: &str, path: &str, body: &str) -> io::Result<(u16, String, String)> {
        let mut stream = TcpStream::connect(&self.address).await?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: shop\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n"
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or(io::ErrorKind::InvalidData)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok((status.ok_or(io::ErrorKind::InvalidData)?, head.to_owned(), body.to_owned()))
    }

    async fn name(&self) -> Option<String> {
        let (status, _, body) = self.ask("GET", "/products/1", "").await.expect("an answer");
        (status == 200).then_some(body)
    }

    async fn put(&self, name: &str) {
        let (status, ..) = self.ask("PUT", "/products/1", name).await.expect("an answer");
        assert_eq!(status, 204);
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.child.kill().expect("it can be killed");
        self.child.wait().expect("it ends");
    }
}

async fn ask(node: &mut FusionNode, request: Value) -> Value {
    node.ask(&request).await.expect("the live node answers")
}

#[tokio::test]
async fn both_sides_find_what_the_other_cached_and_forget_what_it_removed() {
    needs!(Program::RedisServer);
    needs!(Program::FusionNode);
    let redis = Redis::start().await.expect("redis starts");
    let db = redis.folder().join("shop.sqlite");
    let service = Service::start(&redis, &db);
    let arguments = ["--cache-name", "Products", "--key-prefix", "shop:"];
    let mut node = FusionNode::start(&redis.address(), &arguments).await.expect("the live node starts");

    assert_eq!(service.name().await, None);
    service.put("Assam").await;
    assert_eq!(service.name().await.as_deref(), Some("Assam"));
    let (_, head, _) = service.ask("GET", "/products/1", "").await.expect("an answer");
    assert!(
        head.contains("unstale-served: hit") && head.contains("unstale-proven: no: foreign writer"),
        "{head}"
    );

    let from_factory = json!({"op": "get_or_set", "key": "product:1", "value": "from its factory"});
    assert_eq!(ask(&mut node, from_factory).await["value"], "Assam", "the service's entry");
    service.put("Ceylon").await;
    let gone = ask(&mut node, json!({"op": "wait_gone", "key": "product:1", "timeout_ms": 10_000})).await;
    assert_eq!(gone["gone"], true);

    // Somebody writes the database and tells the .NET node alone.
    assert_eq!(service.name().await.as_deref(), Some("Ceylon"));
    let beside = rusqlite::Connection::open(&db).expect("the file is there");
    beside.execute("UPDATE products SET name = 'Darjeeling'", []).expect("a row");
    ask(&mut node, json!({"op": "remove", "key": "product:1"})).await;
    let forgotten = async {
        while service.name().await.as_deref() != Some("Darjeeling") {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), forgotten).await.expect("the service hears of it");
    let (_, head, _) = service.ask("GET", "/products/1?within=0", "").await.expect("an answer");
    assert!(head.contains("unstale-served: bypass") && head.contains("unstale-proven: yes"), "{head}");
    let (_, _, counts) = service.ask("GET", "/counts", "").await.expect("an answer");
    assert!(!counts.contains("\"heard\":0"), "{counts}");
}
