//! Calculators of statistics: how many units an experiment takes, what it would find, p-values
//! corrected for one another, whether a sample has its shares. They know no experiment.
//!
//! Each answers `GET` with parameters and `POST` with the same names in a JSON object (or a
//! form); lists are JSON lists, or separated by commas.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, header};
use axum::routing::get;
use serde_json::{Map, Value, json};

use crate::stats::power::{
    Plan, Units, detectable, detectable_rise, power_at, power_of_proportions, standard_error,
    units_for_means, units_for_proportions, units_for_sequence,
};
use crate::stats::sequential::{ConfidenceSequence, clock_of_counts, p_value};
use crate::stats::srm::{ALARM_BELOW, EpochCounts, sample_ratio};
use crate::stats::{Adjustment, adjust, normal_critical};

use super::ApiError;
use super::json::success;
use super::params::Params;
use super::request::{read_json, read_params};
use super::state::App;

/// Values of one list: p-values, arms.
const VALUES_MAX: usize = 10_000;
/// What a sequence is tuned for unless it is said.
const TUNED_FOR: f64 = 5_000.0;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/stats/sample-size", get(sample_size).post(sample_size))
        .route("/api/v1/stats/power", get(power).post(power))
        .route("/api/v1/stats/adjust", get(adjusted).post(adjusted))
        .route("/api/v1/stats/srm", get(srm).post(srm))
}

/// What was asked, from either place.
struct Asked(Map<String, Value>);

impl Asked {
    async fn read(app: &App, request: Request, known: &[&str]) -> Result<Self, ApiError> {
        let is_json = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_none_or(|kind| !kind.trim_start().starts_with("application/x-www-form"));
        if request.method() == Method::POST && is_json && request.uri().query().is_none() {
            let body: Map<String, Value> = read_json(app, request).await?;
            if let Some(name) = body.keys().find(|name| !known.contains(&name.as_str())) {
                return Err(unknown(name, known));
            }
            return Ok(Asked(body));
        }
        let params: Params = read_params(app, request).await?;
        if let Some(name) = params.names().find(|name| !known.contains(name)) {
            return Err(unknown(name, known));
        }
        let given = known.iter().filter_map(|name| {
            let all: Vec<&str> = params.all(name).filter(|text| !text.is_empty()).collect();
            (!all.is_empty()).then(|| ((*name).to_owned(), Value::from(all.join(","))))
        });
        Ok(Asked(given.collect()))
    }

    fn number(&self, name: &str) -> Result<Option<f64>, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => number(name, value).map(Some),
        }
    }

    /// A number above `low` and below `high`.
    fn within(&self, name: &str, low: f64, high: f64) -> Result<Option<f64>, ApiError> {
        match self.number(name)? {
            Some(value) if value > low && value < high => Ok(Some(value)),
            Some(value) => Err(ApiError::parameter(
                name,
                format!("{value} is not above {low} and below {high}"),
            )),
            None => Ok(None),
        }
    }

    fn required(&self, name: &str, low: f64, high: f64) -> Result<f64, ApiError> {
        self.within(name, low, high)?.ok_or_else(|| ApiError::parameter(name, "is missing"))
    }

    fn count(&self, name: &str) -> Result<u64, ApiError> {
        let count = self.required(name, 0.0, 1e15)?;
        if count.fract() != 0.0 {
            return Err(ApiError::parameter(name, "is not a whole number"));
        }
        Ok(count as u64)
    }

    fn list(&self, name: &str) -> Result<Option<Vec<f64>>, ApiError> {
        let values = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::Array(values)) => {
                values.iter().map(|value| number(name, value)).collect::<Result<Vec<_>, _>>()?
            }
            Some(Value::String(text)) => text
                .split(',')
                .map(|part| number(name, &Value::from(part.trim())))
                .collect::<Result<Vec<_>, _>>()?,
            Some(value) => vec![number(name, value)?],
        };
        if values.is_empty() || values.len() > VALUES_MAX {
            let reason = format!("1 to {VALUES_MAX} values; there are {}", values.len());
            return Err(ApiError::parameter(name, reason));
        }
        Ok(Some(values))
    }

    fn text(&self, name: &str) -> Result<Option<&str>, ApiError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(ApiError::parameter(name, "is not a text")),
        }
    }

    /// Whether the test is the sequential one, by `method`.
    fn is_sequential(&self) -> Result<bool, ApiError> {
        match self.text("method")?.unwrap_or("sequential") {
            "sequential" => Ok(true),
            "fixed" => Ok(false),
            other => Err(ApiError::parameter(
                "method",
                format!("{other:?} is neither \"sequential\" nor \"fixed\""),
            )),
        }
    }

    /// α after Bonferroni for so many comparisons.
    fn alpha(&self) -> Result<f64, ApiError> {
        let alpha = self.within("alpha", 0.0, 0.5)?.unwrap_or(0.05);
        let comparisons = self.within("comparisons", 0.0, 1e6)?.unwrap_or(1.0);
        if comparisons < 1.0 || comparisons.fract() != 0.0 {
            return Err(ApiError::parameter("comparisons", "a whole number from 1"));
        }
        Ok(alpha / comparisons)
    }

    /// The sequence, tuned for α before it is divided among comparisons, as experiments have it.
    fn sequence(&self, alone: f64) -> Result<ConfidenceSequence, ApiError> {
        let alpha = self.within("alpha", 0.0, 0.5)?.unwrap_or(0.05);
        let samples = self.within("tuned_for", 0.0, 1e15)?.unwrap_or(TUNED_FOR);
        ConfidenceSequence::tuned(alpha, samples)
            .and_then(|sequence| sequence.at(alone))
            .ok_or_else(|| ApiError::parameter("alpha", "cannot be used with tuned_for"))
    }

    /// Either a share (`baseline`) or a standard deviation (`std_dev`).
    fn baseline(&self) -> Result<Baseline, ApiError> {
        match (self.within("baseline", 0.0, 1.0)?, self.within("std_dev", 0.0, 1e100)?) {
            (Some(share), None) => Ok(Baseline::Share(share)),
            (None, Some(deviation)) => Ok(Baseline::Deviation(deviation)),
            (None, None) => Err(ApiError::bad_data(
                "give baseline (the control's share, like 0.1) for conversions, or std_dev (of one \
                 unit) for means",
            )),
            (Some(_), Some(_)) => Err(ApiError::bad_data("give baseline or std_dev, not both")),
        }
    }
}

