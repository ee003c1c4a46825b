//! Every example runs, checks what it shows, and ends by itself.

use std::error::Error;
use std::time::{Duration, Instant};

#[path = "../examples/batch_loading.rs"]
mod batch_loading;
#[path = "../examples/bounded_staleness.rs"]
mod bounded_staleness;
#[path = "../examples/conditional_refresh.rs"]
mod conditional_refresh;
#[path = "../examples/dependencies.rs"]
mod dependencies;
#[path = "../examples/events_and_metrics.rs"]
mod events_and_metrics;
#[path = "../examples/fail_safe.rs"]
mod fail_safe;
#[path = "../examples/negative_caching.rs"]
mod negative_caching;
#[path = "../examples/quick_start.rs"]
mod quick_start;
#[path = "../examples/read_your_writes.rs"]
mod read_your_writes;
#[path = "../examples/remove_by_tag.rs"]
mod remove_by_tag;
#[path = "../examples/second_level.rs"]
mod second_level;
#[path = "../examples/timeouts.rs"]
mod timeouts;
#[path = "../examples/two_nodes.rs"]
mod two_nodes;

fn runs(main: fn() -> Result<(), Box<dyn Error>>) {
    let began = Instant::now();
    main().expect("an example ends well");
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "an example took {took:?}");
}

macro_rules! examples {
    ($($example:ident)+) => {
        /// The examples, by name.
        const EXAMPLES: &[&str] = &[$(stringify!($example)),+];

        mod each {
            $(
                #[test]
                fn $example() {
                    super::runs(super::$example::main);
                }
            )+
        }
    };
}

examples! {
    batch_loading
    bounded_staleness
    conditional_refresh
    dependencies
    events_and_metrics
    fail_safe
    negative_caching
    quick_start
    read_your_writes
    remove_by_tag
    second_level
    timeouts
    two_nodes
}

#[test]
fn every_example_is_run_here_and_listed_in_the_readme() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");
    let readme = std::fs::read_to_string(format!("{folder}/README.md")).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if let Some(example) = name.strip_suffix(".rs") {
            assert!(EXAMPLES.contains(&example), "{name} is not run by this test");
            assert!(readme.contains(&format!("[{name}]({name})")), "{name} is not listed in README.md");
        }
    }
}
