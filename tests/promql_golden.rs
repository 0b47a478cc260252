//! PromQL cases of our own. Each file in `tests/promql/` is a script:
//!
//! ```text
//! load 30s                      series, one value per step from time 0
//!   up{job="a"} 1 2x3 0+5x4 _ stale
//! clear                         forgets them
//! instant 5m: sum(up)           a query, with what it must answer
//!   {} 3
//! ordered 5m: sort(up)          the same, order included
//! range 0 10m 1m: up            start, end, step; one value per step, `_` for none
//!   up{job="a"} 1 _ 3
//! instant 0: 1 + on
//!   error: 1:5: parse error: …  (or the start of the message, ending in …)
//! ```
//!
//! A line with a native histogram, `{{count:3 buckets:[1 2]}}`, is in promtool's notation instead
//! (`vedette::promql::parse_series`), where `2x3` are four values.
//!
//! Values: `2x3` stands for `2 2 2`, `0+5x4` for `0 5 10 15 20` (as in Prometheus's tests).
//! Answers: `scalar 1`, `string text`, `nothing`, or series; `warning:` and `info:` lines give
//! the text of a note (or its start, ending in …), and `no notes` that there are none. Expected values are reasoned out by hand or were taken from Prometheus;
//! each file says which.

#[path = "promql/memory.rs"]
mod memory;

use memory::Memory;
use vedette::model::{
    Buckets, Histogram, Labels, METRIC_NAME, Reading, STALE_NAN, Timestamp, parse_duration_ms,
};
use vedette::promql::{self, Answer, Options, Value};

/// Relative difference up to which two values count as equal.
const TOLERANCE: f64 = 1e-13;

struct Case<'t> {
    line: usize,
    head: &'t str,
    expected: Vec<&'t str>,
}

