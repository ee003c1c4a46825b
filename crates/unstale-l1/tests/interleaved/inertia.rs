//! A scheduler that mostly lets a thread go on. Choosing anew at every step hardly ever leaves a thread in the middle of
//! something while another one does much; that is where the mutations were missed.

use shuttle::scheduler::{RandomScheduler, Schedule, Scheduler, Task, TaskId};

pub(crate) struct Inertia {
    random: RandomScheduler,
    state: u64,
    /// Of 100 steps, how many go to the thread that runs.
    share: u64,
}

/// How strong inertia is, one after the other.
const SHARES: [u64; 5] = [50, 75, 90, 95, 97];

impl Inertia {
    pub(crate) fn new(seed: u64, schedules: usize) -> Self {
        Self { random: RandomScheduler::new_from_seed(seed, schedules), state: seed | 1, share: SHARES[0] }
    }

    fn draw(&mut self, below: u64) -> u64 {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        (self.state >> 33) % below
    }
}

impl Scheduler for Inertia {
    fn new_execution(&mut self) -> Option<Schedule> {
        self.share = SHARES[self.draw(SHARES.len() as u64) as usize];
        self.random.new_execution()
    }

    fn next_task(
        &mut self,
        runnable: &[&Task],
        current: Option<TaskId>,
        is_yielding: bool,
    ) -> Option<TaskId> {
        let stays = !is_yielding && self.draw(100) < self.share;
        if let Some(current) = current.filter(|_| stays)
            && runnable.iter().any(|task| task.id() == current)
        {
            return Some(current);
        }
        self.random.next_task(runnable, current, is_yielding)
    }

    fn next_u64(&mut self) -> u64 {
        self.random.next_u64()
    }
}
