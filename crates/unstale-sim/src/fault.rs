//! Every fault that is injected, by name, and how often it was.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// A kind of fault.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault {
            $($(#[$doc])* $variant,)+
        }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its name, as the command line has it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

faults! {
    /// A process dies, and with it perhaps what it had handed to the network.
    Crash = "crash",
    /// A process starts again under the name of a dead one.
    Restart = "restart",
    /// A process is stopped and goes on later; its requests run before its driver does.
    Pause = "pause",
    /// A machine sleeps: only the boot clock goes on.
    Suspend = "suspend",
    /// A node is cut off from all others.
    Partition = "partition",
    /// A pair of nodes is cut, others between them are not.
    CutPair = "cut-pair",
    /// Nothing moves in one direction.
    OneWay = "one-way",
    /// A link takes nothing for so long that what waits for it is widened.
    QueueOverflow = "queue-overflow",
    /// A frame is lost.
    Loss = "loss",
    /// A frame comes twice.
    Duplicate = "duplicate",
    /// A frame overtakes another.
    Reorder = "reorder",
    /// A frame is late.
    Delay = "delay",
    /// A wall clock is wrong from the start, or a boot clock drifts.
    ClockSkew = "clock-skew",
    /// A wall clock is set.
    ClockJump = "clock-jump",
    /// More acts than a journal holds, while a node is away.
    JournalOverflow = "journal-overflow",
    /// A cache is smaller than what is read through it.
    Eviction = "eviction",
    /// A loader takes its time.
    SlowLoader = "slow-loader",
    /// A loader fails.
    FailingLoader = "failing-loader",
    /// A loader does not answer for seconds.
    HangingLoader = "hanging-loader",
    /// A loader reads a replica of the database that is behind.
    LaggingReplica = "lagging-replica",
    /// A caller goes away while its load runs.
    Cancel = "cancel",
    /// A node comes that was not there.
    Join = "join",
    /// A node says goodbye.
    Leave = "leave",
    /// Frames of a dead life come again from its successor's links.
    IncarnationReuse = "incarnation-reuse",
    /// A broker loses its register.
    RegisterLost = "register-lost",
    /// A broker goes away, and comes back with its register or without.
    BrokerRestart = "broker-restart",
    /// A broker drops a subscriber.
    SubscriberDropped = "subscriber-dropped",
    /// The second level takes its time.
    SlowStore = "slow-store",
}

/// How often each fault was injected. Clones count together.
#[derive(Clone, Debug)]
pub struct Faults {
    counts: Arc<Vec<AtomicU64>>,
}

impl Faults {
    /// None yet.
    pub fn new() -> Self {
        Self { counts: Arc::new(Fault::ALL.iter().map(|_| AtomicU64::new(0)).collect()) }
    }

    /// One more.
    pub fn count(&self, fault: Fault) {
        self.count_many(fault, 1);
    }

    /// So many more.
    pub fn count_many(&self, fault: Fault, more: u64) {
        self.counts[fault as usize].fetch_add(more, Ordering::Relaxed);
    }

    /// How often so far.
    pub fn of(&self, fault: Fault) -> u64 {
        self.counts[fault as usize].load(Ordering::Relaxed)
    }
}

impl Default for Faults {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_count_under_the_place_of_their_kind() {
        let faults = Faults::new();
        for (place, fault) in Fault::ALL.iter().enumerate() {
            assert_eq!(*fault as usize, place);
            faults.count_many(*fault, 2);
            assert_eq!(faults.of(*fault), 2);
        }
    }
}
