//! A TCP proxy that can be cut.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A listener whose connections lead to one address while it is open.
pub(crate) struct Link {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    open: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Link {
    /// A link that leads to `target`.
    pub(crate) fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let shared = Arc::new(Shared { open: AtomicBool::new(true), connections: Mutex::default() });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for dialler in listener.incoming().flatten() {
                carry(&dialler, target, &accepting);
            }
        });
        Self { address, shared }
    }

    /// The address to dial.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Breaks every connection, and refuses new ones.
    pub(crate) fn cut(&self) {
        let mut connections = self.shared.connections.lock().expect("no panic");
        self.shared.open.store(false, Ordering::Release);
        for connection in connections.drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// Lets new connections through.
    pub(crate) fn heal(&self) {
        self.shared.open.store(true, Ordering::Release);
    }
}

fn carry(dialler: &TcpStream, target: SocketAddr, shared: &Shared) {
    // Under the lock, so that a cut finds every connection.
    let mut connections = shared.connections.lock().expect("no panic");
    if !shared.open.load(Ordering::Acquire) {
        return;
    }
    let Ok(node) = TcpStream::connect(target) else { return };
    for (from, to) in [(dialler, &node), (&node, dialler)] {
        let _ = from.set_nodelay(true);
        let (Ok(from), Ok(to), Ok(kept)) = (from.try_clone(), to.try_clone(), from.try_clone()) else {
            return;
        };
        connections.push(kept);
        thread::spawn(move || pump(from, to));
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
