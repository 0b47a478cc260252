//! What an analysis says: the shape of `GET …/analysis`.
//!
//! What cannot be computed is `None`, and `null` in JSON; `readiness` or a reason says why. No
//! number in it is NaN or infinite.

use serde::Serialize;

use crate::experiments::guard::GuardrailVerdict;
use crate::model::{
    AnalysisMethod, Better, Correction, Estimator, ExperimentKind, ExperimentStatus, MetricKind,
    MetricRole, Name, Timestamp,
};
use crate::stats::gate;

/// An experiment as its results stand.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// The experiment.
    pub experiment: Name,
    /// What kind it is.
    pub kind: ExperimentKind,
    /// Where it is in its life.
    pub status: ExperimentStatus,
    /// When this was computed.
    pub at: Timestamp,
    /// When it first started.
    pub started_at: Option<Timestamp>,
    /// From then until its end, or until now.
    pub duration_days: Option<f64>,
    /// Exposed units, without excluded ones.
    pub total_samples: u64,
    /// Results that were taken.
    pub results: u64,
    /// How often a difference may be found where there is none.
    pub alpha: f64,
    /// 1 − α.
    pub confidence_level: f64,
    /// Which of both kinds of interval and p-value the comparisons give.
    pub method: AnalysisMethod,
    /// Against chance among many comparisons.
    pub correction: Correction,
    /// Whether every variant got its share of the units; `None` where no epoch has two of them.
    pub srm: Option<SampleRatioAnswer>,
    /// The times between changes of the shares.
    pub epochs: Vec<EpochAnswer>,
    /// By metric, in the definition's order.
    pub metrics: Vec<MetricAnswer>,
    /// Of a multivariate experiment: what each factor does, and which change each other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub effects: Vec<EffectAnswer>,
    /// How the metric guardrails are.
    pub guardrails: Vec<GuardrailVerdict>,
    /// The variant that is better, if one is for certain.
    pub winner: Option<Name>,
    /// What to do.
    pub decision: Decision,
    /// Why, in words.
    pub reasons: Vec<String>,
}

/// What to do with an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Give the winner to everybody.
    Ship,
    /// Give the control to everybody.
    Rollback,
    /// Wait for more.
    Continue,
    /// Nothing will come of it as it is; the reasons say why.
    Inconclusive,
}

/// Whether every variant got its share of the units.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SampleRatioAnswer {
    /// Pearson's statistic.
    pub chi2: f64,
    /// Its degrees of freedom.
    pub df: u64,
    /// Right for one look; `None` with too few units.
    pub p_value: Option<f64>,
    /// The largest evidence so far against the shares, as a logarithm.
    pub max_log_e: f64,
    /// Right however often one looks.
    pub p_sequential: f64,
    /// Whether that is below 0.001: something other than chance decides who is counted.
    pub alarm: bool,
    /// Units by variant, in the definition's order, over epochs in which two of them had a share.
    pub observed: Vec<u64>,
    /// What was to be expected.
    pub expected: Vec<f64>,
}

/// A time in which the shares stayed the same.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EpochAnswer {
    /// Its beginning.
    pub from: Timestamp,
    /// Weights of the variants.
    pub weights: Vec<f64>,
    /// Units that were first exposed in it.
    pub n: u64,
    /// The same by variant.
    pub units: Vec<u64>,
}

/// One metric.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MetricAnswer {
    /// Its name.
    pub name: String,
    /// What it decides.
    pub role: MetricRole,
    /// What it is about.
    pub kind: MetricKind,
    /// What is estimated.
    pub estimator: Estimator,
    /// Which quantile, of quantiles.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantile: Option<f64>,
    /// Which way is good.
    pub better: Better,
    /// What is hoped for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Every variant by itself.
    pub variants: Vec<VariantAnswer>,
    /// Every variant but the control against the control.
    pub comparisons: Vec<Comparison>,
}

/// One metric of one variant, all epochs together. Where shares changed meanwhile, the difference
/// of two of these is not the comparison's: that is made epoch by epoch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VariantAnswer {
    /// Its name.
    pub name: Name,
    /// Whether it is the control.
    pub is_control: bool,
    /// Units with a value of this metric.
    pub n: u64,
    /// The estimate: a mean, a share, a ratio or a quantile.
    pub mean: Option<f64>,
    /// The variance between units.
    pub variance: Option<f64>,
    /// Lower end of the estimate's interval, at one look: Wilson's of a share, else t or normal.
    pub ci_low: Option<f64>,
    /// Its upper end.
    pub ci_high: Option<f64>,
    /// Units that were seen in another variant too, and count nowhere.
    pub excluded_units: u64,
}

/// Whether a comparison may be answered, and if not, what is in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Readiness {
    /// It may.
    Ready,
    /// Too few units, successes or failures.
    WarmingUp,
    /// Skewed and unequal in size: the approximation does not hold yet.
    TooSkewed,
    /// An arm without any value.
    NoData,
    /// All values are the same.
    ZeroVariance,
    /// Variants did not get their shares of the units: the answer is there, and not to be trusted.
    Srm,
}

