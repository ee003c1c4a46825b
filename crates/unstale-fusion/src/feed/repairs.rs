//! Repairs: what is written to Redis because of what a .NET node did.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use unstale_codec::fusion::{Action, Text, Ticks};
use unstale_port::{Error, ForeignAct, ForeignHeard};

use super::user_key;
use crate::cache::Core;
use crate::replies::word;
use crate::scripts::{SEEN, SETTLE, UNDO};
use crate::store::read::millis;
use crate::store::write::{publish, raise_again, raise_now};

/// Repairs that are under way at once; beyond them the feed waits.
const AT_ONCE_MAX: usize = 64;
/// For how long the feed waits for them and is still said to hear.
const HELD_UP_MAX: Duration = Duration::from_millis(250);
/// How often one is tried, and the wait before the second time, which doubles.
const TRIES_MAX: u32 = 8;
const WAIT: Duration = Duration::from_millis(50);

pub(super) enum Repair {
    /// A foreign writer made this key old: fills of ours that began before are, too.
    Settle(Text),
    /// A foreign fill of this key is undone, once for all nodes that know it by this name.
    Undo(Text, String),
    /// A foreign writer raised this mark.
    Seen(Text),
    /// This mark had been higher.
    RaiseAgain(Text, Ticks),
    /// Foreign writers may have filled what this mark had ended.
    Raise(Text),
}

pub(super) struct Repairs {
    core: Arc<Core>,
    sender: mpsc::Sender<ForeignHeard>,
    room: Arc<Semaphore>,
    /// Whether the feed has said that everything is heard.
    pub(super) is_heard: bool,
}

impl Repairs {
    pub(super) fn new(core: Arc<Core>, sender: mpsc::Sender<ForeignHeard>) -> Self {
        Self { core, sender, room: Arc::new(Semaphore::new(AT_ONCE_MAX)), is_heard: false }
    }

    /// Begins a repair in the background; waits while there are too many. What is not heard meanwhile is told afterwards.
    pub(super) async fn begin(&self, repair: Repair) {
        let Some(permit) = self.permit().await else { return };
        let (core, sender) = (Arc::clone(&self.core), self.sender.clone());
        tokio::spawn(async move {
            run(&core, &sender, repair).await;
            drop(permit);
        });
    }

    /// None if there is nobody any more to tell that it took long.
    async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        let mut permit = pin!(Arc::clone(&self.room).acquire_owned());
        if let Ok(permit) = timeout(HELD_UP_MAX, &mut permit).await {
            return permit.ok();
        }
        if !self.is_heard {
            return permit.await.ok();
        }
        self.core.counters.count(|counters| &counters.lost);
        tracing::warn!(channel = self.core.settings.channel(), "repairs hold up what is heard of .NET nodes");
        let why = format!("{AT_ONCE_MAX} repairs hold it up");
        self.sender.send(ForeignHeard::Lost(why)).await.ok()?;
        let permit = permit.await.ok()?;
        self.sender.send(ForeignHeard::Began).await.ok()?;
        Some(permit)
    }
}

impl Repair {
    /// What it is, without the key, which is never logged.
    const fn name(&self) -> &'static str {
        match self {
            Self::Settle(_) => "settle",
            Self::Undo(..) => "undo",
            Self::Seen(_) => "note a mark",
            Self::RaiseAgain(..) => "raise a mark again",
            Self::Raise(_) => "raise a mark",
        }
    }
}

async fn run(core: &Core, sender: &mpsc::Sender<ForeignHeard>, repair: Repair) {
    let mut wait = WAIT;
    for _ in 0..TRIES_MAX {
        match mend(core, &repair).await {
            Ok(None) => return,
            Ok(Some(key)) => {
                // Whoever read it from the second level meanwhile, here too. An error means that nobody is there.
                let act = ForeignAct::Remove(key);
                let _ = sender.send(ForeignHeard::Act { act, process: None }).await;
                return;
            }
            Err(error) => tracing::debug!(%error, repair = repair.name(), "a repair has to be tried again"),
        }
        sleep(wait).await;
        wait *= 2;
    }
    core.counters.count(|counters| &counters.repairs_failed);
    tracing::warn!(
        repair = repair.name(),
        "a repair failed: .NET nodes may serve what is old for as long as it lives"
    );
}

/// Does it; the key, if what is cached of it has to go once more.
async fn mend(core: &Core, repair: &Repair) -> Result<Option<Bytes>, Error> {
    let has_second_level = core.settings.has_second_level;
    match repair {
        Repair::Settle(_) | Repair::Seen(_) if !has_second_level => Ok(None),
        Repair::Settle(key) => {
            let place = core.settings.place_of(key.to_string());
            let remove = core.repair(Action::Remove, key, core.clock.stamp())?;
            let kept = word(millis(core.settings.notes_kept()));
            let arguments = [kept, core.channel.clone(), remove];
            let is_settled =
                core.run(&SETTLE, &[place.hash, place.side], &arguments).await?.number() == Some(1);
            if is_settled {
                core.counters.count(|counters| &counters.settled);
            }
            Ok(is_settled.then(|| user_key(core, key)).flatten())
        }
        Repair::Undo(key, name) => {
            let remove = core.repair(Action::Remove, key, core.clock.stamp())?;
            if !has_second_level {
                publish(core, remove).await?;
                core.counters.count(|counters| &counters.undone);
                return Ok(None);
            }
            let place = core.settings.place_of(key.to_string());
            let kept = word(millis(core.settings.notes_kept()));
            let arguments = [Bytes::from(name.clone()), kept, core.channel.clone(), remove];
            if core.run(&UNDO, &[place.hash, place.side], &arguments).await?.number() == Some(1) {
                core.counters.count(|counters| &counters.undone);
            }
            Ok(user_key(core, key))
        }
        Repair::Seen(mark) => {
            core.run(&SEEN, &[core.settings.place_of(mark.to_string()).hash], &[]).await?;
            Ok(None)
        }
        Repair::RaiseAgain(mark, highest) => {
            raise_again(core, &core.settings.place_of(mark.to_string()), *highest).await?;
            core.counters.count(|counters| &counters.raised_again);
            Ok(None)
        }
        Repair::Raise(mark) => {
            raise_now(core, &core.settings.place_of(mark.to_string()), 0).await?;
            core.counters.count(|counters| &counters.undone);
            Ok(None)
        }
    }
}
