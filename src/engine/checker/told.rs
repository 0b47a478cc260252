//! What the feed tells of a decision: each result, and each change of how a check is.

use serde_json::json;

use super::ledger::Decision;
use crate::engine::feed::{Fact, Subject, Topic};
use crate::model::CheckResult;

/// Results first: they are why a check is otherwise.
pub(super) fn facts(decision: &Decision) -> Vec<Fact> {
    let result = |result: &CheckResult| {
        let after = decision.becomes.get(&result.check).and_then(|known| known.as_ref());
        let data = json!({
            "name": result.check,
            "at": result.at,
            "status": result.status,
            "response_time_ms": result.phases.total_us as f64 / 1000.0,
            "phases": result.phases,
            "failed_condition": result.failed_condition,
            "error": result.error,
            "check_status": after.map(|known| known.state.status()),
            "since": after.map(|known| known.state.since()),
        });
        let subject = Subject::named(result.check.as_str());
        Fact::latest(Topic::Checks, "check.result", subject, &data)
    };
    let transition = |(name, change): &(crate::model::Name, crate::checks::Transition)| {
        let mut data = json!(change);
        data["name"] = json!(name);
        data["status"] = json!(change.to);
        Fact::new(Topic::Checks, "check.changed", Subject::named(name.as_str()), &data)
    };
    let results = decision.results.iter().map(result);
    results.chain(decision.transitions.iter().map(transition)).collect()
}
