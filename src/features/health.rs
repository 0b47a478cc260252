//! How well a feature does, as one number and one word.

use serde::Serialize;

use crate::model::{FeatureStatus, Severity};

/// Availability from checks: all of it at 100 %, nothing from 95 % down.
const AVAILABILITY: (f64, f64, f64) = (40.0, 1.0, 0.95);
/// The success rate: all of it at 100 %, nothing from 90 % down.
const SUCCESS: (f64, f64, f64) = (30.0, 1.0, 0.9);
/// The 95th percentile by its target: all of it up to the target, nothing from three times that.
const LATENCY: (f64, f64, f64) = (20.0, 1.0, 3.0);
/// The worst incident that is open.
const INCIDENTS_WEIGHT: f64 = 10.0;
/// The target of a feature that names none, in milliseconds.
pub const LATENCY_TARGET_MS: f64 = 1000.0;
/// From this score on a feature is healthy ...
const HEALTHY_FROM: f64 = 80.0;
/// ... from this on degraded, and below that unhealthy.
const DEGRADED_FROM: f64 = 50.0;

/// What the score is made of.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Signs {
    /// The share of time in which it was available, by checks or a query; 0 to 1. The success rate
    /// is no availability here: it would count twice.
    pub availability: Option<f64>,
    /// The share of requests that went well, 0 to 1.
    pub success_rate: Option<f64>,
    /// The 95th percentile of the latency in milliseconds.
    pub p95_ms: Option<f64>,
    /// What is good enough for that.
    pub latency_target_ms: f64,
    /// The worst of the incidents that are open.
    pub worst_incident: Option<Severity>,
}

/// One part of the score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct HealthPart {
    /// Which.
    pub part: &'static str,
    /// How good, 0 to 1.
    pub score: f64,
    /// How much it counts; the parts that are known are weighed against each other.
    pub weight: f64,
}

/// Where `value` stands between what is worth nothing and what is worth all.
fn between(value: f64, (_, all, nothing): (f64, f64, f64)) -> f64 {
    ((value - nothing) / (all - nothing)).clamp(0.0, 1.0)
}

fn tenth(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// The score, 0 to 100, and its parts. Parts that nobody knows are left out and the others weigh
/// more; incidents alone make no score, as their absence says little.
pub fn health_score(signs: &Signs) -> (Option<f64>, Vec<HealthPart>) {
    let part = |part, value: Option<f64>, curve: (f64, f64, f64)| {
        let score = between(value?, curve);
        Some(HealthPart { part, score: (score * 1e4).round() / 1e4, weight: curve.0 })
    };
    let p95 = signs.p95_ms.map(|p95| p95 / signs.latency_target_ms);
    let known = [
        part("availability", signs.availability, AVAILABILITY),
        part("success", signs.success_rate, SUCCESS),
        part("latency", p95, LATENCY),
    ];
    let mut parts: Vec<HealthPart> = known.into_iter().flatten().collect();
    if parts.is_empty() {
        return (None, parts);
    }
    let score = match signs.worst_incident {
        None => 1.0,
        Some(Severity::Info) => 0.75,
        Some(Severity::Warning) => 0.5,
        Some(Severity::Critical) => 0.0,
    };
    parts.push(HealthPart { part: "incidents", score, weight: INCIDENTS_WEIGHT });
    let weights: f64 = parts.iter().map(|part| part.weight).sum();
    let sum: f64 = parts.iter().map(|part| part.weight * part.score).sum();
    (Some(tenth(100.0 * sum / weights)), parts)
}

/// How a feature is, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// A score of 80 or more.
    Healthy,
    /// A score of 50 or more, or a critical incident is open.
    Degraded,
    /// Less.
    Unhealthy,
    /// Nothing is known of the window.
    Unknown,
    /// People say that it is not in use.
    Inactive,
    /// People say that it is being worked on, or a maintenance window says so.
    Maintenance,
}

/// The word for a score. What people say of a feature comes first.
pub fn health_of(
    status: FeatureStatus,
    in_maintenance: bool,
    score: Option<f64>,
    worst_incident: Option<Severity>,
) -> Health {
    match (status, score) {
        (FeatureStatus::Inactive, _) => Health::Inactive,
        (FeatureStatus::Maintenance, _) => Health::Maintenance,
        (FeatureStatus::Active, _) if in_maintenance => Health::Maintenance,
        (FeatureStatus::Active, None) => Health::Unknown,
        (FeatureStatus::Active, Some(score)) if score < DEGRADED_FROM => Health::Unhealthy,
        (FeatureStatus::Active, Some(_)) if worst_incident == Some(Severity::Critical) => {
            Health::Degraded
        }
        (FeatureStatus::Active, Some(score)) if score < HEALTHY_FROM => Health::Degraded,
        (FeatureStatus::Active, Some(_)) => Health::Healthy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signs() -> Signs {
        Signs { latency_target_ms: LATENCY_TARGET_MS, ..Signs::default() }
    }

    #[test]
    fn the_score_weighs_what_is_known() {
        let all = Signs {
            availability: Some(0.99),
            success_rate: Some(0.98),
            p95_ms: Some(2000.0),
            worst_incident: Some(Severity::Warning),
            ..signs()
        };
        // 40 · 0.8 + 30 · 0.8 + 20 · 0.5 + 10 · 0.5, by hand.
        assert_eq!(health_score(&all).0, Some(71.0));
        // (30 · 0.8 + 10 · 1) / 40.
        let some = Signs { success_rate: Some(0.98), ..signs() };
        assert_eq!(health_score(&some).0, Some(85.0));
        assert_eq!(health_score(&signs()), (None, Vec::new()));
        let incident = Signs { worst_incident: Some(Severity::Critical), ..signs() };
        assert_eq!(health_score(&incident).0, None);
    }

    #[test]
    fn the_score_stays_within_0_and_100() {
        let best = Signs { availability: Some(1.0), p95_ms: Some(0.0), ..signs() };
        assert_eq!(health_score(&best).0, Some(100.0));
        let worst = Signs {
            availability: Some(0.0),
            success_rate: Some(0.0),
            p95_ms: Some(1e9),
            worst_incident: Some(Severity::Critical),
            ..signs()
        };
        assert_eq!(health_score(&worst).0, Some(0.0));
    }

    #[test]
    fn what_people_say_comes_before_the_score() {
        use FeatureStatus::{Active, Inactive, Maintenance};
        for (status, window, score, incident, expected) in [
            (Active, false, Some(80.0), None, Health::Healthy),
            (Active, false, Some(79.9), None, Health::Degraded),
            (Active, false, Some(49.9), None, Health::Unhealthy),
            (Active, false, Some(95.0), Some(Severity::Critical), Health::Degraded),
            (Active, false, None, Some(Severity::Critical), Health::Unknown),
            (Active, true, Some(10.0), None, Health::Maintenance),
            (Maintenance, false, Some(100.0), None, Health::Maintenance),
            (Inactive, true, Some(100.0), None, Health::Inactive),
        ] {
            assert_eq!(health_of(status, window, score, incident), expected);
        }
    }
}
