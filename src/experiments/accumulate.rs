//! Sums of results: what is kept of each metric, variant and epoch, whatever the number of units.
//!
//! Sums are exact (`stats::ExactSum`, counts by bucket), so that adding, taking out and merging
//! may happen in any order and give the same bits.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{
    Estimator, MetricDefinition, ResultEntry, UnitAggregate, UnitValue, VALUE_ABS_MAX,
};
use crate::stats::sketch::{QuantileSketch, VALUE_MAX as SKETCH_VALUE_MAX};
use crate::stats::{Moments, PairMoments};

/// Units that one metric of one variant counts: what sums take.
pub const UNITS_MAX: u64 = i64::MAX as u64;

/// One metric of one variant within one epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// A unit's value below this counts as this.
    cap_low: Option<f64>,
    /// A unit's value above this counts as this.
    cap_high: Option<f64>,
    sums: CellSums,
}

/// What is kept, by what is estimated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum CellSums {
    /// Of means: units of which nothing was known before, and pairs of value and covariate of
    /// those of which something was.
    Mean {
        /// Values of units without a covariate.
        bare: Moments,
        /// Covariates (x) and values (y) of the others.
        known: PairMoments,
    },
    /// Of proportions: zeros and ones.
    Proportion(Moments),
    /// Of ratios: denominators (x) and numerators (y).
    Ratio(PairMoments),
    /// Of quantiles.
    Quantile(QuantileSketch),
}

impl Cell {
    /// An empty one, for this metric.
    pub fn new(metric: &MetricDefinition) -> Self {
        let sums = match metric.estimator {
            Estimator::Mean => {
                CellSums::Mean { bare: Moments::default(), known: PairMoments::default() }
            }
            Estimator::Proportion => CellSums::Proportion(Moments::default()),
            Estimator::Ratio => CellSums::Ratio(PairMoments::default()),
            Estimator::Quantile => CellSums::Quantile(QuantileSketch::default()),
        };
        Cell { cap_low: metric.cap_low, cap_high: metric.cap_high, sums }
    }

    /// What is kept.
    pub fn sums(&self) -> &CellSums {
        &self.sums
    }

    /// Units in it.
    pub fn n(&self) -> u64 {
        match &self.sums {
            CellSums::Mean { bare, known } => bare.n().saturating_add(known.n()),
            CellSums::Proportion(moments) => moments.n(),
            CellSums::Ratio(pairs) => pairs.n(),
            CellSums::Quantile(sketch) => sketch.n(),
        }
    }

    /// Adds so many units with this value, as [`fold`] made it.
    ///
    /// Fails, and changes nothing, only with a value that `fold` refuses or beyond [`UNITS_MAX`].
    pub fn add(&mut self, unit: &UnitValue, count: u64) -> Result<(), String> {
        let unit = self.admit(unit)?;
        self.room_for(count)?;
        let added = match &mut self.sums {
            CellSums::Mean { bare, known } => match unit.covariate {
                Some(covariate) => known.add_times(covariate, unit.value, count),
                None => bare.add_times(unit.value, count),
            },
            CellSums::Proportion(moments) => moments.add_times(unit.value, count),
            CellSums::Ratio(pairs) => pairs.add_times(unit.denominator, unit.value, count),
            CellSums::Quantile(sketch) => {
                sketch.add_times(unit.value, count).map_err(|error| error.to_string())?;
                true
            }
        };
        if added { Ok(()) } else { Err(format!("{unit:?} cannot be summed")) }
    }

