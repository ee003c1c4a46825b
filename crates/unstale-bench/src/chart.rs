//! Pictures of distributions: how long it took at each percentile, for several subjects.

use std::fmt::Write as _;

use crate::report::quantile;

/// How long something took for several subjects.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    /// A line below the picture: what one has to know to read it.
    pub(crate) note: String,
    /// The unit of all samples.
    pub(crate) unit: &'static str,
    curves: Vec<(String, Vec<f64>)>,
}

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 430.0;
const LEFT: f64 = 76.0;
const RIGHT: f64 = 616.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 350.0;
/// The percentiles with a mark. Each step to the right has a tenth of the samples of the one before it.
const MARKS: [(f64, &str); 6] =
    [(0.0, "0"), (0.5, "50"), (0.9, "90"), (0.99, "99"), (0.999, "99.9"), (0.9999, "99.99")];
const POINTS: u32 = 160;

/// Text and lines for both kinds of background; the colours of the curves are told apart on either.
const STYLE: &str = "
  .paper { fill: #ffffff } .ink { fill: #1f2328 } .faint { fill: #59636e }
  .grid { stroke: #d1d9e0; stroke-width: 1 } text { font: 13px system-ui, sans-serif }
  .title { font-size: 15px; font-weight: 600 } .curve { fill: none; stroke-width: 2.25 }
  .c0 { stroke: #0969da } .c1 { stroke: #bc4c00 } .c2 { stroke: #1a7f37 } .c3 { stroke: #8250df } .c4 { stroke: #bf3989 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .ink { fill: #f0f6fc } .faint { fill: #9198a1 } .grid { stroke: #3d444d }
    .c0 { stroke: #58a6ff } .c1 { stroke: #f0883e } .c2 { stroke: #3fb950 } .c3 { stroke: #bc8cff } .c4 { stroke: #f778ba }
  }
";

impl Chart {
    pub(crate) fn new(title: impl Into<String>, note: impl Into<String>, unit: &'static str) -> Self {
        Self { title: title.into(), note: note.into(), unit, curves: Vec::new() }
    }

    /// Adds the times of one subject, in the unit of the chart.
    pub(crate) fn add(&mut self, subject: &str, mut samples: Vec<f64>) {
        samples.retain(|sample| *sample > 0.0);
        samples.sort_by(f64::total_cmp);
        if !samples.is_empty() {
            self.curves.push((subject.to_owned(), samples));
        }
    }

    /// The picture, as SVG.
    pub(crate) fn to_svg(&self) -> String {
        let scale = Scale::of(&self.curves);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n\
             <style>{STYLE}</style>\n<rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\" rx=\"6\"/>\n\
             <text class=\"ink title\" x=\"{LEFT}\" y=\"28\">{title}</text>\n",
            title = escaped(&self.title),
        );
        self.axes(&scale, &mut svg);
        let rows = self.rows();
        for (index, (subject, samples)) in self.curves.iter().enumerate() {
            let points: Vec<String> = (0..=POINTS)
                .map(|step| share_at(f64::from(step) / f64::from(POINTS)))
                .filter(|share| (1.0 - share) * samples.len() as f64 >= 1.0 || *share == 0.0)
                .map(|share| format!("{:.1},{:.1}", x_of(share), scale.y_of(quantile(samples, share))))
                .collect();
            let points = points.join(" ");
            let _ = writeln!(svg, "<polyline class=\"curve c{index}\" points=\"{points}\"/>");
            let median = scale.label(quantile(samples, 0.5));
            // Names stand in one column, in the order of the ends of their curves.
            let row = TOP + 14.0 + 44.0 * rows[index] as f64;
            let (from, to, text) = (RIGHT + 12.0, RIGHT + 30.0, RIGHT + 36.0);
            let _ = writeln!(
                svg,
                "<line class=\"curve c{index}\" x1=\"{from}\" x2=\"{to}\" y1=\"{row}\" y2=\"{row}\"/>\
                 <text class=\"ink\" x=\"{text}\" y=\"{y}\">{name}</text>\
                 <text class=\"faint\" x=\"{text}\" y=\"{below}\">median {median}</text>",
                y = row + 4.0,
                below = row + 20.0,
                name = escaped(subject),
            );
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// The row of each curve's name.
    fn rows(&self) -> Vec<usize> {
        let end = |index: &usize| last_of(&self.curves[*index].1);
        let mut order: Vec<usize> = (0..self.curves.len()).collect();
        order.sort_by(|one, two| end(two).total_cmp(&end(one)));
        let mut rows = vec![0; order.len()];
        for (row, index) in order.into_iter().enumerate() {
            rows[index] = row;
        }
        rows
    }

    fn axes(&self, scale: &Scale, svg: &mut String) {
        for value in scale.marks() {
            let y = scale.y_of(value);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{RIGHT}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"faint\" x=\"{x}\" y=\"{text:.1}\" text-anchor=\"end\">{label}</text>",
                x = LEFT - 8.0,
                text = y + 4.0,
                label = scale.label(value),
            );
        }
        for (share, label) in MARKS {
            let x = x_of(share);
            let _ = writeln!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{BOTTOM}\"/>\
                 <text class=\"faint\" x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\">{label}</text>",
                y = BOTTOM + 20.0,
            );
        }
        let _ = writeln!(
            svg,
            "<text class=\"faint\" x=\"{x}\" y=\"{y}\" text-anchor=\"middle\">percentile; time in {unit}, both axes \
             logarithmic</text><text class=\"faint\" x=\"{LEFT}\" y=\"{below}\">{note}</text>",
            x = f64::midpoint(LEFT, RIGHT),
            y = BOTTOM + 42.0,
            below = BOTTOM + 66.0,
            unit = self.unit,
            note = escaped(&self.note),
        );
    }
}

/// From time to height: logarithmic between two of 1, 2 and 5 times powers of ten.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn of(curves: &[(String, Vec<f64>)]) -> Self {
        let ends = curves.iter().flat_map(|(_, samples)| [quantile(samples, 0.0), last_of(samples)]);
        let (low, high) =
            ends.fold((f64::MAX, f64::MIN_POSITIVE), |(low, high), end| (low.min(end), high.max(end)));
        let low = steps().take_while(|step| *step <= low).last().unwrap_or(1.0);
        let high = steps().find(|step| *step >= high).unwrap_or(high).max(low * 2.0);
        Self { low, high }
    }

    fn y_of(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        BOTTOM - (BOTTOM - TOP) * share.clamp(0.0, 1.0)
    }

    fn marks(&self) -> impl Iterator<Item = f64> {
        let (low, high) = (self.low, self.high);
        steps().skip_while(move |step| *step < low).take_while(move |step| *step <= high * 1.000_001)
    }

    fn label(&self, value: f64) -> String {
        let _ = self;
        if value >= 100.0 || value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
    }
}