impl From<gate::Readiness> for Readiness {
    fn from(gate: gate::Readiness) -> Self {
        match gate {
            gate::Readiness::Ready => Readiness::Ready,
            gate::Readiness::WarmingUp => Readiness::WarmingUp,
            gate::Readiness::TooSkewed => Readiness::TooSkewed,
            gate::Readiness::NoData => Readiness::NoData,
            gate::Readiness::ZeroVariance => Readiness::ZeroVariance,
        }
    }
}

/// A variant against the control, in one metric.
///
/// `diff`, `se` and `fixed` are given as soon as they can be computed; `p_value`, the interval
/// and the evidence once the gate is open, as what is said before that is noise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The variant.
    pub variant: Name,
    /// Units of the control and of the variant that it is made from.
    pub n: [u64; 2],
    /// The variant's estimate less the control's.
    pub diff: Option<f64>,
    /// Its standard error.
    pub se: Option<f64>,
    /// By the analysis' method; below α exactly when the interval excludes 0 (but for shares at a
    /// fixed horizon, where Newcombe's interval and the pooled test are not each other's).
    pub p_value: Option<f64>,
    /// Corrected among the family's comparisons. Of the sequential method it is made from the
    /// largest evidence so far, as significance once reached stays.
    pub p_adjusted: Option<f64>,
    /// Lower end of the interval at α.
    pub ci_low: Option<f64>,
    /// Its upper end.
    pub ci_high: Option<f64>,
    /// The interval at α over the size of the family: all of them hold at once.
    pub simultaneous: Option<Simultaneous>,
    /// Logarithm of the sequential evidence against "no difference".
    pub log_e: Option<f64>,
    /// The largest of it so far.
    pub max_log_e: Option<f64>,
    /// Whether the difference is certain at α, after correction and while no sample ratio alarm
    /// is on.
    pub significant: bool,
    /// When it first was.
    pub ever_significant_at: Option<Timestamp>,
    /// Whether it may be answered.
    pub readiness: Readiness,
    /// If not, what is in the way and what to do about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub readiness_reason: String,
    /// Of adjusted means: how much of the difference's variance the covariate took away, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variance_reduction: Option<f64>,
    /// The difference by the control's estimate.
    pub relative: Relative,
    /// The classical test, right for one look that was planned before.
    pub fixed: Fixed,
    /// Advice; never called significant.
    pub bayes: Bayes,
    /// What could be found.
    pub power: Power,
}

/// An interval that holds together with those of the family.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Simultaneous {
    /// Its own level: α over the size of the family.
    pub alpha: f64,
    /// Its lower end.
    pub ci_low: f64,
    /// Its upper end.
    pub ci_high: f64,
}

/// A relative difference, as a fraction: 0.1 is 10 % more than the control.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Relative {
    /// The difference by the control's estimate; `None` where that is not certain not to be 0.
    pub lift: Option<f64>,
    /// Lower end of Fieller's interval; excludes 0 exactly when the absolute one does.
    pub ci_low: Option<f64>,
    /// Its upper end.
    pub ci_high: Option<f64>,
}

/// A classical test: Welch's t, of shares the pooled z, of quantiles the normal approximation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Fixed {
    /// The statistic.
    pub t: Option<f64>,
    /// Degrees of freedom; `None` where the statistic is held against the normal distribution.
    pub df: Option<f64>,
    /// Two-sided.
    pub p_value: Option<f64>,
    /// Lower end of the interval at α; of shares Newcombe's.
    pub ci_low: Option<f64>,
    /// Its upper end.
    pub ci_high: Option<f64>,
}

/// The Bayesian view, from a flat prior.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Bayes {
    /// The probability that the variant is better than the control.
    pub chance_to_win: Option<f64>,
    /// What is lost on average, in the metric's unit, where the variant is taken and is worse.
    pub expected_loss: Option<f64>,
}

/// What this comparison could find, by its method and at the family's level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Power {
    /// The declared smallest effect worth finding.
    pub mde: Option<f64>,
    /// How likely an effect of that size would be found with the units there are.
    pub power_at_mde: Option<f64>,
    /// The effect that would be found four times out of five with the units there are.
    pub mde_at_80: Option<f64>,
    /// Units of both arms that it takes to find the declared effect four times out of five.
    pub n_needed: Option<u64>,
    /// Days until then at the rate so far; 0 where they are there.
    pub days_needed: Option<f64>,
}

/// What a factor does, or how two change each other's effect.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EffectAnswer {
    /// The metric.
    pub metric: String,
    /// `button` or `button × colour`.
    pub effect: String,
    /// The levels, one by factor.
    pub levels: Vec<String>,
    /// The levels that they are held against.
    pub against: Vec<String>,
    /// The effect: of a factor the mean difference over the other factors' combinations, of two
    /// the difference of differences.
    pub diff: Option<f64>,
    /// Its standard error.
    pub se: Option<f64>,
    /// By the confidence sequence.
    pub p_value: Option<f64>,
    /// Corrected among the metric's effects.
    pub p_adjusted: Option<f64>,
    /// Lower end of the sequence's interval at α.
    pub ci_low: Option<f64>,
    /// Its upper end.
    pub ci_high: Option<f64>,
    /// Whether the adjusted p-value is below α, while no sample ratio alarm is on.
    pub significant: bool,
    /// Whether it may be answered.
    pub readiness: Readiness,
}

/// A number that JSON has.
pub(super) fn number(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
