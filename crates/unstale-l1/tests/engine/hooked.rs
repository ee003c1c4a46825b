//! Keys that run a scenario's code when they are hashed: before a map is touched, outside its locks.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};

use bytes::Bytes;
use unstale_l1::Key;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hooked(pub(crate) u64);

struct Hook {
    key: u64,
    after: u32,
    run: Box<dyn FnOnce()>,
}

thread_local! {
    static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
}

/// Runs `run` once, when `key` is hashed for the `nth` time from now on.
pub(crate) fn when_hashed(key: u64, nth: u32, run: impl FnOnce() + 'static) {
    HOOK.with(|hook| *hook.borrow_mut() = Some(Hook { key, after: nth, run: Box::new(run) }));
}

impl Hash for Hooked {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
        let due = HOOK.with(|hook| {
            let mut hook = hook.borrow_mut();
            let waiting = hook.as_mut().filter(|hook| hook.key == self.0)?;
            waiting.after -= 1;
            if waiting.after == 0 { hook.take() } else { None }
        });
        if let Some(hook) = due {
            (hook.run)();
        }
    }
}

impl Key for Hooked {
    fn encode(&self) -> Bytes {
        self.0.encode()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        u64::decode(bytes).map(Self)
    }
}
