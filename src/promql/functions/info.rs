//! `info`: adds the labels of info metrics to the series that they describe (`promql/info.go`).

use std::collections::{BTreeMap, BTreeSet};

use hashbrown::HashMap;

use super::super::answer::QueryError;
use super::super::ast::{Call, Expr, VectorSelector};
use super::super::eval::{
    ABSENT, Grid, InfoSeries, Replay, Result, Run, StepSeries, Stream, collect, info_series,
    is_absent, merge_by_labels,
};
use super::super::print::braced;
use crate::model::{Labels, LabelsBuilder, METRIC_NAME, MatchOp, Matcher};

/// The labels that say which info series describes a series.
const IDENTIFYING: [&str; 2] = ["instance", "job"];
const TARGET_INFO: &str = "target_info";

/// What the second argument asks for.
struct Wanted {
    /// Which info metrics.
    names: Vec<Matcher>,
    /// Which of their labels; all where there are none.
    data: Vec<Matcher>,
}

impl Wanted {
    fn of(selector: Option<&VectorSelector>) -> Result<Self> {
        let all = selector.map_or(&[][..], |selector| selector.matchers.as_slice());
        let (mut names, data): (Vec<_>, Vec<_>) =
            all.iter().cloned().partition(|m| m.name() == METRIC_NAME);
        if selector.is_none() {
            names.push(target_info()?);
        }
        Ok(Wanted { names, data })
    }

    /// Whether a series is one of the info series itself: those stay as they are.
    fn is_info(&self, labels: &Labels) -> bool {
        let name = labels.metric_name().unwrap_or("");
        !self.names.is_empty() && self.names.iter().all(|m| m.matches(name))
    }

    fn wants(&self, label: &str) -> bool {
        self.data.is_empty() || self.data.iter().any(|m| m.name() == label)
    }

    /// Whether a series that no info series describes stays.
    fn allows_none(&self) -> bool {
        self.data.iter().all(|m| m.matches(""))
    }
}

fn target_info() -> Result<Matcher> {
    Matcher::new(METRIC_NAME, MatchOp::Equal, TARGET_INFO)
        .map_err(|error| QueryError::Execution(error.to_string()))
}

/// `info(v, selector)`.
pub(in crate::promql) fn enrich<'r>(
    run: &'r Run<'r>,
    call: &'r Call,
    stream: Stream<'r>,
    grid: Grid,
) -> Result<Stream<'r>> {
    let selector = match call.args.get(1).map(Expr::unwrap_parens) {
        Some(Expr::Vector(selector)) => Some(selector),
        _ => None,
    };
    let wanted = Wanted::of(selector)?;
    let base = collect(run, stream)?;
    let ignored: Vec<bool> = base.series.iter().map(|s| wanted.is_info(&s.labels)).collect();
    let described = base.series.iter().zip(&ignored).filter(|(_, ignored)| !**ignored);
    let identities = identities(described.map(|(series, _)| &series.labels));
    let mut held = run.hold(0)?;
    let infos = if identities.is_empty() {
        Vec::new()
    } else {
        let mut matchers = wanted.names.clone();
        if matchers.is_empty() {
            matchers.push(target_info()?);
        }
        matchers.extend(wanted.data.iter().cloned());
        let fits = |labels: &Labels| {
            identities
                .iter()
                .all(|(name, values)| labels.get(name).is_some_and(|value| values.contains(value)))
        };
        info_series(run, matchers, call.args.first(), grid, fits, &mut held)?
    };
    let current = Current::of(&infos, grid)?;
    let mut enriched = Vec::with_capacity(base.series.len());
    for (series, ignored) in base.series.into_iter().zip(ignored) {
        run.check()?;
        if ignored {
            enriched.push(series);
        } else {
            add_labels(series, &wanted, &infos, &current, &mut enriched)?;
        }
    }
    Ok(Replay::stream(merge_by_labels(enriched)?, base.held))
}

/// The values that identifying labels have, for those that have any.
fn identities<'l>(
    series: impl Iterator<Item = &'l Labels>,
) -> BTreeMap<&'static str, BTreeSet<&'l str>> {
    let mut found: BTreeMap<&'static str, BTreeSet<&'l str>> = BTreeMap::new();
    for labels in series {
        for name in IDENTIFYING {
            if let Some(value) = labels.get(name) {
                found.entry(name).or_default().insert(value);
            }
        }
    }
    found
}

