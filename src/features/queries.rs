//! The PromQL of a summary.

use serde_json::Value;

use crate::model::FeatureQueries;

/// What a query is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Figure {
    /// Outcomes within the window, by `ok`.
    Outcomes,
    /// Requests within the window, of a query of the feature's own.
    Requests,
    /// Failed requests within the window, of a query of the feature's own.
    Errors,
    /// The mean latency in seconds.
    LatencyMean,
    /// Latencies in seconds, by `quantile`.
    LatencyQuantiles,
    /// The latency in seconds at one of [`QUANTILES`], by its place, of a query of the feature's own.
    LatencyQuantile(usize),
    /// The cost within the window.
    Cost,
    /// Tokens within the window, by `direction`.
    Tokens,
    /// The share of time in which it was available.
    Availability,
}

/// The quantiles of a summary.
pub const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

/// The queries over outcomes within a window, one answer per value of the label `by`.
///
/// `anchored` ranges begin with the last sample before the window, so that the increase of a
/// counter is the whole number of what came in; without it PromQL extrapolates.
pub fn outcome_queries(
    by: &str,
    matchers: &[(&str, &str)],
    window_ms: i64,
) -> Vec<(Figure, String)> {
    let chosen: Vec<String> = matchers
        .iter()
        // The escapes of JSON texts are among those of PromQL's.
        .map(|(name, value)| format!("{name}={}", Value::from(*value)))
        // Without the label it belongs to none.
        .chain([format!("{by}!=\"\"")])
        .collect();
    let chosen = chosen.join(",");
    let increase = |family: &str| format!("increase({family}{{{chosen}}}[{window_ms}ms] anchored)");
    let duration = format!("sum by ({by}) ({})", increase("vedette_outcome_duration_seconds"));
    let quantiles = QUANTILES.map(|quantile| quantile.to_string()).join(", ");
    vec![
        (Figure::Outcomes, format!("sum by ({by}, ok) ({})", increase("vedette_outcomes_total"))),
        (Figure::LatencyMean, format!("histogram_avg({duration})")),
        (
            Figure::LatencyQuantiles,
            format!("histogram_quantiles({duration}, \"quantile\", {quantiles})"),
        ),
        (Figure::Cost, format!("sum by ({by}) ({})", increase("vedette_outcome_cost_total"))),
        (
            Figure::Tokens,
            format!("sum by ({by}, direction) ({})", increase("vedette_outcome_tokens_total")),
        ),
    ]
}

/// The queries that a feature has of its own, with the window and quantiles put in.
pub fn own_queries(queries: &FeatureQueries, window_ms: i64) -> Vec<(Figure, String)> {
    let window = |text: &str| text.replace("$window", &format!("{window_ms}ms"));
    let single = [
        (Figure::Requests, &queries.requests),
        (Figure::Errors, &queries.errors),
        (Figure::LatencyMean, &queries.latency_mean),
        (Figure::Cost, &queries.cost),
        (Figure::Availability, &queries.availability),
    ];
    let single =
        single.into_iter().filter_map(|(figure, text)| Some((figure, window(text.as_ref()?))));
    let quantiles = QUANTILES.iter().enumerate().filter_map(|(place, quantile)| {
        let text = window(queries.latency_quantile.as_ref()?);
        Some((Figure::LatencyQuantile(place), text.replace("$quantile", &quantile.to_string())))
    });
    single.chain(quantiles).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_grouped_and_their_texts_escaped() {
        let all = outcome_queries("feature", &[("model", "a\"b\\c")], 3_600_000);
        let expected = "sum by (feature, ok) (increase(vedette_outcomes_total\
                        {model=\"a\\\"b\\\\c\",feature!=\"\"}[3600000ms] anchored))";
        assert_eq!(all[0], (Figure::Outcomes, expected.to_owned()));
        assert!(all[2].1.ends_with("\"quantile\", 0.5, 0.95, 0.99)"), "{}", all[2].1);
    }

    #[test]
    fn a_feature_s_own_queries_get_window_and_quantile() {
        let queries = FeatureQueries {
            requests: Some("sum(increase(http_requests_total[$window]))".to_owned()),
            latency_quantile: Some("histogram_quantile($quantile, x[$window])".to_owned()),
            ..FeatureQueries::default()
        };
        let all = own_queries(&queries, 60_000);
        let texts: Vec<&str> = all.iter().map(|(_, text)| text.as_str()).collect();
        let expected = [
            "sum(increase(http_requests_total[60000ms]))",
            "histogram_quantile(0.5, x[60000ms])",
            "histogram_quantile(0.95, x[60000ms])",
            "histogram_quantile(0.99, x[60000ms])",
        ];
        assert_eq!(texts, expected);
        assert_eq!(all[2].0, Figure::LatencyQuantile(1));
    }
}
