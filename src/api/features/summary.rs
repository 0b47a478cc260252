//! How features and providers do.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::http::Response;
use serde::Serialize;
use serde_json::{Value, json};

use crate::checks::{Span, Uptime};
use crate::engine::checker::check_labels;
use crate::engine::history;
use crate::features::{
    Figures, Health, HealthPart, LATENCY_TARGET_MS, ShownFigures, Signs, health_of, health_score,
    shown_number,
};
use crate::incidents::maintenance::{TimedWindow, intervals_about};
use crate::model::{
    FeatureDefinition, FeatureStatus, Incident, Labels, Name, Origin, ProviderDefinition, Severity,
};

use super::super::json::{seconds, success};
use super::super::params::Params;
use super::super::request::{blocking, read_params};
use super::super::state::App;
use super::super::{ApiError, ErrorKind};
use super::registry::{Seen, exists, seen};
use super::window::{Window, figures};

type Answered = Result<Response<Body>, ApiError>;

/// Open incidents that one summary lists, the oldest.
const INCIDENTS_MAX: usize = 20;

/// An open incident in a summary.
#[derive(Serialize)]
struct OpenIncident {
    id: String,
    number: u64,
    severity: Severity,
    status: &'static str,
    title: String,
    triggered_at: crate::model::Timestamp,
}

/// A summary as it is shown.
#[derive(Serialize)]
struct Summary {
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    display_name: String,
    origin: Value,
    status: Health,
    health_score: Option<f64>,
    health: Vec<HealthPart>,
    from: crate::model::Timestamp,
    to: crate::model::Timestamp,
    window_seconds: Value,
    availability: Value,
    availability_from: Option<&'static str>,
    #[serde(flatten)]
    figures: ShownFigures,
    checks: Vec<Name>,
    open_incidents_count: usize,
    open_incidents: Vec<OpenIncident>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<String>,
}

/// What features and providers share.
struct Subject {
    name: String,
    display_name: String,
    origin: Value,
    status: FeatureStatus,
    latency_target_ms: f64,
}

impl Subject {
    fn seen(name: &str) -> Self {
        Subject {
            name: name.to_owned(),
            display_name: String::new(),
            origin: json!("seen"),
            status: FeatureStatus::Active,
            latency_target_ms: LATENCY_TARGET_MS,
        }
    }

    fn feature(app: &App, name: &str) -> Result<Self, ApiError> {
        Ok(match app.engine()?.catalog.features.get(name) {
            None => Subject::seen(name),
            Some(known) => Subject {
                name: name.to_owned(),
                display_name: known.definition.display_name.clone(),
                origin: origin(known.origin),
                status: known.definition.status,
                latency_target_ms: known.definition.latency_target_ms.unwrap_or(LATENCY_TARGET_MS),
            },
        })
    }

    fn provider(app: &App, name: &str) -> Result<Self, ApiError> {
        Ok(match app.engine()?.catalog.providers.get(name) {
            None => Subject::seen(name),
            Some(known) => Subject {
                display_name: known.definition.display_name.clone(),
                origin: origin(known.origin),
                ..Subject::seen(name)
            },
        })
    }
}

fn origin(origin: Origin) -> Value {
    json!(origin)
}

/// What is known of subjects besides their outcomes.
struct Around {
    label: &'static str,
    /// How checks of each spent the window, and which they are.
    uptimes: BTreeMap<String, (Uptime, Vec<Name>)>,
    incidents: BTreeMap<String, Vec<Arc<Incident>>>,
    windows: Vec<TimedWindow>,
}

