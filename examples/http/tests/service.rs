//! The contract of the service, over real processes.

mod harness;

use harness::{Cluster, Process, eventually, folder, free_addresses};
use serde_json::{Value, json};

fn product(id: &str, price: i64, category: &str, version: u64) -> Value {
    json!({ "id": id, "name": format!("product {id}"), "price": price, "category": category, "version": version })
}

#[test]
fn a_process_answers_before_any_peer_exists_and_refuses_to_write() {
    let (_folder, file) = folder();
    let mesh = free_addresses(3);
    let alone = Process::start("a", mesh[0], &mesh[1..], &file);
    assert_eq!(alone.get("/healthz").status, 200);
    let ready = alone.get("/readyz");
    assert_eq!(ready.status, 503, "{ready:?}");
    assert!(ready.json().is_object());

    assert_eq!(alone.put("1", 10, "tea").status, 503);
    // It loads: that is as new as the request, and nothing else is known.
    let read = alone.get("/products/1");
    assert_eq!(
        (read.status, read.served(), read.header("unstale-proof-age-ms")),
        (404, "load", None),
        "{read:?}"
    );
}

#[test]
fn a_process_without_peers_is_alone_and_does_everything() {
    let (_folder, file) = folder();
    let alone = Process::start("solo", free_addresses(1)[0], &[], &file);
    alone.ready();
    let written = alone.put("1", 10, "tea");
    assert_eq!((written.status, written.header("unstale-announced")), (200, Some("yes")), "{written:?}");
    let read = alone.get("/products/1?within=0&or=error");
    assert_eq!((read.json(), read.header("unstale-proven")), (product("1", 10, "tea", 1), Some("yes")));
    assert_eq!(read.header("unstale-node"), Some("solo"));
}

#[test]
fn an_address_beyond_loopback_needs_a_secret() {
    let (_folder, file) = folder();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_unstale-example-http"))
        .args(["--listen", "127.0.0.1:0", "--mesh", "0.0.0.0:0", "--db"])
        .arg(&file)
        .env_remove("UNSTALE_MESH_SECRET")
        .output()
        .expect("the example is built");
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("secret"), "{output:?}");
}

#[test]
fn three_processes_show_every_write_everywhere() {
    let cluster = Cluster::start();
    let [a, b, c] = &cluster.nodes[..] else { panic!("three nodes") };

    // Nothing is cached everywhere before there is something.
    for node in &cluster.nodes {
        assert_eq!(node.get("/products/1").status, 404);
    }
    assert_eq!(b.get("/products/1").served(), "hit");
    let written = a.put("1", 10, "tea");
    assert_eq!((written.status, written.json()), (200, product("1", 10, "tea", 1)));
    assert_eq!(written.header("unstale-announced"), Some("yes"));
    // Its own node at once, others with its token at once, others without it in a moment.
    assert_eq!(a.get("/products/1").json(), product("1", 10, "tea", 1));
    assert_eq!(c.get_with("/products/1", written.session()).json(), product("1", 10, "tea", 1));
    cluster.settles_on("/products/1", &product("1", 10, "tea", 1));
    eventually("a hit", || b.get("/products/1").served() == "hit");

    for version in 2..30 {
        let writer = &cluster.nodes[version as usize % 3];
        let reader = &cluster.nodes[(version as usize + 1) % 3];
        let written = writer.put("1", 10 + version, "tea");
        let newest = product("1", 10 + version, "tea", version as u64);
        assert_eq!(reader.get_with("/products/1", written.session()).json(), newest);
        assert_eq!(writer.get("/products/1").json(), newest);
    }

    let deleted = b.delete("/products/1");
    assert_eq!((deleted.status, deleted.json()), (200, json!({ "id": "1", "version": 30 })));
    let gone = a.get_with("/products/1", deleted.session());
    assert_eq!((gone.status, gone.header("unstale-node")), (404, Some("a")), "{gone:?}");
    assert_eq!(b.delete("/products/1").status, 404);
    assert_eq!(c.put("1", 5, "tea").json()["version"], 31);
}

