//! `count_values`: one series per group and distinct value.

use hashbrown::HashMap;

use super::super::answer::QueryError;
use super::super::ast::Aggregate;
use super::super::eval::{ABSENT, Grid, Replay, Result, Run, StepSeries, Stream, is_absent};
use super::super::print::format_value;
use super::super::signature::Signature;
use crate::model::{Labels, LabelsBuilder, is_histogram_mark};

pub(super) fn open<'r>(
    run: &'r Run<'r>,
    mut input: Stream<'r>,
    aggregate: &Aggregate,
    label: &str,
    grid: Grid,
) -> Result<Stream<'r>> {
    if label.is_empty() {
        return Err(QueryError::Execution("invalid label name \"\"".to_owned()));
    }
    let signature = if aggregate.without {
        Signature::dropping(&aggregate.grouping)
    } else {
        Signature::keeping(&aggregate.grouping)
    };
    // `without` may name the label of the values itself: then it goes.
    let keeps_label = !aggregate.without || !aggregate.grouping.iter().any(|n| n == label);
    let mut held = run.hold(0)?;
    let mut places: HashMap<Labels, usize> = HashMap::new();
    let mut counted: Vec<StepSeries> = Vec::new();
    let mut series = StepSeries::default();
    while input.next(&mut series)? {
        let mut builder = LabelsBuilder::new(&signature.labels(&series.labels));
        // A value often stays for many steps: its place is found once.
        let mut current: Option<(u64, usize)> = None;
        for (step, value) in series.values.iter().enumerate() {
            if is_absent(*value) {
                continue;
            }
            let place = match current {
                Some((bits, place)) if bits == value.to_bits() => place,
                _ => {
                    if keeps_label {
                        let text = series.histogram(step).map_or_else(
                            || format_value(*value),
                            |histogram| histogram.to_string(),
                        );
                        builder.set(label, &text);
                    }
                    let labels = builder
                        .build()
                        .map_err(|error| QueryError::Execution(error.to_string()))?;
                    match places.get(&labels) {
                        Some(place) => *place,
                        None => {
                            held.grow(grid.len)?;
                            run.check()?;
                            let place = counted.len();
                            places.insert(labels.clone(), place);
                            let values = vec![ABSENT; grid.len];
                            let drop_name = series.drop_name;
                            counted.push(StepSeries {
                                labels,
                                drop_name,
                                values,
                                histograms: Vec::new(),
                            });
                            place
                        }
                    }
                }
            };
            // Of histograms the bits tell nothing.
            current = (!is_histogram_mark(*value)).then_some((value.to_bits(), place));
            if let Some(slot) = counted.get_mut(place).and_then(|c| c.values.get_mut(step)) {
                *slot = if is_absent(*slot) { 1.0 } else { *slot + 1.0 };
            }
        }
    }
    // By labels, so that ties further up do not depend on what stands at other steps.
    counted.sort_by(|a, b| a.labels.cmp(&b.labels));
    Ok(Replay::stream(counted, held))
}