impl Around {
    /// Reads it for the subjects of a label; `only` one of them.
    async fn read(
        app: &App,
        label: &'static str,
        only: Option<&str>,
        window: Window,
    ) -> Result<Around, ApiError> {
        let engine = app.engine()?;
        let wanted = |name: &str| only.is_none_or(|only| only == name);
        let all = engine.catalog.maintenance.list();
        // Windows were read when they were defined.
        let windows: Vec<TimedWindow> =
            all.values().filter_map(|w| TimedWindow::new(w.definition.clone()).ok()).collect();
        let mut incidents: BTreeMap<String, Vec<Arc<Incident>>> = BTreeMap::new();
        for incident in engine.watch.view().active() {
            if let Some(name) = incident.alert.labels.get(label).filter(|name| wanted(name)) {
                incidents.entry(name.to_owned()).or_default().push(Arc::clone(incident));
            }
        }
        // What is to come is not known.
        let span = Span { from: window.from(), until: window.at.min(app.clock.now()) };
        let mut asked = Vec::new();
        for (check, defined) in engine.catalog.checks.list().iter() {
            let labels = check_labels(&defined.definition);
            let Some(subject) = labels.get(label).filter(|name| wanted(name)) else { continue };
            let maintenance: Vec<Span> = intervals_about(&windows, &labels, span.from, span.until)
                .into_iter()
                .map(|(from, until)| Span { from, until })
                .collect();
            asked.push((subject.to_owned(), check.clone(), maintenance));
        }
        let tsdb = Arc::clone(&engine.tsdb);
        let uptimes = blocking(move || {
            let mut uptimes: BTreeMap<String, (Uptime, Vec<Name>)> = BTreeMap::new();
            if asked.is_empty() || span.from >= span.until {
                return Ok(uptimes);
            }
            let snapshot = tsdb.store().read()?;
            for (subject, check, maintenance) in asked {
                let spent = history::uptime_of(&snapshot, &check, span, &maintenance)?;
                let (sum, checks) = uptimes.entry(subject).or_default();
                sum.healthy_ms += spent.healthy_ms;
                sum.degraded_ms += spent.degraded_ms;
                sum.unhealthy_ms += spent.unhealthy_ms;
                checks.push(check);
            }
            Ok(uptimes)
        })
        .await?;
        Ok(Around { label, uptimes, incidents, windows })
    }

    fn in_maintenance(&self, name: &str, window: Window) -> bool {
        let Ok(labels) = Labels::from_pairs([(self.label, name)]) else { return false };
        let (from, until) = (window.at, window.at.plus_millis(1));
        !intervals_about(&self.windows, &labels, from, until).is_empty()
    }

    fn summary(
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
            window_seconds: seconds(window.millis),
            // Rounded down: what was not there all the time is never shown as 1.
            availability: shown_number(availability.map(|share| (share * 1e6).floor() / 1e6)),
            availability_from,
            figures: figures.show(window.millis),
            checks: checked.map(|(_, checks)| checks.clone()).unwrap_or_default(),
            open_incidents_count: incidents.len(),
            open_incidents: incidents
                .iter()
                .take(INCIDENTS_MAX)
                .map(|i| open_incident(i))
                .collect(),
            problems,
        }
    }
}

fn open_incident(incident: &Incident) -> OpenIncident {
    OpenIncident {
        id: incident.id.to_string(),
        number: incident.number,
        severity: incident.severity,
        status: incident.status.as_str(),
        title: incident.title.clone(),
        triggered_at: incident.triggered_at,
    }
}

pub(super) fn absent(noun: &str, name: &str) -> ApiError {
    let message = format!("there is no {noun} named {name:?}, and no outcome tells of one");
    ApiError::new(ErrorKind::NotFound, message)
}

/// Features with queries of their own.
fn with_queries(app: &App, only: Option<&str>) -> Result<Vec<Arc<FeatureDefinition>>, ApiError> {
    let list = app.engine()?.catalog.features.list();
    let own = list
        .iter()
        .filter(|(name, _)| only.is_none_or(|only| only == name.as_str()))
        .filter(|(_, defined)| defined.definition.queries != Default::default())
        .map(|(_, defined)| Arc::new(defined.definition.clone()));
    Ok(own.collect())
}

/// The labels that a summary may be taken apart by.
fn apart_by(
    params: &Params,
    usual: Option<&'static str>,
) -> Result<Option<&'static str>, ApiError> {
    const LABELS: [&str; 5] = ["feature", "provider", "model", "experiment", "variant"];
    let Some(asked) = params.get("by") else { return Ok(usual) };
    let known = LABELS.into_iter().find(|label| *label == asked);
    known.map(Some).ok_or_else(|| ApiError::parameter("by", format!("is one of {LABELS:?}")))
}