/// What is known of the control.
#[derive(Clone, Copy)]
enum Baseline {
    Share(f64),
    Deviation(f64),
}

impl Baseline {
    /// The variances of one unit in both arms, once the variant is this much away.
    fn variances(self, effect: f64) -> Result<[f64; 2], ApiError> {
        match self {
            Baseline::Deviation(deviation) => Ok([deviation * deviation; 2]),
            Baseline::Share(share) => {
                let other = share + effect;
                if !(other > 0.0 && other < 1.0) {
                    let reason = format!("with it the variant's share would be {other}");
                    return Err(ApiError::parameter("effect", reason));
                }
                Ok([share * (1.0 - share), other * (1.0 - other)])
            }
        }
    }
}

fn unknown(name: &str, known: &[&str]) -> ApiError {
    ApiError::parameter(name, format!("is none of {}", known.join(", ")))
}

fn number(name: &str, value: &Value) -> Result<f64, ApiError> {
    let read = match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    };
    read.filter(|number: &f64| number.is_finite())
        .ok_or_else(|| ApiError::parameter(name, format!("{value} is not a number")))
}

fn beyond() -> ApiError {
    ApiError::bad_data("that takes more than 1e15 units per arm; look for a larger effect")
}

/// `/api/v1/stats/sample-size`: units that it takes to find `effect` (absolute) with chance
/// `power`, from `baseline` (a share) or `std_dev`; `ratio` units of control per unit of the
/// variant, `comparisons` that share α, `method` sequential or fixed.
async fn sample_size(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    const KNOWN: &[&str] = &[
        "effect",
        "baseline",
        "std_dev",
        "alpha",
        "power",
        "ratio",
        "comparisons",
        "method",
        "tuned_for",
    ];
    let asked = Asked::read(&app, request, KNOWN).await?;
    let effect = asked.required("effect", -1e100, 1e100)?;
    if effect == 0.0 {
        return Err(ApiError::parameter("effect", "0 is never found"));
    }
    let alpha = asked.alpha()?;
    let power = asked.within("power", 0.0, 1.0)?.unwrap_or(0.8);
    let ratio = asked.within("ratio", 0.0, 1e9)?.unwrap_or(1.0);
    let baseline = asked.baseline()?;
    let variances = baseline.variances(effect)?;
    let plan = Plan { alpha, power, ratio };
    let sequential = asked.is_sequential()?;
    let units = match (sequential, baseline) {
        (true, _) => units_for_sequence(variances, effect, asked.sequence(alpha)?, &plan),
        (false, Baseline::Deviation(_)) => units_for_means(variances, effect, &plan),
        (false, Baseline::Share(share)) => units_for_proportions(share, share + effect, &plan),
    };
    let units = units.ok_or_else(beyond)?;
    Ok(success(&json!({
        "control": units.control,
        "variant": units.treatment,
        "total": units.control.saturating_add(units.treatment),
        "effect": effect,
        "alpha": alpha,
        "power": power,
        "method": if sequential { "sequential" } else { "fixed" },
    })))
}

