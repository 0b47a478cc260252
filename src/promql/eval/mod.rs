//! Evaluates expressions.
//!
//! A range query is evaluated in one pass: every part of it gives streams of series with one
//! value per step. A selector reads one series after another, slides over its samples once and
//! hands its column on; an aggregation folds columns as they come. Only what must be seen whole
//! (one side of a matching, buckets of a histogram, the answer) is kept. An instant query is a
//! grid of one step.

mod call;
mod extended;
mod grid;
mod info_source;
mod merge;
mod mixed;
mod over_time;
mod range_call;
mod range_input;
mod rate;
mod regression;
mod run;
mod scalar;
mod selector;
mod settle;
mod tally;
mod vector;

use std::sync::Arc;

use crate::model::{Sample, Timestamp};

use super::answer::{Answer, MatrixSeries, Options, QueryError, Value, VectorSample};
use super::ast::{AggregateOp, Expr, ValueType};
use super::duration;
use super::functions::Kind;
use super::source::{Samples, Source};

pub(super) use crate::model::kahan_add;
pub(super) use call::{argument_span, go_max};
pub(super) use grid::{ABSENT, Grid, Scalars, StepSeries, is_absent};
pub(super) use info_source::{InfoSeries, info_series};
pub(super) use merge::{Collected, Replay, collect, merge_by_labels};
pub(super) use over_time::{quantile, warn_of_quantile};
pub(super) use run::{Held, Result, Run, SeriesStream, Stream};
pub(super) use scalar::scalars;
pub(super) use settle::is_metadata;
pub(super) use vector::{constant_stream, only_numbers, vector};

/// Evaluates an expression at one time.
///
/// Vectors come sorted by labels unless the query itself sorts (`sort`, `topk`, …).
pub fn instant(
    source: &dyn Source,
    expr: &Expr,
    at: Timestamp,
    options: &Options,
) -> Result<Answer> {
    let resolved = duration::resolve(expr, 0, 0)?;
    let expr = resolved.as_ref();
    let run = Run::new(source, options, (at.millis(), at.millis()), 0);
    let grid = run.begin(Grid::instant(at.millis()))?;
    let value = match expr.value_type() {
        ValueType::Scalar => {
            let value = scalars(&run, expr, grid)?.at(0);
            Value::Scalar(Sample { at, value })
        }
        ValueType::String => {
            let text = string_value(expr).to_owned();
            Value::String { at, text }
        }
        ValueType::Vector => Value::Vector(instant_vector(&run, expr, grid, at)?),
        ValueType::Matrix => Value::Matrix(range_call::raw_matrix(&run, expr, grid)?),
    };
    Ok(finish(&run, value))
}

/// Evaluates an expression at the steps `start`, `start + step_ms`, … up to `end`.
///
/// Gives a matrix sorted by labels. Texts and ranges of samples cannot be asked for over a range.
pub fn range(
    source: &dyn Source,
    expr: &Expr,
    start: Timestamp,
    end: Timestamp,
    step_ms: i64,
    options: &Options,
) -> Result<Answer> {
    let kind = expr.value_type();
    if !matches!(kind, ValueType::Scalar | ValueType::Vector) {
        let kind = kind.documented();
        return Err(QueryError::BadData(format!(
            "invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector"
        )));
    }
    if step_ms <= 0 {
        let message = "zero or negative query resolution step widths are not accepted. Try a \
                       positive integer";
        return Err(QueryError::BadData(message.to_owned()));
    }
    let Some(grid) = Grid::new(start.millis(), end.millis(), step_ms) else {
        return Err(QueryError::BadData("end timestamp must not be before start time".to_owned()));
    };
    let resolved = duration::resolve(expr, step_ms, end.millis().saturating_sub(start.millis()))?;
    let expr = resolved.as_ref();
    let run = Run::new(source, options, (start.millis(), end.millis()), step_ms);
    let grid = run.begin(grid)?;
    let stream = match kind {
        ValueType::Scalar => constant_stream(&run, scalars(&run, expr, grid)?, grid),
        _ => vector(&run, expr, grid, None)?,
    };
    let collected = collect(&run, stream)?;
    let merged = merge_by_labels(collected.series)?;
    let mut matrix: Vec<MatrixSeries> = merged
        .into_iter()
        .map(|series| {
            let mut samples = Samples::default();
            for (step, value) in series.values.iter().enumerate() {
                match series.histogram(step) {
                    Some(histogram) => samples.push_histogram(grid.at(step), Arc::clone(histogram)),
                    None if is_absent(*value) => {}
                    None => samples.push(grid.at(step), *value),
                }
            }
            MatrixSeries { labels: series.labels, samples }
        })
        .filter(|series| !series.samples.is_empty())
        .collect();
    matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
    drop(collected.held);
    Ok(finish(&run, Value::Matrix(matrix)))
}

fn finish(run: &Run<'_>, value: Value) -> Answer {
    let (samples_read, samples_peak) = run.samples();
    let (annotations, samples_per_step) = (run.annotations(), run.tally.finish());
    Answer { value, annotations, samples_read, samples_peak, samples_per_step }
}

fn instant_vector<'r>(
    run: &'r Run<'r>,
    expr: &'r Expr,
    grid: Grid,
    at: Timestamp,
) -> Result<Vec<VectorSample>> {
    let collected = collect(run, vector(run, expr, grid, None)?)?;
    let mut series = merge_by_labels(collected.series)?;
    if !keeps_order(expr) {
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
    }
    Ok(series
        .into_iter()
        .filter_map(|series| {
            let value = series.values.first().copied().filter(|v| !is_absent(*v))?;
            Some(VectorSample {
                labels: series.labels,
                sample: Sample { at, value },
                histogram: series.histograms.into_iter().next().flatten(),
            })
        })
        .collect())
}

/// Whether the order of an instant vector was asked for.
fn keeps_order(expr: &Expr) -> bool {
    match expr {
        Expr::Paren(paren) => keeps_order(&paren.expr),
        Expr::Unary(unary) => keeps_order(&unary.expr),
        Expr::Aggregate(aggregate) => {
            matches!(aggregate.op, AggregateOp::Topk | AggregateOp::Bottomk)
        }
        Expr::Call(call) => match call.function.kind {
            Kind::Sort | Kind::SortDesc | Kind::SortByLabel | Kind::SortByLabelDesc => true,
            Kind::Map(_) | Kind::Round | Kind::Clamp | Kind::ClampMin | Kind::ClampMax => {
                call.args.first().is_some_and(keeps_order)
            }
            _ => false,
        },
        Expr::Binary(binary) => {
            (binary.rhs.value_type() == ValueType::Scalar && keeps_order(&binary.lhs))
                || (binary.lhs.value_type() == ValueType::Scalar && keeps_order(&binary.rhs))
        }
        _ => false,
    }
}

/// The text of an expression that the type check found to be one.
pub(super) fn string_value(expr: &Expr) -> &str {
    match expr.unwrap_parens() {
        Expr::String(string) => &string.value,
        _ => "",
    }
}