fn check(name: &str, script: &str) -> usize {
    let mut memory = Memory::default();
    let mut failures = Vec::new();
    let mut queries = 0;
    for case in cases(script) {
        let outcome = match case.head.split_once(' ').unwrap_or((case.head, "")) {
            ("clear", _) => {
                memory = Memory::default();
                Ok(())
            }
            ("load", step) => {
                load(&mut memory, duration(step), &case.expected);
                Ok(())
            }
            (kind, rest) => {
                queries += 1;
                query(&memory, kind, rest, &case.expected)
            }
        };
        if let Err(what) = outcome {
            failures.push(format!("{name}:{}: {}\n{what}", case.line, case.head));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    queries
}

fn cases(script: &str) -> Vec<Case<'_>> {
    let mut cases: Vec<Case<'_>> = Vec::new();
    for (place, line) in script.lines().enumerate() {
        if line.trim().is_empty() || line.trim_start().starts_with('#') {
            continue;
        }
        if line.starts_with(' ') {
            cases.last_mut().expect("a case first").expected.push(line.trim());
        } else {
            cases.push(Case { line: place + 1, head: line.trim(), expected: Vec::new() });
        }
    }
    cases
}

fn duration(text: &str) -> i64 {
    let (sign, text) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    sign * parse_duration_ms(text).unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

fn number(text: &str) -> f64 {
    match text {
        "_" | "stale" => f64::from_bits(STALE_NAN),
        _ => text.parse().unwrap_or_else(|e| panic!("{text:?}: {e}")),
    }
}

/// The values of a sequence; `_` gives none.
fn sequence(text: &str) -> Vec<Option<f64>> {
    let mut values = Vec::new();
    for word in text.split_whitespace() {
        // `nan`, `inf` and exponents hold no `x`.
        match word.split_once('x') {
            None => values.push((word != "_").then(|| number(word))),
            Some((value, count)) => {
                let count: usize = count.parse().expect("a count");
                let split = value.rfind(['+', '-']).filter(|at| *at > 0);
                match split {
                    None => values.extend(vec![(value != "_").then(|| number(value)); count]),
                    Some(at) => {
                        let (first, step) = (number(&value[..at]), number(&value[at..]));
                        values.extend((0..=count).map(|i| Some(first + step * i as f64)));
                    }
                }
            }
        }
    }
    values
}

/// Splits `up{a="b c"} 1 2` into labels and the rest.
fn split_labels(line: &str) -> (Labels, &str) {
    let end = match line.rfind('}') {
        Some(at) => at + 1,
        None => line.find(' ').unwrap_or(line.len()),
    };
    let (labels, rest) = line.split_at(end);
    if labels == "{}" {
        return (Labels::empty(), rest);
    }
    let matchers = promql::parse_selector(labels).unwrap_or_else(|e| panic!("{labels}: {e}"));
    let pairs: Vec<(&str, &str)> = matchers.iter().map(|m| (m.name(), m.value())).collect();
    (Labels::from_pairs(pairs).expect("valid labels"), rest)
}

/// A series as it is written, in either notation.
fn row(line: &str) -> (Labels, Vec<Option<Reading>>) {
    if line.contains("{{") {
        let series = promql::parse_series(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        return (series.labels, series.values);
    }
    let (labels, values) = split_labels(line);
    (labels, sequence(values).into_iter().map(|v| v.map(Reading::Float)).collect())
}

fn load(memory: &mut Memory, step: i64, lines: &[&str]) {
    for line in lines {
        let (labels, values) = row(line);
        assert!(labels.get(METRIC_NAME).is_some(), "{line:?} has no name");
        for (place, value) in values.into_iter().enumerate() {
            if let Some(value) = value {
                memory.add(&labels, step * place as i64, value);
            }
        }
    }
    memory.sort();
}

fn query(memory: &Memory, kind: &str, rest: &str, expected: &[&str]) -> Result<(), String> {
    let (times, text) = rest
        .split_once(": ")
        .or_else(|| rest.strip_suffix(':').map(|times| (times, "")))
        .expect("times: query");
    let times: Vec<i64> = times.split_whitespace().map(duration).collect();
    let options = Options::default();
    let answer = promql::parse(text).map_err(|e| e.to_string()).and_then(|expr| {
        let at = Timestamp::from_millis;
        match (kind, times.as_slice()) {
            ("instant" | "ordered", [time]) => {
                promql::instant(memory, &expr, at(*time), &options).map_err(|e| e.to_string())
            }
            ("range", [start, end, step]) => {
                promql::range(memory, &expr, at(*start), at(*end), *step, &options)
                    .map_err(|e| e.to_string())
            }
            _ => panic!("{kind} {times:?}?"),
        }
    });
    match answer {
        Err(message) => expect_error(&message, expected),
        Ok(answer) => {
            let steps = match times.as_slice() {
                [start, end, step] => (*start..=*end).step_by(*step as usize).collect(),
                _ => times,
            };
            expect_answer(&answer, text, expected, kind == "ordered", &steps)
        }
    }
}

fn fits(found: &str, wanted: &str) -> bool {
    wanted.strip_suffix('…').map_or(found == wanted, |start| found.starts_with(start))
}

fn expect_error(message: &str, expected: &[&str]) -> Result<(), String> {
    match expected {
        [line] if line.strip_prefix("error: ").is_some_and(|want| fits(message, want)) => Ok(()),
        _ => Err(format!("  got error: {message}")),
    }
}

/// Series with a value, or none, per step of the query.
type Row = (Labels, Vec<Option<Reading>>);
type Rows = Vec<Row>;

fn rows_of(answer: &Answer, steps: &[i64]) -> Rows {
    match &answer.value {
        Value::Vector(vector) => {
            let reading = |s: &promql::VectorSample| match &s.histogram {
                Some(histogram) => Reading::Histogram(histogram.clone()),
                None => Reading::Float(s.sample.value),
            };
            vector.iter().map(|s| (s.labels.clone(), vec![Some(reading(s))])).collect()
        }
        Value::Matrix(matrix) => matrix
            .iter()
            .map(|series| {
                let at = |step: &i64| series.samples.times.iter().position(|t| t == step);
                let reading = |i: usize| match series.samples.histogram(i) {
                    Some(histogram) => Reading::Histogram(histogram.clone()),
                    None => Reading::Float(series.samples.values[i]),
                };
                let values = if steps.len() == 1 {
                    // A range asked for at one instant: all its samples.
                    (0..series.samples.len()).map(|i| Some(reading(i))).collect()
                } else {
                    steps.iter().map(|s| at(s).map(reading)).collect()
                };
                (series.labels.clone(), values)
            })
            .collect(),
        _ => Vec::new(),
    }
}

fn same_readings(a: &Option<Reading>, b: &Option<Reading>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(Reading::Float(a)), Some(Reading::Float(b))) => same(*a, *b),
        (Some(Reading::Histogram(a)), Some(Reading::Histogram(b))) => same_histograms(a, b),
        _ => false,
    }
}

fn same_histograms(a: &Histogram, b: &Histogram) -> bool {
    let scalars = |h: &Histogram| [h.zero_threshold, h.zero_count, h.count, h.sum];
    let same_all =
        |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b));
    let same_buckets = |a: &Buckets, b: &Buckets| {
        let populated = |b: &Buckets| b.iter().filter(|b| b.1 != 0.0).collect::<Vec<_>>();
        let (a, b) = (populated(a), populated(b));
        a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
    };
    a.schema == b.schema
        && a.reset_hint == b.reset_hint
        && same_all(&scalars(a), &scalars(b))
        && same_all(&a.custom_bounds, &b.custom_bounds)
        && same_buckets(&a.positive, &b.positive)
        && same_buckets(&a.negative, &b.negative)
}