fn steps() -> impl Iterator<Item = f64> {
    (-3..10).flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)))
}

/// Where the curve of sorted samples ends.
fn last_of(samples: &[f64]) -> f64 {
    let share = share_at(1.0).min(1.0 - 1.0 / samples.len() as f64).max(0.0);
    quantile(samples, share)
}

/// The share of samples at a place of the axis, from 0 to 1; the last place is that of 99.99 %.
fn share_at(place: f64) -> f64 {
    1.0 - 10_f64.powf(-4.0 * place)
}

fn x_of(share: f64) -> f64 {
    LEFT + (RIGHT - LEFT) * (-(1.0 - share).log10() / 4.0).clamp(0.0, 1.0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slower_subject_lies_above_a_faster_one() {
        let samples = |factor: f64| (1..=10_000).map(|n| factor * f64::from(n)).collect::<Vec<_>>();
        let mut chart = Chart::new("a < b", "", "ns");
        chart.add("fast", samples(1.0));
        chart.add("slow", samples(10.0));
        let svg = chart.to_svg();
        let ends: Vec<f64> = svg
            .lines()
            .filter(|line| line.starts_with("<polyline"))
            .map(|line| line.rsplit(',').next().unwrap().trim_end_matches("\"/>").parse().unwrap())
            .collect();
        assert_eq!(ends.len(), 2);
        assert!(ends[1] < ends[0], "heights count from the top: {ends:?}");
        chart.add("slow, too", samples(10.0));
        let mut rows = chart.rows();
        rows.sort_unstable();
        assert_eq!(rows, [0, 1, 2], "each name has a row of its own");
        assert!(svg.contains("a &lt; b") && svg.contains(">slow<") && svg.contains("median 50"));
    }

    #[test]
    fn the_scale_holds_every_sample_between_round_numbers() {
        let samples = (0..20_000).map(|n| 37.0 + 0.2 * f64::from(n)).collect();
        let scale = Scale::of(&[("a".to_owned(), samples)]);
        assert_eq!((scale.low, scale.high), (20.0, 5_000.0));
        let marks: Vec<f64> = scale.marks().collect();
        assert_eq!((marks.len(), marks[0], marks[7]), (8, 20.0, 5_000.0));
    }
}
