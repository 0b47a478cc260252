//! What is wrong with an experiment's definition.

use std::collections::BTreeSet;

use super::{
    Better, Estimator, ExperimentDefinition, ExperimentKind, GuardrailDefinition, MetricDefinition,
    MetricRole, VALUE_ABS_MAX,
};
use crate::model::{Definition, Name};

/// Variants of one experiment.
const VARIANTS_MAX: usize = 64;
/// Metrics of one experiment.
const METRICS_MAX: usize = 32;
/// Steps of one canary.
const STEPS_MAX: usize = 64;
/// Units with a certain variant.
const FORCED_MAX: usize = 1_000;
/// The longest name of a metric, in bytes.
const METRIC_NAME_MAX: usize = 63;

impl Definition for ExperimentDefinition {
    const NOUN: &'static str = "experiment";

    fn name(&self) -> &Name {
        &self.name
    }

    fn check(&self) -> Result<(), String> {
        percent("traffic_allocation", self.traffic_allocation)?;
        self.check_variants()?;
        self.check_kind()?;
        self.check_metrics()?;
        for guardrail in &self.guardrails {
            self.check_guardrail(guardrail)?;
        }
        self.check_who()?;
        let alpha = self.analysis.alpha;
        if !(alpha > 0.0 && alpha <= 0.5) {
            return Err("analysis.alpha: above 0 and at most 0.5; 0.05 is usual".to_owned());
        }
        if !(10..=1_000_000_000_000).contains(&self.analysis.tuned_for) {
            return Err("analysis.tuned_for: from 10 units; 5000 is usual".to_owned());
        }
        match (self.start_at, self.end_at) {
            (Some(start), Some(end)) if end <= start => {
                Err("end_at: must be after start_at".to_owned())
            }
            _ => Ok(()),
        }
    }
}

impl ExperimentDefinition {
    fn check_variants(&self) -> Result<(), String> {
        if self.variants.is_empty() && self.kind == ExperimentKind::Multivariate {
            // They are made from the factors.
            return Ok(());
        }
        let count = self.variants.len();
        if !(2..=VARIANTS_MAX).contains(&count) {
            return Err(format!("variants: there are {count}; from 2 to {VARIANTS_MAX} may be"));
        }
        let controls = self.variants.iter().filter(|variant| variant.is_control).count();
        if controls != 1 {
            return Err(format!(
                "variants: {controls} have is_control = true; exactly one must, as the others are \
                 compared with it"
            ));
        }
        let mut names = BTreeSet::new();
        for (place, variant) in self.variants.iter().enumerate() {
            if !names.insert(&variant.name) {
                return Err(format!("variants[{place}].name: {:?} is there twice", variant.name));
            }
            if !(variant.traffic_weight.is_finite()
                && (0.0..=1e9).contains(&variant.traffic_weight))
            {
                return Err(format!("variants[{place}].traffic_weight: 0 or more"));
            }
        }
        let by_itself = matches!(self.kind, ExperimentKind::Canary | ExperimentKind::BlueGreen);
        if !by_itself
            && self.variants.iter().map(|variant| variant.traffic_weight).sum::<f64>() <= 0.0
        {
            return Err("variants: all have traffic_weight 0; nobody would take part".to_owned());
        }
        Ok(())
    }

    fn check_kind(&self) -> Result<(), String> {
        let count = self.variants.len();
        match self.kind {
            ExperimentKind::AbTest => {}
            ExperimentKind::Canary | ExperimentKind::BlueGreen if count != 2 => {
                return Err(format!(
                    "variants: a canary or blue_green has two, the control and the other; there are \
                     {count}"
                ));
            }
            ExperimentKind::Canary if self.steps.is_empty() => {
                return Err("steps: a canary has some, like [{\"traffic\": 5, \"hold\": \"1h\"}, \
                     {\"traffic\": 50, \"hold\": \"1d\"}, {\"traffic\": 100}]"
                    .to_owned());
            }
            ExperimentKind::Canary | ExperimentKind::BlueGreen => {}
            ExperimentKind::Multivariate => self.check_factors()?,
        }
        if self.kind != ExperimentKind::Multivariate && !self.factors.is_empty() {
            return Err("factors: only a multivariate experiment has some".to_owned());
        }
        if self.kind != ExperimentKind::Canary && !self.steps.is_empty() {
            return Err("steps: only a canary has some".to_owned());
        }
        if self.steps.len() > STEPS_MAX {
            return Err(format!("steps: at most {STEPS_MAX}"));
        }
        let mut before = 0.0;
        for (place, step) in self.steps.iter().enumerate() {
            if !(step.traffic > before && step.traffic <= 100.0) {
                return Err(format!(
                    "steps[{place}].traffic: in percent, more than the step before, at most 100"
                ));
            }
            before = step.traffic;
        }
        Ok(())
    }

