//! Reads info series for `info`: of each the time of its latest sample at every step.

use super::super::answer::QueryError;
use super::super::ast::{Expr, VectorSelector};
use super::super::print::braced;
use super::super::source::{Hints, Samples, Selection};
use super::grid::{Grid, Reference};
use super::run::{Held, Result, Run};
use super::selector::fixed_time;
use crate::model::{Labels, Matcher, Timestamp, is_histogram_mark, is_stale_nan};

/// An info series.
pub(in crate::promql) struct InfoSeries {
    pub labels: Labels,
    /// Per step the time of its latest sample within the lookback, Unix milliseconds.
    times: Vec<Option<i64>>,
}

impl InfoSeries {
    /// The time of the sample that counts at a step.
    pub(in crate::promql) fn time(&self, step: usize) -> Option<i64> {
        self.times.get(step).copied().flatten()
    }
}

/// The info series that match and whose labels fit. They are read for the times at which the
/// first selector in `described` looks, but looked at without its offset (`infoSelectHints` and
/// `evalSeries` in Prometheus).
pub(in crate::promql) fn info_series<'r>(
    run: &'r Run<'r>,
    matchers: Vec<Matcher>,
    described: Option<&Expr>,
    grid: Grid,
    fits: impl Fn(&Labels) -> bool,
    held: &mut Held<'_>,
) -> Result<Vec<InfoSeries>> {
    let selector = described.and_then(first_selector);
    let fixed = selector.and_then(|selector| fixed_time(run, selector.at));
    let offset = selector.map_or(0, |selector| selector.offset_ms);
    let read = Reference { grid, fixed, offset };
    let lookback_ms = run.options.lookback_ms;
    let start = read.first().saturating_sub(lookback_ms).saturating_add(1);
    let step_ms = if grid.len > 1 { grid.step } else { 0 };
    let mut cursor = run.select(
        None,
        &Selection {
            matchers,
            start: Timestamp::from_millis(start),
            end: Timestamp::from_millis(read.last()),
            hints: Hints { step_ms, range_ms: 0, function: Some("info") },
        },
    )?;
    let mut samples = Samples::default();
    let mut found = Vec::new();
    while let Some(labels) = cursor.next(&mut samples)? {
        if !fits(&labels) {
            continue;
        }
        held.grow(grid.len)?;
        let mut seen = 0;
        let mut times = Vec::with_capacity(grid.len);
        for step in 0..grid.len {
            let now = grid.at(step);
            while samples.times.get(seen).is_some_and(|at| *at <= now) {
                seen += 1;
            }
            let last = seen.checked_sub(1).map(|last| (samples.times[last], samples.values[last]));
            let fresh = last.filter(|(at, value)| {
                *at > now.saturating_sub(lookback_ms) && !is_stale_nan(*value)
            });
            if fresh.is_some_and(|(_, value)| is_histogram_mark(value)) {
                return Err(QueryError::Execution(format!(
                    "this should be an info metric, with float samples: {}",
                    braced(&labels)
                )));
            }
            times.push(fresh.map(|(at, _)| at));
        }
        if times.iter().any(Option::is_some) {
            found.push(InfoSeries { labels, times });
        }
    }
    Ok(found)
}

/// The first selector of an expression in the order of its text.
fn first_selector(expr: &Expr) -> Option<&VectorSelector> {
    match expr {
        Expr::Number(_) | Expr::String(_) => None,
        Expr::Vector(selector) => Some(selector),
        Expr::Matrix(matrix) => Some(&matrix.selector),
        Expr::Subquery(subquery) => first_selector(&subquery.expr),
        Expr::Paren(paren) => first_selector(&paren.expr),
        Expr::Unary(unary) => first_selector(&unary.expr),
        Expr::Binary(binary) => first_selector(&binary.lhs).or_else(|| first_selector(&binary.rhs)),
        Expr::Aggregate(aggregate) => first_selector(&aggregate.expr)
            .or_else(|| aggregate.param.as_ref().and_then(first_selector)),
        Expr::Call(call) => call.args.iter().find_map(first_selector),
    }
}
