//! Alerts of rules: `/api/v1/alerts`, and each one's JSON as in Prometheus.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use serde_json::{Map, Value, json};

use crate::engine::ruler::LiveAlerting;
use crate::model::Reading;
use crate::rules::Alert;

use super::ApiError;
use super::json::success;
use super::state::App;

/// `/api/v1/alerts`: all that are pending or firing, in the order of groups and rules.
pub(super) async fn alerts(State(app): State<Arc<App>>) -> Result<Response<Body>, ApiError> {
    let groups = app.engine()?.ruler.list();
    let mut shown = Vec::new();
    for alerting in groups.iter().flat_map(|group| group.alerting.iter().flatten()) {
        shown.extend(active_alerts(alerting));
    }
    Ok(success(&json!({ "alerts": shown })))
}

/// The alerts of a rule that are pending or firing.
pub(super) fn active_alerts(alerting: &LiveAlerting) -> Vec<Value> {
    let states = alerting.states();
    states.active().map(alert_json).collect()
}

/// An alert as Prometheus shows it (`web/api/v1/api.go`, `Alert`).
pub(super) fn alert_json(alert: &Alert) -> Value {
    let annotations: Map<String, Value> =
        alert.annotations.iter().map(|(n, text)| (n.clone(), text.as_str().into())).collect();
    let mut shown = json!({
        "labels": alert.labels,
        "annotations": annotations,
        "state": alert.clocks.state.as_str(),
        "activeAt": alert.clocks.active_at,
        "value": match &alert.value {
            Reading::Float(value) => go_exponent(*value),
            // Prometheus keeps the float of the sample, which a histogram leaves at 0.
            Reading::Histogram(_) => go_exponent(0.0),
        },
    });
    if let Some(since) = alert.clocks.keep_firing_since {
        shown["keepFiringSince"] = json!(since);
    }
    shown
}

/// A number as Go's `strconv.FormatFloat(value, 'e', -1, 64)` writes it: `1.5e+00`.
fn go_exponent(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else { return text };
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_go_writes_them() {
        // From Go's strconv: FormatFloat(v, 'e', -1, 64).
        for (value, text) in [
            (0.0, "0e+00"),
            (1.0, "1e+00"),
            (-1.5, "-1.5e+00"),
            (123456.0, "1.23456e+05"),
            (0.001, "1e-03"),
            (1e100, "1e+100"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(go_exponent(value), text);
        }
    }
}
