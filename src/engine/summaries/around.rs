//! What belongs to a feature or provider besides its outcomes, and its summary.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

use super::Window;
use crate::checks::{Span, Uptime};
use crate::engine::checker::check_labels;
use crate::engine::history;
use crate::engine::watch::{Catalog, View};
use crate::features::{
    Figures, Health, HealthPart, LATENCY_TARGET_MS, ShownFigures, Signs, health_of, health_score,
    shown_number,
};
use crate::incidents::maintenance::{TimedWindow, intervals_about};
use crate::model::{FeatureStatus, Incident, Labels, Name, Origin, Severity, Timestamp};
use crate::store::{Store, StoreError};

/// Open incidents that one summary lists, the oldest.
const INCIDENTS_MAX: usize = 20;

/// An incident that is not resolved, in short.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OpenIncident {
    /// Its id.
    pub id: String,
    /// Its number.
    pub number: u64,
    /// How bad it is.
    pub severity: Severity,
    /// `open` or `acknowledged`.
    pub status: &'static str,
    /// What people read.
    pub title: String,
    /// When it was opened.
    pub triggered_at: Timestamp,
}

impl OpenIncident {
    /// An incident in short.
    pub fn of(incident: &Incident) -> Self {
        OpenIncident {
            id: incident.id.to_string(),
            number: incident.number,
            severity: incident.severity,
            status: incident.status.as_str(),
            title: incident.title.clone(),
            triggered_at: incident.triggered_at,
        }
    }
}

/// A summary as it is shown.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Of which.
    pub name: String,
    /// What people call it; empty where nobody said.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub display_name: String,
    /// Where the definition comes from, or `seen`.
    pub origin: Value,
    /// How it is, in one word.
    pub status: Health,
    /// 0 to 100; none where nothing is known.
    pub health_score: Option<f64>,
    /// What the score is made of.
    pub health: Vec<HealthPart>,
    /// The window's beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
    /// Its length in seconds.
    pub window_seconds: Value,
    /// 0 to 1, or null.
    pub availability: Value,
    /// By what that is known: `query`, `checks` or `outcomes`.
    pub availability_from: Option<&'static str>,
    /// What outcomes came to.
    #[serde(flatten)]
    pub figures: ShownFigures,
    /// The checks of it.
    pub checks: Vec<Name>,
    /// Incidents of it that are not resolved.
    pub open_incidents_count: usize,
    /// The oldest of them.
    pub open_incidents: Vec<OpenIncident>,
    /// What went wrong with queries of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// What features and providers share.
#[derive(Clone, Debug)]
pub struct Subject {
    name: String,
    display_name: String,
    origin: Value,
    status: FeatureStatus,
    latency_target_ms: f64,
}

impl Subject {
    /// One that nobody defined.
    fn seen(name: &str) -> Self {
        Subject {
            name: name.to_owned(),
            display_name: String::new(),
            origin: json!("seen"),
            status: FeatureStatus::Active,
            latency_target_ms: LATENCY_TARGET_MS,
        }
    }

    /// The name it goes by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What people say of it.
    pub fn status(&self) -> FeatureStatus {
        self.status
    }

    /// A feature by its name, defined or not.
    pub fn feature(catalog: &Catalog, name: &str) -> Self {
        match catalog.features.get(name) {
            None => Subject::seen(name),
            Some(known) => Subject {
                name: name.to_owned(),
                display_name: known.definition.display_name.clone(),
                origin: origin(known.origin),
                status: known.definition.status,
                latency_target_ms: known.definition.latency_target_ms.unwrap_or(LATENCY_TARGET_MS),
            },
        }
    }

    /// A provider by its name, defined or not.
    pub fn provider(catalog: &Catalog, name: &str) -> Self {
        match catalog.providers.get(name) {
            None => Subject::seen(name),
            Some(known) => Subject {
                display_name: known.definition.display_name.clone(),
                origin: origin(known.origin),
                ..Subject::seen(name)
            },
        }
    }
}

fn origin(origin: Origin) -> Value {
    json!(origin)
}

/// What is known of subjects besides their outcomes.
pub struct Around {
    label: &'static str,
    /// How checks of each spent the window, and which they are.
    uptimes: BTreeMap<String, (Uptime, Vec<Name>)>,
    incidents: BTreeMap<String, Vec<Arc<Incident>>>,
    windows: Vec<TimedWindow>,
}

