//! What all conditions of a check make of one observation.

use super::operand::Subject;
use super::{Condition, ConditionError};
use crate::model::{
    CheckDefinition, CheckKind, CheckStatus, ConditionOutcome, Observation, Severity, Timestamp,
};

/// The conditions of a check, read once.
#[derive(Clone, Debug)]
pub struct Judge {
    conditions: Vec<(Condition, Severity)>,
    invert: bool,
}

/// What one observation means.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Healthy, degraded or unhealthy.
    pub status: CheckStatus,
    /// How each condition came out, in their order.
    pub outcomes: Vec<ConditionOutcome>,
    /// The first that does not hold, the worst severity first, with what was found.
    pub failed_condition: Option<String>,
}

/// Conditions of one check: bounds the time of a judgement.
const CONDITIONS_MAX: usize = 100;

/// What must hold where a check says nothing: what Gatus's examples ask, and what makes
/// `probe_success` 1 in blackbox_exporter.
const fn defaults(kind: CheckKind) -> &'static [&'static str] {
    match kind {
        CheckKind::Http => &["[STATUS] < 400"],
        CheckKind::Dns => &["[DNS_RCODE] == NOERROR"],
        CheckKind::Tls => &["[CERTIFICATE_EXPIRATION] > 0"],
        // `grpc.health.v1.HealthCheckResponse.ServingStatus`: 1 is SERVING.
        CheckKind::Grpc => &["[STATUS] == 1"],
        CheckKind::Exec => &["[STATUS] == 0"],
        CheckKind::Tcp
        | CheckKind::Icmp
        | CheckKind::WebSocket
        | CheckKind::Postgres
        | CheckKind::Mysql
        | CheckKind::Redis
        | CheckKind::Ssh
        | CheckKind::Model
        | CheckKind::Host => &["[CONNECTED] == true"],
        CheckKind::Heartbeat => &[],
    }
}

impl Judge {
    /// Reads the conditions of a check, or takes those of its kind.
    ///
    /// # Errors
    ///
    /// The first condition that cannot be read; or that there are too many.
    pub fn prepare(check: &CheckDefinition) -> Result<Judge, ConditionError> {
        if let Some(over) = check.conditions.get(CONDITIONS_MAX) {
            let reason = format!("is one more than the {CONDITIONS_MAX} that a check may have");
            return Err(ConditionError { condition: over.condition.clone(), reason });
        }
        let mut conditions = Vec::new();
        let nagios = check.kind == CheckKind::Exec
            && check.settings.get("nagios").and_then(serde_json::Value::as_bool) == Some(true);
        if check.conditions.is_empty() && nagios {
            // Monitoring Plugins development guidelines, "Plugin return codes": 1 is a warning;
            // what a plugin does not know (3) is no success either.
            conditions.push((Condition::parse("[STATUS] < 2")?, Severity::Critical));
            conditions.push((Condition::parse("[STATUS] == 0")?, Severity::Warning));
        } else if check.conditions.is_empty() {
            for text in defaults(check.kind) {
                conditions.push((Condition::parse(text)?, Severity::Critical));
            }
        }
        for written in &check.conditions {
            conditions.push((Condition::parse(&written.condition)?, written.severity));
        }
        Ok(Judge { conditions, invert: check.invert })
    }

    /// What an observation made at `now` means. An error is a failure by itself, unless it is
    /// that nobody could be reached and a condition asks for `[CONNECTED]`: then the conditions
    /// decide.
    pub fn judge(&self, observation: &Observation, now: Timestamp) -> Judgement {
        let subject = Subject::new(observation, now);
        let outcomes: Vec<ConditionOutcome> = self
            .conditions
            .iter()
            .map(|(condition, severity)| condition.evaluate_subject(&subject, *severity))
            .collect();
        let asked = self.conditions.iter().any(|(condition, _)| condition.asks_connection());
        let failed = observation.error.is_some() && (observation.connected || !asked);
        let worst = outcomes
            .iter()
            .filter(|outcome| !outcome.holds)
            .reduce(|worst, next| if next.severity > worst.severity { next } else { worst });
        let unhealthy = failed || worst.is_some_and(|o| o.severity == Severity::Critical);
        let status = match (unhealthy, worst) {
            (true, _) if self.invert => CheckStatus::Healthy,
            (true, _) => CheckStatus::Unhealthy,
            (false, _) if self.invert => CheckStatus::Unhealthy,
            (false, Some(_)) => CheckStatus::Degraded,
            (false, None) => CheckStatus::Healthy,
        };
        let failed_condition = match (status, worst) {
            (CheckStatus::Healthy, _) => None,
            (_, None) if self.invert => {
                Some("it succeeded, and is meant to fail (invert)".to_owned())
            }
            (_, worst) => worst.map(|outcome| outcome.shown.clone()),
        };
        Judgement { status, outcomes, failed_condition }
    }
}
