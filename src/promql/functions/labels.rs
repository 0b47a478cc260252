//! `label_replace` and `label_join`: change labels, look at no value.

use regex::Regex;

use super::super::answer::QueryError;
use super::super::ast::Expr;
use super::super::eval::{
    ABSENT, Replay, Result, Run, StepSeries, Stream, collect, is_absent, merge_by_labels,
    string_value,
};
use super::super::print::format_short;
use crate::model::{Labels, LabelsBuilder, METRIC_NAME, anchored_regex};

fn text(args: &[Expr], place: usize) -> &str {
    args.get(place).map_or("", string_value)
}

fn failed(message: String) -> QueryError {
    QueryError::Execution(message)
}

/// `label_replace(v, dst, replacement, src, regex)`.
pub(in crate::promql) fn replace<'r>(
    run: &'r Run<'r>,
    stream: Stream<'r>,
    args: &[Expr],
) -> Result<Stream<'r>> {
    let (dst, replacement) = (text(args, 1), text(args, 2));
    let (src, pattern) = (text(args, 3), text(args, 4));
    let regex = anchored_regex(pattern)
        .map_err(|_| failed(format!("invalid regular expression in label_replace(): {pattern}")))?;
    if dst.is_empty() {
        return Err(failed(format!("invalid destination label name in label_replace(): {dst}")));
    }
    relabel(run, stream, dst, |labels| expanded(&regex, replacement, labels.get(src).unwrap_or("")))
}

fn expanded(regex: &Regex, replacement: &str, value: &str) -> Option<String> {
    let captures = regex.captures(value)?;
    let mut out = String::new();
    captures.expand(replacement, &mut out);
    Some(out)
}

/// `label_join(v, dst, separator, src…)`.
pub(in crate::promql) fn join<'r>(
    run: &'r Run<'r>,
    stream: Stream<'r>,
    args: &[Expr],
) -> Result<Stream<'r>> {
    let (dst, separator) = (text(args, 1), text(args, 2));
    let sources: Vec<&str> = args.iter().skip(3).map(string_value).collect();
    if let Some(bad) = sources.iter().find(|name| name.is_empty()) {
        return Err(failed(format!("invalid source label name in label_join(): {bad}")));
    }
    if dst.is_empty() {
        return Err(failed(format!("invalid destination label name in label_join(): {dst}")));
    }
    relabel(run, stream, dst, |labels| {
        let values: Vec<&str> = sources.iter().map(|name| labels.get(name).unwrap_or("")).collect();
        Some(values.join(separator))
    })
}

/// Sets `dst` to what `value` gives, where it gives something. Series that become equal are
/// joined, or an error where both have a value.
fn relabel<'r>(
    run: &'r Run<'r>,
    stream: Stream<'r>,
    dst: &str,
    value: impl Fn(&Labels) -> Option<String>,
) -> Result<Stream<'r>> {
    let mut collected = collect(run, stream)?;
    for series in &mut collected.series {
        let Some(value) = value(&series.labels) else { continue };
        let mut builder = LabelsBuilder::new(&series.labels);
        builder.set(dst, &value);
        series.labels = builder.build().map_err(|error| failed(error.to_string()))?;
        if dst == METRIC_NAME {
            series.drop_name = false;
        }
    }
    Ok(Replay::stream(merge_by_labels(collected.series)?, collected.held))
}

/// Adds to `out` what a series is once a label holds the number of each step, written as in the
/// OpenMetrics format: one series per different number.
pub(in crate::promql) fn split_by_step(
    series: &StepSeries,
    label: &str,
    number: impl Fn(usize) -> f64,
    out: &mut Vec<StepSeries>,
) -> Result<()> {
    let mut parts: Vec<(u64, StepSeries)> = Vec::new();
    for (step, value) in series.values.iter().enumerate() {
        if is_absent(*value) {
            continue;
        }
        let bits = number(step).to_bits();
        let place = match parts.iter().position(|(of, _)| *of == bits) {
            Some(place) => place,
            None => {
                let mut builder = LabelsBuilder::new(&series.labels);
                builder.set(label, &open_metrics_number(number(step)));
                let labels = builder.build().map_err(|error| failed(error.to_string()))?;
                let values = vec![ABSENT; series.values.len()];
                parts.push((bits, StepSeries { labels, values, ..series.clone() }));
                parts.len() - 1
            }
        };
        if let Some((_, part)) = parts.get_mut(place) {
            part.values[step] = *value;
        }
    }
    out.extend(parts.into_iter().map(|(_, part)| part));
    Ok(())
}

/// A number as `FormatOpenMetricsFloat` in `model/labels` writes it: never without a point or an
/// exponent.
fn open_metrics_number(value: f64) -> String {
    let mut text = format_short(value);
    if value.is_finite() && !text.contains(['e', '.']) {
        text.push_str(".0");
    }
    text
}
