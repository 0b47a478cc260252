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
    let judgement = judge.judge(seen, began);
    CheckResult {
        check: check.name.clone(),
        at: began,
        status: judgement.status,
        phases: seen.phases,
        failed_condition: judgement.failed_condition,
        // An inverted check wants the error: it is no complaint.
        error: seen.error.clone().filter(|_| judgement.status != CheckStatus::Healthy),
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
