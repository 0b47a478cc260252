//! `absent` and `absent_over_time`.

use super::super::ast::{Expr, VectorSelector};
use super::super::eval::{
    ABSENT, Grid, Result, Run, Scalars, StepSeries, Stream, constant_stream, is_absent, vector,
};
use crate::model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp};

/// `absent(v)`: 1 at each step where `v` has nothing.
pub(in crate::promql) fn absent<'r>(
    run: &'r Run<'r>,
    expr: &'r Expr,
    grid: Grid,
) -> Result<Stream<'r>> {
    let mut stream = vector(run, expr, grid, Some("absent"))?;
    let mut present = vec![false; grid.len];
    let mut series = StepSeries::default();
    while stream.next(&mut series)? {
        for (slot, value) in present.iter_mut().zip(&series.values) {
            *slot |= !is_absent(*value);
        }
    }
    Ok(where_missing(run, expr, &present))
}

/// 1 at each step that is not present, with the labels that the selector demands by equality.
pub(in crate::promql) fn where_missing<'r>(
    run: &'r Run<'r>,
    expr: &Expr,
    present: &[bool],
) -> Stream<'r> {
    let selector = match expr.unwrap_parens() {
        Expr::Vector(selector) => Some(selector),
        Expr::Matrix(matrix) => Some(&matrix.selector),
        _ => None,
    };
    let labels = selector.map(demanded_labels).unwrap_or_default();
    let values = present.iter().map(|p| if *p { ABSENT } else { 1.0 }).collect();
    let grid = Grid { start: 0, step: 1, len: present.len() };
    Box::new(Labelled { inner: constant_stream(run, Scalars::Steps(values), grid), labels })
}

/// The labels with exactly one condition, and that one an equality
/// (`createLabelsForAbsentFunction`).
fn demanded_labels(selector: &VectorSelector) -> Labels {
    let mut builder = LabelsBuilder::default();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in selector.matchers.iter().filter(|m| m.name() != METRIC_NAME) {
        if matcher.op() == MatchOp::Equal && !seen.contains(&matcher.name()) {
            builder.set(matcher.name(), matcher.value());
            seen.push(matcher.name());
        } else {
            builder.remove(matcher.name());
        }
    }
    builder.build().unwrap_or_default()
}

struct Labelled<'r> {
    inner: Stream<'r>,
    labels: Labels,
}

impl super::super::eval::SeriesStream for Labelled<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        let found = self.inner.next(out)?;
        if found {
            out.labels = self.labels.clone();
        }
        Ok(found)
    }
}
