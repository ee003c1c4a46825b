//! Records a history to a file beside the work: who notes something waits for no disk.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read as _, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::history::{Begin, Clock, Error, Fault, Floor, MAGIC, Read, Reader, Scribe, Write, whole_until};

/// The most bytes that wait for the file. What has no room then is dropped and counted, and the history says so.
pub const QUEUE_BYTES_MAX: usize = 8 << 20;
/// Bytes are written once there are so many of them, or a while later.
const WRITE_BYTES: usize = 64 << 10;
const WRITE_AFTER: Duration = Duration::from_millis(100);

/// Records a history. Noting something takes a lock, for as long as it takes to put some bytes into memory; a thread writes
/// them to the file. Marks of faults, floors and processes are never dropped.
///
/// A process that is killed loses what it noted in the last tenth of a second. Its history then has no end mark, which a
/// check tells.
#[derive(Debug)]
pub struct Recorder {
    shared: Arc<Shared>,
    writer: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    /// There is enough to write, or it is time to end.
    work: Condvar,
}

#[derive(Debug)]
struct Desk {
    scribe: Scribe<Vec<u8>>,
    /// Records dropped since the last one that had room.
    dropped: u64,
    /// The reason why no more is written.
    broken: Option<io::ErrorKind>,
    is_closing: bool,
    queue_bytes_max: usize,
}

impl Recorder {
    /// Records to `path`. A file that is there has to be a history; it is gone on with, after the half-written record that a
    /// killed process may have left is cut off.
    pub fn open(path: &Path, begin: &Begin<'_>) -> Result<Self, Error> {
        let io_error = |source| Error::Io { offset: 0, source };
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = options.map_err(io_error)?;
        let whole = whole_until(BufReader::new(&mut file))?;
        file.set_len(whole).and_then(|()| file.seek(SeekFrom::Start(whole))).map_err(io_error)?;
        let start = if whole == 0 { MAGIC.to_vec() } else { Vec::new() };
        Self::start(file, Scribe::go_on(start, begin)?, QUEUE_BYTES_MAX).map_err(io_error)
    }

    /// Records to `path` from its beginning. A history that is there is replaced, anything else is left alone.
    pub fn create(path: &Path, begin: &Begin<'_>) -> Result<Self, Error> {
        let io_error = |source| Error::Io { offset: 0, source };
        let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
        let mut file = options.map_err(io_error)?;
        // Its first bytes tell.
        Reader::new(BufReader::new(&mut file))?;
        file.set_len(0).and_then(|()| file.seek(SeekFrom::Start(0))).map_err(io_error)?;
        Self::start(file, Scribe::new(Vec::new(), begin)?, QUEUE_BYTES_MAX).map_err(io_error)
    }

    fn start(
        file: impl io::Write + Send + 'static,
        scribe: Scribe<Vec<u8>>,
        queue_bytes_max: usize,
    ) -> io::Result<Self> {
        let desk = Desk { scribe, dropped: 0, broken: None, is_closing: false, queue_bytes_max };
        let shared = Arc::new(Shared { desk: Mutex::new(desk), work: Condvar::new() });
        let for_writer = Arc::clone(&shared);
        let name = "unstale-recorder".to_owned();
        let writer = std::thread::Builder::new().name(name).spawn(move || write_on(&for_writer, file))?;
        Ok(Self { shared, writer: Some(writer) })
    }

    /// Introduces a process: the name of its node, and which of the processes of that name it is. Returns its number.
    pub fn process(&self, name: &str, life: u64) -> Result<u32, Error> {
        self.mark(|scribe| scribe.process(name, life))
    }

    /// Notes a read. One that has no room, or a key that is too long, is counted as lost.
    pub fn read(&self, read: &Read<&[u8], &[u8]>) {
        self.note(|scribe| scribe.read(read));
    }

    /// Notes a write. One that has no room, or a key that is too long, is counted as lost.
    pub fn write(&self, write: &Write<&[u8], &[u8]>) {
        self.note(|scribe| scribe.write(write));
    }

    /// Notes what every later read of a key shows.
    pub fn floor(&self, floor: &Floor<&[u8]>) -> Result<(), Error> {
        self.mark(|scribe| scribe.floor(floor))
    }

