use super::*;
use crate::demo::schedule::Way;
use std::time::Duration;

use crate::demo::checker::Checker;
use crate::demo::child::Life;
use crate::demo::kinds::Kinds;
use crate::demo::line::{How, Read, Served, Tick, Totals};
use crate::demo::propagation::record;
use crate::demo::random::Random;

fn schedule() -> Schedule {
    Schedule::new(Duration::from_secs(30), 6, Kinds::ALL, Way::Direct, Random::new(1)).expect("long enough")
}

fn figures() -> Figures {
    let mut figures = Figures::new(&["a1".to_owned()]);
    let totals = Totals { reads: 10, writes: 2, lost: 5, repaired: 5, ..Totals::default() };
    figures.tick(Life { node: 0, number: 0 }, &Tick { totals, ..Tick::default() });
    figures.kept_after_cut = Kept { untouched: 1_000, hits: 998, resident: 1_000 };
    record(&mut figures.propagation[0], 300);
    figures
}

fn verdict(checker: &Checker) -> Verdict {
    let run = Run {
        nodes: 6,
        place: Place::Mesh,
        dotnet: None,
        strategy: Strategy::Coherent,
        seed: 1,
        schedule: &schedule(),
    };
    Verdict::new(&run, &figures(), checker.findings())
}

#[test]
fn the_last_line_begins_with_the_keys_that_programs_know_in_their_order() {
    let json = serde_json::to_string(&verdict(&Checker::new(1, None))).expect("serialisable");
    let known = r#"{"verdict":"coherent","nodes":6,"reads":10,"writes":2,"stale_reads":0,"frames_lost":5,"frames_repaired":5,"gap_seen_ms_max":null,"repair_ms_p99":null,"propagation_us_p50":300,"propagation_us_p99":300,"faults":{"kill":2,"pause":2,"cut":2},"kept_ratio_after_cut":0.998,"#;
    assert!(json.starts_with(known), "{json}");
}

#[test]
fn one_stale_read_is_enough_for_not_coherent_and_is_shown() {
    let mut checker = Checker::new(1, None);
    checker.read(
        0,
        Read {
            row: 0,
            version: 1,
            began: 5,
            ended: 5,
            own: 2,
            how: How::Plain,
            served: Served::Hit,
            reader: 0,
        },
    );
    checker.judge(5);
    let verdict = verdict(&checker);
    assert_eq!((verdict.word, verdict.stale_reads, verdict.is_coherent()), ("not coherent", 1, false));
    let words = verdict.words(checker.findings(), &["a1".to_owned()]);
    assert!(words.starts_with("NOT COHERENT\n"), "{words}");
    assert!(words.contains("for example: a1: row 0 was read as version 1 where 2 was due"), "{words}");
}

#[test]
fn the_words_of_a_coherent_run_say_what_was_compared() {
    let checker = Checker::new(1, None);
    let words = verdict(&checker).words(checker.findings(), &[]);
    for part in ["COHERENT\n", "2 kills, 2 pauses, 2 cuts", "99.8 %", "p50 300 us"] {
        assert!(words.contains(part), "{part} in {words}");
    }
}

#[test]
fn a_second_with_more_than_twice_the_loads_after_the_long_cut_is_called_a_storm() {
    let schedule = schedule();
    let run = Run {
        nodes: 6,
        place: Place::Mesh,
        dotnet: None,
        strategy: Strategy::Coherent,
        seed: 1,
        schedule: &schedule,
    };
    let (before, after) = run.storm_seconds().expect("a long cut");
    for (most, storm) in [(200, false), (201, true)] {
        let checker = Checker::new(1, None);
        let mut figures = Figures::new(&["a1".to_owned()]);
        let mut loads = 0;
        for second in 0..=after {
            loads += if second == after { most } else { 100 };
            let totals = Totals { loads, ..Totals::default() };
            figures.tick(Life { node: 0, number: 0 }, &Tick { totals, ..Tick::default() });
            figures.second(&[None], checker.findings());
        }
        let verdict = Verdict::new(&run, &figures, checker.findings());
        assert!(before > 1);
        assert_eq!((verdict.loads_per_s_before_cut, verdict.load_storm), (Some(100), Some(storm)));
        let words = verdict.words(checker.findings(), &[]);
        assert_eq!(words.contains("NO: that is a storm of loads"), storm, "{words}");
    }
}
