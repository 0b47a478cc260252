//! What a rule's query reads: whether its selectors have any series, and how new those are. A
//! query that finds nothing may be good news (`errors > 5`) or no news at all; its selectors tell.

use crate::model::{Timestamp, is_stale_nan};
use crate::promql::{At, Expr, Hints, Samples, Selection, Source, SourceError, VectorSelector};

/// The window of a selector whose width or offset is calculated: wide, so that what is there is
/// not taken for missing.
const CALCULATED_MS: i64 = 86_400_000;

/// One selector of a query and the samples that it may see.
#[derive(Clone, Debug)]
pub struct Input {
    /// The metric that it names, if it names one.
    pub metric: Option<String>,
    /// What it may see.
    pub selection: Selection,
}

/// Every selector of an expression that is evaluated at `at`.
pub fn inputs(expr: &Expr, at: Timestamp, lookback_ms: i64) -> Vec<Input> {
    let mut found = Vec::new();
    let around = Window { from: at.millis(), until: at.millis(), at: at.millis() };
    collect(expr, around, lookback_ms, &mut found);
    found
}

/// The times at which an expression is evaluated, and the time of the whole query.
#[derive(Clone, Copy)]
struct Window {
    from: i64,
    until: i64,
    at: i64,
}

impl Window {
    /// The times that `@`, `offset` and a width make of it.
    fn moved(self, at: Option<At>, offset_ms: i64, width_ms: i64) -> Window {
        let (from, until) = match at {
            None => (self.from, self.until),
            Some(At::Time(ms)) => (ms, ms),
            Some(At::Start | At::End) => (self.at, self.at),
        };
        let from = from.saturating_sub(offset_ms).saturating_sub(width_ms);
        Window { from, until: until.saturating_sub(offset_ms), at: self.at }
    }
}

fn collect(expr: &Expr, window: Window, lookback_ms: i64, found: &mut Vec<Input>) {
    match expr {
        Expr::Number(_) | Expr::String(_) => {}
        Expr::Vector(selector) => found.push(input(selector, window, lookback_ms)),
        Expr::Matrix(matrix) => {
            let width_ms =
                if matrix.range_expr.is_some() { CALCULATED_MS } else { matrix.range_ms };
            found.push(input(&matrix.selector, window, width_ms));
        }
        Expr::Subquery(subquery) => {
            let calculated = subquery.range_expr.is_some() || subquery.offset_expr.is_some();
            let width_ms = if calculated { CALCULATED_MS } else { subquery.range_ms };
            let window = window.moved(subquery.at, subquery.offset_ms, width_ms);
            collect(&subquery.expr, window, lookback_ms, found);
        }
        Expr::Aggregate(aggregate) => {
            if let Some(param) = &aggregate.param {
                collect(param, window, lookback_ms, found);
            }
            collect(&aggregate.expr, window, lookback_ms, found);
        }
        Expr::Binary(binary) => {
            collect(&binary.lhs, window, lookback_ms, found);
            collect(&binary.rhs, window, lookback_ms, found);
        }
        Expr::Call(call) => {
            call.args.iter().for_each(|arg| collect(arg, window, lookback_ms, found));
        }
        Expr::Paren(paren) => collect(&paren.expr, window, lookback_ms, found),
        Expr::Unary(unary) => collect(&unary.expr, window, lookback_ms, found),
    }
}

fn input(selector: &VectorSelector, window: Window, width_ms: i64) -> Input {
    let width_ms = if selector.offset_expr.is_some() { CALCULATED_MS } else { width_ms };
    let window = window.moved(selector.at, selector.offset_ms, width_ms);
    Input {
        metric: selector.metric_name().map(str::to_owned),
        selection: Selection {
            matchers: selector.matchers.clone(),
            // Windows are open on the left, as in Prometheus 3.
            start: Timestamp::from_millis(window.from.saturating_add(1)),
            end: Timestamp::from_millis(window.until),
            hints: Hints { newest: true, ..Hints::default() },
        },
    }
}

/// The first input without any series, if no input has one; `None` as soon as one has, and for a
/// query without selectors: there is nothing that could be missing.
///
/// # Errors
///
/// When the store cannot be read.
pub fn all_missing<'i>(
    source: &dyn Source,
    inputs: &'i [Input],
) -> Result<Option<&'i Input>, SourceError> {
    for input in inputs {
        if newest(source, input, Timestamp::MIN)?.is_some() {
            return Ok(None);
        }
    }
    Ok(inputs.first())
}

/// Whether what a query finds missing may be believed at a start: every selector that has series
/// has a sample that is newer than `since`. Selectors that only look at the time before count for
/// nothing, and when no selector is left, all is as fresh as it can be.
///
/// # Errors
///
/// When the store cannot be read.
pub fn are_fresh(
    source: &dyn Source,
    inputs: &[Input],
    since: Timestamp,
) -> Result<bool, SourceError> {
    let mut looked = false;
    let mut any = false;
    for input in inputs.iter().filter(|input| input.selection.end >= since) {
        looked = true;
        if newest(source, input, since)?.is_some() {
            any = true;
        } else if newest(source, input, Timestamp::MIN)?.is_some() {
            return Ok(false);
        }
    }
    Ok(any || !looked)
}

/// The newest sample of some series of an input, if it is newer than `since` and does not mark
/// the series' end. Stops at the first.
fn newest(
    source: &dyn Source,
    input: &Input,
    since: Timestamp,
) -> Result<Option<Timestamp>, SourceError> {
    let mut selection = input.selection.clone();
    if since > Timestamp::MIN {
        selection.start = selection.start.max(since.plus_millis(1));
    }
    let mut cursor = source.select(&selection)?;
    let mut samples = Samples::default();
    while cursor.next(&mut samples)?.is_some() {
        let last = samples.times.last().zip(samples.values.last());
        if let Some((at, value)) = last
            && !is_stale_nan(*value)
        {
            return Ok(Some(Timestamp::from_millis(*at)));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::promql::parse;

    fn windows(query: &str) -> Vec<(i64, i64)> {
        let expr = parse(query).expect("valid");
        let at = Timestamp::from_millis(10_000_000);
        let window = |input: &Input| {
            let (start, end) = (input.selection.start, input.selection.end);
            (at.since(start) / 1000, at.since(end) / 1000)
        };
        inputs(&expr, at, 300_000).iter().map(window).collect()
    }

    #[test]
    fn each_selector_has_the_window_that_it_may_see() {
        // Seconds back, of the beginning (open on the left) and the end.
        assert_eq!(windows("x > 5"), [(299, 0)]);
        assert_eq!(windows("rate(x[1m] offset 10s) / sum(y)"), [(69, 10), (299, 0)]);
        assert_eq!(windows("max_over_time(rate(x[1m])[10m:])"), [(659, 0)]);
        assert_eq!(windows("x @ 9990"), [(309, 10)]);
        assert!(windows("vector(1)").is_empty());
    }
}
