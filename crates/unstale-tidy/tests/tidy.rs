//! The rules of the workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use unstale_tidy::{packages, read, root, sources};

const CODE_LINES_MAX: usize = 400;

/// Which crates of the workspace a crate may name. What is missing here may name none.
const EDGES: &[(&str, &[&str])] = &[
    ("unstale-core", &[]),
    ("unstale-codec", &["unstale-core"]),
    ("unstale-l1", &["unstale-core"]),
    ("unstale-port", &[]),
    ("unstale-conformance", &["unstale-port"]),
    ("unstale-mesh", &["unstale-port"]),
    ("unstale-redis", &["unstale-port"]),
    ("unstale-fusion", &["unstale-codec", "unstale-port"]),
    ("unstale-servers", &[]),
    ("unstale-audit", &["unstale-core"]),
    ("unstale", &["unstale-core", "unstale-l1", "unstale-codec", "unstale-port"]),
    (
        "unstale-cli",
        &[
            "unstale",
            "unstale-audit",
            "unstale-codec",
            "unstale-core",
            "unstale-fusion",
            "unstale-mesh",
            "unstale-port",
            "unstale-redis",
        ],
    ),
    (
        "unstale-bench",
        &[
            "unstale",
            "unstale-core",
            "unstale-l1",
            "unstale-codec",
            "unstale-port",
            "unstale-mesh",
            "unstale-redis",
            "unstale-servers",
        ],
    ),
    (
        "unstale-sim",
        &["unstale", "unstale-core", "unstale-l1", "unstale-codec", "unstale-port", "unstale-audit"],
    ),
    ("unstale-example-dotnet-estate", &["unstale", "unstale-fusion", "unstale-redis"]),
    ("unstale-example-http", &["unstale", "unstale-audit", "unstale-mesh"]),
    ("unstale-model", &[]),
    ("unstale-tidy", &[]),
];

/// What tests may name beyond [`EDGES`].
const TEST_EDGES: &[(&str, &[&str])] = &[
    ("unstale-port", &["unstale-conformance"]),
    ("unstale-mesh", &["unstale-conformance"]),
    ("unstale-redis", &["unstale-conformance", "unstale-servers"]),
    ("unstale", &["unstale-audit", "unstale-mesh", "unstale-redis", "unstale-servers"]),
    ("unstale-example-dotnet-estate", &["unstale-servers"]),
    ("unstale-fusion", &["unstale", "unstale-conformance", "unstale-redis", "unstale-servers"]),
    ("unstale-cli", &["unstale-servers"]),
];

/// What a pure crate never calls.
const IMPURE: &[&str] = &[
    "Instant::now",
    "SystemTime",
    "std::time::Instant",
    "std::net",
    "std::env",
    "std::fs",
    "std::thread",
    "tokio",
    "getrandom",
    "rand::",
    "HashMap",
    "HashSet",
    "RandomState",
    "async fn",
];

/// What nobody writes.
const BANNED: &[&str] = &["todo!(", "unimplemented!(", "#[ignore", "dbg!(", "#[allow(", "#![allow("];

