//! Arithmetic and comparison between two vectors: one side is kept by signature, the other
//! streams past it (`VectorBinop` in `promql/engine.go`).

use hashbrown::HashMap;

use super::super::answer::QueryError;
use super::super::ast::{Binary, BinaryOp, Cardinality, Matching};
use super::super::eval::{
    ABSENT, Collected, Grid, Held, Result, Run, SeriesStream, StepSeries, Stream, collect,
    is_absent, is_metadata,
};
use super::super::print::braced;
use super::super::signature::{Signature, Steps};
use super::super::span::Span;
use super::{Outcome, arithmetic, element, is_trimming, push, with_histograms};
use crate::model::{Labels, LabelsBuilder};

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
    matched: Matched,
}

/// What of one signature was matched so far.
#[derive(Default)]
struct Matched {
    /// The steps at which the other side was matched.
    steps: Steps,
    /// Many to one: the same by result labels.
    results: HashMap<Labels, Steps>,
}

/// Two series of the "one" side with the same signature and a value at the same step. It is an
/// error only where the other side has any value at that step.
struct Conflict {
    step: usize,
    message: String,
}

/// What an operator does to a pair of series.
struct Rules<'r> {
    run: &'r Run<'r>,
    /// Where the operation stands.
    span: Span,
    op: BinaryOp,
    returns_bool: bool,
    matching: &'r Matching,
    grid: Grid,
}

struct Join<'r> {
    many: Stream<'r>,
    rules: Rules<'r>,
    signature: Signature,
    places: HashMap<Box<[u8]>, usize>,
    entries: Vec<Entry>,
    conflicts: Vec<Conflict>,
    /// The steps of the conflicts.
    conflicting: Steps,
    /// What stands for a partner that a side lacks.
    fill_many: Option<f64>,
    fill_one: Option<f64>,
    held: Held<'r>,
    /// The series of the "many" side at hand and the place of its next partner.
    current: Option<Current>,
    /// Once the "many" side is through: the next entry and series of the "one" side.
    left_over: Option<(usize, usize)>,
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
    // Prometheus exchanges the sides for `group_right`, but not what fills them: `fill_left`
    // always stands for the "many" side.
    let (fill_many, fill_one) = (matching.fill_left, matching.fill_right);
    let Collected { series, held } = collect(run, one)?;
    let mut join = Join {
        many,
        rules: Rules {
            run,
            span: binary.lhs.span().to(binary.rhs.span()),
            op: binary.op,
            returns_bool: binary.return_bool,
            matching,
            grid,
        },
        signature: signature_of(binary),
        places: HashMap::with_capacity(series.len()),
        entries: Vec::with_capacity(series.len()),
        conflicts: Vec::new(),
        conflicting: Steps::none(grid.len),
        fill_many,
        fill_one,
        held,
        current: None,
        left_over: None,
        key: Vec::new(),
    };
    for one in series {
        join.keep(one);
    }
    // With something to fill in, no step is passed over for want of series on one side.
    if let (true, Some(conflict)) =
        (fill_many.is_some() || fill_one.is_some(), join.conflicts.first())
    {
        return Err(QueryError::Execution(conflict.message.clone()));
    }
    Ok(Box::new(join))
}

