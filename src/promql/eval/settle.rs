//! Takes the metric's name off new values.
//!
//! Whatever makes a new value gives up the name at once, and with it the type and the unit: that
//! is what Prometheus does unless its feature flag "promql-delayed-name-removal" is set, and it
//! shows: `label_replace` around `rate` finds no name, `sum by (__name__)` neither, and two series
//! that only the name told apart are an error right there.

use hashbrown::HashSet;

use super::super::ast::{AggregateOp, Binary, BinaryOp, Call, Expr, ValueType, VectorSelector};
use super::super::functions::{Kind, RangeKind};
use super::grid::StepSeries;
use super::merge::{Replay, collect, merge_by_labels, same_labels};
use super::run::{Result, Run, SeriesStream, Stream};
use super::string_value;
use crate::model::{Labels, METRIC_NAME, MatchOp};

/// Whether a label says what kind of metric it is (`schema.IsMetadataLabel`).
pub(in crate::promql) fn is_metadata(name: &str) -> bool {
    matches!(name, METRIC_NAME | "__type__" | "__unit__")
}

/// The labels without those that say what kind of metric it is.
fn without_metadata(labels: &Labels) -> Labels {
    labels.without(is_metadata)
}

/// Takes the names off where that is due, and joins what becomes equal by it.
pub(super) fn settle<'r>(run: &'r Run<'r>, expr: &Expr, inner: Stream<'r>) -> Result<Stream<'r>> {
    let stream = Box::new(Settled { inner });
    if !may_collide(expr) {
        return Ok(stream);
    }
    let collected = collect(run, stream)?;
    let series = if is_of_range(expr) {
        // Here Prometheus does not look at the steps.
        let mut seen = HashSet::with_capacity(collected.series.len());
        if !collected.series.iter().all(|one| seen.insert(one.labels.clone())) {
            return Err(same_labels());
        }
        collected.series
    } else {
        merge_by_labels(collected.series)?
    };
    Ok(Replay::stream(series, collected.held))
}

struct Settled<'r> {
    inner: Stream<'r>,
}

impl SeriesStream for Settled<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        let found = self.inner.next(out)?;
        if found && std::mem::take(&mut out.drop_name) {
            out.labels = without_metadata(&out.labels);
        }
        Ok(found)
    }
}

/// How many metric names the series of an expression may have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Names {
    None,
    One,
    Many,
}

/// Whether series can become equal when this part of an expression takes their names.
fn may_collide(expr: &Expr) -> bool {
    match expr {
        Expr::Unary(unary) => unary.negative && names(&unary.expr) == Names::Many,
        Expr::Call(call) => {
            !keeps_names(call.function.kind)
                && call
                    .args
                    .iter()
                    .filter(|arg| matches!(arg.value_type(), ValueType::Vector | ValueType::Matrix))
                    .any(|arg| names(arg) == Names::Many)
        }
        Expr::Binary(binary) => binary_may_collide(binary),
        _ => false,
    }
}

fn binary_may_collide(binary: &Binary) -> bool {
    if binary.op.is_set() || !takes_names(binary) {
        return false;
    }
    let vectors = [&binary.lhs, &binary.rhs].map(|side| side.value_type() == ValueType::Vector);
    match vectors {
        [true, true] => {
            // What matches has a signature of its own, unless the name is a part of that.
            binary
                .matching
                .as_ref()
                .is_some_and(|m| m.on && m.labels.iter().any(|l| l == METRIC_NAME))
        }
        [left, _] => names(if left { &binary.lhs } else { &binary.rhs }) == Names::Many,
    }
}

/// Whether an operator makes new values. The trimming ones change a histogram, but keep its name
/// (`changesMetricSchema`).
fn takes_names(binary: &Binary) -> bool {
    let keeps = matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower)
        || binary.op.is_comparison()
        || binary.op.is_set();
    !keeps || binary.return_bool
}

fn keeps_names(kind: Kind) -> bool {
    match kind {
        Kind::Range(range) => range.keeps_name(),
        Kind::LabelReplace
        | Kind::LabelJoin
        | Kind::Sort
        | Kind::SortDesc
        | Kind::SortByLabel
        | Kind::SortByLabelDesc
        | Kind::Info => true,
        _ => false,
    }
}

fn is_of_range(expr: &Expr) -> bool {
    matches!(expr, Expr::Call(call) if matches!(call.function.kind, Kind::Range(_)))
}

fn names(expr: &Expr) -> Names {
    match expr {
        Expr::Vector(selector) => selected(selector),
        Expr::Matrix(matrix) => selected(&matrix.selector),
        Expr::Subquery(subquery) => names(&subquery.expr),
        Expr::Paren(paren) => names(&paren.expr),
        Expr::Unary(unary) if unary.negative => Names::None,
        Expr::Unary(unary) => names(&unary.expr),
        Expr::Binary(binary) => match binary.op {
            BinaryOp::Or => match (names(&binary.lhs), names(&binary.rhs)) {
                (Names::None, Names::None) => Names::None,
                _ => Names::Many,
            },
            _ if takes_names(binary) => Names::None,
            _ => match [&binary.lhs, &binary.rhs].map(names) {
                [Names::None, Names::None] => Names::None,
                [Names::One, Names::None | Names::One] | [Names::None, Names::One] => Names::One,
                _ => Names::Many,
            },
        },
        Expr::Aggregate(aggregate) => match aggregate.op {
            AggregateOp::Topk
            | AggregateOp::Bottomk
            | AggregateOp::Limitk
            | AggregateOp::LimitRatio => names(&aggregate.expr),
            // The value may become the name.
            AggregateOp::CountValues => Names::Many,
            _ if !aggregate.without && aggregate.grouping.iter().any(|l| l == METRIC_NAME) => {
                names(&aggregate.expr)
            }
            _ => Names::None,
        },
        Expr::Call(call) => called(call),
        Expr::Number(_) | Expr::String(_) => Names::None,
    }
}

fn called(call: &Call) -> Names {
    let kind = call.function.kind;
    let first = call.args.first();
    if matches!(kind, Kind::LabelReplace | Kind::LabelJoin)
        && call.args.get(1).is_some_and(|to| string_value(to) == METRIC_NAME)
    {
        return Names::Many;
    }
    match kind {
        Kind::Range(RangeKind::Last | RangeKind::First) => first.map_or(Names::None, names),
        kind if keeps_names(kind) => first.map_or(Names::None, names),
        _ => Names::None,
    }
}

fn selected(selector: &VectorSelector) -> Names {
    let fixed =
        selector.matchers.iter().any(|m| m.name() == METRIC_NAME && m.op() == MatchOp::Equal);
    if fixed { Names::One } else { Names::Many }
}
