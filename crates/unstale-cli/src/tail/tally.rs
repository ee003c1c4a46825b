//! What was heard, counted.

use std::collections::BTreeMap;
use std::time::Instant;

use hdrhistogram::Histogram;
use unstale_codec::fusion::Ticks;

use super::decoded::Item;
use super::line::Line;

/// Counts of a run.
#[derive(Debug)]
pub(super) struct Tally {
    began: Instant,
    by_action: BTreeMap<String, u64>,
    undecodable: u64,
    gaps: u64,
    /// In microseconds; what is from the future counts as 0.
    lags: Option<Histogram<u64>>,
}

impl Default for Tally {
    fn default() -> Self {
        let lags = Histogram::new(3).ok();
        Self { began: Instant::now(), by_action: BTreeMap::new(), undecodable: 0, gaps: 0, lags }
    }
}

impl Tally {
    pub(super) fn take(&mut self, item: &Item, now: Ticks) {
        *self.by_action.entry(item.action().to_owned()).or_default() += 1;
        if let (Some(lags), Some(at)) = (&mut self.lags, item.at()) {
            lags.saturating_record(now.since(at).as_micros() as u64);
        }
    }

    pub(super) fn undecodable(&mut self) {
        self.undecodable += 1;
    }

    pub(super) fn gap(&mut self) {
        self.gaps += 1;
    }

    /// All that count for `--count`.
    pub(super) fn messages(&self) -> u64 {
        self.by_action.values().sum::<u64>() + self.undecodable
    }

    pub(super) fn summary(&self) -> Line {
        let seconds = self.began.elapsed().as_secs_f64();
        let lags = self.lags.as_ref().filter(|lags| !lags.is_empty());
        let lag = |quantile| lags.map(|lags| lags.value_at_quantile(quantile) as f64 / 1e3);
        let messages = self.messages();
        let per_second = if seconds > 0.0 { messages as f64 / seconds } else { 0.0 };
        let (undecodable, gaps) = (self.undecodable, self.gaps);
        let fields = serde_json::json!({
            "event": "summary", "seconds": seconds, "messages": messages, "per_second": per_second,
            "by_action": self.by_action, "undecodable": undecodable, "gaps": gaps,
            "lag_ms_p50": lag(0.5), "lag_ms_p99": lag(0.99),
        });
        let actions: Vec<_> =
            self.by_action.iter().map(|(action, count)| format!("{count} {action}")).collect();
        let actions = if actions.is_empty() { String::new() } else { format!(" ({})", actions.join(", ")) };
        let lags = match (lag(0.5), lag(0.99)) {
            (Some(p50), Some(p99)) => {
                format!(", lag {p50:.1} ms at the median, {p99:.1} ms at the 99th percentile")
            }
            _ => String::new(),
        };
        let words = format!(
            "{messages} messages{actions} in {seconds:.1} s, {per_second:.1} a second{lags}; {undecodable} undecodable, {gaps} gaps"
        );
        Line::new(words, fields)
    }
}
