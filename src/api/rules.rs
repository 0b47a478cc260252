//! What is recorded and alerted on: `rules`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::Response;
use serde_json::{Map, Value, json};

use crate::engine::ruler::{LiveAlerting, LiveGroup};
use crate::model::{Labels, Matcher, Timestamp};
use crate::promql::parse_selector;
use crate::rules::{Rule, RuleKind, RuleState};

use super::ApiError;
use super::alerts::active_alerts;
use super::json::{seconds, success};
use super::params::Params;
use super::request::read_params;
use super::state::App;

/// What Prometheus shows for a rule that was never evaluated: Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// `/api/v1/rules`, in the shape of Prometheus (`web/api/v1/api.go`, `rules`).
pub(super) async fn rules(
    State(app): State<Arc<App>>,
    request: Request,
) -> Result<Response<Body>, ApiError> {
    let params = read_params(&app, request).await?;
    let wanted = Wanted::read(&params)?;
    let page = Page::read(&params)?;
    let ruler = &app.engine()?.ruler;
    ruler.settle().await;
    let mut groups: Vec<Arc<LiveGroup>> = ruler.list().to_vec();
    groups.sort_by(|a, b| (&a.file, &a.group.name).cmp(&(&b.file, &b.group.name)));
    groups.retain(|group| wanted.group(group));
    let start = page.start(&groups)?;
    let mut shown = Vec::new();
    let mut next = None;
    for group in &groups[start..] {
        let rules = wanted.rules(group);
        if rules.is_empty() && wanted.is_picky() {
            continue;
        }
        if page.limit.is_some_and(|limit| shown.len() == limit) {
            next = Some(token_of(group));
            break;
        }
        shown.push(group_json(group, rules));
    }
    let mut data = json!({ "groups": shown });
    if let Some(token) = next {
        data["groupNextToken"] = Value::from(token);
    }
    Ok(success(&data))
}

/// Which rules are asked for.
struct Wanted {
    alerting: bool,
    recording: bool,
    /// Whether alerts are shown with their rules.
    alerts: bool,
    names: Vec<String>,
    groups: Vec<String>,
    files: Vec<String>,
    matchers: Vec<Vec<Matcher>>,
}

impl Wanted {
    fn read(params: &Params) -> Result<Self, ApiError> {
        let kind = params.get("type").map(str::to_lowercase).unwrap_or_default();
        if !["", "alert", "record"].contains(&kind.as_str()) {
            let message = format!("not supported value {kind:?}");
            return Err(ApiError::parameter("type", message));
        }
        let alerts = match params.get("exclude_alerts") {
            None | Some("0" | "f" | "F" | "false" | "FALSE" | "False") => true,
            Some("1" | "t" | "T" | "true" | "TRUE" | "True") => false,
            Some(text) => {
                let message = format!("converting exclude_alerts: invalid value {text:?}");
                return Err(ApiError::parameter("exclude_alerts", message));
            }
        };
        let all = |name| params.all(name).map(str::to_owned).collect::<Vec<_>>();
        let matchers = params
            .all("match[]")
            .map(|text| parse_selector(text).map_err(|e| ApiError::parameter("match[]", e)))
            .collect::<Result<_, _>>()?;
        Ok(Wanted {
            alerting: kind != "record",
            recording: kind != "alert",
            alerts,
            names: all("rule_name[]"),
            groups: all("rule_group[]"),
            files: all("file[]"),
            matchers,
        })
    }

    /// Whether a group without rules that fit is left out.
    fn is_picky(&self) -> bool {
        !(self.alerting && self.recording && self.names.is_empty() && self.matchers.is_empty())
    }

    fn group(&self, live: &LiveGroup) -> bool {
        (self.groups.is_empty() || self.groups.contains(&live.group.name))
            && (self.files.is_empty() || self.files.contains(&live.file))
    }

    fn rules(&self, live: &LiveGroup) -> Vec<Value> {
        let state = live.state();
        let states = state.rules.iter().cloned().chain(std::iter::repeat(RuleState::default()));
        let fits = |rule: &Rule| {
            (if rule.is_alerting() { self.alerting } else { self.recording })
                && (self.names.is_empty() || self.names.contains(&rule.name))
                && (self.matchers.is_empty() || {
                    let labels = labels_of(rule);
                    let all = |set: &Vec<Matcher>| set.iter().all(|m| m.matches_labels(&labels));
                    self.matchers.iter().any(all)
                })
        };
        live.group
            .rules
            .iter()
            .enumerate()
            .zip(states)
            .filter(|((_, rule), _)| fits(rule))
            .map(|((place, rule), state)| {
                let alerting = live.alerting.get(place).and_then(Option::as_ref);
                self.rule_json(live, rule, &state, alerting)
            })
            .collect()
    }
}

