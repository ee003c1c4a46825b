//! Forced interleavings: a gate stands inside a loader, so that a test decides what happens while the load is under way.

use tokio::sync::oneshot;

/// The test's side: knows when the load came to the gate, and opens it.
pub(crate) struct Gate<T> {
    reached: Option<oneshot::Receiver<()>>,
    open: oneshot::Sender<T>,
}

/// The loader's side.
pub(crate) struct Passage<T> {
    reached: oneshot::Sender<()>,
    opened: oneshot::Receiver<T>,
}

impl<T> Gate<T> {
    /// A closed gate.
    pub(crate) fn new() -> (Self, Passage<T>) {
        let (reached, came) = oneshot::channel();
        let (open, opened) = oneshot::channel();
        (Self { reached: Some(came), open }, Passage { reached, opened })
    }

    /// Whether the load at the gate was dropped.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.open.is_closed()
    }

    /// Returns when the load has come to the gate.
    pub(crate) async fn reached(&mut self) {
        if let Some(reached) = self.reached.take() {
            reached.await.expect("the load came to the gate");
        }
    }

    /// Lets the load go on, with `value`.
    pub(crate) fn open(self, value: T) {
        assert!(self.open.send(value).is_ok(), "the load still stands at the gate");
    }
}

impl<T> Passage<T> {
    /// Says that the load is here, and waits.
    pub(crate) async fn pass(self) -> T {
        let _ = self.reached.send(());
        self.opened.await.expect("the gate was opened")
    }
}