/// Which info series holds for an identity at each step.
struct Current {
    /// By metric name, in order, and then by identity: a place in the list of info series per
    /// step.
    names: BTreeMap<String, HashMap<Labels, Vec<Option<usize>>>>,
}

fn identity(labels: &Labels) -> Labels {
    labels.without(|name| !IDENTIFYING.contains(&name))
}

impl Current {
    /// The newest sample wins; two of the same time contradict each other.
    fn of(infos: &[InfoSeries], grid: Grid) -> Result<Self> {
        let mut names: BTreeMap<String, HashMap<Labels, Vec<Option<usize>>>> = BTreeMap::new();
        for (place, info) in infos.iter().enumerate() {
            let name = info.labels.metric_name().unwrap_or("").to_owned();
            let steps = names
                .entry(name)
                .or_default()
                .entry(identity(&info.labels))
                .or_insert_with(|| vec![None; grid.len]);
            for (step, slot) in steps.iter_mut().enumerate() {
                let Some(at) = info.time(step) else { continue };
                let earlier = slot.and_then(|other| infos.get(other));
                let before = earlier.and_then(|other| Some((other, other.time(step)?)));
                match before {
                    Some((other, time)) if time == at => {
                        return Err(QueryError::Execution(format!(
                            "found duplicate series for info metric: existing {} @ {time}, new {} \
                             @ {at}",
                            braced(&other.labels),
                            braced(&info.labels),
                        )));
                    }
                    Some((_, time)) if time > at => {}
                    _ => *slot = Some(place),
                }
            }
        }
        Ok(Current { names })
    }

    /// The info series for an identity at a step, at most one per metric name.
    fn at<'c>(&'c self, identity: &'c Labels, step: usize) -> impl Iterator<Item = usize> + 'c {
        self.names.values().filter_map(move |of| of.get(identity)?.get(step).copied().flatten())
    }
}

/// Adds to `out` what a series becomes by the info series of each step: as many series as there
/// are different sets of labels.
fn add_labels(
    series: StepSeries,
    wanted: &Wanted,
    infos: &[InfoSeries],
    current: &Current,
    out: &mut Vec<StepSeries>,
) -> Result<()> {
    let identity = identity(&series.labels);
    let mut parts: Vec<(Vec<usize>, Option<StepSeries>)> = Vec::new();
    for (step, value) in series.values.iter().enumerate() {
        if is_absent(*value) {
            continue;
        }
        let describing: Vec<usize> = current.at(&identity, step).collect();
        let place = match parts.iter().position(|(by, _)| *by == describing) {
            Some(place) => place,
            None => {
                let labels = described(&series.labels, wanted, infos, &describing)?;
                let part = labels.map(|labels| StepSeries {
                    labels,
                    drop_name: series.drop_name,
                    values: vec![ABSENT; series.values.len()],
                    histograms: series.histograms.clone(),
                });
                parts.push((describing, part));
                parts.len() - 1
            }
        };
        if let Some((_, Some(part))) = parts.get_mut(place) {
            part.values[step] = *value;
        }
    }
    for mut part in parts.into_iter().filter_map(|(_, part)| part) {
        for (histogram, value) in part.histograms.iter_mut().zip(&part.values) {
            if is_absent(*value) {
                *histogram = None;
            }
        }
        out.push(part);
    }
    Ok(())
}

/// The labels of a series with those of the info series; nothing where it is not wanted without.
fn described(
    labels: &Labels,
    wanted: &Wanted,
    infos: &[InfoSeries],
    describing: &[usize],
) -> Result<Option<Labels>> {
    if describing.is_empty() {
        return Ok(wanted.allows_none().then(|| labels.clone()));
    }
    let mut added: BTreeMap<&str, &str> = BTreeMap::new();
    for info in describing.iter().filter_map(|place| infos.get(*place)) {
        for (name, value) in info.labels.iter() {
            if name == METRIC_NAME || !wanted.wants(name) {
                continue;
            }
            if added.get(name).is_some_and(|other| *other != value) {
                return Err(QueryError::Execution(format!("conflicting label: {name}")));
            }
            if labels.get(name).is_none() {
                added.insert(name, value);
            }
        }
    }
    let mut builder = LabelsBuilder::new(labels);
    for (name, value) in added {
        builder.set(name, value);
    }
    builder.build().map(Some).map_err(|error| QueryError::Execution(error.to_string()))
}