impl Join<'_> {
    fn keep(&mut self, series: StepSeries) {
        let place = self.place(&series.labels);
        let Some(entry) = self.entries.get_mut(place) else { return };
        for (step, value) in series.values.iter().enumerate() {
            // One conflict per step says enough, and bounds them.
            if is_absent(*value) || !entry.occupied.add(step) || self.conflicting.add(step) {
                continue;
            }
            let has_value = |s: &&StepSeries| s.values.get(step).is_some_and(|v| !is_absent(*v));
            let Some(earlier) = entry.series.iter().find(has_value) else { continue };
            let side = match self.rules.matching.cardinality {
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

    /// The place of the entry for a series' signature, a new one if need be.
    fn place(&mut self, labels: &Labels) -> usize {
        self.signature.write(labels, &mut self.key);
        if let Some(place) = self.places.get(self.key.as_slice()) {
            return *place;
        }
        let place = self.entries.len();
        self.places.insert(self.key.as_slice().into(), place);
        let occupied = Steps::none(self.rules.grid.len);
        self.entries.push(Entry { occupied, ..Entry::default() });
        place
    }

    fn check_conflicts(&self, many: &StepSeries) -> Result<()> {
        for conflict in &self.conflicts {
            if many.values.get(conflict.step).is_some_and(|v| !is_absent(*v)) {
                return Err(QueryError::Execution(conflict.message.clone()));
            }
        }
        Ok(())
    }

    /// Fills `out` with what the series at hand and its next partner give; the last partner is
    /// the filling, if there is one. Says whether there was one more.
    fn pair(&mut self, current: &Current, out: &mut StepSeries) -> Result<bool> {
        let Some(entry) = self.entries.get_mut(current.entry) else { return Ok(false) };
        let Entry { series, occupied, matched } = entry;
        if let Some(one) = series.get(current.partner) {
            self.rules.combine(&mut self.held, matched, &current.series, one, out)?;
            return Ok(true);
        }
        let Some(fill) = self.fill_one.filter(|_| current.partner == series.len()) else {
            return Ok(false);
        };
        let labels = self.signature.labels(&current.series.labels);
        let one = filling(labels, fill, self.rules.grid, |step| !occupied.has(step));
        self.rules.combine(&mut self.held, matched, &current.series, &one, out)?;
        Ok(true)
    }

    /// Fills `out` with what the filling and the next series of the "one" side give at the steps
    /// where nothing matched that series. Says whether there was one more.
    fn fill_left_over(&mut self, out: &mut StepSeries) -> Result<bool> {
        let Some(fill) = self.fill_many else { return Ok(false) };
        let (place, number) = self.left_over.unwrap_or_default();
        let (mut place, mut number) = (place, number);
        while let Some(entry) = self.entries.get_mut(place) {
            let Entry { series, matched, .. } = entry;
            let Some(one) = series.get(number) else {
                (place, number) = (place + 1, 0);
                continue;
            };
            self.left_over = Some((place, number + 1));
            let labels = self.signature.labels(&one.labels);
            let matched_before = matched.steps.clone();
            let many = filling(labels, fill, self.rules.grid, |step| !matched_before.has(step));
            self.rules.combine(&mut self.held, matched, &many, one, out)?;
            return Ok(true);
        }
        self.left_over = Some((place, number));
        Ok(false)
    }
}

/// A series of one value at the steps where it is wanted.
fn filling(labels: Labels, value: f64, grid: Grid, wanted: impl Fn(usize) -> bool) -> StepSeries {
    let values = (0..grid.len).map(|step| if wanted(step) { value } else { ABSENT }).collect();
    StepSeries { labels, values, ..StepSeries::default() }
}

impl Rules<'_> {
    /// Fills `out` with the operator's values of a series of the "many" side and one of the "one"
    /// side, at the steps where both have one.
    fn combine(
        &self,
        held: &mut Held<'_>,
        matched: &mut Matched,
        many: &StepSeries,
        one: &StepSeries,
        out: &mut StepSeries,
    ) -> Result<()> {
        let is_filter = self.op.is_comparison() && !self.returns_bool;
        let swapped = self.matching.cardinality == Cardinality::OneToMany;
        out.labels = result_labels(&many.labels, &one.labels, self.op, self.matching)?;
        out.drop_name = false;
        if self.returns_bool {
            out.labels = out.labels.without(is_metadata);
        }
        let one_to_one = self.matching.cardinality == Cardinality::OneToOne;
        let Matched { steps, results } = matched;
        if steps.is_unset() {
            held.grow(self.grid.len.div_ceil(64))?;
            *steps = Steps::none(self.grid.len);
        }
        let mut by_labels = None;
        if !one_to_one {
            let of_labels = results.entry(out.labels.clone()).or_default();
            if of_labels.is_unset() {
                held.grow(self.grid.len.div_ceil(64))?;
                *of_labels = Steps::none(self.grid.len);
            }
            by_labels = Some(of_labels);
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
            let (a, b) = if swapped { (*o, *m) } else { (*m, *o) };
            let mut outcome = None;
            if any_histogram || is_trimming(self.op) {
                let (left, right) = if swapped { (one, many) } else { (many, one) };
                let (left, right) = (element(left, step, a), element(right, step, b));
                let note = |annotation| self.run.note(annotation, self.span);
                outcome = with_histograms(self.op, left, right, note).map(|found| (found, left));
            }
            let has_meaning = !matches!(&outcome, Some((Outcome::Nothing, _)));
            match outcome {
                Some((found, left)) => push(out, found, left, self.returns_bool),
                None if !is_filter => out.values.push(arithmetic::apply(self.op, a, b)),
                None if arithmetic::compares(self.op, a, b) => out.values.push(a),
                None => out.values.push(ABSENT),
            }
            // A pair counts as a match even where a comparison does not let it through, but not
            // where the operator does not exist between the two.
            if !has_meaning {
                continue;
            }
            let again = steps.add(step);
            let again = by_labels.as_mut().map_or(again, |of_labels| of_labels.add(step));
            if again {
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
        }
        Ok(())
    }
}

impl SeriesStream for Join<'_> {
    fn next(&mut self, out: &mut StepSeries) -> Result<bool> {
        loop {
            if let Some(mut current) = self.current.take() {
                if self.pair(&current, out)? {
                    current.partner += 1;
                    self.current = Some(current);
                    return Ok(true);
                }
                // Its buffer goes back to the stream below.
                *out = current.series;
            }
            // Read to its end even where nothing can match: its errors and warnings count.
            if self.left_over.is_some() || !self.many.next(out)? {
                self.left_over.get_or_insert_default();
                return self.fill_left_over(out);
            }
            self.check_conflicts(out)?;
            let place = match self.fill_one {
                Some(_) => Some(self.place(&out.labels)),
                None => {
                    self.signature.write(&out.labels, &mut self.key);
                    self.places.get(self.key.as_slice()).copied()
                }
            };
            if let Some(entry) = place {
                self.current = Some(Current { series: std::mem::take(out), entry, partner: 0 });
            }
        }
    }
}

/// Whether what comes out is still the metric that went in (`changesMetricSchema`).
fn keeps_name(op: BinaryOp) -> bool {
    op.is_comparison() || is_trimming(op)
}

/// The labels of a result (`resultMetric`): those of the "many" side, between one and one only
/// those that matched, without the name where the value is a new one; `group_left` and
/// `group_right` take some from the "one" side.
fn result_labels(many: &Labels, one: &Labels, op: BinaryOp, matching: &Matching) -> Result<Labels> {
    let one_to_one = matching.cardinality == Cardinality::OneToOne;
    let drops = |name: &str| {
        (!keeps_name(op) && is_metadata(name))
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
