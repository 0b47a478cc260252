//! `quantile`: needs all values of a group at a step.

use super::super::eval::{
    ABSENT, Grid, Replay, Result, Run, Scalars, StepSeries, Stream, is_absent, quantile,
    warn_of_quantile,
};
use super::super::signature::Signature;
use super::super::span::Span;
use super::Groups;

pub(super) fn open<'r>(
    run: &'r Run<'r>,
    mut input: Stream<'r>,
    signature: Signature,
    param: Scalars,
    grid: Grid,
    span: Span,
) -> Result<Stream<'r>> {
    let mut held = run.hold(0)?;
    let mut groups = Groups::new(signature);
    let mut members: Vec<(StepSeries, Vec<Vec<f64>>)> = Vec::new();
    let mut series = StepSeries::default();
    while input.next(&mut series)? {
        let place = groups.place(&series.labels);
        if place == members.len() {
            let labels = groups.labels(&series.labels);
            let head =
                StepSeries { labels, drop_name: false, values: Vec::new(), histograms: Vec::new() };
            members.push((head, Vec::new()));
        }
        held.grow(series.values.len())?;
        if let Some((head, columns)) = members.get_mut(place) {
            head.drop_name |= series.drop_name;
            columns.push(std::mem::take(&mut series.values));
        }
    }
    let (mut any_nan, mut least, mut most) = (false, f64::MAX, f64::MIN);
    for q in (0..grid.len).map(|step| param.at(step)) {
        any_nan |= q.is_nan();
        (least, most) = (least.min(q), most.max(q));
    }
    // Only the extremes are told, as in `rangeEvalAgg`.
    if any_nan {
        warn_of_quantile(run, f64::NAN, span);
    }
    if most > 1.0 {
        warn_of_quantile(run, most, span);
    }
    if least < 0.0 {
        warn_of_quantile(run, least, span);
    }
    let mut values = Vec::new();
    let mut finished = Vec::with_capacity(members.len());
    for (mut head, columns) in members {
        run.check()?;
        held.grow(grid.len)?;
        head.values.reserve(grid.len);
        for step in 0..grid.len {
            values.clear();
            values.extend(columns.iter().map(|c| c[step]).filter(|v| !is_absent(*v)));
            head.values.push(if values.is_empty() {
                ABSENT
            } else {
                quantile(param.at(step), &mut values)
            });
        }
        finished.push(head);
    }
    Ok(Replay::stream(finished, held))
}
