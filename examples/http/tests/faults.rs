//! The service while processes are killed and links are cut.

mod harness;

use harness::link::Link;
use harness::{Cluster, Process, eventually, folder, free_addresses};
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

#[test]
fn behind_a_proxy_for_each_direction_two_of_three_work_without_the_third() {
    let (_folder, file) = folder();
    let mesh = free_addresses(3);
    let link = |to: usize| Link::to(mesh[to]);
    // No two nodes know a third one under one address.
    let (a_to, b_to, c_to) = ([link(1), link(2)], [link(0), link(2)], [link(0), link(1)]);
    let start = |name: &str, own: usize, links: &[Link; 2]| {
        Process::start(name, mesh[own], &[links[0].address(), links[1].address()], &file)
    };
    let a = start("a", 0, &a_to);
    let mut b = start("b", 1, &b_to);
    let works = |a: &Process, b: &Process, price: i64| {
        a.ready();
        b.ready();
        // A node that has just joined is a voice in the others' lease with its next beat.
        eventually("writes are announced", || {
            a.put("1", price, "tea").header("unstale-announced") == Some("yes")
        });
        let written = a.put("1", price, "tea");
        assert_eq!(written.status, 200, "{written:?}");
        assert_eq!(b.get_with("/products/1", written.session()).json()["price"], price);
        eventually("proven", || {
            [a, b].iter().all(|node| node.get("/products/1?within=500&or=error").status == 200)
        });
    };
    // The third one never came up.
    works(&a, &b, 1);
    let mut c = start("c", 2, &c_to);
    c.ready();
    works(&b, &c, 2);
    // It went, and another one that never learns of it starts afresh.
    c.kill();
    eventually("the dead one is ended", || a.get("/products/1?within=500&or=error").status == 200);
    b.kill_and_restart();
    works(&a, &b, 3);
    works(&b, &a, 4);
}