#[test]
fn a_crate_names_only_the_crates_that_it_may() {
    let mut wrong = Vec::new();
    for package in packages() {
        let may = allowed(EDGES, &package.name);
        let may_in_tests: BTreeSet<_> = may.union(&allowed(TEST_EDGES, &package.name)).copied().collect();
        for (table, may) in [("dependencies", &may), ("dev-dependencies", &may_in_tests)] {
            for need in package.needs(table).iter().filter(|need| need.starts_with("unstale")) {
                if !may.contains(need.as_str()) {
                    wrong.push(format!("{} [{table}] names {need}", package.name));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "edges that ARCHITECTURE.md does not allow:\n{}", wrong.join("\n"));
}

#[test]
fn every_crate_has_its_row_of_edges_and_the_workspace_lints() {
    for package in packages() {
        let name = &package.name;
        assert!(EDGES.iter().any(|(known, _)| known == name), "{name} has no row in EDGES");
        let lints = package.manifest.get("lints").and_then(|lints| lints.get("workspace"));
        assert_eq!(
            lints.and_then(toml::Value::as_bool),
            Some(true),
            "{name} lacks `[lints] workspace = true`"
        );
    }
}

#[test]
fn core_and_codec_are_pure() {
    let mut wrong = Vec::new();
    for source in sources() {
        if source.is_under("crates/unstale-core/src") || source.is_under("crates/unstale-codec/src") {
            for pattern in IMPURE {
                for line in source.find(pattern) {
                    wrong.push(format!("{}:{line}: {pattern}", source.path.display()));
                }
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "a pure crate has no clock, randomness, socket, task or order by hash:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn files_stay_short() {
    let limits = exceptions();
    let mut wrong = Vec::new();
    for source in sources() {
        let path = source.path.to_string_lossy().into_owned();
        let lines = source.code_lines();
        let limit = limits.get(&path).copied().unwrap_or(CODE_LINES_MAX);
        if lines > limit {
            wrong.push(format!("{path}: {lines} lines of code exceed {limit}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "split by noun, or list the file in tidy.toml with a reason:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn an_exception_names_a_long_file_and_a_reason() {
    let table: toml::Table = read(&root().join("tidy.toml")).parse().expect("tidy.toml is TOML");
    let files = table["file"].as_array().expect("a list of files");
    for file in files {
        let path = file["path"].as_str().expect("a path");
        assert!(file["reason"].as_str().is_some_and(|reason| reason.len() > 10), "{path} has no reason");
        let source = sources().into_iter().find(|source| source.path.to_string_lossy() == path);
        let lines = source.unwrap_or_else(|| panic!("{path} is listed but does not exist")).code_lines();
        assert!(lines > CODE_LINES_MAX, "{path} has {lines} lines of code: it needs no exception any more");
    }
}

#[test]
fn nobody_writes_what_is_banned() {
    let mut wrong = Vec::new();
    for source in sources().iter().filter(|source| !source.is_under("crates/unstale-tidy")) {
        for pattern in BANNED {
            for line in source.find(pattern).into_iter().chain(source.find_in_tests(pattern)) {
                wrong.push(format!("{}:{line}: {pattern}", source.path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn tests_synchronise_on_events_and_not_on_time() {
    let all = sources();
    let mut paused = BTreeSet::new();
    for source in
        all.iter().filter(|source| source.tests.iter().any(|(_, line)| line.contains("start_paused")))
    {
        paused.insert(source.path.parent().map(Path::to_path_buf));
    }
    let mut wrong = Vec::new();
    for source in all.iter().filter(|source| !source.is_under("crates/unstale-tidy")) {
        // In paused time a sleep advances the clock and waits for nobody; a folder's tests share their world.
        let may_sleep = paused.contains(&source.path.parent().map(Path::to_path_buf));
        let sleeps = source.find_in_tests("time::sleep").into_iter().filter(|_| !may_sleep);
        for line in source.find_in_tests("thread::sleep").into_iter().chain(sleeps) {
            wrong.push(format!("{}:{line}", source.path.display()));
        }
    }
    assert!(wrong.is_empty(), "sleeps in tests:\n{}", wrong.join("\n"));
}

#[test]
fn files_are_named_by_a_noun_of_the_field() {
    for source in sources() {
        let stem = source.path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        let lump = ["util", "utils", "common", "helper", "helpers", "misc", "types", "prelude"]
            .contains(&stem.as_str());
        assert!(!lump, "{}: name it by what it holds", source.path.display());
    }
}

#[test]
fn cited_clauses_exist_and_clauses_are_cited() {
    let protocol = read(&root().join("PROTOCOL.md"));
    let mut defined = BTreeMap::new();
    for line in protocol.lines() {
        if let Some(rest) = line.strip_prefix("**P-")
            && let Some((id, text)) = rest.split_once("**")
        {
            defined.insert(format!("P-{id}"), text.contains("(later)") || text.contains("Not promised"));
        }
    }
    assert!(defined.len() > 30, "PROTOCOL.md lists its clauses as **P-n**");
    let mut cited = BTreeSet::new();
    for source in sources().iter().filter(|source| !source.is_under("crates/unstale-tidy")) {
        for (number, line) in source.shipping.iter().chain(&source.tests) {
            for id in clauses_in(line) {
                assert!(defined.contains_key(&id), "{}:{number} cites {id}", source.path.display());
                cited.insert(id);
            }
        }
    }
    let silent: Vec<_> = defined.iter().filter(|(id, later)| !**later && !cited.contains(*id)).collect();
    assert!(silent.is_empty(), "clauses that no code or test cites: {silent:?}");
}

#[test]
fn every_claimed_requirement_names_a_test_that_exists() {
    let text = read(&root().join("docs/requirements.md"));
    let mut claimed = 0;
    for line in text.lines().filter(|line| line.starts_with("| ")) {
        for reference in line.split('`').filter(|part| part.contains(".rs::")) {
            let (path, name) = reference.split_once("::").expect("path::name");
            let file = root().join(path);
            assert!(file.exists(), "docs/requirements.md names {path}");
            let function = name.rsplit("::").next().unwrap_or(name);
            assert!(read(&file).contains(&format!("fn {function}(")), "{path} has no test {function}");
            claimed += 1;
        }
    }
    assert!(claimed > 20, "docs/requirements.md names the test of each claimed id");
}

fn allowed(table: &[(&str, &'static [&'static str])], name: &str) -> BTreeSet<&'static str> {
    let row = table.iter().find(|(known, _)| *known == name);
    row.map(|(_, may)| may.iter().copied().collect()).unwrap_or_default()
}

fn exceptions() -> BTreeMap<String, usize> {
    let table: toml::Table = read(&root().join("tidy.toml")).parse().expect("tidy.toml is TOML");
    let files = table["file"].as_array().expect("a list of files");
    let limit = |file: &toml::Value| {
        let lines = file["lines"]
            .as_integer()
            .and_then(|lines| usize::try_from(lines).ok())
            .expect("a number of lines");
        (file["path"].as_str().expect("a path").to_owned(), lines)
    };
    files.iter().map(limit).collect()
}

fn clauses_in(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("P-") {
        let before = line[..at].chars().next_back();
        let digits: String = line[at + 2..].chars().take_while(char::is_ascii_alphanumeric).collect();
        let is_id = digits.starts_with(|first: char| first.is_ascii_digit());
        if is_id && !before.is_some_and(char::is_alphanumeric) {
            found.push(format!("P-{digits}"));
        }
    }
    found
}
