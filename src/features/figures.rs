//! What the queries of a summary answer, put together.

use serde::Serialize;
use serde_json::{Number, Value};

use super::Figure;

/// A number for JSON: whole where it is whole, null where it is none.
pub fn shown_number(value: Option<f64>) -> Value {
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    match value {
        Some(value) if value.fract() == 0.0 && value.abs() < WHOLE_MAX => (value as i64).into(),
        Some(value) => Number::from_f64(value).map_or(Value::Null, Value::Number),
        None => Value::Null,
    }
}

/// Sums of money and ratios are differences and quotients of floats: ten decimals are beyond what
/// anybody reads and within what is certain.
fn rounded(value: f64) -> f64 {
    let scaled = value * 1e10;
    if scaled.abs() < 9e15 { scaled.round() / 1e10 } else { value }
}

/// What is known of a window. Latencies in seconds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Requests; none said so far.
    pub requests: Option<f64>,
    /// Those that failed.
    pub errors: Option<f64>,
    /// The mean latency.
    pub latency_mean_s: Option<f64>,
    /// Latencies at the quantiles.
    pub latency_s: [Option<f64>; super::QUANTILES.len()],
    /// The cost.
    pub cost: Option<f64>,
    /// Tokens that were sent, that came back, and that were not told apart.
    pub tokens: [Option<f64>; 3],
    /// The share of time in which it was available.
    pub availability: Option<f64>,
}

impl Figures {
    /// Takes one sample of an answer. `label` gives the sample's labels.
    pub fn take<'l>(
        &mut self,
        figure: Figure,
        label: impl Fn(&str) -> Option<&'l str>,
        value: f64,
    ) {
        // Quotients of nothing are no figures.
        if !value.is_finite() {
            return;
        }
        let add = |sum: &mut Option<f64>| *sum = Some(sum.unwrap_or(0.0) + value);
        match figure {
            Figure::Outcomes => {
                add(&mut self.requests);
                let failed = self.errors.get_or_insert(0.0);
                if label("ok") == Some("false") {
                    *failed += value;
                }
            }
            Figure::Requests => add(&mut self.requests),
            Figure::Errors => add(&mut self.errors),
            Figure::LatencyMean => self.latency_mean_s = Some(value),
            Figure::LatencyQuantiles => {
                let quantile = label("quantile").and_then(|text| text.parse::<f64>().ok());
                let place = super::QUANTILES.iter().position(|known| Some(*known) == quantile);
                if let Some(slot) = place.and_then(|place| self.latency_s.get_mut(place)) {
                    *slot = Some(value);
                }
            }
            Figure::LatencyQuantile(place) => {
                if let Some(slot) = self.latency_s.get_mut(place) {
                    *slot = Some(value);
                }
            }
            Figure::Cost => add(&mut self.cost),
            Figure::Tokens => {
                let place = match label("direction") {
                    Some("input") => 0,
                    Some("output") => 1,
                    _ => 2,
                };
                add(&mut self.tokens[place]);
            }
            Figure::Availability => self.availability = Some(value.clamp(0.0, 1.0)),
        }
    }

    /// Takes over from `own` what that says. Requests and errors belong together: the errors of
    /// one and the requests of the other would make no rate.
    pub fn overrule(&mut self, own: Figures) {
        if own.requests.is_some() || own.errors.is_some() {
            self.requests = own.requests;
            // Nothing failed as long as nothing says so: PromQL leaves out what is not there.
            self.errors = own.errors.or(own.requests.map(|_| 0.0));
        }
        let over = |slot: &mut Option<f64>, own: Option<f64>| *slot = own.or(*slot);
        over(&mut self.latency_mean_s, own.latency_mean_s);
        for (slot, own) in self.latency_s.iter_mut().zip(own.latency_s) {
            over(slot, own);
        }
        over(&mut self.cost, own.cost);
        over(&mut self.availability, own.availability);
    }

    /// Errors by requests, 0 to 1; none without requests.
    pub fn error_rate(&self) -> Option<f64> {
        let requests = self.requests.filter(|requests| *requests > 0.0)?;
        Some((self.errors? / requests).clamp(0.0, 1.0))
    }

    /// The figures as answers show them.
    pub fn show(&self, window_ms: i64) -> ShownFigures {
        let minutes = window_ms as f64 / 60_000.0;
        let error_rate = self.error_rate();
        let some = self.requests.filter(|requests| *requests > 0.0);
        let ms = |seconds: Option<f64>| shown_number(seconds.map(|s| rounded(s * 1000.0)));
        let [input, output, unknown] = self.tokens;
        let total = [input, output, unknown]
            .into_iter()
            .flatten()
            .fold(None, |sum, count| Some(sum.unwrap_or(0.0) + count));
        ShownFigures {
            requests: shown_number(self.requests),
            requests_per_minute: shown_number(self.requests.map(|r| rounded(r / minutes))),
            errors: shown_number(self.errors),
            error_rate: shown_number(error_rate.map(rounded)),
            success_rate: shown_number(error_rate.map(|rate| rounded(1.0 - rate))),
            latency_ms: ShownLatency {
                mean: ms(self.latency_mean_s),
                p50: ms(self.latency_s[0]),
                p95: ms(self.latency_s[1]),
                p99: ms(self.latency_s[2]),
            },
            cost: shown_number(self.cost.map(rounded)),
            cost_per_request: shown_number(
                self.cost.zip(some).map(|(cost, requests)| rounded(cost / requests)),
            ),
            tokens: ShownTokens {
                input: shown_number(input),
                output: shown_number(output),
                unknown: shown_number(unknown),
                total: shown_number(total),
            },
        }
    }
}

