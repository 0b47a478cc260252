//! What is said, before any service's form is put on it.

use crate::model::{NotificationReason, NotifiedAlert, Severity};
use crate::notify::Outgoing;

use super::cut::cut_chars;
use super::words::{duration_words, number_words, span_words, time_words};

/// What is said of one alert.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Whether it fires.
    pub firing: bool,
    /// How bad it is.
    pub severity: Severity,
    /// The incident's title, and the summary where it says more.
    pub headline: String,
    /// Value, since when, how long it took, who has it.
    pub facts: Vec<String>,
    /// More than a line, where somebody wrote it.
    pub description: String,
    /// Where to read what to do.
    pub runbook: String,
    /// Where to look at it; empty when there is no place.
    pub link: String,
}

impl Line {
    /// All of it in one line of plain text, without links.
    pub fn plain(&self) -> String {
        format!("{} {}", self.mark(), self.unmarked())
    }

    /// The same without the mark.
    pub fn unmarked(&self) -> String {
        if self.facts.is_empty() {
            return self.headline.clone();
        }
        format!("{} · {}", self.headline, self.facts.join(" · "))
    }

    /// A sign for people who skim.
    pub fn mark(&self) -> &'static str {
        match (self.firing, self.severity) {
            (false, _) => "✅",
            (true, Severity::Critical) => "🔴",
            (true, Severity::Warning) => "🟠",
            (true, Severity::Info) => "🔵",
        }
    }
}

/// What is said of a notification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `[FIRING:2] Name (severity)`
    pub title: String,
    /// Why it is said again or here, in a sentence; often empty.
    pub intro: String,
    /// Per alert; those that fire first.
    pub lines: Vec<Line>,
    /// Alerts that are not among the lines.
    pub hidden: u64,
    /// Whether anything fires.
    pub firing: bool,
    /// The worst of what fires, or of what ended when nothing does.
    pub severity: Severity,
    /// Where people find vedette; may be empty.
    pub link: String,
}

impl Message {
    /// Words a notification.
    pub fn of(outgoing: &Outgoing) -> Self {
        let notification = &outgoing.notification;
        let alerts = &notification.alerts;
        let firing = alerts.iter().filter(|a| a.firing).count();
        let considered = alerts.iter().filter(|a| a.firing == (firing > 0));
        let severity = considered.map(|a| a.severity).max().unwrap_or(Severity::Info);
        let lines = alerts.iter().map(|alert| line(outgoing, alert)).collect();
        Message {
            title: title(outgoing, firing, severity),
            intro: intro(outgoing),
            lines,
            hidden: notification.truncated,
            firing: firing > 0,
            severity,
            link: notification.external_url.clone(),
        }
    }

    /// Introduction and lines as plain text.
    pub fn paragraphs(&self) -> Vec<String> {
        let intro = (!self.intro.is_empty()).then(|| self.intro.clone());
        intro.into_iter().chain(self.lines.iter().map(Line::plain)).collect()
    }

    /// Where a reader is led: the only alert's place, or vedette's.
    pub fn best_link(&self) -> &str {
        match self.lines.as_slice() {
            [only] if !only.link.is_empty() => &only.link,
            _ => &self.link,
        }
    }
}

fn title(outgoing: &Outgoing, firing: usize, severity: Severity) -> String {
    let status = match (outgoing.is_test(), firing) {
        (true, _) => "[TEST]".to_owned(),
        (false, 0) => "[RESOLVED]".to_owned(),
        (false, count) => {
            format!("[FIRING:{}]", count as u64 + outgoing.notification.truncated)
        }
    };
    format!("{status} {} ({})", subject(outgoing, firing > 0), severity.as_str())
}

/// What the notification is about: the title that all alerts share, or what groups them.
fn subject(outgoing: &Outgoing, firing: bool) -> String {
    let notification = &outgoing.notification;
    let mut shown = notification.alerts.iter().filter(|a| a.firing == firing);
    let Some(first) = shown.next() else { return notification.group_key.clone() };
    if shown.clone().all(|a| a.title == first.title) {
        return first.title.clone();
    }
    let named = notification.group_labels.get("alertname");
    let common = || {
        let name = first.labels.get("alertname")?;
        shown.clone().all(|a| a.labels.get("alertname") == Some(name)).then_some(name)
    };
    match named.or_else(common) {
        Some(name) => name.to_owned(),
        None => format!("{} and {} more", first.title, shown.count()),
    }
}

fn intro(outgoing: &Outgoing) -> String {
    let reason = match outgoing.notification.reason {
        NotificationReason::Test => "This is a test: nothing is wrong.",
        NotificationReason::Escalation => "Nobody has acknowledged this yet.",
        NotificationReason::Fallback => "Told here because another channel cannot be reached.",
        NotificationReason::Repeat => "This goes on.",
        NotificationReason::Firing | NotificationReason::Resolved => "",
    };
    if outgoing.joined == 0 {
        return reason.to_owned();
    }
    let late = "Told late, because this channel could not be reached.";
    if reason.is_empty() { late.to_owned() } else { format!("{reason} {late}") }
}

fn line(outgoing: &Outgoing, alert: &NotifiedAlert) -> Line {
    let now = outgoing.decided_at;
    let mut facts = Vec::new();
    match (alert.firing, alert.ends_at) {
        (true, _) => {
            if let Some(value) = alert.value {
                facts.push(format!("value {}", number_words(value)));
            }
            let mut since = format!("since {}", time_words(alert.starts_at, now));
            if outgoing.notification.reason != NotificationReason::Firing {
                let lasted = duration_words(now.since(alert.starts_at));
                since.push_str(&format!(" ({lasted})"));
            }
            facts.push(since);
            if let Some(by) = &alert.acknowledged_by {
                facts.push(format!("acknowledged by {by}"));
            }
        }
        (false, Some(ended)) => {
            let span = span_words(alert.starts_at, ended, now);
            let lasted = duration_words(ended.since(alert.starts_at));
            facts.push(match outgoing.unannounced.contains(&alert.key) {
                true => format!("down {span}, now up ({lasted})"),
                false => format!("resolved after {lasted} ({span})"),
            });
        }
        (false, None) => facts.push("resolved".to_owned()),
    }
    let text = |name: &str| {
        let found = alert.annotations.iter().find(|(n, _)| n == name);
        found.map_or("", |(_, text)| text.trim())
    };
    let summary = text("summary");
    let title = alert.title.trim();
    let headline = match (title, summary) {
        ("", "") => alert.labels.get("alertname").unwrap_or("alert").to_owned(),
        (title, "") => title.to_owned(),
        ("", summary) => summary.to_owned(),
        (title, summary) if title == summary || title.contains(summary) => title.to_owned(),
        (title, summary) => format!("{title}: {summary}"),
    };
    let external = outgoing.notification.external_url.trim_end_matches('/');
    let link = match (external, alert.incident.is_nil()) {
        ("", _) | (_, true) => alert.generator_url.clone(),
        (external, false) => format!("{external}/incidents/{}", alert.incident),
    };
    Line {
        firing: alert.firing,
        severity: alert.severity,
        headline: one_line(&headline),
        facts,
        description: text("description").to_owned(),
        runbook: text("runbook_url").to_owned(),
        link,
    }
}

/// A headline is cut here, in characters: one alert must not take the room of all others.
const HEADLINE_CHARS_MAX: usize = 300;

/// A line stays one: what people write into annotations may have several.
fn one_line(text: &str) -> String {
    cut_chars(&text.split_whitespace().collect::<Vec<_>>().join(" "), HEADLINE_CHARS_MAX)
}