/// `/api/v1/stats/power`: how likely `effect` is found with `n_control` and `n_variant` units, and
/// the effect that would be found with chance `power`.
async fn power(State(app): State<Arc<App>>, request: Request) -> Result<Response<Body>, ApiError> {
    const KNOWN: &[&str] = &[
        "effect",
        "n_control",
        "n_variant",
        "baseline",
        "std_dev",
        "alpha",
        "power",
        "comparisons",
        "method",
        "tuned_for",
    ];
    let asked = Asked::read(&app, request, KNOWN).await?;
    let units = Units { control: asked.count("n_control")?, treatment: asked.count("n_variant")? };
    let effect = asked.number("effect")?;
    let alpha = asked.alpha()?;
    let wanted = asked.within("power", 0.0, 1.0)?.unwrap_or(0.8);
    let baseline = asked.baseline()?;
    let sequential = asked.is_sequential()?;
    let critical = if sequential {
        asked.sequence(alpha)?.critical(clock_of_counts(units.control, units.treatment))
    } else {
        normal_critical(alpha)
    };
    let critical = critical.ok_or_else(|| ApiError::parameter("alpha", "cannot be used"))?;
    let found = match (effect, baseline) {
        (None, _) => None,
        (Some(effect), Baseline::Share(share)) if !sequential => {
            baseline.variances(effect)?;
            power_of_proportions(share, share + effect, units, alpha)
        }
        (Some(effect), _) => standard_error(baseline.variances(effect)?, units)
            .and_then(|se| power_at(effect, se, critical)),
    };
    let least = match baseline {
        Baseline::Share(share) if !sequential => detectable_rise(share, units, alpha, wanted),
        // Of shares at the control's variance: that of the variant is not known before.
        Baseline::Share(_) | Baseline::Deviation(_) => {
            standard_error(baseline.variances(0.0)?, units)
                .and_then(|se| detectable(se, critical, wanted))
        }
    };
    Ok(success(&json!({
        "effect": effect,
        "power": found,
        "detectable_effect": least,
        "at_power": wanted,
        "alpha": alpha,
        "method": if sequential { "sequential" } else { "fixed" },
    })))
}

/// `/api/v1/stats/adjust`: `p` values corrected by `method`: holm, hochberg, bonferroni,
/// benjamini_hochberg or none.
async fn adjusted(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let asked = Asked::read(&app, request, &["p", "method", "alpha"]).await?;
    let alpha = asked.within("alpha", 0.0, 1.0)?.unwrap_or(0.05);
    let name = asked.text("method")?.unwrap_or("holm");
    let by = match name {
        "none" => Adjustment::None,
        "bonferroni" => Adjustment::Bonferroni,
        "holm" => Adjustment::Holm,
        "hochberg" => Adjustment::Hochberg,
        "benjamini_hochberg" => Adjustment::BenjaminiHochberg,
        other => {
            return Err(ApiError::parameter(
                "method",
                format!(
                    "{other:?} is none of holm, hochberg, bonferroni, benjamini_hochberg and none"
                ),
            ));
        }
    };
    let p = asked.list("p")?.ok_or_else(|| ApiError::parameter("p", "is missing"))?;
    if let Some(bad) = p.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        return Err(ApiError::parameter("p", format!("{bad} is not from 0 to 1")));
    }
    let raw: Vec<Option<f64>> = p.iter().copied().map(Some).collect();
    let adjusted = adjust(&raw, by);
    let below: Vec<bool> = adjusted.iter().map(|p| p.is_some_and(|p| p < alpha)).collect();
    Ok(success(&json!({
        "method": name,
        "alpha": alpha,
        "p": p,
        "adjusted": adjusted,
        "significant": below,
    })))
}

/// `/api/v1/stats/srm`: whether `observed` units fit `weights` (equal unless given).
async fn srm(State(app): State<Arc<App>>, request: Request) -> Result<Response<Body>, ApiError> {
    let asked = Asked::read(&app, request, &["observed", "weights"]).await?;
    let counts =
        asked.list("observed")?.ok_or_else(|| ApiError::parameter("observed", "is missing"))?;
    let whole = |n: &f64| (0.0..=1e15).contains(n) && n.fract() == 0.0;
    if let Some(bad) = counts.iter().find(|n| !whole(n)) {
        return Err(ApiError::parameter("observed", format!("{bad} is no number of units")));
    }
    let observed: Vec<u64> = counts.iter().map(|n| *n as u64).collect();
    let weights = asked.list("weights")?.unwrap_or_else(|| vec![1.0; observed.len()]);
    if weights.len() != observed.len() {
        return Err(ApiError::parameter(
            "weights",
            format!("there are {} for {} arms", weights.len(), observed.len()),
        ));
    }
    let ratio = sample_ratio(&[EpochCounts { observed: &observed, weights: &weights }])
        .ok_or_else(|| ApiError::parameter("weights", "two or more above 0, none below"))?;
    let p_sequential = p_value(ratio.ln_e);
    Ok(success(&json!({
        "chi2": ratio.chi2,
        "df": ratio.df,
        "p_value": ratio.p_value,
        "log_e": ratio.ln_e,
        "p_sequential": p_sequential,
        "alarm": p_sequential < ALARM_BELOW,
        "observed": ratio.observed,
        "expected": ratio.expected,
    })))
}
