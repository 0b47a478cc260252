//! Each variant by itself: estimates of one metric, epoch by epoch.

use std::borrow::Cow;

use crate::experiments::accumulate::{Cell, CellSums, Sums};
use crate::model::{
    Estimator, ExperimentDefinition, ExperimentKind, ExperimentState, MetricDefinition,
};
use crate::stats::sketch::quantile_estimate;
use crate::stats::{Estimate, Moments};

/// One metric of one variant within one epoch.
pub(super) struct Arm<'a> {
    cell: Cow<'a, Cell>,
    /// What it comes to by itself; `None` with too few units.
    pub(super) estimate: Option<Estimate>,
}

impl<'a> Arm<'a> {
    fn new(cell: Cow<'a, Cell>, metric: &MetricDefinition) -> Option<Self> {
        let fits = matches!(
            (cell.sums(), metric.estimator),
            (CellSums::Mean { .. }, Estimator::Mean)
                | (CellSums::Proportion(_), Estimator::Proportion)
                | (CellSums::Ratio(_), Estimator::Ratio)
                | (CellSums::Quantile(_), Estimator::Quantile)
        );
        // Sums of a metric that has another estimator by now say nothing about it.
        fits.then(|| Arm { estimate: estimate(&cell, metric), cell })
    }

    /// Units with a value.
    pub(super) fn n(&self) -> u64 {
        self.cell.n()
    }

    /// What a reader is shown: of quantiles the value at the rank itself, as arms are compared by
    /// a mean of the values around it.
    pub(super) fn shown(&self, metric: &MetricDefinition) -> Option<f64> {
        let estimate = self.estimate?;
        match self.cell.sums() {
            CellSums::Quantile(sketch) => {
                Some(quantile_estimate(sketch, metric.quantile?)?.at_rank)
            }
            CellSums::Mean { .. } | CellSums::Proportion(_) | CellSums::Ratio(_) => {
                Some(estimate.value)
            }
        }
    }

    /// Successes and failures, of shares.
    pub(super) fn events(&self) -> Option<[u64; 2]> {
        match self.cell.sums() {
            CellSums::Proportion(moments) => {
                let successes = moments.sum().to_f64() as u64;
                Some([successes, moments.n().saturating_sub(successes)])
            }
            CellSums::Mean { .. } | CellSums::Ratio(_) | CellSums::Quantile(_) => None,
        }
    }
}

fn estimate(cell: &Cell, metric: &MetricDefinition) -> Option<Estimate> {
    match cell.sums() {
        CellSums::Mean { bare, known } => {
            if known.n() == 0 {
                return Estimate::mean(bare);
            }
            let mut all = bare.clone();
            all.merge(known.y());
            Estimate::mean(&all)
        }
        CellSums::Proportion(moments) => Estimate::proportion(moments),
        CellSums::Ratio(pairs) => Estimate::ratio(pairs),
        CellSums::Quantile(sketch) => {
            let found = quantile_estimate(sketch, metric.quantile?)?;
            Some(Estimate {
                n: found.n,
                value: found.value,
                variance: found.variance,
                unit_variance: found.variance * found.n as f64,
                third: None,
            })
        }
    }
}

/// One metric of all variants.
pub(super) struct MetricArms<'a> {
    /// By epoch and variant.
    pub(super) epochs: Vec<Vec<Option<Arm<'a>>>>,
    /// By variant, all epochs as one.
    whole: Vec<Option<Arm<'a>>>,
}