/// [`Figures`] in JSON: what is not known is null.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownFigures {
    /// Requests within the window.
    pub requests: Value,
    /// Requests by the minutes of the window.
    pub requests_per_minute: Value,
    /// Those that failed.
    pub errors: Value,
    /// Errors by requests, 0 to 1.
    pub error_rate: Value,
    /// What is left of 1.
    pub success_rate: Value,
    /// In milliseconds.
    pub latency_ms: ShownLatency,
    /// The cost within the window.
    pub cost: Value,
    /// Cost by requests, those without a cost among them.
    pub cost_per_request: Value,
    /// Tokens within the window.
    pub tokens: ShownTokens,
}

/// Latencies in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownLatency {
    /// The mean, exact.
    pub mean: Value,
    /// The median; quantiles are at most 2.2 % from the truth.
    pub p50: Value,
    /// The quantile 0.95.
    pub p95: Value,
    /// The quantile 0.99.
    pub p99: Value,
}

/// Tokens within a window.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownTokens {
    /// Sent.
    pub input: Value,
    /// Came back.
    pub output: Value,
    /// Not told apart.
    pub unknown: Value,
    /// All of them.
    pub total: Value,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn none(_: &str) -> Option<&'static str> {
        None
    }

    #[test]
    fn figures_are_put_together_from_samples() {
        let mut figures = Figures::default();
        figures.take(Figure::Outcomes, |_| Some("true"), 9.0);
        figures.take(Figure::Outcomes, |_| Some("false"), 3.0);
        figures.take(Figure::LatencyMean, none, 0.125);
        figures.take(Figure::LatencyQuantiles, |_| Some("0.95"), 0.25);
        figures.take(Figure::LatencyQuantiles, |_| Some("0.99"), f64::NAN);
        figures.take(Figure::Cost, none, 0.1 + 0.2);
        figures.take(Figure::Tokens, |_| Some("input"), 10.0);
        figures.take(Figure::Tokens, |_| Some("output"), 5.0);
        let shown = serde_json::to_value(figures.show(120_000)).expect("encodes");
        let expected = json!({
            "requests": 12, "requests_per_minute": 6, "errors": 3,
            "error_rate": 0.25, "success_rate": 0.75,
            "latency_ms": {"mean": 125, "p50": null, "p95": 250, "p99": null},
            "cost": 0.3, "cost_per_request": 0.025,
            "tokens": {"input": 10, "output": 5, "unknown": null, "total": 15},
        });
        assert_eq!(shown, expected);
    }

    #[test]
    fn without_requests_there_are_no_rates_and_no_nan() {
        let mut figures = Figures::default();
        figures.take(Figure::Outcomes, |_| Some("true"), 0.0);
        let text = serde_json::to_string(&figures.show(60_000)).expect("encodes");
        assert!(text.starts_with(
            "{\"requests\":0,\"requests_per_minute\":0,\"errors\":0,\"error_rate\":null"
        ));
    }

    #[test]
    fn own_requests_bring_their_own_errors() {
        let mut figures = Figures { requests: Some(5.0), errors: Some(4.0), ..Figures::default() };
        let own = Figures { requests: Some(100.0), ..Figures::default() };
        figures.overrule(own);
        assert_eq!((figures.requests, figures.error_rate()), (Some(100.0), Some(0.0)));
    }
}
