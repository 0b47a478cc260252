//! Expected against got, and both as text for people.

use crate::model::{Labels, format_duration_ms};
use crate::promql::{VectorSample, write_histogram};
use crate::rules::alert::Alert;
use crate::rules::template::Value;

use super::file::{AlertTest, ExpectedAlert, ExpectedSample, ExprTest};

/// The alerts that fire, against those that should; the difference, if there is one.
pub(super) fn alerts(test: &AlertTest, firing: &[&Alert]) -> Option<String> {
    let mut got: Vec<ExpectedAlert> = firing
        .iter()
        .map(|alert| ExpectedAlert {
            labels: alert.labels.clone(),
            // An empty annotation is as good as none: labels cannot hold one.
            annotations: alert.annotations.iter().filter(|(_, t)| !t.is_empty()).cloned().collect(),
        })
        .collect();
    let mut expected = test.expected.clone();
    for alert in &mut expected {
        alert.annotations.retain(|(_, text)| !text.is_empty());
    }
    let by_labels = |a: &ExpectedAlert, b: &ExpectedAlert| {
        a.labels.cmp(&b.labels).then_with(|| a.annotations.cmp(&b.annotations))
    };
    got.sort_by(by_labels);
    expected.sort_by(by_labels);
    if got == expected {
        return None;
    }
    let missing: Vec<&ExpectedAlert> = expected.iter().filter(|a| !got.contains(a)).collect();
    let extra: Vec<&ExpectedAlert> = got.iter().filter(|a| !expected.contains(a)).collect();
    let mut text = format!(
        "alertname: {}, time: {}: {} expected, {} firing",
        test.name,
        format_duration_ms(test.at_ms),
        expected.len(),
        got.len()
    );
    for (sign, alerts) in [('-', missing), ('+', extra)] {
        for alert in alerts {
            text.push_str(&format!("\n  {sign} {}", alert.labels));
            for (name, value) in &alert.annotations {
                text.push_str(&format!("\n  {sign}   {name}: {value:?}"));
            }
        }
    }
    Some(text + "\n  (- expected, + got)")
}

/// An expression's result against what it should be; the difference, if there is one.
pub(super) fn samples(test: &ExprTest, got: &[VectorSample], fuzzy: bool) -> Option<String> {
    let mut got: Vec<&VectorSample> = got.iter().collect();
    got.sort_by(|a, b| a.labels.cmp(&b.labels));
    let mut expected: Vec<&ExpectedSample> = test.expected.iter().collect();
    expected.sort_by(|a, b| a.labels.cmp(&b.labels));
    let same = |e: &ExpectedSample, g: &VectorSample| e.labels == g.labels && equal(e, g, fuzzy);
    if got.len() == expected.len() && expected.iter().zip(&got).all(|(e, g)| same(e, g)) {
        return None;
    }
    let mut text = format!("expr: {:?}, time: {}", test.query, format_duration_ms(test.at_ms));
    for wanted in &expected {
        if !got.iter().any(|found| same(wanted, found)) {
            text.push_str(&format!("\n  - {}", show_expected(wanted)));
        }
    }
    for found in &got {
        if !expected.iter().any(|wanted| same(wanted, found)) {
            text.push_str(&format!("\n  + {}", show_got(found)));
        }
    }
    Some(text + "\n  (- expected, + got)")
}

fn equal(expected: &ExpectedSample, got: &VectorSample, fuzzy: bool) -> bool {
    match (&expected.histogram, &got.histogram) {
        // As texts: the same counts may be laid out in different spans.
        (Some(a), Some(b)) => write_histogram(a) == write_histogram(b),
        (None, None) => same_number(expected.value, got.sample.value, fuzzy),
        _ => false,
    }
}

/// Equal, both no number, or, where the last bit is ignored, neighbours.
fn same_number(a: f64, b: f64, fuzzy: bool) -> bool {
    if a == b || a.is_nan() && b.is_nan() {
        return true;
    }
    let neighbours = a.signum() == b.signum() && a.to_bits().abs_diff(b.to_bits()) <= 1;
    fuzzy && neighbours
}

fn show_number(value: f64) -> String {
    Value::Float(value).show()
}

fn show(labels: &Labels, value: String) -> String {
    format!("{labels} {value}")
}

fn show_expected(sample: &ExpectedSample) -> String {
    let value = match &sample.histogram {
        Some(histogram) => write_histogram(histogram),
        None => show_number(sample.value),
    };
    show(&sample.labels, value)
}

fn show_got(sample: &VectorSample) -> String {
    let value = match &sample.histogram {
        Some(histogram) => write_histogram(histogram),
        None => show_number(sample.sample.value),
    };
    show(&sample.labels, value)
}
