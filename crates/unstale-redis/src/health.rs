//! How a connection is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Whether a connection is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Not yet, for the first time.
    Connecting,
    /// It is, and answers.
    Up,
    /// It was lost, or could not be made; it is tried again for ever.
    Down,
}

/// How a connection is, and since when.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether it is there.
    pub state: State,
    /// Since when it is in this state.
    pub since: Instant,
    /// Why it was lost or could not be made the last time, if it ever was so. Never holds a password.
    pub last_error: Option<String>,
}

/// Reads the [`Health`] of a connection from anywhere; clones are one, and it outlives the connection.
#[derive(Clone, Debug)]
pub struct Pulse {
    health: Arc<Mutex<Health>>,
}

impl Pulse {
    pub(crate) fn new() -> Self {
        let health = Health { state: State::Connecting, since: Instant::now(), last_error: None };
        Self { health: Arc::new(Mutex::new(health)) }
    }

    /// How it is now.
    pub fn read(&self) -> Health {
        self.lock().clone()
    }

    pub(crate) fn up(&self) {
        let mut health = self.lock();
        if health.state != State::Up {
            (health.state, health.since) = (State::Up, Instant::now());
        }
    }

    pub(crate) fn down(&self, error: String) {
        let mut health = self.lock();
        if health.state != State::Down {
            (health.state, health.since) = (State::Down, Instant::now());
        }
        health.last_error = Some(error);
    }

    fn lock(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
