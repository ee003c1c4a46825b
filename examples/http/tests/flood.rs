//! Strangers at the mesh port: ten thousand connections one after the other and a thousand at once that never finish the
//! handshake. They come from this process; the node is another one.

mod harness;

use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use harness::{Process, eventually, folder, free_addresses};

/// 256 connections of strangers at once cost less than this; so does anything that grew with their number.
const GROWTH_KIB_MAX: u64 = 24 * 1_024;

fn counted(node: &Process) -> f64 {
    let metrics = node.get("/metrics").body;
    let handshakes = metrics.lines().filter(|line| !line.starts_with('#') && line.contains("handshake-"));
    handshakes.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

/// Connects, says something that is no handshake's end, and stays.
fn knock(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(5)).ok()?;
    stream.write_all(&[0]).ok()?;
    Some(stream)
}

#[test]
fn strangers_that_never_finish_the_handshake_disturb_nobody() {
    let (_folder, file) = folder();
    let mesh = free_addresses(2);
    let a = Process::start("a", mesh[0], &[mesh[1]], &file);
    let b = Process::start("b", mesh[1], &[mesh[0]], &file);
    a.ready();
    b.ready();
    let before = a.resident_kib();
    let mut price = 0;
    let mut coherent = || {
        price += 1;
        let written = a.put("1", price, "tea");
        assert_eq!((written.status, written.header("unstale-announced")), (200, Some("yes")), "{written:?}");
        assert_eq!(b.get_with("/products/1", written.session()).json()["price"], price);
    };

    let begun = Instant::now();
    for stranger in 0..10_000 {
        drop(knock(mesh[0]));
        if stranger % 1_000 == 0 {
            coherent();
        }
    }
    let crowd: Vec<_> = (0..1_000).map(|_| knock(mesh[0])).collect();
    assert!(crowd.iter().flatten().count() > 256, "more than a node takes at once");
    for _ in 0..20 {
        coherent();
    }
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    let grown = a.resident_kib().saturating_sub(before);
    assert!(grown < GROWTH_KIB_MAX, "{grown} KiB");
    eventually("most of them are counted", || counted(&a) > 9_000.0);
    drop(crowd);
    coherent();
    assert_eq!(b.get("/products/1?within=1000&or=error").status, 200);
}