    /// Takes so many units with this value out again: as if they had never been added.
    ///
    /// Fails, and changes nothing, where there are fewer units than that.
    pub fn remove(&mut self, unit: &UnitValue, count: u64) -> Result<(), String> {
        let unit = self.admit(unit)?;
        let few = |n: u64| match n < count {
            true => Err(format!("{count} units cannot be taken out of {n}")),
            false => Ok(()),
        };
        match &mut self.sums {
            CellSums::Mean { bare, known } => match unit.covariate {
                Some(covariate) => {
                    few(known.n())?;
                    known.subtract(&pair(covariate, unit.value, count));
                }
                None => {
                    few(bare.n())?;
                    bare.remove_times(unit.value, count);
                }
            },
            CellSums::Proportion(moments) => {
                few(moments.n())?;
                moments.remove_times(unit.value, count);
            }
            CellSums::Ratio(pairs) => {
                few(pairs.n())?;
                pairs.subtract(&pair(unit.denominator, unit.value, count));
            }
            CellSums::Quantile(sketch) => {
                sketch.remove_times(unit.value, count).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    fn room_for(&self, count: u64) -> Result<(), String> {
        match self.n().checked_add(count) {
            Some(n) if n <= UNITS_MAX => Ok(()),
            _ => Err(format!("a metric counts at most {UNITS_MAX} units")),
        }
    }

    /// Adds all that another cell of the same metric has. Fails, and changes nothing, where that
    /// is a cell of another estimator.
    pub fn merge(&mut self, other: &Cell) -> Result<(), String> {
        self.room_for(other.n())?;
        match (&mut self.sums, &other.sums) {
            (CellSums::Mean { bare, known }, CellSums::Mean { bare: b, known: k }) => {
                bare.merge(b);
                known.merge(k);
            }
            (CellSums::Proportion(own), CellSums::Proportion(theirs)) => own.merge(theirs),
            (CellSums::Ratio(own), CellSums::Ratio(theirs)) => own.merge(theirs),
            (CellSums::Quantile(own), CellSums::Quantile(theirs)) => {
                own.merge(theirs).map_err(|error| error.to_string())?;
            }
            _ => return Err("sums of different estimators cannot be merged".to_owned()),
        }
        Ok(())
    }

    /// The unit's value as it counts: within the caps, and a number that sums take.
    fn admit(&self, unit: &UnitValue) -> Result<UnitValue, String> {
        let mut value = finite("value", unit.value)?;
        if let Some(low) = self.cap_low {
            value = value.max(low);
        }
        if let Some(high) = self.cap_high {
            value = value.min(high);
        }
        if let CellSums::Quantile(_) = self.sums {
            // A negative cap would otherwise make a value that a sketch does not take.
            value = value.clamp(0.0, SKETCH_VALUE_MAX);
        }
        let denominator = finite("denominator", unit.denominator)?;
        let covariate = unit.covariate.map(|x| finite("covariate", x)).transpose()?;
        Ok(UnitValue { value, denominator, covariate })
    }
}

fn pair(x: f64, y: f64, count: u64) -> PairMoments {
    let mut pair = PairMoments::new();
    pair.add_times(x, y, count);
    pair
}

/// What a unit's results of a metric come to when one more arrives.
///
/// `before` is what they came to so far. Says what is wrong with an entry that cannot be taken;
/// whether the unit, the variant and the metric's name are known is not asked here.
pub fn fold(
    metric: &MetricDefinition,
    before: Option<&UnitValue>,
    entry: &ResultEntry,
) -> Result<UnitValue, String> {
    let new = read(metric, entry)?;
    let Some(before) = before else { return Ok(new) };
    let mut folded = match metric.unit_aggregate() {
        UnitAggregate::Sum => UnitValue {
            value: before.value + new.value,
            denominator: match metric.estimator {
                Estimator::Ratio => before.denominator + new.denominator,
                Estimator::Mean | Estimator::Proportion | Estimator::Quantile => 1.0,
            },
            covariate: None,
        },
        UnitAggregate::Last => new,
        UnitAggregate::First => *before,
        UnitAggregate::Max if new.value > before.value => new,
        UnitAggregate::Max => *before,
    };
    if metric.estimator == Estimator::Proportion {
        // A sum of ones: the unit did it, however often.
        folded.value = folded.value.min(1.0);
    }
    // What was known before the unit was exposed cannot change afterwards: the first word stays.
    folded.covariate = before.covariate.or(new.covariate);
    for (what, value) in [("sum of values", folded.value), ("sum", folded.denominator)] {
        finite(what, value).map_err(|error| format!("with the unit's earlier results: {error}"))?;
    }
    if metric.estimator == Estimator::Quantile && folded.value > SKETCH_VALUE_MAX {
        return Err(format!("value: with the unit's earlier results beyond {SKETCH_VALUE_MAX:e}"));
    }
    Ok(folded)
}

/// An entry by itself.
fn read(metric: &MetricDefinition, entry: &ResultEntry) -> Result<UnitValue, String> {
    let covariate = entry.covariate.map(|x| finite("covariate", x)).transpose()?;
    let name = &metric.name;
    if metric.estimator == Estimator::Ratio {
        if entry.value.is_some() {
            return Err(format!(
                "value: {name:?} is a ratio; send numerator, and denominator unless it is 1"
            ));
        }
        let Some(numerator) = entry.numerator else {
            return Err(format!("numerator: is missing; {name:?} is a ratio"));
        };
        let value = finite("numerator", numerator)?;
        let denominator = finite("denominator", entry.denominator.unwrap_or(1.0))?;
        if denominator < 0.0 {
            return Err("denominator: 0 or more".to_owned());
        }
        return Ok(UnitValue { value, denominator, covariate });
    }
    if entry.numerator.is_some() || entry.denominator.is_some() {
        return Err(format!(
            "numerator, denominator: only of ratios; {name:?} is none, send value"
        ));
    }
    let Some(value) = entry.value else {
        return Err("value: is missing".to_owned());
    };
    let value = finite("value", value)?;
    match metric.estimator {
        Estimator::Proportion if value != 0.0 && value != 1.0 => {
            return Err(format!("value: 0 or 1, as {name:?} is a proportion; it is {value}"));
        }
        Estimator::Quantile if !(0.0..=SKETCH_VALUE_MAX).contains(&value) => {
            return Err(format!(
                "value: 0 to {SKETCH_VALUE_MAX:e}, as {name:?} is a quantile; it is {value}"
            ));
        }
        Estimator::Mean | Estimator::Proportion | Estimator::Ratio | Estimator::Quantile => {}
    }
    Ok(UnitValue { value, denominator: 1.0, covariate })
}

/// A number that sums take. Minus zero becomes zero, so that equal values have equal bits.
fn finite(what: &str, value: f64) -> Result<f64, String> {
    if value.is_finite() && value.abs() <= VALUE_ABS_MAX {
        return Ok(value + 0.0);
    }
    Err(format!("{what}: {value} is no number within ±{VALUE_ABS_MAX:e}"))
}

/// All that is known of one experiment's results: its size depends on the numbers of variants,
/// metrics and epochs, not on that of units.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sums {
    /// By places of epoch, variant and metric.
    pub cells: BTreeMap<(u16, u16, u16), Cell>,
    /// Exposed units, by places of epoch and variant; without those that were excluded.
    pub units: BTreeMap<(u16, u16), u64>,
    /// Units that were seen in two variants and are in no sum any more, by the first of them.
    pub excluded: BTreeMap<u16, u64>,
    /// Results that were taken.
    pub results: u64,
}

/// Maps as lists, as JSON has only text for keys.
#[derive(Serialize, Deserialize)]
struct SumsLists {
    cells: Vec<((u16, u16, u16), Cell)>,
    units: Vec<((u16, u16), u64)>,
    excluded: Vec<(u16, u64)>,
    results: u64,
}

/// The same, of what is only looked at.
#[derive(Serialize)]
#[serde(rename = "SumsLists")]
struct SumsView<'a> {
    cells: Vec<(&'a (u16, u16, u16), &'a Cell)>,
    units: Vec<(&'a (u16, u16), &'a u64)>,
    excluded: Vec<(&'a u16, &'a u64)>,
    results: u64,
}

impl Serialize for Sums {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        SumsView {
            cells: self.cells.iter().collect(),
            units: self.units.iter().collect(),
            excluded: self.excluded.iter().collect(),
            results: self.results,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Sums {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let lists = SumsLists::deserialize(deserializer)?;
        Ok(Sums {
            cells: lists.cells.into_iter().collect(),
            units: lists.units.into_iter().collect(),
            excluded: lists.excluded.into_iter().collect(),
            results: lists.results,
        })
    }
}

impl Sums {
    /// The cell of an epoch, a variant and a metric by their places; made where there is none.
    pub fn cell(
        &mut self,
        (epoch, variant, metric): (u16, u16, u16),
        definition: &MetricDefinition,
    ) -> &mut Cell {
        self.cells.entry((epoch, variant, metric)).or_insert_with(|| Cell::new(definition))
    }

    /// Exposed units of a variant, by its place, over all epochs.
    pub fn units_of(&self, variant: u16) -> u64 {
        let of = self.units.iter().filter(|((_, of), _)| *of == variant);
        of.fold(0, |sum, (_, units)| sum.saturating_add(*units))
    }

    /// Adds all that others are, as those of another part of the units.
    pub fn merge(&mut self, other: &Sums) -> Result<(), String> {
        for (place, cell) in &other.cells {
            match self.cells.get_mut(place) {
                Some(own) => own.merge(cell)?,
                None => {
                    self.cells.insert(*place, cell.clone());
                }
            }
        }
        for (place, units) in &other.units {
            let own = self.units.entry(*place).or_default();
            *own = own.saturating_add(*units);
        }
        for (variant, units) in &other.excluded {
            let own = self.excluded.entry(*variant).or_default();
            *own = own.saturating_add(*units);
        }
        self.results = self.results.saturating_add(other.results);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
