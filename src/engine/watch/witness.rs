//! What log lines say about an alert at the moment at which its incident opens.

use std::time::{Duration, Instant};

use crate::engine::logs::{LogFilter, LogQuery, Logs, Order};
use crate::incidents::cut;
use crate::model::{INSTANCE_LABEL, JOB_LABEL, Labels, LogLevel, LogLevels, StoredLine, Timestamp};

/// Lines of one incident, at most.
const LINES_MAX: usize = 20;
/// How far back lines are looked for, in milliseconds.
const WINDOW_MS: i64 = 300_000;
/// The longest line, in bytes.
const LINE_BYTES_MAX: usize = 1000;
/// How long the keeper may look for the lines of one incident: a breach does not wait for them.
const PATIENCE: Duration = Duration::from_millis(100);
/// Labels that name who wrote lines, the most telling first.
const SOURCE_LABELS: [&str; 2] = ["source", "service"];
/// Labels of something that may write lines under its own name, beside those of its feature.
const NAME_LABELS: [&str; 3] = [JOB_LABEL, "check", INSTANCE_LABEL];
const FEATURE_LABEL: &str = "feature";

/// Who can say what happened. Asked by the keeper while it decides, so an answer must come soon
/// and may be empty.
pub trait Witness: Send + Sync {
    /// What was written lately about that which has these labels: one text per line, the oldest
    /// first.
    fn lines(&self, labels: &Labels, now: Timestamp) -> Vec<String>;
}

impl Witness for Logs {
    fn lines(&self, labels: &Labels, now: Timestamp) -> Vec<String> {
        let deadline = Instant::now() + PATIENCE;
        let stop = || Instant::now() >= deadline;
        let mut found: Vec<StoredLine> = Vec::new();
        for filter in filters(labels, now) {
            let query = LogQuery { filter, order: Order::Newest, after: None, limit: LINES_MAX };
            match self.query(&query, &stop) {
                Ok(page) => found.extend(page.lines),
                // An incident without lines is better than none, or a late one.
                Err(error) => tracing::debug!(%error, "an incident goes without log lines"),
            }
        }
        found.sort_by_key(|line| line.id);
        found.dedup_by_key(|line| line.id);
        let excess = found.len().saturating_sub(LINES_MAX);
        found.drain(..excess);
        found.iter().map(shown).collect()
    }
}

/// Which lines belong to these labels; lines of any of the filters do. An alert that names who
/// wrote lines gets theirs; else those of its feature, and those that its job, check or instance
/// wrote.
fn filters(labels: &Labels, now: Timestamp) -> Vec<LogFilter> {
    let lately = || LogFilter {
        from: Some(now.plus_millis(-WINDOW_MS)),
        // What was written at this very moment is part of it.
        until: Some(now.plus_millis(1)),
        levels: LogLevels::from_level_up(LogLevel::Warn),
        ..LogFilter::default()
    };
    let values = |names: &[&str]| -> Vec<String> {
        let given = names.iter().filter_map(|name| labels.get(name));
        given.filter(|value| !value.is_empty()).map(str::to_owned).collect()
    };
    let sources = values(&SOURCE_LABELS);
    if !sources.is_empty() {
        return vec![LogFilter { sources, ..lately() }];
    }
    let mut all = Vec::new();
    let features = values(&[FEATURE_LABEL]);
    if !features.is_empty() {
        all.push(LogFilter { features, ..lately() });
    }
    let mut sources = values(&NAME_LABELS);
    if let Some(host) = labels.get(INSTANCE_LABEL).and_then(host_of) {
        sources.push(host.to_owned());
    }
    if !sources.is_empty() {
        all.push(LogFilter { sources, ..lately() });
    }
    all
}

/// The host of `host:port` or of a URL; `None` where it is all there is.
fn host_of(instance: &str) -> Option<&str> {
    let rest = instance.split_once("://").map_or(instance, |(_, rest)| rest);
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        // An IPv6 address.
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    (host != instance && !host.is_empty()).then_some(host)
}

/// `2026-01-01T00:00:00.000Z ERROR payments: card declined`
fn shown(stored: &StoredLine) -> String {
    let line = &stored.line;
    let level = line.level.as_str().to_ascii_uppercase();
    let source = if line.source.is_empty() { "" } else { &format!(" {}:", line.source) };
    let text = format!("{} {level}{source} {}", line.time, line.message);
    cut(&text, LINE_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LogId, LogLine};

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn belongs(labels: &[(&str, &str)], line: &LogLine) -> bool {
        let labels = Labels::from_pairs(labels.iter().copied()).expect("valid");
        filters(&labels, NOW).iter().any(|filter| filter.matches(line))
    }

    fn line(source: &str, feature: &str) -> LogLine {
        LogLine {
            time: NOW,
            level: LogLevel::Error,
            source: source.to_owned(),
            feature: feature.to_owned(),
            ..LogLine::default()
        }
    }

    #[test]
    fn lines_belong_to_an_alert_by_what_its_labels_name() {
        for (labels, expected) in [
            // Who wrote them decides alone.
            ([("source", "payments"), ("feature", "checkout")], [true, false, false]),
            ([("service", "payments"), ("job", "shop")], [true, false, false]),
            ([("feature", "checkout"), ("job", "shop")], [true, true, true]),
            ([("feature", "search"), ("job", "shop")], [false, false, true]),
            ([("instance", "http://shop:80/health"), ("a", "b")], [false, false, true]),
            ([("instance", "shop:80"), ("a", "b")], [false, false, true]),
            ([("check", "shop"), ("a", "b")], [false, false, true]),
            ([("a", "b"), ("alertname", "payments")], [false, false, false]),
        ] {
            let lines =
                [line("payments", "checkout"), line("basket", "checkout"), line("shop", "")];
            assert_eq!(lines.map(|line| belongs(&labels, &line)), expected, "{labels:?}");
        }
    }

    #[test]
    fn only_what_is_bad_and_of_the_last_minutes_is_taken() {
        let labels = [("source", "payments")];
        let at = |ms, level| LogLine { time: NOW.plus_millis(ms), level, ..line("payments", "") };
        assert!(belongs(&labels, &at(-WINDOW_MS, LogLevel::Warn)));
        assert!(!belongs(&labels, &at(-WINDOW_MS - 1, LogLevel::Warn)));
        assert!(!belongs(&labels, &at(1, LogLevel::Warn)));
        assert!(!belongs(&labels, &at(0, LogLevel::Info)));
    }

    #[test]
    fn hosts_are_found_in_addresses() {
        for (instance, host) in [
            ("db-1:9100", Some("db-1")),
            ("https://[::1]:80/x", Some("::1")),
            ("https://shop.example/x", Some("shop.example")),
            ("db-1", None),
        ] {
            assert_eq!(host_of(instance), host, "{instance}");
        }
    }

    #[test]
    fn a_line_is_shown_as_people_read_it_and_not_at_any_length() {
        let message = "ü".repeat(2000);
        let line = LogLine { message, ..line("payments", "") };
        let text = shown(&StoredLine { id: LogId::default(), line });
        assert!(text.starts_with("2026-01-01T00:00:00.000Z ERROR payments: üü"), "{text}");
        assert!(text.len() <= LINE_BYTES_MAX + '…'.len_utf8());
    }
}
