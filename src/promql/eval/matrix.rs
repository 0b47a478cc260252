//! Ranges as they are: without a function, or asked only whether there is anything.

use super::super::answer::MatrixSeries;
use super::super::ast::Expr;
use super::super::source::Samples;
use super::extended::{self, Ends};
use super::grid::{Grid, is_absent};
use super::merge::same_labels;
use super::range_call::{RangeInput, slide};
use super::run::{Result, Run};

/// The samples of a range selector or subquery at one step, for instant queries of that type.
pub(super) fn raw_matrix<'r>(
    run: &'r Run<'r>,
    expr: &'r Expr,
    grid: Grid,
) -> Result<Vec<MatrixSeries>> {
    let mut input = RangeInput::open(run, expr, grid, None)?;
    let mut held = run.hold(0)?;
    let mut matrix = Vec::new();
    let mut samples = Samples::default();
    while let Some((labels, drop_name)) = input.next(&mut samples)? {
        if samples.is_empty() {
            continue;
        }
        let (ends, lookback_ms) = input.ends;
        if ends != Ends::Plain {
            let (at, range) = (&input.reference, input.range_ms);
            samples = extended::samples_with_ends(at, range, ends, lookback_ms, &samples)?;
            if samples.is_empty() {
                continue;
            }
        }
        let histograms = samples.histograms.iter().flatten().map(|h| h.samples());
        held.grow(samples.len() + histograms.sum::<usize>())?;
        let labels = if drop_name { labels.without_name() } else { labels };
        matrix.push(MatrixSeries { labels, samples: std::mem::take(&mut samples) });
    }
    matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
    if matrix.windows(2).any(|pair| pair[0].labels == pair[1].labels) {
        return Err(same_labels());
    }
    Ok(matrix)
}

/// `absent_over_time`: which steps have any sample in their window.
pub(super) fn steps_with_samples<'r>(
    run: &'r Run<'r>,
    expr: &'r Expr,
    grid: Grid,
) -> Result<Vec<bool>> {
    let mut input = RangeInput::open(run, expr, grid, Some("absent_over_time"))?;
    let mut present = vec![false; grid.len];
    let mut samples = Samples::default();
    let mut column = Vec::new();
    while input.next(&mut samples)?.is_some() {
        slide(&input.reference, input.range_ms, &samples, &mut column, |_| 1.0);
        for (slot, value) in present.iter_mut().zip(&column) {
            *slot |= !is_absent(*value);
        }
    }
    Ok(present)
}
