use axum::http::StatusCode;
use serde_json::{Value, json};

use super::*;

async fn post(served: &Served, path: &str, body: Value) -> (StatusCode, Value) {
    send(served, Method::POST, path, &body.to_string()).await
}

#[tokio::test]
async fn a_sample_size_is_answered_by_get_and_by_post() {
    let served = serve(Settings::default());
    // statsmodels: TTestIndPower is of t; by the normal formula (1.959964 + 0.841621)²·2/0.1² = 1569.8.
    let path = "/api/v1/stats/sample-size?effect=0.1&std_dev=1&method=fixed";
    let (status, answer) = get(&served, path).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert_eq!(answer["data"]["control"], 1570);
    assert_eq!(answer["data"]["total"], 3140);
    let body = json!({"effect": 0.1, "std_dev": 1, "method": "fixed"});
    assert_eq!(post(&served, "/api/v1/stats/sample-size", body).await.1["data"], answer["data"]);
    // Who may look at any time needs more.
    let path = "/api/v1/stats/sample-size?effect=0.1&std_dev=1";
    let more = get(&served, path).await.1["data"]["control"].as_u64().expect("units");
    assert!((2000..4000).contains(&more), "{more}");
}

#[tokio::test]
async fn power_says_what_would_be_found() {
    let served = serve(Settings::default());
    let path =
        "/api/v1/stats/power?effect=0.1&std_dev=1&n_control=1570&n_variant=1570&method=fixed";
    let (_, answer) = get(&served, path).await;
    let power = answer["data"]["power"].as_f64().expect("a power");
    assert!((power - 0.800_03).abs() < 1e-4, "{power}");
    let effect = answer["data"]["detectable_effect"].as_f64().expect("an effect");
    assert!((effect - 0.1).abs() < 1e-4, "{effect}");
}

#[tokio::test]
async fn p_values_are_adjusted_in_their_order() {
    let served = serve(Settings::default());
    // Holm by hand: 0.01·4, max(0.04, 0.02·3), max(0.06, 0.03·2), 0.04 → 0.06.
    let (_, answer) = get(&served, "/api/v1/stats/adjust?p=0.04,0.01&p=0.02,0.03").await;
    let found: Vec<f64> = serde_json::from_value(answer["data"]["adjusted"].clone()).expect("p");
    for (found, expected) in found.iter().zip([0.06, 0.04, 0.06, 0.06]) {
        assert!((found - expected).abs() < 1e-12, "{answer}");
    }
    let body = json!({"p": [0.04, 0.01, 0.02, 0.03], "method": "benjamini_hochberg"});
    let (_, answer) = post(&served, "/api/v1/stats/adjust", body).await;
    let all = json!([true, true, true, true]);
    assert_eq!(answer["data"]["significant"], all, "{answer}");
}

#[tokio::test]
async fn a_sample_ratio_is_checked() {
    let served = serve(Settings::default());
    // Kohavi, Tang & Xu (2020), chapter 21: 821,588 and 815,482 at equal shares have p = 1.8e-6.
    let path = "/api/v1/stats/srm?observed=821588,815482";
    let (_, answer) = get(&served, path).await;
    let p = answer["data"]["p_value"].as_f64().expect("p");
    assert!((p - 1.8e-6).abs() < 1e-7, "{answer}");
    let body = json!({"observed": [900, 100], "weights": [90, 10]});
    let (_, answer) = post(&served, "/api/v1/stats/srm", body).await;
    assert_eq!((&answer["data"]["alarm"], &answer["data"]["chi2"]), (&json!(false), &json!(0.0)));
}

#[tokio::test]
async fn what_is_wrong_with_a_question_is_said() {
    let served = serve(Settings::default());
    let cases = [
        ("sample-size?std_dev=1", "effect"),
        ("sample-size?effect=0&std_dev=1", "never found"),
        ("sample-size?effect=0.1", "baseline"),
        ("sample-size?effect=0.1&baseline=0.95", "share would be"),
        ("sample-size?effect=NaN&std_dev=1", "not a number"),
        ("sample-size?effect=0.1&std_dev=1&alpha=2", "alpha"),
        ("sample-size?effect=1e-90&std_dev=1", "1e15"),
        ("sample-size?effect=0.1&std_dev=1&methd=fixed", "methd"),
        ("sample-size?effect=0.1&std_dev=1&method=guess", "neither"),
        ("power?effect=0.1&std_dev=1&n_control=10", "n_variant"),
        ("power?effect=0.1&std_dev=1&n_control=1.5&n_variant=3", "whole"),
        ("adjust", "\"p\""),
        ("adjust?p=0.1,2", "from 0 to 1"),
        ("adjust?p=0.1,", "not a number"),
        ("srm?observed=1,2&weights=1", "1 for 2 arms"),
        ("srm?observed=1,2&weights=1,0", "two or more above 0"),
        ("srm?observed=1,-2", "no number of units"),
    ];
    for (question, expected) in cases {
        let (status, answer) = get(&served, &format!("/api/v1/stats/{question}")).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{question}: {answer}");
        let said = answer["error"].as_str().expect("an error");
        assert!(said.contains(expected), "{question}: {said}");
    }
}
