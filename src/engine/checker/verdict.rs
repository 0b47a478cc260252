//! What the pure room `checks` makes of an answer, in our terms.

use crate::checks::{Judge, Verdict};
use crate::model::{CheckDefinition, CheckResult, CheckStatus, Observation, Timestamp};

/// What an observation makes of a run that began at `began`.
pub(super) fn result_of(
    check: &CheckDefinition,
    judge: &Judge,
    seen: &Observation,
    began: Timestamp,
) -> CheckResult {
    let mut judgement = judge.judge(seen, began);
    if seen.unknown.is_some() {
        judgement.status = CheckStatus::Unknown;
        judgement.failed_condition = None;
    }
    CheckResult {
        check: check.name.clone(),
        at: began,
        status: judgement.status,
        phases: seen.phases,
        failed_condition: judgement.failed_condition,
        // An inverted check wants the error: it is no complaint.
        error: seen
            .unknown
            .clone()
            .or_else(|| seen.error.clone())
            .filter(|_| judgement.status != CheckStatus::Healthy),
        metadata: seen.metadata.clone(),
    }
}

/// Whether the file need not know of the difference: nothing changed but that one more result
/// said the same as all that the thresholds look at.
pub(super) fn is_same(before: &Verdict, after: &Verdict) -> bool {
    let steady = before.is_steady() && after.is_steady();
    let told = |verdict: &Verdict| {
        (verdict.status, verdict.since, verdict.reason, verdict.known, verdict.flapping)
    };
    before == after || (steady && told(before) == told(after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_can_say_is_unknown_and_not_a_failed_condition() {
        let check: CheckDefinition = serde_json::from_value(serde_json::json!({
            "name": "clock", "kind": "host", "target": "clock",
            "conditions": ["[SYNCHRONIZED] == 1"],
        }))
        .expect("a check");
        let judge = Judge::prepare(&check).expect("valid");
        let mut seen = Observation { connected: true, ..Observation::default() };
        let at = Timestamp::from_millis(1);
        assert_eq!(result_of(&check, &judge, &seen, at).status, CheckStatus::Unhealthy);
        seen.unknown = Some("nobody says".to_owned());
        let result = result_of(&check, &judge, &seen, at);
        assert_eq!((result.status, result.failed_condition), (CheckStatus::Unknown, None));
        assert_eq!(result.error.as_deref(), Some("nobody says"));
    }
}
