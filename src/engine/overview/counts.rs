//! Checks and incidents, counted.

use std::sync::Arc;

use serde::Serialize;

use crate::engine::checker::{Checker, check_labels};
use crate::engine::summaries::OpenIncident;
use crate::engine::watch::{Catalog, Muting};
use crate::model::{CheckStatus, Incident, IncidentStatus, Severity, Timestamp};

/// Incidents that an overview lists, the newest.
const LATEST: usize = 5;

/// How the whole is, in one word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemHealth {
    /// All checks are.
    Healthy,
    /// At least four of five checks are healthy.
    Degraded,
    /// Fewer are.
    Unhealthy,
    /// Nothing is known of any check.
    #[default]
    Unknown,
}

/// Checks by how they are. Those that work is done on are counted apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CheckCounts {
    /// All is well.
    pub healthy: usize,
    /// Well enough.
    pub degraded: usize,
    /// Failing.
    pub unhealthy: usize,
    /// Nobody can say.
    pub unknown: usize,
    /// Left alone.
    pub paused: usize,
    /// Within a maintenance window.
    pub maintenance: usize,
    /// All of them.
    pub total: usize,
}

impl CheckCounts {
    /// Counts all checks as they are at `now`.
    pub(super) fn read(
        catalog: &Catalog,
        checker: &Checker,
        muting: &Muting,
        now: Timestamp,
    ) -> Self {
        let windows = muting.windows();
        let current: Vec<_> = windows.iter().filter(|w| w.current(now).is_some()).collect();
        let mut counts = CheckCounts::default();
        for (name, defined) in catalog.checks.list().iter() {
            let view = checker.view(name.as_str());
            let status = view.map_or(CheckStatus::Unknown, |view| view.status);
            // Labels are made only where a window might be about them.
            let maintenance = !current.is_empty() && {
                let labels = check_labels(&defined.definition);
                current.iter().any(|window| window.is_about(&labels))
            };
            counts.add(status, maintenance);
        }
        counts
    }

    fn add(&mut self, status: CheckStatus, maintenance: bool) {
        self.total += 1;
        let count = match status {
            CheckStatus::Paused => &mut self.paused,
            _ if maintenance => &mut self.maintenance,
            CheckStatus::Healthy => &mut self.healthy,
            CheckStatus::Degraded => &mut self.degraded,
            CheckStatus::Unhealthy => &mut self.unhealthy,
            CheckStatus::Unknown => &mut self.unknown,
        };
        *count += 1;
    }

    /// What that says of the whole. What is paused, worked on or unknown says nothing.
    pub fn health(&self) -> SystemHealth {
        let known = self.healthy + self.degraded + self.unhealthy;
        if known == 0 {
            SystemHealth::Unknown
        } else if self.healthy == known {
            SystemHealth::Healthy
        } else if self.healthy * 5 >= known * 4 {
            SystemHealth::Degraded
        } else {
            SystemHealth::Unhealthy
        }
    }
}

/// Incidents that are not resolved, by how bad they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SeverityCounts {
    /// Get up.
    pub critical: usize,
    /// Look at it today.
    pub warning: usize,
    /// Good to know.
    pub info: usize,
}

/// Incidents that are not resolved.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct IncidentCounts {
    /// All of them.
    pub active: usize,
    /// Those that somebody looks after.
    pub acknowledged: usize,
    /// All of them, by how bad they are.
    pub by_severity: SeverityCounts,
    /// The newest.
    pub latest: Vec<OpenIncident>,
}

impl IncidentCounts {
    /// Counts incidents that are not resolved.
    pub(super) fn of<'i>(active: impl Iterator<Item = &'i Arc<Incident>>) -> Self {
        let mut counts = IncidentCounts::default();
        let mut newest: Vec<&Arc<Incident>> = Vec::with_capacity(LATEST + 1);
        for incident in active {
            counts.active += 1;
            counts.acknowledged += usize::from(incident.status == IncidentStatus::Acknowledged);
            match incident.severity {
                Severity::Critical => counts.by_severity.critical += 1,
                Severity::Warning => counts.by_severity.warning += 1,
                Severity::Info => counts.by_severity.info += 1,
            }
            let key = |one: &Arc<Incident>| (one.triggered_at, one.number);
            let place = newest.partition_point(|known| key(known) > key(incident));
            newest.insert(place, incident);
            newest.truncate(LATEST);
        }
        counts.latest = newest.into_iter().map(|incident| OpenIncident::of(incident)).collect();
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(healthy: usize, degraded: usize, unhealthy: usize) -> CheckCounts {
        CheckCounts { healthy, degraded, unhealthy, ..CheckCounts::default() }
    }

    #[test]
    fn the_whole_is_as_its_checks_are() {
        for (counts, health) in [
            (counts(0, 0, 0), SystemHealth::Unknown),
            (CheckCounts { unknown: 3, paused: 1, ..counts(0, 0, 0) }, SystemHealth::Unknown),
            (counts(1, 0, 0), SystemHealth::Healthy),
            // Four of five are enough, 79 of 99 are not.
            (counts(4, 0, 1), SystemHealth::Degraded),
            (counts(4, 1, 0), SystemHealth::Degraded),
            (counts(79, 0, 20), SystemHealth::Unhealthy),
            (counts(0, 1, 0), SystemHealth::Unhealthy),
            (
                CheckCounts { unknown: 9, paused: 9, maintenance: 9, ..counts(3, 0, 0) },
                SystemHealth::Healthy,
            ),
        ] {
            assert_eq!(counts.health(), health, "{counts:?}");
        }
    }

    #[test]
    fn what_is_worked_on_is_counted_apart_and_what_is_paused_stays_paused() {
        let mut counts = CheckCounts::default();
        counts.add(CheckStatus::Unhealthy, true);
        counts.add(CheckStatus::Paused, true);
        counts.add(CheckStatus::Healthy, false);
        let expected =
            CheckCounts { healthy: 1, paused: 1, maintenance: 1, total: 3, ..Default::default() };
        assert_eq!(counts, expected);
        assert_eq!(counts.health(), SystemHealth::Healthy);
    }
}
