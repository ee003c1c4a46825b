//! What the machine reports, as metrics, events and log lines.

use unstale_core::{DistrustCause, Event as ProtocolEvent, Name, Stream, Suspects};

use super::driver::Driver;
use crate::event::{Event, Origin};
use crate::metrics::ProtocolNote;

impl Driver {
    pub(super) fn observe(&self, event: ProtocolEvent) {
        let metrics = &self.shared.metrics;
        if let Some(note) = ProtocolNote::of(&event) {
            metrics.protocol_notes.increment(note);
        }
        match &event {
            ProtocolEvent::GapSeen { stream, range, since_up } => {
                metrics.gaps_seen.increment();
                metrics.gap_seen_seconds.record(*since_up);
                tracing::debug!(%stream, first = range.first.0, last = range.last.0, ?since_up, "gap seen");
            }
            ProtocolEvent::GapClosed { stream, range, how, since_up, since_seen } => {
                metrics.gaps_closed.increment((*how).into());
                metrics.repair_seconds.record(*since_seen);
                let (first, last) = (range.first.0, range.last.0);
                tracing::debug!(%stream, first, last, ?how, ?since_up, ?since_seen, "gap closed");
            }
            ProtocolEvent::MemberEnded { stream, name, cause } => {
                metrics.members_ended.increment((*cause).into());
                tracing::info!(%stream, %name, ?cause, "member ended");
            }
            ProtocolEvent::MemberUp { stream, name } => tracing::info!(%stream, %name, "member up"),
            ProtocolEvent::MemberSilent { stream, name } => tracing::warn!(%stream, %name, "member silent"),
            ProtocolEvent::MemberHeard { stream, name } => {
                tracing::info!(%stream, %name, "member heard again");
            }
            ProtocolEvent::NameTaken { name, stream } => {
                tracing::warn!(%name, %stream, "two live nodes have one name");
            }
            ProtocolEvent::Refused { link, reason } => tracing::warn!(link = link.0, ?reason, "peer refused"),
            ProtocolEvent::EndRefused { name } => tracing::warn!(%name, "operator's end refused"),
            ProtocolEvent::SelfEnded { stream, why } => {
                tracing::warn!(%stream, ?why, "node was ended, goes on");
            }
            ProtocolEvent::Late { by } => tracing::warn!(?by, "driver late"),
            ProtocolEvent::VoteCast { on } => tracing::info!(?on, "vote cast"),
            ProtocolEvent::SlotVacant { slot } => tracing::info!(%slot, "slot vacant"),
            ProtocolEvent::RegisterLost { era } => tracing::warn!(era, "register lost its entries"),
            ProtocolEvent::ExpelAsked { stream, name } => {
                tracing::warn!(%stream, %name, "arbiter asked to end a silent member");
            }
            ProtocolEvent::Pacemaker { stream, name } => {
                tracing::info!(%stream, %name, "rounds are opened by another node");
            }
            _ => tracing::debug!(?event, "protocol event"),
        }
        self.shared.events.report(|| Event::Protocol(event));
    }

    pub(super) fn distrusted(&self, id: u64, what: &Suspects, cause: DistrustCause) {
        self.shared.metrics.distrusts.increment(cause.into());
        let (extent, count) = match what {
            Suspects::Everything => ("everything", 1),
            Suspects::Caches(caches) => ("caches", caches.len()),
            Suspects::Hashes(_) => ("hashes", 1),
        };
        let origin = stream_of(cause).map(|stream| {
            let (have, heard) = self.shared.sessions.known(stream);
            Origin::missing(stream, have, heard)
        });
        if let Some(origin) = origin {
            self.shared.origins.distrusted(id, what, origin);
        }
        let missing = origin.map(|origin| origin.range.first.0);
        tracing::info!(id, extent, count, ?cause, missing, "distrust");
        self.shared.events.report(|| Event::Distrusted { id, caches: caches_of(what), cause, origin });
    }

    pub(super) fn lifted(&self, id: u64) {
        self.shared.metrics.lifts.increment();
        self.shared.origins.lifted(id);
        tracing::info!(id, "distrust lifted");
        self.shared.events.report(|| Event::Lifted { id });
    }
}

const fn stream_of(cause: DistrustCause) -> Option<Stream> {
    match cause {
        DistrustCause::Silent(stream) | DistrustCause::Dead(stream) | DistrustCause::Unrepairable(stream) => {
            Some(stream)
        }
        DistrustCause::Joined => None,
    }
}

fn caches_of(what: &Suspects) -> Option<Vec<Name>> {
    match what {
        Suspects::Everything | Suspects::Hashes(_) => None,
        Suspects::Caches(caches) => Some(caches.clone()),
    }
}