/// The figures of a subject by the values of another label.
async fn taken_apart(
    app: &Arc<App>,
    params: &Params,
    window: Window,
    by: &'static str,
    subject: (&str, &str),
) -> Result<Value, ApiError> {
    let (parts, _) = figures(app, params, window, by, &[subject], Vec::new()).await?;
    let parts: Vec<Value> = parts
        .into_iter()
        .map(|(value, figures)| {
            let mut shown = json!(figures.show(window.millis));
            shown[by] = value.into();
            shown
        })
        .collect();
    Ok(parts.into())
}

/// `GET /api/v1/features/summary?window=1h&at=`: of all, by name.
pub(super) async fn of_features(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    let own = with_queries(&app, None)?;
    of_all::<FeatureDefinition>(&app, &params, "feature", own, Subject::feature).await
}

/// `GET /api/v1/providers/summary?window=1h&at=`: of all, by name.
pub(super) async fn of_providers(State(app): State<Arc<App>>, request: Request) -> Answered {
    let params = read_params(&app, request).await?;
    of_all::<ProviderDefinition>(&app, &params, "provider", Vec::new(), Subject::provider).await
}

async fn of_all<T: Seen>(
    app: &Arc<App>,
    params: &Params,
    label: &'static str,
    own: Vec<Arc<FeatureDefinition>>,
    subject: fn(&App, &str) -> Result<Subject, ApiError>,
) -> Answered {
    let window = Window::read(app, params).await?;
    let (mut known, mut problems) = figures(app, params, window, label, &[], own).await?;
    let around = Around::read(app, label, None, window).await?;
    let mut names = seen::<T>(app)?;
    names.extend(T::all(&app.engine()?.catalog).list().keys().map(Name::to_string));
    names.extend(known.keys().cloned());
    let mut summaries = Vec::with_capacity(names.len());
    for name in names {
        let figures = known.remove(&name).unwrap_or_default();
        let problems = problems.remove(&name).unwrap_or_default();
        summaries.push(around.summary(subject(app, &name)?, window, figures, problems));
    }
    Ok(success(&summaries))
}

/// `GET /api/v1/features/{name}/summary?window=1h&at=&by=model`: of one; with `by`, also taken
/// apart by a label.
pub(super) async fn of_feature(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    if !exists::<FeatureDefinition>(&app, &name)? {
        return Err(absent("feature", &name));
    }
    let by = apart_by(&params, None)?;
    let own = with_queries(&app, Some(&name))?;
    let subject = Subject::feature(&app, &name)?;
    of_one(&app, &params, ("feature", subject), own, by).await
}

/// `GET /api/v1/providers/{name}/summary?window=1h&at=&by=`: of one, taken apart by model unless
/// `by` says otherwise.
pub(super) async fn of_provider(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let params = read_params(&app, request).await?;
    if !exists::<ProviderDefinition>(&app, &name)? {
        return Err(absent("provider", &name));
    }
    let by = apart_by(&params, Some("model"))?;
    let subject = Subject::provider(&app, &name)?;
    of_one(&app, &params, ("provider", subject), Vec::new(), by).await
}

async fn of_one(
    app: &Arc<App>,
    params: &Params,
    (label, subject): (&'static str, Subject),
    own: Vec<Arc<FeatureDefinition>>,
    by: Option<&'static str>,
) -> Answered {
    let window = Window::read(app, params).await?;
    let name = subject.name.clone();
    let matchers = [(label, name.as_str())];
    let (mut known, mut problems) = figures(app, params, window, label, &matchers, own).await?;
    let around = Around::read(app, label, Some(&name), window).await?;
    let figures = known.remove(&name).unwrap_or_default();
    let problems = problems.remove(&name).unwrap_or_default();
    let mut shown = json!(around.summary(subject, window, figures, problems));
    if let Some(by) = by {
        shown["by"] = by.into();
        shown["parts"] = taken_apart(app, params, window, by, (label, &name)).await?;
    }
    Ok(success(&shown))
}
