//! Where records lie that were captured from real .NET nodes: golden, and never part of this repository.
//!
//! The folder that holds `fusioncache/` is named by `UNSTALE_VECTORS`, or lies beside the repository as `../shared/vectors`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;

/// The records of a file, or nothing where they are not to be had: the test is then listed as skipped.
pub(crate) fn records(test: &str, file: &str) -> Option<Vec<Value>> {
    let path = folder(test)?.join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut all: Value = serde_json::from_str(&text).expect("the records are JSON");
    let list = if file == "backplane.json" { "messages" } else { "entries" };
    let Value::Array(records) = all[list].take() else { panic!("{file} has no {list}") };
    Some(records)
}

fn folder(test: &str) -> Option<PathBuf> {
    if let Some(named) = env::var_os("UNSTALE_VECTORS") {
        let folder = PathBuf::from(named).join("fusioncache");
        assert!(folder.is_dir(), "UNSTALE_VECTORS names no folder with fusioncache/: {}", folder.display());
        return Some(folder);
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/fusioncache");
    if beside.is_dir() {
        return Some(beside);
    }
    skip(test, "no captured records: UNSTALE_VECTORS is not set, and ../shared/vectors is not there");
    None
}

/// Says that a test could not run, where `./test` looks for it and on standard error.
fn skip(test: &str, why: &str) {
    eprintln!("skipped: {test}: {why}");
    if let Some(list) = env::var_os("UNSTALE_SKIPPED") {
        let list = fs::OpenOptions::new().append(true).create(true).open(list);
        let written = list.and_then(|mut list| writeln!(list, "{test}: {why}"));
        written.expect("the list of skipped tests can be written");
    }
}
