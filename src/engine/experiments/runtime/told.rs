//! What the feed tells of experiments.

use serde_json::json;

use super::stored::Stored;
use crate::engine::feed::{Fact, Subject, Topic};
use crate::experiments::Sums;
use crate::model::AuditEntry;

/// How an experiment stands, with each entry of its audit.
pub(super) fn changed(stored: &Stored, entries: &[AuditEntry]) -> Vec<Fact> {
    let name = &stored.definition.name;
    let one = |entry: &AuditEntry| {
        let data = json!({
            "name": name,
            "status": stored.state.status,
            "version": stored.state.version,
            "entry": entry,
        });
        Fact::new(Topic::Experiments, "experiment.changed", Subject::named(name.as_str()), &data)
    };
    entries.iter().map(one).collect()
}

/// That there are new results, once they were looked at: what they mean is asked for.
pub(super) fn results(stored: &Stored, sums: &Sums) -> Fact {
    let name = &stored.definition.name;
    let data = json!({
        "name": name,
        "status": stored.state.status,
        "results": sums.results,
        "units": sums.units.values().sum::<u64>(),
        "excluded": sums.excluded.values().sum::<u64>(),
    });
    let subject = Subject::named(name.as_str());
    Fact::latest(Topic::Experiments, "experiment.results", subject, &data)
}
