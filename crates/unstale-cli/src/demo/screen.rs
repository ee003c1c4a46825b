//! How a run is shown: a live table in a terminal, plain lines elsewhere, JSON for programs.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use serde::Serialize;

use super::Output;
use super::figures::{Row, Second};
use super::verdict::Verdict;

/// How many of the last events stay below the table.
const EVENTS_SHOWN: usize = 6;

/// Where a run is shown. What cannot be written (the reader has gone) is not shown; the run goes on to its exit code.
#[derive(Debug)]
pub(crate) struct Screen {
    form: Form,
    colours: bool,
}

#[derive(Debug)]
enum Form {
    Table { lines_drawn: usize, events: VecDeque<String> },
    Lines,
    Json,
}

#[derive(Serialize)]
struct SecondLine<'a> {
    second: u64,
    of: u64,
    reads_per_s: u64,
    hit_ratio: f64,
    loads_per_s: u64,
    writes_per_s: u64,
    propagation_us_p50: Option<u64>,
    propagation_us_p99: Option<u64>,
    frames_lost: u64,
    frames_repaired: u64,
    suspects: u64,
    stale_reads: u64,
    stale_during_faults: u64,
    nodes: &'a [Row],
}

impl Screen {
    /// Shows on standard output.
    pub(crate) fn new(output: Output) -> Self {
        let terminal =
            io::stdout().is_terminal() && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        let form = match output {
            Output::Json => Form::Json,
            Output::Words if terminal => Form::Table { lines_drawn: 0, events: VecDeque::new() },
            Output::Words => Form::Lines,
        };
        Self { form, colours: terminal && std::env::var_os("NO_COLOR").is_none() }
    }

    /// Something happened `elapsed` after the start.
    pub(crate) fn event(&mut self, elapsed: Duration, what: &str) {
        let line = format!("{:5.1} s  {what}", elapsed.as_secs_f64());
        match &mut self.form {
            Form::Table { events, .. } => {
                events.push_back(line);
                while events.len() > EVENTS_SHOWN {
                    events.pop_front();
                }
            }
            Form::Lines => print(&format!("{line}\n")),
            Form::Json => {}
        }
    }

    /// Something to say before the run starts.
    pub(crate) fn announce(&self, what: &str) {
        match self.form {
            Form::Table { .. } | Form::Lines => print(&format!("{what}\n")),
            Form::Json => {}
        }
    }

    /// A second has passed.
    pub(crate) fn second(&mut self, second: &Second) {
        match &mut self.form {
            Form::Table { lines_drawn, events } => {
                let table = table(second, events, self.colours);
                let mut frame = String::new();
                if *lines_drawn > 0 {
                    let _ = write!(frame, "\x1b[{lines_drawn}A");
                }
                for line in table.lines() {
                    let _ = writeln!(frame, "\r\x1b[2K{line}");
                }
                *lines_drawn = table.lines().count();
                print(&frame);
            }
            Form::Lines => print(&line(second)),
            Form::Json => print(&json(second)),
        }
    }

    /// The run is over.
    pub(crate) fn finish(&self, verdict: &Verdict, words: &str) {
        match self.form {
            Form::Json => print(&format!("{}\n", serde_json::to_string(verdict).unwrap_or_default())),
            Form::Table { .. } | Form::Lines if self.colours => {
                let colour = if verdict.is_coherent() { 32 } else { 31 };
                let (first, rest) = words.split_once('\n').unwrap_or((words, ""));
                print(&format!("\n\x1b[1;{colour}m{first}\x1b[0m\n{rest}"));
            }
            Form::Table { .. } | Form::Lines => print(&format!("\n{words}")),
        }
    }
}

fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn table(second: &Second, events: &VecDeque<String>, colours: bool) -> String {
    let mut table = format!("\n{}\n", progress(second));
    let head = format!(
        " {:<6}{:<11}{:>9}{:>8}{:>9}{:>10}{:>19}{:>8}{:>10}{:>10}{:>7}",
        "node",
        "state",
        "reads/s",
        "hits",
        "loads/s",
        "writes/s",
        "propagation (us)",
        "lost",
        "repaired",
        "suspects",
        "stale"
    );
    let _ = writeln!(table, "{}", painted(&head, 1, colours));
    for row in &second.nodes {
        let line = table_row(row);
        let well = row.stale_reads == 0 && matches!(row.state.as_str(), "joined" | "alone" | "up");
        let colour = if row.stale_reads > 0 { 31 } else { 33 };
        let _ = writeln!(table, "{}", if well { line } else { painted(&line, colour, colours) });
    }
    let _ = writeln!(table, "{}", painted(&table_row(&second.all), 1, colours));
    let stale = format!("stale reads found: {}", second.all.stale_reads);
    let colour = if second.all.stale_reads == 0 { 32 } else { 31 };
    let _ = writeln!(
        table,
        "\n {}   (plain reads during faults, which nobody promises: {})",
        painted(&stale, colour, colours),
        second.stale_during_faults
    );
    for index in 0..EVENTS_SHOWN {
        let _ = writeln!(table, " {}", events.get(index).map_or("", String::as_str));
    }
    table
}