#[test]
fn lists_follow_their_members_and_their_container() {
    let cluster = Cluster::start();
    let [a, b, c] = &cluster.nodes[..] else { panic!("three nodes") };
    let list = |category: &str, products: &[Value]| json!({ "category": category, "products": products });
    for node in &cluster.nodes {
        assert_eq!(node.get("/categories/tea").json(), list("tea", &[]));
    }
    // A member comes in.
    let wishes = json!([
        { "id": "2", "name": "product 2", "price": 2, "category": "tea" },
        { "id": "1", "name": "product 1", "price": 1, "category": "tea" },
    ]);
    let stored = a.post("/products/bulk", &wishes.to_string());
    let (one, two) = (product("1", 1, "tea", 1), product("2", 2, "tea", 1));
    assert_eq!((stored.status, stored.json()), (200, json!([two, one])), "{stored:?}");
    let read = b.get_with("/categories/tea", stored.session());
    assert_eq!(read.json(), list("tea", &[one.clone(), two.clone()]));
    cluster.settles_on("/categories/tea", &list("tea", &[one.clone(), two.clone()]));
    // A member changes.
    let changed = b.put("1", 9, "tea");
    let one = product("1", 9, "tea", 2);
    assert_eq!(
        c.get_with("/categories/tea", changed.session()).json(),
        list("tea", &[one.clone(), two.clone()])
    );
    // A member moves to another category.
    let moved = c.put("2", 2, "milk");
    let two = product("2", 2, "milk", 2);
    assert_eq!(a.get_with("/categories/tea", moved.session()).json(), list("tea", &[one]));
    assert_eq!(a.get_with("/categories/milk", moved.session()).json(), list("milk", &[two]));
    // The last member goes.
    let deleted = a.delete("/products/1");
    assert_eq!(b.get_with("/categories/tea", deleted.session()).json(), list("tea", &[]));
    cluster.settles_on("/categories/tea", &list("tea", &[]));
}

#[test]
fn a_tag_is_forgotten_on_every_node() {
    let cluster = Cluster::start();
    let [a, b, _] = &cluster.nodes[..] else { panic!("three nodes") };
    let written = a.put("1", 1, "tea");
    let other = a.put("2", 1, "milk");
    b.get_with("/products/1", written.session());
    b.get_with("/products/2", other.session());
    assert_eq!((b.get("/products/1").served(), b.get("/products/2").served()), ("hit", "hit"));
    let forgotten = a.delete("/tags/category:tea");
    assert_eq!(forgotten.status, 200, "{forgotten:?}");
    assert_eq!(b.get_with("/products/1", forgotten.session()).served(), "load");
    assert_eq!(b.get("/products/2").served(), "hit");
}

#[test]
fn a_read_gets_the_freshness_that_it_asks_for_or_what_it_chose_instead() {
    let cluster = Cluster::start();
    let [a, b, _] = &cluster.nodes[..] else { panic!("three nodes") };
    a.put("1", 1, "tea");
    cluster.settles_on("/products/1", &product("1", 1, "tea", 1));
    eventually("proven within a second", || {
        let read = b.get("/products/1?within=1000&or=error");
        read.status == 200 && read.header("unstale-proven") == Some("yes") && read.served() == "hit"
    });
    eventually("a hit of known age", || {
        let read = b.get("/products/1");
        let age = read.header("unstale-proof-age-ms").and_then(|age| age.parse::<u64>().ok());
        (read.served(), read.header("unstale-proven")) == ("hit", Some("yes"))
            && age < Some(1_000)
            && age.is_some()
    });
    // Nothing that is cached can be proven to reflect this very instant.
    eventually("503", || b.get("/products/1?within=0&or=error").status == 503);
    let refused = b.get("/categories/tea?within=0&or=error");
    if refused.status == 503 {
        assert_eq!(
            (refused.header("unstale-proven"), refused.header("unstale-node")),
            (Some("no"), Some("b"))
        );
    }
    eventually("a flag", || {
        let read = b.get("/products/1?within=0&or=flag");
        read.status == 200 && read.header("unstale-proven") == Some("no")
    });
    let read = b.get("/products/1?within=0&or=bypass");
    assert_eq!((read.served(), read.header("unstale-proven")), ("bypass", Some("yes")));
    assert_eq!(b.get("/products/1?within=0").served(), "bypass");
}

#[test]
fn bad_input_is_refused_in_json() {
    let (_folder, file) = folder();
    let alone = Process::start("a", free_addresses(1)[0], &[], &file);
    alone.ready();
    for (path, body) in [
        ("/products/bulk", "no json"),
        ("/products/bulk", "[]"),
        ("/products/bulk", r#"[{"id":"1","name":"n","price":"much","category":"c"}]"#),
        ("/products/bulk", r#"[{"id":"","name":"n","price":1,"category":"c"}]"#),
    ] {
        let answer = alone.post(path, body);
        assert_eq!(answer.status, 400, "{body}: {answer:?}");
        assert!(answer.json()["error"].is_string());
    }
    let escape = alone.get("/products/%ff");
    assert_eq!(escape.status, 400, "{escape:?}");
    assert!(escape.json()["error"].is_string());
    assert_eq!(alone.get("/products/1?within=soon").status, 400);
    assert_eq!(alone.get("/products/1?within=1&or=else").status, 400);
    assert_eq!(alone.get_with("/products/1", "no token").status, 400);
    assert_eq!(alone.get("/nowhere").status, 404);
    let large = alone.post("/products/bulk", &"x".repeat((1 << 20) + 1));
    assert!((400..500).contains(&large.status), "{}", large.status);
    assert!(alone.get("/metrics").body.contains("# TYPE "));
}
