use super::*;

fn plan(seconds: u64, nodes: usize, kinds: &str, seed: u64) -> Schedule {
    let kinds = kinds.parse().expect("a list of faults");
    Schedule::new(Duration::from_secs(seconds), nodes, kinds, Way::Direct, Random::new(seed))
        .expect("long enough")
}

fn count(schedule: &Schedule, kind: Kind) -> usize {
    schedule.faults.iter().filter(|planned| planned.fault.kind() == kind).count()
}

fn every_schedule(mut check: impl FnMut(&Schedule, usize)) {
    for seconds in [10, 12, 16, 20, 24, 29, 30, 31, 45, 60, 120] {
        for nodes in [2, 3, 5, 6, 16] {
            for kinds in ["kill,pause,cut", "kill", "pause", "cut", "kill,cut", "none"] {
                for seed in 0..20 {
                    check(&plan(seconds, nodes, kinds, seed), nodes);
                }
            }
        }
    }
}

#[test]
fn thirty_seconds_hold_two_faults_of_each_kind() {
    for seed in 0..50 {
        let schedule = plan(30, 6, "kill,pause,cut", seed);
        assert_eq!(Kind::ALL.map(|kind| count(&schedule, kind)), [2, 2, 2], "{schedule:#?}");
        let cuts: Vec<_> =
            schedule.faults.iter().filter(|planned| planned.fault.kind() == Kind::Cut).collect();
        assert_eq!(cuts[0].length(), Duration::from_secs(2));
        assert_eq!(cuts[1].length(), Duration::from_secs(10));
    }
}

#[test]
fn every_kind_that_is_asked_for_happens_in_every_length() {
    every_schedule(|schedule, _| {
        let kinds = |wanted: Kind| schedule.faults.iter().any(|planned| planned.fault.kind() == wanted);
        assert!(schedule.faults.is_empty() || Kind::ALL.into_iter().any(kinds));
    });
    for seconds in [10, 12, 16, 20, 24, 29, 30, 60] {
        for nodes in [2, 3, 6] {
            let schedule = plan(seconds, nodes, "kill,pause,cut", 1);
            assert!(
                Kind::ALL.into_iter().all(|kind| count(&schedule, kind) > 0),
                "{seconds} s, {nodes} nodes: {schedule:#?}"
            );
        }
    }
}

#[test]
fn everything_is_healed_well_before_the_end_and_the_writers_are_quiet_after_that() {
    every_schedule(|schedule, _| {
        let Some(heal) = schedule.last_heal() else { return };
        assert!(heal + SETTLING + millis(400) <= schedule.quiet, "{schedule:#?}");
        assert!(schedule.quiet + millis(800) <= schedule.end, "{schedule:#?}");
    });
}

#[test]
fn no_node_has_two_faults_at_once_and_never_more_than_two_nodes_have_one() {
    every_schedule(|schedule, nodes| {
        for (index, one) in schedule.faults.iter().enumerate() {
            assert!(one.node < nodes && one.begins < one.heals, "{one:?}");
            let during = |other: &&Planned| other.begins < one.heals && one.begins < other.heals;
            let meanwhile: Vec<_> = schedule.faults[index + 1..].iter().filter(during).collect();
            assert!(meanwhile.iter().all(|other| other.node != one.node), "{schedule:#?}");
            let at = |instant| {
                schedule.faults.iter().filter(|other| (other.begins..other.heals).contains(&instant)).count()
            };
            assert!(at(one.begins) <= if nodes >= NODES_FOR_TWO_FAULTS { 2 } else { 1 }, "{schedule:#?}");
        }
    });
}

#[test]
fn nothing_else_happens_around_the_short_cut_and_after_the_long_one() {
    for seed in 0..50 {
        for seconds in [16, 30, 60] {
            let schedule = plan(seconds, 6, "kill,pause,cut", seed);
            for cut in schedule.faults.iter().filter(|planned| planned.fault.kind() == Kind::Cut) {
                let (from, until) = match cut.length() {
                    SHORT_CUT => (cut.begins, cut.heals + millis(1_000)),
                    _ => (cut.heals.saturating_sub(millis(2_000)), cut.heals + millis(3_000)),
                };
                let touches = |other: &&Planned| *other != cut && other.begins < until && from < other.heals;
                assert_eq!(schedule.faults.iter().find(touches), None, "{schedule:#?}");
            }
        }
    }
}

#[test]
fn a_seed_repeats_its_schedule_and_another_one_differs() {
    let schedule = |seed| plan(30, 6, "kill,pause,cut", seed);
    assert_eq!(schedule(4), schedule(4));
    assert!((5..20).any(|seed| schedule(seed) != schedule(4)));
}

#[test]
fn a_run_too_short_for_faults_is_refused_unless_there_are_none() {
    let short = Duration::from_secs(9);
    assert_eq!(Schedule::new(short, 6, Kinds::ALL, Way::Direct, Random::new(0)), None);
    let none = Schedule::new(short, 6, Kinds::NONE, Way::Direct, Random::new(0)).expect("nothing to fit in");
    assert_eq!(none.faults, Vec::new());
}
