//! Prometheus text, version 0.0.4.

use std::fmt::Write;
use std::time::Duration;

use super::{Distribution, Kind, Label, Metrics, Value};

/// The bounds of histograms as they are exported.
const BOUNDS: [Duration; 16] = [
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(10),
];

pub(super) fn write(metrics: &Metrics) -> String {
    let mut text = String::new();
    for family in metrics.families() {
        let (name, kind) = (family.name(), family.kind());
        let _ = writeln!(text, "# HELP {name} {}", family.help());
        let _ = writeln!(text, "# TYPE {name} {}", word(kind));
        for sample in family.samples() {
            match sample.value() {
                Value::Number(number) => line(&mut text, name, sample.labels(), *number),
                Value::Distribution(held) => distribution(&mut text, name, sample.labels(), held),
            }
        }
    }
    text
}

const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}

fn distribution(text: &mut String, name: &str, labels: &[Label], held: &Distribution) {
    let bucket_name = format!("{name}_bucket");
    let mut bucket = |bound: String, count: u64| {
        let mut labels = labels.to_vec();
        labels.push(("le", bound));
        line(text, &bucket_name, &labels, count as f64);
    };
    for bound in BOUNDS {
        bucket(bound.as_secs_f64().to_string(), held.count_up_to(bound));
    }
    bucket("+Inf".to_owned(), held.count());
    line(text, &format!("{name}_sum"), labels, held.sum().as_secs_f64());
    line(text, &format!("{name}_count"), labels, held.count() as f64);
}

fn line(text: &mut String, name: &str, labels: &[Label], value: f64) {
    text.push_str(name);
    for (index, (label, value)) in labels.iter().enumerate() {
        let separator = if index == 0 { '{' } else { ',' };
        let _ = write!(text, "{separator}{label}=\"{}\"", escaped(value));
    }
    if !labels.is_empty() {
        text.push('}');
    }
    let _ = writeln!(text, " {value}");
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