impl<'a> MetricArms<'a> {
    pub(super) fn new(
        definition: &ExperimentDefinition,
        state: &ExperimentState,
        sums: &'a Sums,
        place: usize,
    ) -> Self {
        let Some(metric) = definition.metrics.get(place) else {
            return MetricArms { epochs: Vec::new(), whole: Vec::new() };
        };
        let cell_of = |epoch: usize, variant: usize| -> Option<&'a Cell> {
            let place = (u16::try_from(epoch), u16::try_from(variant), u16::try_from(place));
            let (Ok(epoch), Ok(variant), Ok(metric)) = place else { return None };
            sums.cells.get(&(epoch, variant, metric))
        };
        let variants = definition.variants.len();
        let count = epochs_of(state, sums);
        let mut epochs: Vec<Vec<Option<Arm<'a>>>> = (0..count)
            .map(|epoch| {
                let arm = |variant| Arm::new(Cow::Borrowed(cell_of(epoch, variant)?), metric);
                (0..variants).map(arm).collect()
            })
            .collect();
        let together = |variant| {
            let mut cells = (0..count).filter_map(|epoch| cell_of(epoch, variant));
            let mut whole = Cow::Borrowed(cells.next()?);
            for cell in cells {
                // Of another estimator, or beyond counting: left out.
                let _ = whole.to_mut().merge(cell);
            }
            Arm::new(whole, metric)
        };
        let whole: Vec<_> = (0..variants).map(together).collect();
        if definition.kind == ExperimentKind::BlueGreen {
            // In each epoch one of both had no traffic: there is only before and after.
            epochs = vec![(0..variants).map(together).collect()];
        }
        MetricArms { epochs, whole }
    }

    /// A variant, all epochs as one.
    pub(super) fn whole(&self, variant: usize) -> Option<&Arm<'a>> {
        self.whole.get(variant)?.as_ref()
    }

    /// Both arms of a comparison by epoch, where both can be estimated; adjusted by what was
    /// known of the units before, if that is asked for and known.
    pub(super) fn pairs(&self, control: usize, variant: usize, cuped: bool) -> Vec<Pair> {
        let pair = |arms: &Vec<Option<Arm<'a>>>| {
            let (c, t) = (arms.get(control)?.as_ref()?, arms.get(variant)?.as_ref()?);
            let plain = [c.estimate?, t.estimate?];
            let adjusted = if cuped { adjust(&c.cell, &t.cell) } else { None };
            let events = match (c.events(), t.events()) {
                (Some(c), Some(t)) => Some([c, t]),
                _ => None,
            };
            let [control, variant] = adjusted.unwrap_or(plain);
            Some(Pair { control, variant, plain, events })
        };
        self.epochs.iter().filter_map(pair).collect()
    }
}

/// Both arms of a comparison within one epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pair {
    pub(super) control: Estimate,
    pub(super) variant: Estimate,
    /// Both without adjustment.
    pub(super) plain: [Estimate; 2],
    /// Successes and failures of both, of shares.
    pub(super) events: Option<[[u64; 2]; 2]>,
}

/// How many epochs there are, by the state or by what was summed.
pub(super) fn epochs_of(state: &ExperimentState, sums: &Sums) -> usize {
    let summed = sums.cells.keys().map(|(epoch, ..)| usize::from(*epoch) + 1).max();
    state.epochs.len().max(summed.unwrap_or(0))
}

/// CUPED. Units of which nothing was known before (new customers) are left as they are: the
/// arm's mean is that of both groups, weighted by their sizes, and so is its variance. Whether
/// something was known is itself known before the exposure, so nothing is biased by that.
fn adjust(control: &Cell, variant: &Cell) -> Option<[Estimate; 2]> {
    let (CellSums::Mean { bare: bare_c, known: known_c }, CellSums::Mean { bare, known }) =
        (control.sums(), variant.sums())
    else {
        return None;
    };
    if known_c.n() < 2 || known.n() < 2 {
        return None;
    }
    let adjusted = Estimate::cuped(known_c, known)?;
    if adjusted.theta == 0.0 {
        return None;
    }
    Some([join(adjusted.control, bare_c)?, join(adjusted.treatment, bare)?])
}

/// Two groups of units as one: n, mean, s² and μ₃ of their union (Chan, Golub & LeVeque 1979;
/// Pébay 2008 for the third).
fn join(known: Estimate, bare: &Moments) -> Option<Estimate> {
    if bare.n() == 0 {
        return Some(known);
    }
    let (n_k, n_b) = (known.n as f64, bare.n() as f64);
    let n = n_k + n_b;
    let delta = bare.mean()? - known.value;
    let value = known.value + delta * (n_b / n);
    let (m2_k, m2_b) = (known.unit_variance * (n_k - 1.0), bare.m2()?);
    let m2 = m2_k + m2_b + delta * delta * (n_k * n_b / n);
    let third = known.third.zip(bare.m3()).map(|(third_k, m3_b)| {
        let apart = delta.powi(3) * n_k * n_b * (n_k - n_b) / (n * n);
        let m3 = third_k * n_k + m3_b + apart + 3.0 * delta * (n_k * m2_b - n_b * m2_k) / n;
        m3 / n
    });
    let unit_variance = m2 / (n - 1.0);
    let sound = value.is_finite() && unit_variance.is_finite() && unit_variance >= 0.0;
    sound.then_some(Estimate {
        n: known.n.checked_add(bare.n())?,
        value,
        variance: unit_variance / n,
        unit_variance,
        third: third.filter(|third| third.is_finite()),
    })
}
