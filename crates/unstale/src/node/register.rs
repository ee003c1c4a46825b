//! The register of the node's backplane: what is asked of it, and what its listings say.

use std::time::Duration;

use bytes::Bytes;
use unstale_codec::native;
use unstale_core::{EndCause, Ended, Entry, Input, Instant, Listed, Listing, RegisterRequest, Seq};
use unstale_port::{self as port, Backplane};

use super::driver::Driver;

impl Driver {
    pub(super) fn ask_register(&mut self, request: RegisterRequest) {
        let request = match request {
            RegisterRequest::Enter(entry) => port::RegisterRequest::Enter(written(&entry)),
            RegisterRequest::Read { reading } => port::RegisterRequest::Read { reading },
            RegisterRequest::Retire(entry) => port::RegisterRequest::Retire(written(&entry)),
            RegisterRequest::Expel { era, entry, renewals } => {
                port::RegisterRequest::Expel { era, entry: written(&entry), renewals }
            }
        };
        self.links.backplane.register(request);
    }

    pub(super) fn take_listing(&mut self, now: Instant, listing: &port::Listing) {
        let mut entries = Vec::with_capacity(listing.entries.len());
        for listed in &*listing.entries {
            if let Some(entry) = self.read_entry(&listed.entry) {
                entries.push(Listed { entry, renewals: listed.renewals });
            }
        }
        let mut ended = Vec::with_capacity(listing.ended.len());
        for row in &*listing.ended {
            if let Some(entry) = self.read_entry(&row.entry) {
                ended.push(end_of(entry, row.ago));
            }
        }
        let (reading, era) = (listing.reading, listing.era);
        self.input(now, Input::Listed(Listing { reading, era, entries, ended }));
    }

    /// An entry that is none was written by nobody who speaks this protocol: there is no member to wait for.
    fn read_entry(&self, entry: &port::Entry) -> Option<Entry> {
        match native::decode_entry(entry.about.clone()) {
            Ok(read) if native::entry_id(read.stream) == entry.id => Some(read),
            Ok(_) | Err(_) => {
                self.shared.metrics.note("entry-bad");
                None
            }
        }
    }
}

fn end_of(entry: Entry, ago: Duration) -> Ended {
    let (cause, last) = entry.end.unwrap_or((EndCause::Arbiter, Seq::ZERO));
    let ago_ms = u32::try_from(ago.as_millis()).unwrap_or(u32::MAX);
    Ended { stream: entry.stream, name: entry.name, last, cause, ago_ms }
}

/// The entry as the backplane carries it. One that declares more scopes than there is room for declares all.
fn written(entry: &Entry) -> port::Entry {
    let fits = |about: &Bytes| about.len() <= port::Entry::ABOUT_BYTES_MAX;
    let about = native::encode_entry(entry).ok().filter(fits);
    let about = about.unwrap_or_else(|| {
        let short = Entry { scopes: Vec::new(), ..entry.clone() };
        native::encode_entry(&short).expect("a name and no scopes are within all limits")
    });
    port::Entry { id: native::entry_id(entry.stream), about }
}

#[cfg(test)]
mod tests {
    use unstale_core::{Name, ProcessId, Stream};

    use super::*;

    fn entry(scopes: usize) -> Entry {
        let name = |text: String| Name::new(text).unwrap();
        let scopes = (0..scopes).map(|scope| name(format!("a-cache-with-a-long-name-{scope}"))).collect();
        Entry { stream: Stream::first(ProcessId(7)), name: name("a".into()), scopes, end: None }
    }

    #[test]
    fn an_entry_with_too_many_scopes_says_that_it_may_write_all() {
        // P-35: no name means all, so what is distrusted at its end is more, never less.
        assert_eq!(native::decode_entry(written(&entry(9)).about).unwrap(), entry(9));
        assert_eq!(native::decode_entry(written(&entry(1_000)).about).unwrap(), entry(0));
    }

    #[test]
    fn an_end_without_a_cause_is_the_arbiters() {
        let end = end_of(entry(0), Duration::from_millis(5));
        assert_eq!((end.cause, end.last, end.ago_ms), (EndCause::Arbiter, Seq::ZERO, 5));
    }
}
