//! Reads the workspace as text, so that its rules are enforced and not remembered.
//!
//! The rules themselves are the tests of this crate. What they may except stands in `tidy.toml` at the root, with a reason.

use std::fs;
use std::path::{Path, PathBuf};

mod source;

pub use source::Source;

/// The root of the workspace.
///
/// # Panics
/// When this crate does not lie two folders below it.
pub fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the workspace's root exists")
}

/// Reads a file of the workspace.
///
/// # Panics
/// When it cannot be read: a tidy test then has nothing to stand on.
pub fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A crate of the workspace: its folder and its manifest.
#[derive(Debug)]
pub struct Package {
    /// The crate's name.
    pub name: String,
    /// Its folder.
    pub folder: PathBuf,
    /// Its manifest.
    pub manifest: toml::Table,
}

impl Package {
    /// The names of what it depends on, from one table of its manifest (`dependencies`, `dev-dependencies`).
    pub fn needs(&self, table: &str) -> Vec<String> {
        match self.manifest.get(table).and_then(toml::Value::as_table) {
            Some(table) => table.keys().cloned().collect(),
            None => Vec::new(),
        }
    }
}

/// Every crate under `crates/` and `examples/`, sorted by name.
///
/// # Panics
/// When a folder or a manifest there cannot be read.
pub fn packages() -> Vec<Package> {
    let mut packages = Vec::new();
    for parent in ["crates", "examples"] {
        for entry in fs::read_dir(root().join(parent)).expect("the folder exists") {
            let folder = entry.expect("the folder can be listed").path();
            let manifest = folder.join("Cargo.toml");
            if !manifest.exists() {
                continue;
            }
            let manifest: toml::Table = read(&manifest).parse().expect("a manifest is TOML");
            let name = manifest["package"]["name"].as_str().expect("a package has a name").to_owned();
            packages.push(Package { name, folder, manifest });
        }
    }
    packages.sort_by(|a, b| a.name.cmp(&b.name));
    packages
}

/// Every Rust file of the workspace, sorted by path.
pub fn sources() -> Vec<Source> {
    let mut paths = Vec::new();
    for package in packages() {
        collect(&package.folder, &mut paths);
    }
    paths.sort();
    let root = root();
    paths
        .iter()
        .map(|path| Source::new(path.strip_prefix(&root).expect("below the root"), &read(path)))
        .collect()
}

fn collect(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a source folder can be listed") {
        let path = entry.expect("a source folder can be listed").path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(&path, into);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}
