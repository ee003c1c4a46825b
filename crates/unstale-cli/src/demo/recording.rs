//! Writes what happens in a run to a file, for `unstale audit check`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use unstale_audit::{Begin, Clock, Error, Fault, Floor, Marks, Recorder, Token};

use super::child::Life;
use super::clock;
use super::database::Version;
use super::line::{How, Read, Served, Write};

/// The history of a run, if one is wanted.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    to: Option<To>,
}

#[derive(Debug)]
struct To {
    file: PathBuf,
    recorder: Recorder,
    /// By node and number of its life.
    processes: BTreeMap<(usize, u32), u32>,
}

impl Recording {
    /// Records to `file`, if there is one. A history that is there is replaced; anything else is left alone, and an error.
    pub(crate) fn start(file: Option<&Path>) -> Result<Self, Error> {
        let Some(file) = file else { return Ok(Self::default()) };
        let clock = if cfg!(target_os = "linux") { Clock::of_this_boot() } else { Clock::Own };
        let begin = Begin { clock, marks: Marks::EveryFault, at: clock::now(), source: "unstale demo" };
        let recorder = Recorder::create(file, &begin)?;
        Ok(Self { to: Some(To { file: file.to_owned(), recorder, processes: BTreeMap::new() }) })
    }

    /// A process is started as a life of the node with this name.
    pub(crate) fn process(&mut self, life: Life, name: &str) -> Result<(), Error> {
        if let Some(to) = &mut self.to {
            let process = to.recorder.process(name, u64::from(life.number))?;
            to.processes.insert((life.node, life.number), process);
        }
        Ok(())
    }

    /// A process answered a read.
    pub(crate) fn read(&self, life: Life, read: &Read) {
        if let Some((to, process)) = self.of(life) {
            to.recorder.read(&read.in_history(process, key(read.row).as_bytes()));
        }
    }

    /// A write of a process returned.
    pub(crate) fn write(&self, life: Life, write: &Write) {
        if let Some((to, process)) = self.of(life) {
            let token = Token { stream: write.act.stream.as_bytes(), number: write.act.number };
            to.recorder.write(&write.in_history(process, key(write.row).as_bytes(), Some(token)));
        }
    }

    /// A fault began. Faults are numbered as the checker numbers them.
    pub(crate) fn fault_begins(&self, now: u64, what: &str) -> Result<(), Error> {
        self.to.as_ref().map_or(Ok(()), |to| to.recorder.fault_begins(now, what).map(drop))
    }

    /// It was healed.
    pub(crate) fn fault_heals(&self, fault: Fault, now: u64) -> Result<(), Error> {
        self.to.as_ref().map_or(Ok(()), |to| to.recorder.fault_heals(fault, now))
    }

    /// With everything healed, reads that begin from an instant on are not older than these versions.
    pub(crate) fn settled(&self, from: u64, versions: &[Version]) -> Result<(), Error> {
        let Some(to) = &self.to else { return Ok(()) };
        for (row, version) in (0..).zip(versions) {
            to.recorder.floor(&Floor { key: key(row).as_bytes(), version: *version, from })?;
        }
        Ok(())
    }

    /// Ends the history, and says so in words.
    pub(crate) fn close(self) -> Result<Option<String>, String> {
        let Some(To { file, recorder, .. }) = self.to else { return Ok(None) };
        let file = file.display();
        match recorder.close() {
            Ok(0) => Ok(Some(format!("Recorded to {file}; `unstale audit check {file}` judges it again."))),
            Ok(lost) => {
                Ok(Some(format!("Recorded to {file}, but {lost} records had no room: it is not complete.")))
            }
            Err(error) => Err(format!("{file}: {error}")),
        }
    }

    fn of(&self, life: Life) -> Option<(&To, u32)> {
        let to = self.to.as_ref()?;
        to.processes.get(&(life.node, life.number)).map(|process| (to, *process))
    }
}

impl Read {
    /// The read as histories have it.
    pub(crate) fn in_history<K, S>(&self, process: u32, key: K) -> unstale_audit::Read<K, S> {
        let served = match self.served {
            Served::Hit => unstale_audit::Served::Hit,
            Served::Load => unstale_audit::Served::Load,
            Served::Stale => unstale_audit::Served::Stale,
            Served::Bypass => unstale_audit::Served::Bypass,
        };
        let (within, due) = match self.how {
            How::Plain => (None, None),
            How::Within(length) => (Some(length), None),
            How::Session(version) => (None, Some(version)),
        };
        let Self { version, began, ended, own, reader, .. } = *self;
        // A reader of one process is nobody's of another.
        let session = (reader > 0).then(|| u64::from(process) << 32 | u64::from(reader));
        let plain = unstale_audit::Read::new(process, key, version, served);
        unstale_audit::Read { began, ended, own: Some(own), within, due, session, ..plain }
    }
}

impl Write {
    /// The write as histories have it.
    pub(crate) fn in_history<K, S>(
        &self,
        process: u32,
        key: K,
        token: Option<Token<S>>,
    ) -> unstale_audit::Write<K, S> {
        let Self { version, began, returned: ended, announced, .. } = *self;
        unstale_audit::Write {
            began,
            ended,
            announced,
            token,
            ..unstale_audit::Write::new(process, key, version)
        }
    }
}

fn key(row: u32) -> String {
    format!("row {row}")
}