    fn check_factors(&self) -> Result<(), String> {
        if self.factors.is_empty() {
            return Err(
                "factors: a multivariate experiment has some, like [{\"name\": \"button\", \
                 \"levels\": [\"green\", \"red\"]}]"
                    .to_owned(),
            );
        }
        let mut names = BTreeSet::new();
        let mut cells = 1usize;
        for (place, factor) in self.factors.iter().enumerate() {
            let levels: BTreeSet<_> = factor.levels.iter().collect();
            if !names.insert(&factor.name) {
                return Err(format!("factors[{place}].name: {:?} is there twice", factor.name));
            }
            if levels.len() < 2 || levels.len() != factor.levels.len() {
                return Err(format!("factors[{place}].levels: two or more, all different"));
            }
            cells = cells.saturating_mul(levels.len());
        }
        if cells > VARIANTS_MAX {
            return Err(format!(
                "factors: they make {cells} combinations, more than {VARIANTS_MAX}; leave some out"
            ));
        }
        for (place, variant) in self.variants.iter().enumerate() {
            for factor in &self.factors {
                let level = variant.levels.get(factor.name.as_str());
                if !level.is_some_and(|level| factor.levels.iter().any(|l| l.as_str() == level)) {
                    return Err(format!(
                        "variants[{place}].levels: says no level of {}; one of {:?}",
                        factor.name, factor.levels
                    ));
                }
            }
        }
        let combinations: BTreeSet<_> = self.variants.iter().map(|v| &v.levels).collect();
        if !self.variants.is_empty() && combinations.len() != cells {
            return Err(format!(
                "variants: {cells} combinations of levels are needed, each once; leave variants out \
                 and they are made from the factors"
            ));
        }
        Ok(())
    }

    fn check_metrics(&self) -> Result<(), String> {
        if self.metrics.len() > METRICS_MAX {
            return Err(format!("metrics: at most {METRICS_MAX}"));
        }
        if !self.metrics.iter().any(|metric| metric.role == MetricRole::Primary) {
            return Err(
                "metrics: at least one with the role primary; it decides the experiment".to_owned()
            );
        }
        let mut names = BTreeSet::new();
        for (place, metric) in self.metrics.iter().enumerate() {
            check_metric(metric).map_err(|error| format!("metrics[{place}].{error}"))?;
            if !names.insert(&metric.name) {
                return Err(format!("metrics[{place}].name: {:?} is there twice", metric.name));
            }
        }
        Ok(())
    }

    fn check_guardrail(&self, guardrail: &GuardrailDefinition) -> Result<(), String> {
        match (&guardrail.metric, &guardrail.rule) {
            (Some(_), Some(_)) | (None, None) => {
                Err("guardrails: each has a metric or a rule, not both".to_owned())
            }
            (Some(name), None) => {
                let guards = |metric: &&MetricDefinition| {
                    metric.name == *name && metric.role == MetricRole::Guardrail
                };
                match self.metrics.iter().find(guards) {
                    Some(_) => Ok(()),
                    None => Err(format!(
                        "guardrails: {name:?} is no metric of this experiment with the role guardrail"
                    )),
                }
            }
            (None, Some(_)) => Ok(()),
        }
    }

    fn check_who(&self) -> Result<(), String> {
        if let Some(namespace) = &self.namespace {
            let fits = |at: f64| (0.0..=1.0).contains(&at);
            if !fits(namespace.from) || !fits(namespace.to) || namespace.from >= namespace.to {
                return Err("namespace: from below to, both from 0 to 1".to_owned());
            }
        }
        if let Some(hold_out) = &self.hold_out {
            percent("hold_out.percent", hold_out.percent)?;
        }
        if self.forced.len() > FORCED_MAX {
            return Err(format!("forced: at most {FORCED_MAX} units"));
        }
        // Variants that are made from factors are checked when they are made.
        let unknown = self.forced.values().find(|name| self.variant(name.as_str()).is_none());
        match unknown {
            Some(name) if !self.variants.is_empty() => {
                Err(format!("forced: {name:?} is no variant"))
            }
            _ => Ok(()),
        }
    }
}

fn percent(field: &str, value: f64) -> Result<(), String> {
    if (0.0..=100.0).contains(&value) {
        return Ok(());
    }
    Err(format!("{field}: in percent, from 0 to 100"))
}

