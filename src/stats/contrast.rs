//! What each factor of a multivariate design does, and how two of them act together.
//!
//! A cell is one combination of levels. Cells count alike whatever their traffic, so an effect is
//! that of a world in which all combinations are equally common, and not one of the allocation.

use super::{Estimate, FixedTest, Interval, t_isf, t_sf};

/// The most cells of a design; more could not be given traffic anyway.
pub const CELLS_MAX: usize = 256;

/// What a contrast measures. Factors and levels count from 0; level 0 is what others are held
/// against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// What `level` of `factor` does instead of its first level, averaged over all other factors.
    Main {
        /// The factor.
        factor: usize,
        /// Its level, from 1.
        level: usize,
    },
    /// What two levels do together more than the sum of what each does alone, averaged over all
    /// other factors.
    Interaction {
        /// The two factors, in order.
        factors: [usize; 2],
        /// A level of each, from 1.
        levels: [usize; 2],
    },
}

/// One effect as weights on the cells' means; they sum to 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Contrast {
    /// What it measures.
    pub effect: Effect,
    /// A weight per cell.
    pub weights: Vec<f64>,
}

/// An effect as estimated from the cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ContrastEstimate {
    /// The effect, in the metric's unit.
    pub value: f64,
    /// Its sampling variance.
    pub variance: f64,
    /// Degrees of freedom (Satterthwaite); `None` where no cell varies.
    pub df: Option<f64>,
}

/// All main effects, then all two-way interactions, of a design whose factors have these numbers
/// of levels. Cells are in the order of counting with the last factor fastest. `None` without a
/// factor, with a factor of fewer than two levels, or of more than [`CELLS_MAX`] cells.
#[must_use]
pub fn contrasts(levels: &[usize]) -> Option<Vec<Contrast>> {
    let cells = levels.iter().try_fold(1usize, |cells, count| {
        let cells = cells.checked_mul(*count)?;
        (*count >= 2 && cells <= CELLS_MAX).then_some(cells)
    })?;
    if levels.is_empty() {
        return None;
    }
    // The level of `factor` in a cell.
    let level_in = |cell: usize, factor: usize| {
        let faster: usize = levels[factor + 1..].iter().product();
        cell / faster % levels[factor]
    };
    // 1 for the level, −1 for the first one, 0 for others.
    let side = |cell: usize, factor: usize, level: usize| match level_in(cell, factor) {
        at if at == level => 1.0,
        0 => -1.0,
        _ => 0.0,
    };
    let mut all = Vec::new();
    for (factor, count) in levels.iter().enumerate() {
        let others = (cells / count) as f64;
        for level in 1..*count {
            let weights = (0..cells).map(|cell| side(cell, factor, level) / others).collect();
            all.push(Contrast { effect: Effect::Main { factor, level }, weights });
        }
    }
    for (first, first_count) in levels.iter().enumerate() {
        for (second, second_count) in levels.iter().enumerate().skip(first + 1) {
            let others = (cells / first_count / second_count) as f64;
            for one in 1..*first_count {
                for other in 1..*second_count {
                    let weight = |cell| side(cell, first, one) * side(cell, second, other) / others;
                    all.push(Contrast {
                        effect: Effect::Interaction {
                            factors: [first, second],
                            levels: [one, other],
                        },
                        weights: (0..cells).map(weight).collect(),
                    });
                }
            }
        }
    }
    Some(all)
}

impl Contrast {
    /// The effect from an estimate of each cell, in the order of the weights. `None` when a cell
    /// that counts has none, or cells and weights differ in number.
    #[must_use]
    pub fn estimate(&self, cells: &[Option<Estimate>]) -> Option<ContrastEstimate> {
        if cells.len() != self.weights.len() {
            return None;
        }
        let (mut value, mut variance) = (0.0, 0.0);
        let mut counted = Vec::new();
        for (weight, cell) in self.weights.iter().zip(cells) {
            if *weight == 0.0 {
                continue;
            }
            let cell = (*cell)?;
            value += weight * cell.value;
            let share = weight * weight * cell.variance;
            variance += share;
            counted.push((share, cell.n));
        }
        if !(f64::is_finite(value) && f64::is_finite(variance)) {
            return None;
        }
        // As shares, so that no square leaves the doubles. A cell of one unit has no variance.
        let inverse: f64 = counted
            .iter()
            .filter(|(share, _)| *share > 0.0)
            .map(|(share, n)| (share / variance).powi(2) / (n.saturating_sub(1).max(1) as f64))
            .sum();
        let df = Some(1.0 / inverse).filter(|df| df.is_finite());
        Some(ContrastEstimate { value, variance, df })
    }
}

impl ContrastEstimate {
    /// The t-test of the effect at a fixed horizon, with its interval at level 1 − `alpha`.
    /// `None` where nothing varies.
    #[must_use]
    pub fn test(&self, alpha: f64) -> Option<FixedTest> {
        let df = self.df?;
        let se = self.variance.sqrt();
        let statistic = self.value / se;
        if !statistic.is_finite() {
            return None;
        }
        let p_value = (2.0 * t_sf(statistic.abs(), df)?).min(1.0);
        let critical = t_isf(alpha / 2.0, df)?;
        let interval = Interval::around(self.value, critical * se)?;
        Some(FixedTest { statistic, df: Some(df), p_value, interval, critical })
    }
}

#[cfg(test)]
mod tests;
