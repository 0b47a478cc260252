//! Operators between numbers and histograms (`vectorElemBinop` in `promql/engine.go`).

use std::sync::Arc;

use super::super::annotations::{Annotation, HistogramOperation};
use super::super::ast::BinaryOp;
use crate::model::{Histogram, ResetHint, Trim};

/// A value of a series at a step.
#[derive(Clone, Copy, Debug)]
pub(in crate::promql) enum Element<'s> {
    Number(f64),
    Histogram(&'s Arc<Histogram>),
}

impl Element<'_> {
    fn name(&self) -> &'static str {
        match self {
            Element::Number(_) => "float",
            Element::Histogram(_) => "histogram",
        }
    }
}

/// What an operator gives where a histogram takes part.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::promql) enum Outcome {
    /// A value.
    Histogram(Arc<Histogram>),
    /// A comparison: whether it holds.
    Holds(bool),
    /// No value, not even with `bool`.
    Nothing,
}

/// The value of an operator of which at least one operand is a histogram; `note` gets what is
/// worth telling. Two numbers have no trimming.
pub(in crate::promql) fn operate(
    op: BinaryOp,
    left: Element<'_>,
    right: Element<'_>,
    mut note: impl FnMut(Annotation),
) -> Outcome {
    let changed = |histogram: &Histogram, change: &dyn Fn(&mut Histogram)| {
        let mut histogram = histogram.clone();
        change(&mut histogram);
        histogram.compact();
        Outcome::Histogram(Arc::new(histogram))
    };
    match (op, left, right) {
        (BinaryOp::Mul, Element::Number(factor), Element::Histogram(histogram))
        | (BinaryOp::Mul, Element::Histogram(histogram), Element::Number(factor)) => {
            changed(histogram, &|histogram| histogram.mul(factor))
        }
        (BinaryOp::Div, Element::Histogram(histogram), Element::Number(divisor)) => {
            changed(histogram, &|histogram| histogram.div(divisor))
        }
        (BinaryOp::TrimUpper, Element::Histogram(histogram), Element::Number(at)) => {
            Outcome::Histogram(Arc::new(histogram.trimmed(at, Trim::Upper)))
        }
        (BinaryOp::TrimLower, Element::Histogram(histogram), Element::Number(at)) => {
            Outcome::Histogram(Arc::new(histogram.trimmed(at, Trim::Lower)))
        }
        (BinaryOp::Add | BinaryOp::Sub, Element::Histogram(a), Element::Histogram(b)) => {
            sum(op, a, b, note)
        }
        (BinaryOp::Equal, Element::Histogram(a), Element::Histogram(b)) => {
            Outcome::Holds(a.equals(b))
        }
        (BinaryOp::NotEqual, Element::Histogram(a), Element::Histogram(b)) => {
            Outcome::Holds(!a.equals(b))
        }
        (op, left, right) => {
            note(Annotation::IncompatibleTypes {
                left: left.name(),
                operator: op.as_str(),
                right: right.name(),
            });
            Outcome::Nothing
        }
    }
}

fn sum(op: BinaryOp, a: &Histogram, b: &Histogram, mut note: impl FnMut(Annotation)) -> Outcome {
    let mut result = a.clone();
    let (done, operation) = match op {
        BinaryOp::Add => (result.add(b), HistogramOperation::Addition),
        _ => (result.sub(b), HistogramOperation::Subtraction),
    };
    let Ok(notes) = done else {
        note(Annotation::IncompatibleBucketLayout { operator: op.as_str() });
        return Outcome::Nothing;
    };
    // Prometheus gives no value where resets contradict each other.
    if notes.reset_collision {
        note(Annotation::CounterResetCollision { operation });
        return Outcome::Nothing;
    }
    if notes.bounds_reconciled {
        note(Annotation::MismatchedCustomBuckets { operation });
    }
    if op == BinaryOp::Sub {
        result.reset_hint = ResetHint::Gauge;
    }
    result.compact();
    Outcome::Histogram(Arc::new(result))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Buckets, CUSTOM_BUCKETS_SCHEMA};

    fn histogram(pairs: &[(i32, f64)]) -> Arc<Histogram> {
        let positive = Buckets::from_pairs(pairs.iter().copied());
        let count = positive.counts.iter().sum();
        Arc::new(Histogram { count, positive, ..Histogram::default() })
    }

    fn of(op: BinaryOp, a: Element<'_>, b: Element<'_>) -> (Outcome, Vec<Annotation>) {
        let mut notes = Vec::new();
        let outcome = operate(op, a, b, |note| notes.push(note));
        (outcome, notes)
    }

    #[test]
    fn histograms_are_scaled_and_added_but_not_compared_by_size() {
        let (a, b) = (histogram(&[(0, 2.0), (1, 4.0)]), histogram(&[(0, 2.0)]));
        let (a, b) = (Element::Histogram(&a), Element::Histogram(&b));
        let two = Element::Number(2.0);
        let count = |outcome: Outcome| match outcome {
            Outcome::Histogram(histogram) => Some(histogram.count),
            _ => None,
        };
        for (op, left, right, wanted) in [
            (BinaryOp::Mul, a, two, Some(12.0)),
            (BinaryOp::Mul, two, a, Some(12.0)),
            (BinaryOp::Div, a, two, Some(3.0)),
            (BinaryOp::Div, two, a, None),
            (BinaryOp::Add, a, b, Some(8.0)),
            (BinaryOp::Sub, a, b, Some(4.0)),
            (BinaryOp::Add, a, two, None),
            (BinaryOp::Mul, a, b, None),
            (BinaryOp::Less, a, b, None),
            (BinaryOp::TrimUpper, a, two, Some(6.0)),
            (BinaryOp::TrimLower, a, b, None),
        ] {
            let (outcome, notes) = of(op, left, right);
            assert_eq!(count(outcome), wanted, "{left:?} {op:?} {right:?}");
            assert_eq!(notes.len(), usize::from(wanted.is_none()));
        }
        assert_eq!(of(BinaryOp::Equal, a, a).0, Outcome::Holds(true));
        assert_eq!(of(BinaryOp::NotEqual, a, b).0, Outcome::Holds(true));
    }

    #[test]
    fn differences_are_gauges_without_empty_buckets() {
        let (a, b) = (histogram(&[(0, 2.0), (1, 4.0)]), histogram(&[(0, 2.0)]));
        let (outcome, _) = of(BinaryOp::Sub, Element::Histogram(&a), Element::Histogram(&b));
        let Outcome::Histogram(found) = outcome else { panic!("{outcome:?}") };
        assert_eq!(found.reset_hint, ResetHint::Gauge);
        assert_eq!(found.positive, Buckets::from_pairs([(1, 4.0)]));
    }

    #[test]
    fn what_does_not_fit_together_is_told() {
        let plain = histogram(&[(0, 1.0)]);
        let custom = Arc::new(Histogram { schema: CUSTOM_BUCKETS_SCHEMA, ..Histogram::default() });
        let hinted = |reset_hint| Arc::new(Histogram { reset_hint, ..Histogram::default() });
        let (reset, not) = (hinted(ResetHint::Reset), hinted(ResetHint::NotReset));
        for (a, b, wanted) in [
            (&plain, &custom, Annotation::IncompatibleBucketLayout { operator: "+" }),
            (
                &reset,
                &not,
                Annotation::CounterResetCollision { operation: HistogramOperation::Addition },
            ),
        ] {
            let found = of(BinaryOp::Add, Element::Histogram(a), Element::Histogram(b));
            assert_eq!(found, (Outcome::Nothing, vec![wanted]));
        }
    }
}
