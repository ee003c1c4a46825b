//! One line of output, for people and for programs.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use unstale_codec::fusion::Ticks;

use super::decoded::Item;
use crate::decode::Refused;
use crate::decode::hex;
use crate::terminal::plain;

/// Of what cannot be decoded more than this is not shown.
const SHOWN_BYTES_MAX: usize = 4_096;

/// A line in both forms.
#[derive(Clone, Debug)]
pub(super) struct Line {
    words: String,
    fields: Value,
}

impl Line {
    pub(super) fn new(words: String, fields: Value) -> Self {
        Self { words, fields }
    }

    pub(super) fn listening(now: Ticks, topics: &[String]) -> Self {
        let words = format!("{} listening on {}", clock(now), topics.join(" "));
        Self::new(words, json!({ "event": "listening", "time": now.to_string(), "topics": topics }))
    }

    pub(super) fn gap(now: Ticks, why: &str) -> Self {
        let words = format!("{} gap: {why}; what is published from now on is missed", clock(now));
        Self::new(words, json!({ "event": "gap", "time": now.to_string(), "why": why }))
    }

    pub(super) fn gap_ended(now: Ticks, lasted: Duration) -> Self {
        let ms = lasted.as_secs_f64() * 1e3;
        let words = format!("{} listening again after a gap of {ms:.0} ms", clock(now));
        Self::new(words, json!({ "event": "listening", "time": now.to_string(), "gap_ms": ms }))
    }

    pub(super) fn message(now: Ticks, channel: &Bytes, item: &Item) -> Self {
        let channel = String::from_utf8_lossy(channel);
        let lag_ms = item.at().map(|at| lag_ms(now, at));
        let lag = lag_ms.map(|lag| format!("  lag {lag:.1} ms")).unwrap_or_default();
        let words = format!("{} {channel}  {}{lag}", clock(now), item.words());
        let mut fields =
            json!({ "event": "message", "time": now.to_string(), "channel": channel, "lag_ms": lag_ms });
        if let Value::Object(fields) = &mut fields {
            fields.extend(item.fields().clone());
        }
        Self::new(words, fields)
    }

    pub(super) fn undecodable(now: Ticks, channel: &Bytes, payload: &Bytes, refused: &Refused) -> Self {
        let channel = String::from_utf8_lossy(channel);
        let Refused { error, offset } = refused;
        let shown = hex::digits(&payload[..payload.len().min(SHOWN_BYTES_MAX)]);
        let more = if payload.len() > SHOWN_BYTES_MAX { "…" } else { "" };
        let words = format!("{} {channel}  undecodable at byte {offset}: {error}: {shown}{more}", clock(now));
        let fields = json!({
            "event": "undecodable", "time": now.to_string(), "channel": channel, "error": error, "offset": offset,
            "bytes": payload.len(), "hex": shown,
        });
        Self::new(words, fields)
    }

    pub(super) fn words(&self) -> String {
        plain(&self.words) + "\n"
    }

    pub(super) fn json(&self) -> String {
        format!("{}\n", self.fields)
    }
}

/// How long ago by this machine's clock; below 0 where the sender's is ahead.
fn lag_ms(now: Ticks, at: Ticks) -> f64 {
    now.0.saturating_sub(at.0) as f64 / 1e4
}

/// The time of day, to milliseconds.
fn clock(now: Ticks) -> String {
    let text = now.to_string();
    let time = text.split_once('T').map_or(text.as_str(), |(_, time)| time).trim_end_matches('Z');
    let (whole, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{whole}.{fraction:0<3.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_day_have_three_digits_and_lags_may_be_negative() {
        let at = Ticks(639_028_224_010_000_000);
        assert_eq!(clock(at), "00:00:01.000");
        assert_eq!(clock(Ticks(at.0 + 1_234_567)), "00:00:01.123");
        assert!((lag_ms(at, Ticks(at.0 + 25_000)) + 2.5).abs() < 1e-9);
    }

    #[test]
    fn what_others_named_moves_no_cursor() {
        let line = Line::undecodable(
            Ticks(0),
            &"a\u{1b}[2J".into(),
            &Bytes::new(),
            &Refused { error: "no".into(), offset: 0 },
        );
        assert!(!line.words().trim_end().contains(char::is_control));
    }
}
