//! Aggregations: fold series into groups as they come, without keeping them.

mod count_values;
mod fold;
mod pick;
mod quantile;

use hashbrown::HashMap;

use super::annotations::Annotation;
use super::ast::{Aggregate, AggregateOp};
use super::eval::{
    Grid, Result, Run, Scalars, SeriesStream, StepSeries, Stream, argument_span, scalars,
    string_value, vector,
};
use super::signature::Signature;
use super::span::Span;
use crate::model::Labels;

/// The series of an aggregation.
pub(super) fn open<'r>(
    run: &'r Run<'r>,
    aggregate: &'r Aggregate,
    grid: Grid,
) -> Result<Stream<'r>> {
    let op = aggregate.op;
    let input = vector(run, &aggregate.expr, grid, Some(op.as_str()))?;
    let signature = if aggregate.without {
        Signature::dropping(&aggregate.grouping)
    } else {
        Signature::keeping(&aggregate.grouping)
    };
    let param = |run: &'r Run<'r>| -> Result<Scalars> {
        aggregate.param.as_ref().map_or(Ok(Scalars::Constant(f64::NAN)), |p| scalars(run, p, grid))
    };
    let span = aggregate.param.as_ref().map_or(aggregate.span, argument_span);
    match op {
        AggregateOp::CountValues => {
            let label = aggregate.param.as_ref().map_or("", string_value);
            count_values::open(run, input, aggregate, label, grid)
        }
        AggregateOp::Quantile => {
            let ignored = argument_span(&aggregate.expr);
            let input = numbers_of(run, input, "quantile", ignored);
            quantile::open(run, input, signature, param(run)?, grid, span)
        }
        AggregateOp::Topk
        | AggregateOp::Bottomk
        | AggregateOp::Limitk
        | AggregateOp::LimitRatio => {
            pick::open(run, input, signature, aggregate, param(run)?, grid, span)
        }
        _ => fold::open(run, input, signature, aggregate, grid),
    }
}

/// The series without their histograms, which the aggregation has no use for: it notes that it
/// leaves some out.
fn numbers_of<'r>(
    run: &'r Run<'r>,
    inner: Stream<'r>,
    aggregation: &'static str,
    span: Span,
) -> Stream<'r> {
    Box::new(Numbers { run, inner, aggregation, span })
}

struct Numbers<'r> {
    run: &'r Run<'r>,
    inner: Stream<'r>,
    aggregation: &'static str,
    span: Span,
}

impl SeriesStream for Numbers<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        let found = self.inner.next(out)?;
        if found && out.has_histograms() {
            let aggregation = self.aggregation;
            self.run.note(Annotation::HistogramIgnoredInAggregation { aggregation }, self.span);
        }
        out.drop_histograms();
        Ok(found)
    }
}

/// Numbers the groups of series in order of appearance.
struct Groups {
    signature: Signature,
    places: HashMap<Box<[u8]>, usize>,
    key: Vec<u8>,
}

impl Groups {
    fn new(signature: Signature) -> Self {
        Groups { signature, places: HashMap::new(), key: Vec::new() }
    }

    /// The number of a series' group. The first of a new group gets the next number.
    fn place(&mut self, labels: &Labels) -> usize {
        self.signature.write(labels, &mut self.key);
        if let Some(place) = self.places.get(self.key.as_slice()) {
            return *place;
        }
        let place = self.places.len();
        self.places.insert(self.key.as_slice().into(), place);
        place
    }

    fn labels(&self, labels: &Labels) -> Labels {
        self.signature.labels(labels)
    }
}
