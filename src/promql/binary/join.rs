//! Arithmetic and comparison between two vectors: one side is kept by signature, the other
//! streams past it (`VectorBinop` in `promql/engine.go`).

use hashbrown::HashMap;

use super::super::answer::QueryError;
use super::super::ast::{Binary, BinaryOp, Cardinality, Matching};
use super::super::eval::{
    ABSENT, Collected, Grid, Held, Result, Run, SeriesStream, StepSeries, Stream, collect,
    is_absent,
};
use super::super::signature::{Signature, Steps};
use super::super::span::Span;
use super::super::token::quote;
use super::{arithmetic, element, is_trimming, push, with_histograms};
use crate::model::{Labels, LabelsBuilder, METRIC_NAME};

/// By which labels the sides of an operator match.
pub(super) fn signature_of(binary: &Binary) -> Signature {
    match &binary.matching {
        Some(matching) if matching.on => Signature::keeping(&matching.labels),
        Some(matching) => Signature::dropping(&matching.labels),
        None => Signature::dropping(&[]),
    }
}

/// The series of one signature on the "one" side; at each step at most one has a value, or the
/// step is among the conflicts.
#[derive(Default)]
struct Entry {
    series: Vec<StepSeries>,
    /// The steps at which one of them has a value.
    occupied: Steps,
    /// One to one: the steps at which the other side was matched already.
    matched: Steps,
    /// Many to one: the same by result labels.
    results: HashMap<Labels, Steps>,
}

/// Two series of the "one" side with the same signature and a value at the same step. It is an
/// error only where the other side has any value at that step.
struct Conflict {
    step: usize,
    message: String,
}

struct Join<'r> {
    run: &'r Run<'r>,
    span: Span,
    many: Stream<'r>,
    signature: Signature,
    places: HashMap<Box<[u8]>, usize>,
    entries: Vec<Entry>,
    conflicts: Vec<Conflict>,
    /// The steps of the conflicts.
    conflicting: Steps,
    op: BinaryOp,
    returns_bool: bool,
    matching: &'r Matching,
    grid: Grid,
    held: Held<'r>,
    /// The series of the "many" side at hand and the place of its next partner.
    current: Option<Current>,
    key: Vec<u8>,
}

struct Current {
    series: StepSeries,
    entry: usize,
    partner: usize,
}

pub(super) fn open<'r>(
    run: &'r Run<'r>,
    binary: &'r Binary,
    lhs: Stream<'r>,
    rhs: Stream<'r>,
    grid: Grid,
) -> Result<Stream<'r>> {
    let Some(matching) = &binary.matching else {
        return Err(QueryError::Execution("vectors without matching".to_owned()));
    };
    let (many, one) = match matching.cardinality {
        Cardinality::OneToMany => (rhs, lhs),
        _ => (lhs, rhs),
    };
    let Collected { series, held } = collect(run, one)?;
    let mut join = Join {
        run,
        span: binary.lhs.span().to(binary.rhs.span()),
        many,
        signature: signature_of(binary),
        places: HashMap::with_capacity(series.len()),
        entries: Vec::with_capacity(series.len()),
        conflicts: Vec::new(),
        conflicting: Steps::none(grid.len),
        op: binary.op,
        returns_bool: binary.return_bool,
        matching,
        grid,
        held,
        current: None,
        key: Vec::new(),
    };
    for one in series {
        join.keep(one);
    }
    Ok(Box::new(join))
}

