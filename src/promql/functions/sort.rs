//! `sort`, `sort_desc`, `sort_by_label`, `sort_by_label_desc`: they matter for instant queries
//! only, since ranges are sorted by labels in the end.

use std::cmp::Ordering;

use super::super::ast::Expr;
use super::super::eval::{
    Grid, Replay, Result, Run, StepSeries, Stream, collect, is_absent, only_numbers, string_value,
};

/// Sorted by value, NaN last in both directions; histograms have no order and go.
pub(in crate::promql) fn by_value<'r>(
    run: &'r Run<'r>,
    stream: Stream<'r>,
    grid: Grid,
    descending: bool,
) -> Result<Stream<'r>> {
    sorted(run, only_numbers(stream), grid, |a, b| {
        let value = |s: &StepSeries| s.values.first().copied().unwrap_or(f64::NAN);
        let (a, b) = (value(a), value(b));
        match (a.is_nan(), b.is_nan()) {
            (false, false) if descending => b.partial_cmp(&a).unwrap_or(Ordering::Equal),
            (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
            (a, b) => a.cmp(&b),
        }
    })
}

/// Sorted by the values of labels in natural order, then by all labels.
pub(in crate::promql) fn by_label<'r>(
    run: &'r Run<'r>,
    stream: Stream<'r>,
    args: &'r [Expr],
    grid: Grid,
    descending: bool,
) -> Result<Stream<'r>> {
    let names: Vec<&str> = args.iter().skip(1).map(string_value).collect();
    sorted(run, stream, grid, |a, b| {
        let by_name = names
            .iter()
            .map(|name| natural(a.labels.get(name).unwrap_or(""), b.labels.get(name).unwrap_or("")))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal);
        let order = by_name.then_with(|| a.labels.cmp(&b.labels));
        if descending { order.reverse() } else { order }
    })
}

fn sorted<'r>(
    run: &'r Run<'r>,
    stream: Stream<'r>,
    grid: Grid,
    order: impl Fn(&StepSeries, &StepSeries) -> Ordering,
) -> Result<Stream<'r>> {
    if grid.len > 1 {
        return Ok(stream);
    }
    let mut collected = collect(run, stream)?;
    collected.series.retain(|s| s.values.first().is_some_and(|v| !is_absent(*v)));
    collected.series.sort_by(order);
    Ok(Replay::stream(collected.series, collected.held))
}

/// Compares runs of digits as numbers and everything else as text; texts that differ in leading
/// zeros only stand in the order of their bytes.
fn natural(a: &str, b: &str) -> Ordering {
    by_runs(a, b).then_with(|| a.cmp(b))
}

fn by_runs(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() && !b.is_empty() {
        let (part_a, rest_a) = a.split_at(run_length(a));
        let (part_b, rest_b) = b.split_at(run_length(b));
        let is_number = |part: &str| part.starts_with(|c: char| c.is_ascii_digit());
        let order = if is_number(part_a) && is_number(part_b) {
            let (x, y) = (part_a.trim_start_matches('0'), part_b.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            part_a.cmp(part_b)
        };
        if order.is_ne() {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
    a.len().cmp(&b.len())
}

/// How many bytes at the start are all digits, or all not.
fn run_length(text: &str) -> usize {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_labels_sort_by_their_size() {
        let mut names = ["node10", "node9", "node", "node1a", "a", "node010"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "node", "node1a", "node9", "node010", "node10"]);
    }
}
