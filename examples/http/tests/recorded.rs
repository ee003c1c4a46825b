//! What the processes record, judged.

mod harness;

use std::fs::File;
use std::path::PathBuf;

use harness::{Process, eventually, folder, free_addresses};
use unstale_audit::{Begin, Clock, Marks, Promise, Read, Recorder, Report, Served, Terms, check};

fn checked(histories: &[PathBuf]) -> Report {
    check(histories.len(), |index| File::open(&histories[index]), Terms::default(), |_| {})
        .expect("histories")
}

#[test]
fn three_processes_record_what_they_promised_and_kept_also_after_a_kill() {
    let (folder, file) = folder();
    let mesh = free_addresses(3);
    let names = ["a", "b", "c"];
    let histories: Vec<_> = names.iter().map(|name| folder.path().join(format!("{name}.history"))).collect();
    let start = |own: usize| {
        let others: Vec<_> = mesh.iter().copied().filter(|address| *address != mesh[own]).collect();
        let flags = ["--record".to_owned(), histories[own].display().to_string()];
        Process::start_with(names[own], mesh[own], &others, &file, &flags)
    };
    let mut nodes = [start(0), start(1), start(2)];
    nodes.iter().for_each(Process::ready);
    for price in 0..20 {
        let written = nodes[price as usize % 3].put("1", price, "tea");
        assert_eq!(written.status, 200, "{written:?}");
        for node in &nodes {
            assert_eq!(node.get_with("/products/1", written.session()).json()["price"], price);
            node.get("/products/1?within=250&or=flag");
            node.get("/products/1?within=0&or=bypass");
            node.get("/categories/tea?within=1000&or=flag");
        }
    }
    assert_eq!(nodes[0].delete("/products/1").status, 200);
    assert_eq!(nodes[0].get("/products/1").status, 404);
    // The last tenth of a second before the kill may be lost.
    eventually("every write is written down", || checked(&histories).writes == 21);
    nodes[2].kill_and_restart();
    nodes[2].ready();
    assert_eq!(nodes[2].get("/categories/tea").status, 200);
    assert_eq!(nodes[2].put("2", 1, "tea").status, 200);
    nodes[2].get("/products/2");

    eventually("everything is written", || {
        checked(&histories).unversioned >= 1 && checked(&histories).keys == 2
    });
    let report = checked(&histories);
    assert!(report.is_coherent(), "{:#?}", report.examples);
    assert_eq!((report.clocks, report.processes, report.writes), (1, 4, 22));
    assert!(report.judged.session >= 40 && report.judged.proven >= 40, "{:?}", report.judged);
    assert!(!report.is_complete(), "they still run");

    // Somebody who shows version 1 as proven is found out by what the others recorded.
    drop(nodes);
    let begin = Begin { clock: Clock::of_this_boot(), marks: Marks::None, at: u64::MAX / 2, source: "liar" };
    let lies = folder.path().join("lies");
    let recorder = Recorder::create(&lies, &begin).expect("a new file");
    let liar = recorder.process("liar", 0).expect("a short name");
    let lie = Read::new(liar, b"product 1".as_slice(), 1, Served::Hit);
    let began = u64::MAX / 2;
    recorder.read(&Read { began, ended: began, within: Some(0), ..lie });
    recorder.close().expect("written");
    let report = checked(&[histories, vec![lies]].concat());
    assert_eq!(report.stale_reads(), 1, "{:#?}", report.examples);
    assert_eq!((report.examples[0].promise, report.examples[0].process.as_str()), (Promise::Proven, "liar"));
}
