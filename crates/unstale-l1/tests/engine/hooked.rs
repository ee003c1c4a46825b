//! Keys that run a scenario's code when they are hashed, before a map is touched, when they are encoded, before a fence is, or
//! when they are decoded, before an act: outside of all locks of tables.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use unstale_l1::Key;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hooked(pub(crate) u64);

struct Hook {
    key: u64,
    at: At,
    after: u32,
    run: Box<dyn FnOnce()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Hash,
    Encode,
    Decode,
}

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Runs `run` once, when `key` is hashed for the `nth` time from now on.
pub(crate) fn when_hashed(key: u64, nth: u32, run: impl FnOnce() + 'static) {
    set(Hook { key, at: At::Hash, after: nth, run: Box::new(run) });
}

/// Runs `run` once, when `key` is encoded for the `nth` time from now on.
pub(crate) fn when_encoded(key: u64, nth: u32, run: impl FnOnce() + 'static) {
    set(Hook { key, at: At::Encode, after: nth, run: Box::new(run) });
}

/// Runs `run` once, when `key` is decoded for the `nth` time from now on.
pub(crate) fn when_decoded(key: u64, nth: u32, run: impl FnOnce() + 'static) {
    set(Hook { key, at: At::Decode, after: nth, run: Box::new(run) });
}

fn set(hook: Hook) {
    HOOK.with(|place| *place.borrow_mut() = Some(hook));
}

fn reach(key: u64, at: At) {
    let due = HOOK.with(|hook| {
        let mut hook = hook.borrow_mut();
        let waiting = hook.as_mut().filter(|hook| hook.key == key && hook.at == at)?;
        waiting.after -= 1;
        if waiting.after == 0 { hook.take() } else { None }
    });
    if let Some(hook) = due {
        (hook.run)();
    }
}

impl Hash for Hooked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        reach(self.0, At::Hash);
    }
}

impl Key for Hooked {
    type Kept = Self;

    fn encode(&self) -> Bytes {
        reach(self.0, At::Encode);
        self.0.encode()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let key = u64::decode(bytes)?;
        reach(key, At::Decode);
        Some(Self(key))
    }
}
