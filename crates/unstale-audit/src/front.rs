//! The one structure that every checker rests on.

/// Something that made a row a version, at an instant (or under a number), and the record that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) version: u64,
    pub(crate) at: u64,
    /// 0 for none.
    pub(crate) record: u64,
}

/// Steps without those that say nothing more than another: for which a step of the same or a higher version is earlier.
/// What is left rises in both, so that one search answers either question.
#[derive(Clone, Debug, Default)]
pub(crate) struct Front {
    steps: Steps,
}

/// Most fronts of sessions have one step, and there are millions of them.
#[derive(Clone, Debug, Default)]
enum Steps {
    #[default]
    None,
    One(Step),
    Many {
        steps: Vec<Step>,
        /// Whether they are a front already: what comes in order is kept so, the rest is sorted when it is asked for.
        is_front: bool,
    },
}

impl Front {
    /// Adds a step.
    pub(crate) fn add(&mut self, step: Step) {
        match &mut self.steps {
            Steps::None => self.steps = Steps::One(step),
            Steps::One(only) if says_no_less(*only, step) => {}
            Steps::One(only) if says_no_less(step, *only) => *only = step,
            Steps::One(only) => {
                let is_front = only.version < step.version;
                self.steps = Steps::Many { steps: vec![*only, step], is_front };
            }
            Steps::Many { steps, is_front } => {
                match steps.last() {
                    Some(last) if *is_front && says_no_less(*last, step) => return,
                    Some(last) => *is_front &= last.version < step.version && last.at <= step.at,
                    None => {}
                }
                steps.push(step);
            }
        }
    }

    /// The earliest step that leads beyond `version`.
    pub(crate) fn first_beyond(&mut self, version: u64) -> Option<Step> {
        let steps = self.front();
        steps.get(steps.partition_point(|step| step.version <= version)).copied()
    }

    /// The highest version that was reached before `instant`.
    pub(crate) fn highest_before(&mut self, instant: u64) -> Option<Step> {
        let steps = self.front();
        steps[..steps.partition_point(|step| step.at < instant)].last().copied()
    }

    /// The highest version that was reached at `instant` or before.
    pub(crate) fn highest_by(&mut self, instant: u64) -> Option<Step> {
        let steps = self.front();
        steps[..steps.partition_point(|step| step.at <= instant)].last().copied()
    }

    /// Forgets what was surpassed before `instant`.
    pub(crate) fn forget(&mut self, instant: u64) {
        self.front();
        if let Steps::Many { steps, .. } = &mut self.steps {
            let old = steps.partition_point(|step| step.at < instant);
            steps.drain(..old.saturating_sub(1));
        }
    }

    /// How many steps there are.
    pub(crate) fn len(&mut self) -> usize {
        self.front().len()
    }

    fn front(&mut self) -> &[Step] {
        match &mut self.steps {
            Steps::None => &[],
            Steps::One(step) => std::slice::from_ref(step),
            Steps::Many { steps, is_front } => {
                if !*is_front {
                    sort(steps);
                    *is_front = true;
                }
                steps
            }
        }
    }
}

/// Whether `a` tells all that `b` does. Of two versions at one instant both are kept: the lower one was missed first.
const fn says_no_less(a: Step, b: Step) -> bool {
    (a.version == b.version && a.at <= b.at) || (a.version > b.version && a.at < b.at)
}

fn sort(steps: &mut Vec<Step>) {
    steps.sort_by_key(|step| (step.version, step.at));
    let mut kept: Vec<Step> = Vec::with_capacity(steps.len());
    for step in steps.iter().rev() {
        match kept.last() {
            Some(last) if last.version == step.version => {
                kept.pop();
                if kept.last().is_none_or(|higher| step.at <= higher.at) {
                    kept.push(*step);
                }
            }
            Some(last) if last.at < step.at => {}
            Some(_) | None => kept.push(*step),
        }
    }
    kept.reverse();
    *steps = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn front(steps: &[(u64, u64)]) -> Front {
        let mut front = Front::default();
        for (version, at) in steps {
            front.add(Step { version: *version, at: *at, record: 0 });
        }
        front
    }

    fn kept(mut front: Front) -> Vec<(u64, u64)> {
        front.front().iter().map(|step| (step.version, step.at)).collect()
    }

    #[test]
    fn a_step_that_says_no_more_than_another_is_not_kept() {
        assert_eq!(kept(front(&[(2, 10), (3, 20)])), [(2, 10), (3, 20)]);
        assert_eq!(kept(front(&[(2, 30), (3, 10)])), [(3, 10)]);
        assert_eq!(kept(front(&[(3, 10), (2, 30)])), [(3, 10)]);
        assert_eq!(kept(front(&[(2, 10), (2, 5), (2, 7)])), [(2, 5)]);
        assert_eq!(
            kept(front(&[(5, 50), (1, 10), (3, 60), (4, 20), (2, 20)])),
            [(1, 10), (2, 20), (4, 20), (5, 50)]
        );
    }

    #[test]
    fn every_order_of_some_steps_makes_the_same_front_and_answers_as_all_of_them_do() {
        let all = [(1, 4), (2, 2), (2, 3), (3, 3), (5, 6), (4, 6), (6, 1)];
        for turn in 0..all.len() {
            for mirrored in [false, true] {
                let mut some = all[..all.len() - 1].to_vec();
                let turn = turn % some.len();
                some.rotate_left(turn);
                if mirrored {
                    some.reverse();
                }
                let mut front = front(&some);
                for q in 0..8 {
                    let beyond = some.iter().filter(|(version, _)| *version > q).map(|(_, at)| *at).min();
                    assert_eq!(front.first_beyond(q).map(|step| step.at), beyond, "{some:?} {q}");
                    let before = some.iter().filter(|(_, at)| *at < q).map(|(version, _)| *version).max();
                    assert_eq!(front.highest_before(q).map(|step| step.version), before, "{some:?} {q}");
                    let by = some.iter().filter(|(_, at)| *at <= q).map(|(version, _)| *version).max();
                    assert_eq!(front.highest_by(q).map(|step| step.version), by, "{some:?} {q}");
                }
            }
        }
    }

    #[test]
    fn what_is_forgotten_was_surpassed() {
        let mut old = front(&[(1, 10), (2, 20), (3, 30)]);
        old.forget(25);
        assert_eq!(kept(old), [(2, 20), (3, 30)]);
    }
}
