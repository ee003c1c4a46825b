//! What .NET nodes do, as it is heard, and the holes that they leave, mended.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use unstale_codec::fusion::{Action, BackplaneMessage, Subject, Text};
use unstale_port::{ForeignAct, ForeignFeed, ForeignHeard, Heard, Listener, ProcessBytes};

use crate::cache::Core;
use crate::recent::{Due, Verdict};
use crate::settings::SKEW_MAX;
use crate::telling::Ours;

mod repairs;

use repairs::{Repair, Repairs};

/// What waits for its reader: beyond it the subscription waits, and is lost if that lasts.
const WAITING_MAX: usize = 16_384;
/// How often it is looked whether a hold-off has ended.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The feed, and the task behind it.
pub(crate) struct Feed {
    heard: mpsc::Receiver<ForeignHeard>,
    listening: JoinHandle<()>,
}

impl Feed {
    pub(crate) fn begin(core: Arc<Core>) -> Self {
        let (sender, heard) = mpsc::channel(WAITING_MAX);
        let listener = core.scripts.listen(&core.settings.channel());
        let repairs = Repairs::new(Arc::clone(&core), sender.clone());
        let listening = tokio::spawn(listen(Listening { core, sender, repairs }, listener));
        Self { heard, listening }
    }
}

impl ForeignFeed for Feed {
    fn poll_heard(&mut self, cx: &mut Context<'_>) -> Poll<ForeignHeard> {
        match self.heard.poll_recv(cx) {
            Poll::Ready(Some(heard)) => Poll::Ready(heard),
            // Its task ended with the runtime.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

struct Listening {
    core: Arc<Core>,
    sender: mpsc::Sender<ForeignHeard>,
    repairs: Repairs,
}

/// The reader has gone away.
struct Gone;

async fn listen(mut listening: Listening, mut listener: Box<dyn Listener>) {
    loop {
        let heard = tokio::select! {
            heard = poll_fn(|cx| listener.poll_heard(cx)) => Some(heard),
            () = sleep(LOOK_EVERY) => None,
        };
        let done = match heard {
            Some(heard) => listening.take(heard).await,
            None => Ok(()),
        };
        if done.is_err() {
            return;
        }
        listening.do_what_is_due().await;
    }
}

impl Listening {
    async fn take(&mut self, heard: Heard) -> Result<(), Gone> {
        match heard {
            Heard::Began => {
                self.repairs.is_heard = true;
                self.send(ForeignHeard::Began).await
            }
            Heard::Lost(error) => {
                self.repairs.is_heard = false;
                self.core.counters.count(|counters| &counters.lost);
                tracing::warn!(channel = self.core.settings.channel(), %error, "not subscribed: what .NET nodes do is not heard");
                self.send(ForeignHeard::Lost(error.to_string())).await
            }
            Heard::Message(bytes) => self.take_message(bytes).await,
        }
    }

    async fn take_message(&mut self, bytes: Bytes) -> Result<(), Gone> {
        let message = match BackplaneMessage::decode(bytes) {
            Ok(message) => message,
            Err(error) => {
                tracing::debug!(%error, "ignored, as .NET nodes do");
                self.core.counters.count(|counters| &counters.ignored);
                return Ok(());
            }
        };
        if message.source_id.as_str() == self.core.settings.instance_id {
            return Ok(());
        }
        let ours = Ours::behind(&message);
        let act = act_of(&self.core, &message);
        let Some(act) = act else {
            self.core.counters.count(|counters| &counters.ignored);
            return Ok(());
        };
        self.core
            .counters
            .count(|counters| if ours.is_some() { &counters.heard_of_ours } else { &counters.heard });
        let process = ours.map(|ours| ours.process).filter(|process| *process != ProcessBytes::default());
        // First what is cached here: a repair waits for Redis.
        self.send(ForeignHeard::Act { act, process }).await?;
        self.follow_up(&message, ours).await;
        Ok(())
    }

    /// What has to be mended, or remembered, because of a message.
    async fn follow_up(&mut self, message: &BackplaneMessage, ours: Option<Ours>) {
        let core = &self.core;
        let (key, now) = (&message.cache_key, core.clock.now());
        let is_mark = !matches!(core.settings.names.subject(key.as_str()), Some(Subject::Key(_)));
        let Some(ours) = ours else {
            core.clock.foreign(message.timestamp);
            return match (is_mark, message.action) {
                (true, _) => self.take_mark(message).await,
                (false, Action::Set) => self.judge(message).await,
                (false, Action::Remove | Action::Expire) => {
                    core.recent().ended(key, message.timestamp, now);
                    self.repairs.begin(Repair::Settle(key.clone())).await;
                }
            };
        };
        if is_mark {
            core.note_mark(key, message.timestamp);
        } else if ours.stamp != 0 {
            // An expiry is said to be later than it is, so that .NET nodes obey it.
            let later = if message.action == Action::Expire { SKEW_MAX } else { Duration::ZERO };
            let said = unstale_codec::fusion::Ticks(message.timestamp.0 - later.as_micros() as i64 * 10);
            core.recent().ended(key, said, now);
        }
    }

    async fn take_mark(&mut self, message: &BackplaneMessage) {
        let highest = self.core.note_mark(&message.cache_key, message.timestamp);
        let key = message.cache_key.clone();
        if message.timestamp < highest {
            self.repairs.begin(Repair::RaiseAgain(key.clone(), highest)).await;
        }
        self.repairs.begin(Repair::Seen(key)).await;
    }

    /// Whether what a .NET node set may be a fill that began before the key was made old.
    async fn judge(&mut self, message: &BackplaneMessage) {
        let core = &self.core;
        let (lead, now) = (core.clock.lead(), core.clock.now());
        let verdict = core.recent().set(&message.cache_key, message.timestamp, lead, now);
        if verdict == Verdict::Late {
            let name = format!("{} {}", message.source_id, message.timestamp.0);
            self.repairs.begin(Repair::Undo(message.cache_key.clone(), name)).await;
        }
    }

    async fn do_what_is_due(&mut self) {
        loop {
            let now = self.core.clock.now();
            let Some((key, due)) = self.core.recent().due(now) else { return };
            let repair = match due {
                Due::Undo(said) => Repair::Undo(key, format!("since {}", said.0)),
                Due::Raise => Repair::Raise(key),
            };
            self.repairs.begin(repair).await;
        }
    }

    async fn send(&self, heard: ForeignHeard) -> Result<(), Gone> {
        self.sender.send(heard).await.map_err(|_| Gone)
    }
}

/// What a message does to the cache; nothing if it is of another cache, or of no consequence.
fn act_of(core: &Core, message: &BackplaneMessage) -> Option<ForeignAct> {
    let key = message.cache_key.as_str();
    Some(match (core.settings.names.subject(key)?, message.action) {
        (Subject::Key(key), Action::Remove) => ForeignAct::Remove(bytes(key)),
        (Subject::Key(key), Action::Set | Action::Expire) => ForeignAct::Expire(bytes(key)),
        (Subject::Tag(tag), Action::Set) => ForeignAct::ExpireTag(bytes(tag)),
        (Subject::ClearExpire, Action::Set) => ForeignAct::ExpireAll,
        (Subject::ClearRemove, Action::Set) => ForeignAct::Clear,
        // To .NET nodes these only drop the mark from the first level.
        (Subject::Tag(_) | Subject::ClearExpire | Subject::ClearRemove, Action::Remove | Action::Expire) => {
            return None;
        }
    })
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// The key as users know it, of a key as messages have it.
fn user_key(core: &Core, cache_key: &Text) -> Option<Bytes> {
    match core.settings.names.subject(cache_key.as_str())? {
        Subject::Key(key) => Some(bytes(key)),
        Subject::Tag(_) | Subject::ClearExpire | Subject::ClearRemove => None,
    }
}