fn shown(value: &Option<Reading>) -> String {
    match value {
        None => "_".to_owned(),
        Some(Reading::Float(value)) => value.to_string(),
        Some(Reading::Histogram(histogram)) => promql::write_histogram(histogram),
    }
}

fn same(a: f64, b: f64) -> bool {
    let absent = |v: f64| v.to_bits() == STALE_NAN;
    if absent(a) || absent(b) {
        return absent(a) && absent(b);
    }
    (a.is_nan() && b.is_nan()) || a == b || (a - b).abs() <= TOLERANCE * a.abs().max(b.abs())
}

fn expect_answer(
    answer: &Answer,
    query: &str,
    expected: &[&str],
    ordered: bool,
    steps: &[i64],
) -> Result<(), String> {
    let (notes, expected): (Vec<&str>, Vec<&str>) = expected
        .iter()
        .partition(|l| l.starts_with("warning:") || l.starts_with("info:") || **l == "no notes");
    let mut wanted_rows: Rows = Vec::new();
    for line in &expected {
        if let Some(value) = line.strip_prefix("scalar ") {
            return match &answer.value {
                Value::Scalar(sample) if same(sample.value, number(value)) => Ok(()),
                other => Err(format!("  got {other:?}")),
            };
        }
        if let Some(text) = line.strip_prefix("string ") {
            return match &answer.value {
                Value::String { text: found, .. } if found == text => Ok(()),
                other => Err(format!("  got {other:?}")),
            };
        }
        if *line == "nothing" {
            continue;
        }
        if line.starts_with("error:") {
            return Err(format!("  got {:?}", answer.value));
        }
        wanted_rows.push(row(line));
    }
    let mut rows = rows_of(answer, steps);
    if !ordered {
        let by_labels = |a: &Row, b: &Row| a.0.cmp(&b.0);
        if rows.windows(2).any(|w| w[0].0 >= w[1].0) && matches!(answer.value, Value::Matrix(_)) {
            return Err("  the answer is not sorted by labels".to_owned());
        }
        rows.sort_by(by_labels);
        wanted_rows.sort_by(by_labels);
    }
    let equal = rows.len() == wanted_rows.len()
        && rows.iter().zip(&wanted_rows).all(|(a, b)| {
            a.0 == b.0
                && a.1.len() == b.1.len()
                && a.1.iter().zip(&b.1).all(|(a, b)| same_readings(a, b))
        });
    if !equal || matches!(answer.value, Value::Scalar(_) | Value::String { .. }) {
        let mut lines = String::new();
        for (labels, values) in &rows {
            let values: Vec<String> = values.iter().map(shown).collect();
            lines.push_str(&format!("  got {labels} {}\n", values.join(" ")));
        }
        if rows.is_empty() {
            lines.push_str(&format!("  got {:?}\n", answer.value));
        }
        return Err(lines);
    }
    let (warnings, infos) = answer.annotations.as_strings(query, 0);
    for note in notes {
        if note == "no notes" && warnings.is_empty() && infos.is_empty() {
            continue;
        }
        let (list, text) = match note.split_once(": ") {
            Some(("warning", text)) => (&warnings, text),
            Some((_, text)) => (&infos, text),
            None => (&warnings, note),
        };
        if !list.iter().any(|found| fits(found, text)) {
            return Err(format!("  got notes {warnings:?} {infos:?}"));
        }
    }
    Ok(())
}

macro_rules! golden {
    ($($test:ident: $file:literal, at least $least:literal;)*) => {$(
        #[test]
        fn $test() {
            let queries = check($file, include_str!(concat!("promql/", $file)));
            assert!(queries >= $least, "only {queries} queries in {}", $file);
        }
    )*};
}

golden! {
    selectors_see_what_prometheus_sees: "selectors.txt", at least 30;
    ranges_and_rates_are_those_of_prometheus: "ranges.txt", at least 35;
    operators_match_as_in_prometheus: "operators.txt", at least 40;
    aggregations_fold_as_in_prometheus: "aggregations.txt", at least 25;
    the_newest_syntax_is_read_as_in_prometheus: "syntax.txt", at least 36;
    functions_give_what_prometheus_gives: "functions.txt", at least 50;
    histograms_are_interpolated_as_in_prometheus: "histograms.txt", at least 12;
    native_histograms_are_those_of_prometheus: "native_histograms.txt", at least 60;
    native_histograms_follow_their_specification: "native_histogram_rules.txt", at least 100;
    ranges_reach_beyond_their_ends: "extended.txt", at least 25;
    missing_sides_are_filled: "fill.txt", at least 14;
    info_metrics_lend_their_labels: "info.txt", at least 14;
    annotations_say_what_and_where: "annotations.txt", at least 25;
}
