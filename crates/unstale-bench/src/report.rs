//! Figures and how they are printed: one object per line, or a table per bench.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use serde_json::json;

use crate::chart::Chart;

/// How figures are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Output {
    /// A table per bench.
    Text,
    /// One JSON object per line.
    Json,
    /// Not at all: for the goals, which read them.
    Silent,
}

/// One figure: the median of the rounds, and their extremes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) bench: &'static str,
    pub(crate) case: String,
    pub(crate) subject: String,
    pub(crate) metric: &'static str,
    pub(crate) value: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) rounds: u32,
}

/// Collects figures and prints them.
#[derive(Debug)]
pub(crate) struct Report {
    output: Output,
    figures: Vec<Figure>,
    absent: Vec<(&'static str, String, String)>,
    charts: Vec<(String, Chart)>,
}

impl Report {
    /// An empty report.
    pub(crate) const fn new(output: Output) -> Self {
        Self { output, figures: Vec::new(), absent: Vec::new(), charts: Vec::new() }
    }

    /// Takes the figure of `values`, one of each round.
    pub(crate) fn add(
        &mut self,
        bench: &'static str,
        case: &str,
        subject: &str,
        metric: &'static str,
        values: &[f64],
    ) {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (Some(min), Some(max)) = (sorted.first(), sorted.last()) else { return };
        let figure = Figure {
            bench,
            case: case.to_owned(),
            subject: subject.to_owned(),
            metric,
            value: median(&sorted),
            min: *min,
            max: *max,
            rounds: sorted.len() as u32,
        };
        if self.output == Output::Json {
            print_line(&figure.to_json());
        }
        self.figures.push(figure);
    }

    /// Names a subject that could not run, and why.
    pub(crate) fn absent(&mut self, bench: &'static str, subject: &str, why: &str) {
        if self.output == Output::Json {
            print_line(&json!({"bench": bench, "subject": subject, "absent": why}).to_string());
        }
        self.absent.push((bench, subject.to_owned(), why.to_owned()));
    }

    /// The figure of a subject, if it was measured.
    pub(crate) fn value(&self, case: &str, subject: &str, metric: &str) -> Option<f64> {
        let of =
            |figure: &&Figure| figure.case == case && figure.subject == subject && figure.metric == metric;
        self.figures.iter().find(of).map(|figure| figure.value)
    }

    /// Why a subject could not run, if it was named as absent.
    pub(crate) fn why_absent(&self, subject: &str) -> Option<&str> {
        self.absent.iter().find(|(_, name, _)| name == subject).map(|(_, _, why)| why.as_str())
    }

    /// Takes a picture, to be written to the file of this name.
    pub(crate) fn picture(&mut self, file: impl Into<String>, chart: Chart) {
        self.charts.push((file.into(), chart));
    }

    /// Writes the pictures into a folder.
    pub(crate) fn write_pictures(&self, folder: &Path) -> io::Result<()> {
        if !self.charts.is_empty() {
            fs::create_dir_all(folder)?;
        }
        for (file, chart) in &self.charts {
            fs::write(folder.join(file), chart.to_svg())?;
        }
        Ok(())
    }

    /// Prints the table, if tables are wanted.
    pub(crate) fn finish(self) {
        if self.output != Output::Text {
            return;
        }
        let mut text = String::new();
        let mut heading = String::new();
        for figure in &self.figures {
            let now = format!("{} {} ({})", figure.bench, figure.case, figure.metric);
            if now != heading {
                let _ = writeln!(text, "\n{now}");
                heading = now;
            }
            let Figure { subject, value, min, max, rounds, .. } = figure;
            let _ =
                writeln!(text, "  {subject:<20} {value:>12.3}   {min:>12.3} .. {max:<12.3} {rounds} rounds");
        }
        for (bench, subject, why) in &self.absent {
            let _ = writeln!(text, "{bench}: {subject} is absent: {why}");
        }
        print_line(text.trim_end());
    }
}

impl Figure {
    fn to_json(&self) -> String {
        json!({
            "bench": self.bench, "case": self.case, "subject": self.subject, "metric": self.metric,
            "value": self.value, "min": self.min, "max": self.max, "rounds": self.rounds,
        })
        .to_string()
    }
}

/// The median of sorted values; the mean of the middle two if there is an even number.
///
/// # Panics
/// When there are none.
pub(crate) fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) }
}

/// The value below which `share` of sorted values lie.
///
/// # Panics
/// When there are none.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

/// Prints a line on standard output; a closed pipe ends the printing, not the program.
pub(crate) fn print_line(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_counts_and_the_extremes_stand_beside_it() {
        let mut report = Report::new(Output::Silent);
        report.add("hit", "string-1t", "unstale", "ns_per_op", &[3.0, 1.0, 9.0, 2.0]);
        let figure = &report.figures[0];
        assert_eq!((figure.value, figure.min, figure.max, figure.rounds), (2.5, 1.0, 9.0, 4));
        assert_eq!(report.value("string-1t", "unstale", "ns_per_op"), Some(2.5));
        assert_eq!(report.value("string-1t", "moka-sync", "ns_per_op"), None);
    }

    #[test]
    fn a_figure_is_one_json_object_with_full_precision() {
        let mut report = Report::new(Output::Silent);
        report.add("tag", "1k", "unstale", "us_per_act", &[0.015]);
        let line: serde_json::Value = serde_json::from_str(&report.figures[0].to_json()).unwrap();
        assert_eq!(line["value"], 0.015);
        assert_eq!(line["bench"], "tag");
    }
}