impl Join<'_> {
    fn keep(&mut self, series: StepSeries) {
        self.signature.write(&series.labels, &mut self.key);
        let place = match self.places.get(self.key.as_slice()) {
            Some(place) => *place,
            None => {
                let place = self.entries.len();
                self.places.insert(self.key.as_slice().into(), place);
                self.entries.push(Entry::default());
                place
            }
        };
        let Some(entry) = self.entries.get_mut(place) else { return };
        if entry.occupied.is_unset() {
            entry.occupied = Steps::none(self.grid.len);
        }
        for (step, value) in series.values.iter().enumerate() {
            // One conflict per step says enough, and bounds them.
            if is_absent(*value) || !entry.occupied.add(step) || self.conflicting.add(step) {
                continue;
            }
            let has_value = |s: &&StepSeries| s.values.get(step).is_some_and(|v| !is_absent(*v));
            let Some(earlier) = entry.series.iter().find(has_value) else { continue };
            let side = match self.matching.cardinality {
                Cardinality::OneToMany => "left",
                _ => "right",
            };
            let message = format!(
                "found duplicate series for the match group {} on the {side} hand-side of the \
                 operation: [{}, {}];many-to-many matching not allowed: matching labels must be \
                 unique on one side",
                braced(&self.signature.labels(&series.labels)),
                braced(&series.labels),
                braced(&earlier.labels),
            );
            self.conflicts.push(Conflict { step, message });
        }
        entry.series.push(series);
    }

    fn check_conflicts(&self, many: &StepSeries) -> Result<()> {
        for conflict in &self.conflicts {
            if many.values.get(conflict.step).is_some_and(|v| !is_absent(*v)) {
                return Err(QueryError::Execution(conflict.message.clone()));
            }
        }
        Ok(())
    }

    /// Fills `out` with the operator's values of the series at hand and one partner.
    fn pair(&mut self, current: &Current, out: &mut StepSeries) -> Result<()> {
        let Some(entry) = self.entries.get_mut(current.entry) else { return Ok(()) };
        let Some(one) = entry.series.get(current.partner) else { return Ok(()) };
        let many = &current.series;
        let is_filter = self.op.is_comparison() && !self.returns_bool;
        let swapped = self.matching.cardinality == Cardinality::OneToMany;
        out.labels = result_labels(&many.labels, &one.labels, self.op, self.matching)?;
        out.drop_name =
            self.returns_bool || ((is_filter || is_trimming(self.op)) && many.drop_name);
        let one_to_one = self.matching.cardinality == Cardinality::OneToOne;
        let matched = if one_to_one {
            &mut entry.matched
        } else {
            entry.results.entry(out.labels.clone()).or_default()
        };
        if matched.is_unset() {
            self.held.grow(self.grid.len.div_ceil(64))?;
            *matched = Steps::none(self.grid.len);
        }
        out.values.clear();
        out.histograms.clear();
        out.values.reserve(self.grid.len);
        let any_histogram = !many.histograms.is_empty() || !one.histograms.is_empty();
        for (step, (m, o)) in many.values.iter().zip(&one.values).enumerate() {
            if is_absent(*m) || is_absent(*o) {
                out.values.push(ABSENT);
                continue;
            }
            if matched.add(step) {
                return Err(QueryError::Execution(
                    if one_to_one {
                        "multiple matches for labels: many-to-one matching must be explicit \
                         (group_left/group_right)"
                    } else {
                        "multiple matches for labels: grouping labels must ensure unique matches"
                    }
                    .to_owned(),
                ));
            }
            let (a, b) = if swapped { (*o, *m) } else { (*m, *o) };
            if any_histogram || is_trimming(self.op) {
                let (left, right) = if swapped { (one, many) } else { (many, one) };
                let (left, right) = (element(left, step, a), element(right, step, b));
                let note = |annotation| self.run.note(annotation, self.span);
                if let Some(found) = with_histograms(self.op, left, right, note) {
                    push(out, found, left, self.returns_bool);
                    continue;
                }
            }
            out.values.push(if !is_filter {
                arithmetic::apply(self.op, a, b)
            } else if arithmetic::compares(self.op, a, b) {
                a
            } else {
                ABSENT
            });
        }
        Ok(())
    }
}

impl SeriesStream for Join<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        loop {
            if let Some(mut current) = self.current.take() {
                let partners = self.entries.get(current.entry).map_or(0, |e| e.series.len());
                if current.partner < partners {
                    self.pair(&current, out)?;
                    current.partner += 1;
                    self.current = Some(current);
                    return Ok(true);
                }
                // Its buffer goes back to the stream below.
                *out = current.series;
            }
            if self.entries.is_empty() || !self.many.next(out)? {
                return Ok(false);
            }
            self.check_conflicts(out)?;
            self.signature.write(&out.labels, &mut self.key);
            if let Some(entry) = self.places.get(self.key.as_slice()).copied() {
                self.current = Some(Current { series: std::mem::take(out), entry, partner: 0 });
            }
        }
    }
}

/// The labels of a result (`resultMetric`): those of the "many" side, between one and one only
/// those that matched, without the name where the value is a new one; `group_left` and
/// `group_right` take some from the "one" side.
fn result_labels(many: &Labels, one: &Labels, op: BinaryOp, matching: &Matching) -> Result<Labels> {
    let one_to_one = matching.cardinality == Cardinality::OneToOne;
    let drops = |name: &str| {
        (!op.is_comparison() && !is_trimming(op) && name == METRIC_NAME)
            || (one_to_one && matching.labels.iter().any(|l| l == name) != matching.on)
    };
    let labels = many.without(drops);
    if matching.include.is_empty() {
        return Ok(labels);
    }
    let mut builder = LabelsBuilder::new(&labels);
    for name in &matching.include {
        builder.set(name, one.get(name).unwrap_or(""));
    }
    builder.build().map_err(|error| QueryError::Execution(error.to_string()))
}

/// Labels as Go prints them, the name inside the braces.
fn braced(labels: &Labels) -> String {
    let pairs: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}={}", quote(value))).collect();
    format!("{{{}}}", pairs.join(", "))
}
