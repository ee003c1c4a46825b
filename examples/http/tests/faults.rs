//! The service while processes are killed and links are cut.

mod harness;

use harness::{Cluster, eventually};
use serde_json::{Value, json};

fn product(price: i64, version: u64) -> Value {
    json!({ "id": "1", "name": "product 1", "price": price, "category": "tea", "version": version })
}

#[test]
fn a_killed_process_comes_back_and_answers_as_the_database_does() {
    let mut cluster = Cluster::start();
    assert_eq!(cluster.nodes[2].put("1", 1, "tea").status, 200);
    cluster.settles_on("/products/1", &product(1, 1));
    cluster.nodes[2].kill();
    // Two of three are a majority: they go on writing.
    let [a, b, _] = &cluster.nodes[..] else { panic!("three nodes") };
    let written = a.put("1", 2, "tea");
    assert_eq!((written.status, written.json()), (200, product(2, 2)));
    assert_eq!(b.get_with("/products/1", written.session()).json(), product(2, 2));

    cluster.nodes[2].kill_and_restart();
    cluster.nodes[2].ready();
    cluster.settles_on("/products/1", &product(2, 2));
    let written = cluster.nodes[2].put("1", 3, "tea");
    assert_eq!(written.status, 200, "{written:?}");
    assert_eq!(cluster.nodes[0].get_with("/products/1", written.session()).json(), product(3, 3));
    eventually("proven again", || {
        cluster.nodes.iter().all(|node| node.get("/products/1?within=1000&or=error").status == 200)
    });
}

#[test]
fn a_process_that_is_cut_off_says_so_and_is_coherent_again_when_the_links_heal() {
    let cluster = Cluster::start_with_links();
    let [a, b, c] = &cluster.nodes[..] else { panic!("three nodes") };
    assert_eq!(a.put("1", 1, "tea").status, 200);
    cluster.settles_on("/products/1", &product(1, 1));
    for link in &cluster.links {
        link.cut();
    }
    // Before anybody noticed anything, a proof must not be claimed for what cannot be known.
    let written = b.put("1", 2, "tea");
    assert_eq!(written.json(), product(2, 2));
    eventually("no proof in the cut", || c.get("/products/1?within=250&or=error").status == 503);
    assert_eq!(c.get("/products/1?within=250&or=bypass").json(), product(2, 2));
    assert_eq!(c.get_with("/products/1", written.session()).json(), product(2, 2));
    eventually("writes are refused", || c.put("2", 1, "tea").status == 503);
    assert_eq!(c.get("/readyz").status, 503);
    // The others end it after a while, and prove again without it.
    eventually("the majority proves", || {
        [a, b].iter().all(|node| node.get("/products/1?within=500&or=error").status == 200)
    });
    assert_eq!(a.put("1", 3, "tea").status, 200);

    for link in &cluster.links {
        link.heal();
    }
    cluster.settles_on("/products/1", &product(3, 3));
    c.ready();
    let written = c.put("1", 4, "tea");
    assert_eq!((written.status, written.json()), (200, product(4, 4)));
    cluster.settles_on("/products/1", &product(4, 4));
}
