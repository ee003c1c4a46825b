//! Random schedules against the model of announced acts.

use unstale_sim::protocol::random::Schedule;

fn run_all(schedules: impl Iterator<Item = Schedule>) {
    for schedule in schedules {
        let verdict = schedule.run(None);
        assert!(verdict.is_ok(), "{schedule:?}\n{}", verdict.unwrap_err());
    }
}

#[test]
fn random_faults_of_fixed_clusters_break_no_promise() {
    run_all((0..24).map(Schedule::in_order));
}

#[test]
fn random_faults_over_lossy_links_break_no_promise() {
    run_all((5000..5012).map(Schedule::lossy));
}