fn table_row(row: &Row) -> String {
    let propagation = match (row.propagation_us_p50, row.propagation_us_p99) {
        (Some(p50), Some(p99)) => format!("p50 {p50} p99 {p99}"),
        _ => "-".to_owned(),
    };
    format!(
        " {:<6}{:<11}{:>9}{:>6.1} %{:>9}{:>10}{:>19}{:>8}{:>10}{:>10}{:>7}",
        row.name,
        row.state,
        row.reads_per_s,
        row.hit_ratio * 100.0,
        row.loads_per_s,
        row.writes_per_s,
        propagation,
        row.lost,
        row.repaired,
        row.suspects,
        row.stale_reads
    )
}

fn progress(second: &Second) -> String {
    const WIDTH: f64 = 30.0;
    let share = (second.elapsed.as_secs_f64() / second.length.as_secs_f64()).clamp(0.0, 1.0);
    let done = (share * WIDTH).round() as usize;
    let left = second.length.saturating_sub(second.elapsed);
    format!(
        " [{}{}] {:.0} s of {} s, {:.0} s left",
        "#".repeat(done),
        "-".repeat(WIDTH as usize - done),
        second.elapsed.as_secs_f64(),
        second.length.as_secs(),
        left.as_secs_f64()
    )
}

fn painted(text: &str, colour: u8, colours: bool) -> String {
    if colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
}

fn line(second: &Second) -> String {
    let Second { elapsed, length, nodes, all, .. } = second;
    let mut line = format!(
        "{:5.1} s of {} s: {} reads/s, {:.1} % hits, {} loads/s, {} writes/s",
        elapsed.as_secs_f64(),
        length.as_secs(),
        all.reads_per_s,
        all.hit_ratio * 100.0,
        all.loads_per_s,
        all.writes_per_s
    );
    if let (Some(p50), Some(p99)) = (all.propagation_us_p50, all.propagation_us_p99) {
        let _ = write!(line, ", propagation p50 {p50} us p99 {p99} us");
    }
    let _ = write!(
        line,
        ", lost {} repaired {}, suspects {}, stale reads {}",
        all.lost, all.repaired, all.suspects, all.stale_reads
    );
    let others: Vec<_> = nodes
        .iter()
        .filter(|row| !matches!(row.state.as_str(), "joined" | "alone" | "up"))
        .map(|row| format!("{} {}", row.name, row.state))
        .collect();
    if !others.is_empty() {
        let _ = write!(line, "; {}", others.join(", "));
    }
    line.push('\n');
    line
}

fn json(second: &Second) -> String {
    let all = &second.all;
    let line = SecondLine {
        second: second.elapsed.as_secs_f64().round() as u64,
        of: second.length.as_secs(),
        reads_per_s: all.reads_per_s,
        hit_ratio: all.hit_ratio,
        loads_per_s: all.loads_per_s,
        writes_per_s: all.writes_per_s,
        propagation_us_p50: all.propagation_us_p50,
        propagation_us_p99: all.propagation_us_p99,
        frames_lost: all.lost,
        frames_repaired: all.repaired,
        suspects: all.suspects,
        stale_reads: all.stale_reads,
        stale_during_faults: second.stale_during_faults,
        nodes: &second.nodes,
    };
    let mut line = serde_json::to_string(&line).unwrap_or_default();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, state: &str) -> Row {
        Row {
            name: name.into(),
            state: state.into(),
            reads_per_s: 2_000,
            hit_ratio: 0.971,
            loads_per_s: 58,
            writes_per_s: 20,
            propagation_us_p50: Some(310),
            propagation_us_p99: None,
            lost: 3,
            repaired: 2,
            suspects: 1,
            stale_reads: 0,
        }
    }

    fn second() -> Second {
        Second {
            elapsed: Duration::from_millis(12_020),
            length: Duration::from_secs(30),
            nodes: vec![row("a1", "joined"), row("b2", "cut off")],
            all: row("all", ""),
            stale_during_faults: 7,
        }
    }

    #[test]
    fn a_plain_line_names_the_nodes_that_are_not_well() {
        assert_eq!(
            line(&second()),
            " 12.0 s of 30 s: 2000 reads/s, 97.1 % hits, 58 loads/s, 20 writes/s, lost 3 repaired 2, suspects 1, \
             stale reads 0; b2 cut off\n"
        );
    }

    #[test]
    fn a_json_line_is_one_object_with_the_second_and_every_node() {
        let text = json(&second());
        assert_eq!(text.matches('\n').count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!((&value["second"], &value["of"]), (&12.into(), &30.into()));
        assert_eq!(value["nodes"][1]["state"], "cut off");
        assert_eq!(value["propagation_us_p99"], serde_json::Value::Null);
    }

    #[test]
    fn the_table_keeps_its_height_and_its_width() {
        let height = |events: &VecDeque<String>| table(&second(), events, false).lines().count();
        let some: VecDeque<_> = ["one".to_owned(), "two".to_owned()].into();
        assert_eq!(height(&VecDeque::new()), height(&some));
        let text = table(&second(), &some, false);
        assert!(text.lines().all(|line| line.len() <= 110), "{text}");
        assert!(text.contains("18 s left"), "{text}");
    }

    #[test]
    fn colours_are_only_used_where_they_are_wanted() {
        assert!(!table(&second(), &VecDeque::new(), false).contains('\x1b'));
        assert!(table(&second(), &VecDeque::new(), true).contains("\x1b[33m"));
    }
}