    /// Notes that a fault begins.
    pub fn fault_begins(&self, at: u64, what: &str) -> Result<Fault, Error> {
        self.mark(|scribe| scribe.fault_begins(at, what))
    }

    /// Notes that it is healed.
    pub fn fault_heals(&self, fault: Fault, at: u64) -> Result<(), Error> {
        self.mark(|scribe| scribe.fault_heals(fault, at))
    }

    /// Writes what is left and an end mark. Tells how many records were lost, or why the file could not be written.
    pub fn close(mut self) -> io::Result<u64> {
        let lost = self.end();
        let desk = self.shared.lock();
        desk.broken.map_or(Ok(lost), |kind| Err(kind.into()))
    }

    fn note(&self, note: impl FnOnce(&mut Scribe<Vec<u8>>) -> Result<(), Error>) {
        let mut desk = self.shared.lock();
        let has_room = desk.scribe.sink().len() < desk.queue_bytes_max && desk.broken.is_none();
        if !has_room || desk.tell_dropped().is_err() || note(&mut desk.scribe).is_err() {
            desk.dropped += 1;
        }
        self.wake(&mut desk);
    }

    fn mark<T>(&self, note: impl FnOnce(&mut Scribe<Vec<u8>>) -> Result<T, Error>) -> Result<T, Error> {
        let mut desk = self.shared.lock();
        desk.tell_dropped()?;
        let noted = note(&mut desk.scribe);
        self.wake(&mut desk);
        noted
    }

    fn wake(&self, desk: &mut Desk) {
        if desk.scribe.sink().len() >= WRITE_BYTES {
            self.shared.work.notify_one();
        }
    }

    /// Ends the writer, with everything written. Tells how many records were lost at last.
    fn end(&mut self) -> u64 {
        let Some(writer) = self.writer.take() else { return 0 };
        let lost = {
            let mut desk = self.shared.lock();
            // Into memory: neither of these can fail.
            let _ = desk.tell_dropped();
            let _ = desk.scribe.end();
            desk.is_closing = true;
            desk.scribe.lost_so_far()
        };
        self.shared.work.notify_one();
        let _ = writer.join();
        lost
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.end();
    }
}

impl Clock {
    /// CLOCK_BOOTTIME of this host, as this process sees it, where its boot id can be had; otherwise a clock of its own.
    pub fn of_this_boot() -> Self {
        let mut text = String::new();
        let boot_id = File::open("/proc/sys/kernel/random/boot_id");
        let read = boot_id.and_then(|file| file.take(64).read_to_string(&mut text));
        let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        match (read, u128::from_str_radix(&digits, 16)) {
            (Ok(_), Ok(id)) if digits.len() == 32 => Self::Boot((id ^ time_namespace()).to_be_bytes()),
            _ => Self::Own,
        }
    }
}

/// The number of the time namespace: in each of them the clock of one boot has another offset. 0 where there are none.
fn time_namespace() -> u128 {
    let name = std::fs::read_link("/proc/self/ns/time").unwrap_or_default();
    let digits: String = name.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Desk {
    /// Says, in front of the next record, how many are missing there.
    fn tell_dropped(&mut self) -> Result<(), Error> {
        if self.dropped > 0 {
            self.scribe.lost(self.dropped)?;
            self.dropped = 0;
        }
        Ok(())
    }
}

/// Writes to the file what the scribe has put into memory, until the recorder is closed.
fn write_on(shared: &Shared, mut file: impl io::Write) {
    let mut bytes = Vec::new();
    loop {
        let is_closing = {
            let mut desk = shared.lock();
            if desk.scribe.sink().len() < WRITE_BYTES && !desk.is_closing {
                let waited = shared.work.wait_timeout(desk, WRITE_AFTER);
                desk = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            bytes.clear();
            std::mem::swap(desk.scribe.sink(), &mut bytes);
            desk.is_closing
        };
        if let Err(error) = file.write_all(&bytes).and_then(|()| file.flush()) {
            shared.lock().broken = Some(error.kind());
            return;
        }
        if is_closing {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
