//! What a client wants: topics, and which of their events.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use serde::Deserialize;

use crate::api::ApiError;
use crate::api::logs::{Values, WantedLines, Wrong};
use crate::api::params::Params;
use crate::engine::feed::{Event, Topic, Topics};
use crate::logs::LogFilter;
use crate::model::StoredLine;

/// Log lines that a client is sent at once, the newest: nobody reads more, and a flood of them
/// must not keep other events waiting.
const LINES_MAX: usize = 500;

/// What a client wants.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    topics: Topics,
    /// Events of other topics than logs: of these subjects alone, where there are any.
    names: BTreeMap<Topic, BTreeSet<String>>,
    logs: LogFilter,
    /// Whether every line passes, so that all who follow may share a frame.
    all_lines: bool,
}

impl Default for Subscription {
    /// Everything but log lines: those are many, and must be asked for.
    fn default() -> Self {
        Subscription {
            topics: Topics::ALL.without(Topic::Logs),
            names: BTreeMap::new(),
            logs: LogFilter::default(),
            all_lines: true,
        }
    }
}

/// Which events of another topic.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct WantedNames {
    name: Values,
}

/// What a client says on a WebSocket.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Said {
    subscribe: Vec<String>,
    unsubscribe: Vec<String>,
    filter: BTreeMap<String, serde_json::Value>,
}

fn topic(name: &str) -> Result<Topic, String> {
    Topic::from_name(name).ok_or_else(|| {
        let all = Topic::ALL.map(Topic::as_str).join(", ");
        format!("{name:?} is no topic; there are {all}")
    })
}

impl Subscription {
    /// What the query string says: `topics=checks,logs` and the filter of log lines.
    pub(super) fn of_params(params: &Params) -> Result<Subscription, ApiError> {
        let mut subscription = Subscription::default();
        let named: Vec<&str> = params.all("topics").flat_map(|text| text.split(',')).collect();
        if !named.is_empty() {
            subscription.topics = Topics::NONE;
            for name in named.into_iter().map(str::trim).filter(|name| !name.is_empty()) {
                let topic = topic(name).map_err(|error| ApiError::parameter("topics", error))?;
                subscription.topics = subscription.topics.with(topic);
            }
        }
        subscription.want_lines(WantedLines::of_params(params)?)?;
        let names = Values::Many(params.all("name").map(str::to_owned).collect());
        let names = names.list().map_err(|error| ApiError::parameter("name", error))?;
        if !names.is_empty() {
            let names: BTreeSet<String> = names.into_iter().collect();
            let all = Topic::ALL.into_iter().filter(|topic| *topic != Topic::Logs);
            subscription.names = all.map(|topic| (topic, names.clone())).collect();
        }
        Ok(subscription)
    }

    /// Takes up what a client says; nothing of it where something is wrong with it.
    pub(super) fn change(&mut self, text: &str) -> Result<(), String> {
        let said: Said = serde_json::from_str(text)
            .map_err(|error| format!("expected {{\"subscribe\":[…]}} and the like: {error}"))?;
        let mut after = self.clone();
        for name in &said.subscribe {
            after.topics = after.topics.with(topic(name)?);
        }
        for name in &said.unsubscribe {
            after.topics = after.topics.without(topic(name)?);
        }
        for (name, wanted) in said.filter {
            let topic = topic(&name)?;
            let invalid = |error| format!("filter.{name}: {error}");
            if topic == Topic::Logs {
                let wanted = serde_json::from_value(wanted).map_err(invalid)?;
                after
                    .want_lines(wanted)
                    .map_err(|wrong| format!("filter.{name}: {}: {}", wrong.field, wrong.reason))?;
            } else {
                let wanted: WantedNames = serde_json::from_value(wanted).map_err(invalid)?;
                let names = wanted.name.list();
                let names = names.map_err(|error| format!("filter.{name}: name: {error}"))?;
                after.names.insert(topic, names.into_iter().collect());
            }
        }
        *self = after;
        Ok(())
    }

    fn want_lines(&mut self, wanted: WantedLines) -> Result<(), Wrong> {
        self.all_lines = wanted.is_all();
        self.logs = wanted.filter()?;
        Ok(())
    }

    /// The topics, as the feed knows them.
    pub(super) fn feed_topics(&self) -> Topics {
        self.topics
    }

    /// The names of the topics.
    pub(super) fn topics(&self) -> Vec<&'static str> {
        let all = Topic::ALL.into_iter().filter(|topic| self.topics.contains(*topic));
        all.map(Topic::as_str).collect()
    }

    /// The frames of events, as far as they are wanted. Of log lines, the newest that there is
    /// room for.
    pub(super) fn frames(&self, events: &[Arc<Event>]) -> Vec<(u64, Bytes)> {
        let mut room = LINES_MAX;
        let mut frames = Vec::with_capacity(events.len());
        // From the end: where there is no room for all lines, it is the newest that are sent.
        for event in events.iter().rev() {
            let frame = if event.fact.topic == Topic::Logs {
                self.lines(event, &mut room)
            } else {
                let names = self.names.get(&event.fact.topic).filter(|names| !names.is_empty());
                let wanted = names.is_none_or(|names| names.contains(&event.fact.subject.0));
                wanted.then(|| event.frame())
            };
            frames.extend(frame.map(|frame| (event.id, frame)));
        }
        frames.reverse();
        frames
    }

    fn lines(&self, event: &Event, room: &mut usize) -> Option<Bytes> {
        let lines = &event.fact.lines;
        if self.all_lines && lines.len() <= *room {
            *room -= lines.len();
            return (!lines.is_empty()).then(|| event.frame());
        }
        let wanted: Vec<&StoredLine> =
            lines.iter().filter(|stored| self.logs.matches(&stored.line)).collect();
        if wanted.is_empty() {
            return None;
        }
        let skipped = wanted.len().saturating_sub(*room);
        *room -= wanted.len() - skipped;
        Some(event.frame_of(wanted.into_iter().skip(skipped), skipped))
    }
}