/// A part of the groups.
struct Page {
    limit: Option<usize>,
    token: Option<String>,
}

impl Page {
    fn read(params: &Params) -> Result<Self, ApiError> {
        let token = params.get("group_next_token").map(str::to_owned);
        let limit = match params.get("group_limit") {
            None if token.is_some() => {
                let message =
                    "group_limit needs to be present when paginating with group_next_token";
                return Err(ApiError::parameter("group_limit", message));
            }
            None => None,
            Some(text) => match text.parse::<usize>() {
                Ok(limit) if limit > 0 => Some(limit),
                _ => {
                    let message = "group_limit needs to be a whole number greater than 0";
                    return Err(ApiError::parameter("group_limit", message));
                }
            },
        };
        Ok(Page { limit, token })
    }

    fn start(&self, groups: &[Arc<LiveGroup>]) -> Result<usize, ApiError> {
        let Some(token) = &self.token else { return Ok(0) };
        groups.iter().position(|group| token_of(group) == *token).ok_or_else(|| {
            let message = format!("invalid group_next_token '{token}'. were rule groups changed?");
            ApiError::parameter("group_next_token", message)
        })
    }
}

fn token_of(live: &LiveGroup) -> String {
    let hash = xxhash_rust::xxh3::xxh3_128(format!("{};{}", live.file, live.group.name).as_bytes());
    format!("{hash:032x}")
}

/// Labels of a rule, templates as they are written; one whose value is empty takes a label away
/// and is none itself.
fn labels_of(rule: &Rule) -> Labels {
    Labels::from_pairs(rule.labels.iter().map(|(n, v)| (n, v))).unwrap_or_default()
}

fn time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| NEVER.to_owned(), |at| at.to_string())
}

fn group_json(live: &LiveGroup, rules: Vec<Value>) -> Value {
    let state = live.state();
    let mut shown = json!({
        "name": live.group.name,
        "file": live.file,
        "rules": rules,
        "interval": seconds(live.interval_ms),
        "limit": live.group.limit,
        "evaluationTime": state.evaluation_time.as_secs_f64(),
        "lastEvaluation": time(state.last_evaluation),
    });
    if let Some(defined) = &live.defined {
        shown["origin"] = json!(defined.origin);
    }
    shown
}

impl Wanted {
    /// A rule in Prometheus's shape; ours have more.
    fn rule_json(
        &self,
        live: &LiveGroup,
        rule: &Rule,
        state: &RuleState,
        alerting: Option<&LiveAlerting>,
    ) -> Value {
        let mut shown = rule_json(rule, state);
        let Some(alerting) = alerting else { return shown };
        shown["state"] = alerting.states().state().as_str().into();
        if self.alerts {
            shown["alerts"] = active_alerts(alerting).into();
        }
        if let Some(defined) = &live.defined {
            let definition = &defined.definition;
            shown["origin"] = json!(defined.origin);
            shown["mode"] = json!(definition.mode);
            shown["severity"] = json!(definition.severity);
            shown["channels"] = json!(definition.channels);
            shown["cooldown"] = seconds(alerting.rule.cooldown_ms);
            shown["description"] = json!(definition.description);
            if let Some(metric) = alerting.waiting_for() {
                shown["waitingFor"] = metric.into();
            }
        }
        shown
    }
}

fn rule_json(rule: &Rule, state: &RuleState) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Value| out.insert(name.to_owned(), value);
    // As they are written: one whose value is empty takes a label away, and is shown too.
    let labels: Map<String, Value> =
        rule.labels.iter().map(|(n, v)| (n.clone(), v.as_str().into())).collect();
    match &rule.kind {
        RuleKind::Recording => {
            put("name", rule.name.as_str().into());
            put("query", rule.query.as_str().into());
            if !labels.is_empty() {
                put("labels", Value::Object(labels));
            }
        }
        RuleKind::Alerting { for_ms, keep_firing_for_ms, annotations } => {
            let annotations: Map<String, Value> =
                annotations.iter().map(|(n, v)| (n.clone(), v.as_str().into())).collect();
            put("state", "inactive".into());
            put("name", rule.name.as_str().into());
            put("query", rule.query.as_str().into());
            put("duration", seconds(*for_ms));
            put("keepFiringFor", seconds(*keep_firing_for_ms));
            put("labels", Value::Object(labels));
            put("annotations", Value::Object(annotations));
            put("alerts", json!([]));
        }
    }
    put("health", state.health.as_str().into());
    if !state.last_error.is_empty() {
        put("lastError", state.last_error.as_str().into());
    }
    put("evaluationTime", json!(state.evaluation_time.as_secs_f64()));
    put("lastEvaluation", time(state.last_evaluation).into());
    put("type", if rule.is_alerting() { "alerting" } else { "recording" }.into());
    Value::Object(out)
}