impl Around {
    /// Reads it for the subjects of a label; `only` one of them. Reads the database: not on a thread
    /// that must not wait.
    ///
    /// # Errors
    ///
    /// When the history of checks cannot be read.
    pub fn read(
        (store, catalog, view): (&Store, &Catalog, &View),
        label: &'static str,
        only: Option<&str>,
        window: Window,
        now: Timestamp,
    ) -> Result<Around, StoreError> {
        let wanted = |name: &str| only.is_none_or(|only| only == name);
        let all = catalog.maintenance.list();
        // Windows were read when they were defined.
        let windows: Vec<TimedWindow> =
            all.values().filter_map(|w| TimedWindow::new(w.definition.clone()).ok()).collect();
        let mut incidents: BTreeMap<String, Vec<Arc<Incident>>> = BTreeMap::new();
        for incident in view.active() {
            if let Some(name) = incident.alert.labels.get(label).filter(|name| wanted(name)) {
                incidents.entry(name.to_owned()).or_default().push(Arc::clone(incident));
            }
        }
        // What is to come is not known.
        let span = Span { from: window.from(), until: window.at.min(now) };
        let mut asked = Vec::new();
        for (check, defined) in catalog.checks.list().iter() {
            let labels = check_labels(&defined.definition);
            let Some(subject) = labels.get(label).filter(|name| wanted(name)) else { continue };
            let maintenance: Vec<Span> = intervals_about(&windows, &labels, span.from, span.until)
                .into_iter()
                .map(|(from, until)| Span { from, until })
                .collect();
            asked.push((subject.to_owned(), check.clone(), maintenance));
        }
        let mut uptimes: BTreeMap<String, (Uptime, Vec<Name>)> = BTreeMap::new();
        if !asked.is_empty() && span.from < span.until {
            let snapshot = store.read()?;
            for (subject, check, maintenance) in asked {
                let spent = history::uptime_of(&snapshot, &check, span, &maintenance)?;
                let (sum, checks) = uptimes.entry(subject).or_default();
                sum.healthy_ms += spent.healthy_ms;
                sum.degraded_ms += spent.degraded_ms;
                sum.unhealthy_ms += spent.unhealthy_ms;
                checks.push(check);
            }
        }
        Ok(Around { label, uptimes, incidents, windows })
    }

    fn in_maintenance(&self, name: &str, window: Window) -> bool {
        let Ok(labels) = Labels::from_pairs([(self.label, name)]) else { return false };
        let (from, until) = (window.at, window.at.plus_millis(1));
        !intervals_about(&self.windows, &labels, from, until).is_empty()
    }

    /// A subject's summary, from the figures of its outcomes.
    pub fn summary(
        &self,
        subject: Subject,
        window: Window,
        mut figures: Figures,
        problems: Vec<String>,
    ) -> Summary {
        // Nothing that was told of is nothing that happened, as far as outcomes go.
        figures.requests.get_or_insert(0.0);
        figures.errors.get_or_insert(0.0);
        let checked = self.uptimes.get(&subject.name);
        let success_rate = figures.error_rate().map(|rate| 1.0 - rate);
        let from_checks = checked.and_then(|(spent, _)| spent.ratio());
        let (availability, availability_from) = match (figures.availability, from_checks) {
            (Some(by_query), _) => (Some(by_query), Some("query")),
            (None, Some(by_checks)) => (Some(by_checks), Some("checks")),
            (None, None) => (success_rate, success_rate.map(|_| "outcomes")),
        };
        let none = Vec::new();
        let incidents = self.incidents.get(&subject.name).unwrap_or(&none);
        let worst_incident = incidents.iter().map(|incident| incident.severity).max();
        let signs = Signs {
            availability: availability.filter(|_| availability_from != Some("outcomes")),
            success_rate,
            p95_ms: figures.latency_s[1].map(|seconds| seconds * 1000.0),
            latency_target_ms: subject.latency_target_ms,
            worst_incident,
        };
        let (score, health) = health_score(&signs);
        let in_maintenance = self.in_maintenance(&subject.name, window);
        Summary {
            status: health_of(subject.status, in_maintenance, score, worst_incident),
            name: subject.name,
            display_name: subject.display_name,
            origin: subject.origin,
            health_score: score,
            health,
            from: window.from(),
            to: window.at,
            window_seconds: shown_number(Some(window.millis as f64 / 1000.0)),
            // Rounded down: what was not there all the time is never shown as 1.
            availability: shown_number(availability.map(|share| (share * 1e6).floor() / 1e6)),
            availability_from,
            figures: figures.show(window.millis),
            checks: checked.map(|(_, checks)| checks.clone()).unwrap_or_default(),
            open_incidents_count: incidents.len(),
            open_incidents: incidents
                .iter()
                .take(INCIDENTS_MAX)
                .map(|incident| OpenIncident::of(incident))
                .collect(),
            problems,
        }
    }
}