fn check_metric(metric: &MetricDefinition) -> Result<(), String> {
    let alphabet = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if metric.name.is_empty()
        || metric.name.len() > METRIC_NAME_MAX
        || !metric.name.bytes().all(alphabet)
    {
        return Err(format!("name: 1 to {METRIC_NAME_MAX} letters, digits, _, - and ."));
    }
    match (metric.estimator, metric.quantile) {
        (Estimator::Quantile, Some(quantile)) if quantile > 0.0 && quantile < 1.0 => {}
        (Estimator::Quantile, _) => {
            return Err("quantile: above 0 and below 1, like 0.95".to_owned());
        }
        (_, Some(_)) => return Err("quantile: only of the estimator quantile".to_owned()),
        (_, None) => {}
    }
    match (metric.role, metric.margin) {
        (MetricRole::Guardrail, Some(margin)) if (0.0..=VALUE_ABS_MAX).contains(&margin) => {}
        (MetricRole::Guardrail, _) => {
            return Err(
                "margin: a guardrail says how much worse it may become, 0 or more".to_owned()
            );
        }
        (_, Some(_)) => return Err("margin: only of the role guardrail".to_owned()),
        (_, None) => {}
    }
    if let Some(effect) = metric.minimum_detectable_effect
        && !(effect > 0.0 && effect <= VALUE_ABS_MAX)
    {
        return Err("minimum_detectable_effect: absolute, above 0".to_owned());
    }
    let bound = |value: Option<f64>| value.is_none_or(|value| value.abs() <= VALUE_ABS_MAX);
    if !bound(metric.target) || !bound(metric.cap_low) || !bound(metric.cap_high) {
        return Err(format!("target, cap_low, cap_high: at most {VALUE_ABS_MAX:e}"));
    }
    match (metric.cap_low, metric.cap_high) {
        (Some(low), Some(high)) if low >= high => Err("cap_low: below cap_high".to_owned()),
        _ => Ok(()),
    }
}

impl MetricDefinition {
    /// Whether a difference to the control is for the better.
    pub fn is_better(&self, difference: f64) -> bool {
        match self.better {
            Better::Higher => difference > 0.0,
            Better::Lower => difference < 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn definition() -> Value {
        json!({
            "name": "one-page", "variants": [
                {"name": "control", "traffic_weight": 50, "is_control": true},
                {"name": "one-page", "traffic_weight": 50},
            ],
            "metrics": [{"name": "converted", "estimator": "proportion", "better": "higher"}],
        })
    }

    type Change = fn(&mut Value);

    fn said(definition: Value) -> Result<(), String> {
        let read: ExperimentDefinition =
            serde_json::from_value(definition).map_err(|error| error.to_string())?;
        read.check()
    }

    fn with(change: impl FnOnce(&mut Value)) -> Result<(), String> {
        let mut whole = definition();
        change(&mut whole);
        said(whole)
    }

    #[test]
    fn a_plain_experiment_is_fine() {
        assert_eq!(said(definition()), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let cases: [(Change, &str); 12] = [
            (|e| e["variants"][1]["is_control"] = json!(true), "variants: 2 have is_control"),
            (|e| e["variants"][0]["is_control"] = json!(false), "variants: 0 have is_control"),
            (|e| e["variants"] = json!([]), "variants: there are 0"),
            (|e| e["variants"][1]["name"] = json!("control"), "variants[1].name"),
            (|e| e["variants"][1]["traffic_weight"] = json!(-1), "variants[1].traffic_weight"),
            (|e| e["metrics"][0]["role"] = json!("secondary"), "metrics: at least one"),
            (|e| e["metrics"][0]["quantile"] = json!(0.5), "metrics[0].quantile"),
            (|e| e["traffic_allocation"] = json!(101), "traffic_allocation"),
            (|e| e["kind"] = json!("canary"), "steps: a canary has some"),
            (|e| e["guardrails"] = json!([{"metric": "x"}]), "guardrails: \"x\" is no metric"),
            (|e| e["analysis"] = json!({"alpha": 0}), "analysis.alpha"),
            (|e| e["forced"] = json!({"me": "third"}), "forced: \"third\" is no variant"),
        ];
        for (change, expected) in cases {
            let error = with(change).expect_err(expected);
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn factors_make_variants_or_fit_those_that_are_there() {
        let factors = json!([{"name": "button", "levels": ["green", "red"]}]);
        let made = with(|e| {
            e["kind"] = json!("multivariate");
            e["factors"] = factors.clone();
            e["variants"] = json!([]);
        });
        assert_eq!(made, Ok(()));
        let unfit = with(|e| {
            e["kind"] = json!("multivariate");
            e["factors"] = factors.clone();
        });
        assert!(unfit.expect_err("no levels").starts_with("variants[0].levels"));
    }
}
