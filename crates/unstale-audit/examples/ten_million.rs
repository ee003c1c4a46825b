//! How long a check takes and how much memory: makes a history of a cache that keeps its promises, and checks it.
//!
//! ```sh
//! cargo run --release -p unstale-audit --example ten_million [-- RECORDS [FILE]]
//! ```
//!
//! With FILE the history is left there, for `unstale audit check`.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;
use std::time::Instant;

use unstale_audit::{Begin, Clock, Marks, Monotone, Read, Scribe, Served, Terms, Token, Write, check};

const NODES: u32 = 6;
const SESSIONS: u64 = 10_000;
const KEYS: u64 = 100_000;
/// One record of so many is a write.
const WRITE_ONE_OF: u64 = 20;
/// Between two records.
const STEP: u64 = 20_000;
/// After so long every node shows a write.
const LAG: u64 = 1_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let records = arguments.next().map_or(Ok(10_000_000), |records| records.parse())?;
    let (file, is_kept) = match arguments.next() {
        Some(file) => (PathBuf::from(file), true),
        None => (std::env::temp_dir().join(format!("unstale-ten-million-{}", std::process::id())), false),
    };
    let outcome = measure(records, &file);
    if !is_kept {
        // It may never have been made.
        let _ = std::fs::remove_file(&file);
    }
    outcome
}

fn measure(records: u64, file: &PathBuf) -> Result<(), Box<dyn Error>> {
    let mut out = std::io::stdout();
    let started = Instant::now();
    generate(records, file)?;
    let bytes = std::fs::metadata(file)?.len();
    let per_record = bytes as f64 / records as f64;
    writeln!(
        out,
        "wrote    {records} records, {bytes} bytes ({per_record:.1} each), in {:.1?}",
        started.elapsed()
    )?;
    writeln!(out, "memory   {} MiB at most", peak_mib()?)?;

    let started = Instant::now();
    let terms = Terms { monotone: Monotone::Promised, ..Terms::default() };
    let report = check(1, |_| File::open(file), terms, |_| {})?;
    let took = started.elapsed();
    writeln!(out, "checked  {} reads against {} writes in {took:.1?}", report.reads, report.writes)?;
    writeln!(out, "memory   {} MiB at most", peak_mib()?)?;
    writeln!(out, "found    {} broken promises", report.stale_reads())?;
    if !report.is_coherent() || !report.is_complete() {
        return Err("a history that keeps every promise was found to break one, or not to be whole".into());
    }
    Ok(())
}

/// Rows are written one after the other; every node shows a write a while after it returned, its own at once.
fn generate(records: u64, file: &PathBuf) -> Result<(), Box<dyn Error>> {
    let begin =
        Begin { clock: Clock::virtual_time(), marks: Marks::EveryFault, at: 0, source: "ten million" };
    let mut scribe = Scribe::new(BufWriter::with_capacity(1 << 20, File::create(file)?), &begin)?;
    for node in 0..NODES {
        scribe.process(&format!("node {node}"), 0)?;
    }
    // The last two versions of each row: version, when its write returned, by which node.
    let mut rows = vec![[(1, 0, 0), (1, 0, 0)]; KEYS as usize];
    let mut random = 1;
    for record in 0..records {
        let now = (record + 1) * STEP;
        // The product of two draws is skewed to low numbers, as keys are.
        let row = (next(&mut random) % KEYS) * (next(&mut random) % KEYS) / KEYS;
        let name = format!("product {row}");
        let key = name.as_bytes();
        let process = (next(&mut random) % u64::from(NODES)) as u32;
        let [_, newest] = rows[row as usize];
        if record % WRITE_ONE_OF == 0 && newest.1 + 2 * LAG < now {
            let version = newest.0 + 1;
            let token = Some(Token { stream: &[process as u8; 16][..], number: record });
            let write = Write {
                began: now - 5_000,
                ended: now,
                announced: true,
                token,
                ..Write::new(process, key, version)
            };
            scribe.write(&write)?;
            rows[row as usize] = [newest, (version, now, process)];
            continue;
        }
        let [before, newest] = rows[row as usize];
        let shown = if newest.2 == process || newest.1 + LAG < now { newest } else { before };
        let kind = next(&mut random) % 100;
        let served = if kind < 3 { Served::Load } else { Served::Hit };
        // A session stays with its node.
        let session = next(&mut random) % SESSIONS / u64::from(NODES) * u64::from(NODES) + u64::from(process);
        let within = (kind < 20).then_some(250_000_000);
        let read = Read {
            began: now - 400,
            ended: now,
            within,
            session: Some(session),
            ..Read::new(process, key, shown.0, served)
        };
        scribe.read(&read)?;
    }
    scribe.finish()?;
    Ok(())
}

/// SplitMix64.
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The most memory that this process has had.
fn peak_mib() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak in /proc/self/status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1_024)
}
