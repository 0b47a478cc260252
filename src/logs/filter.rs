//! Which lines somebody wants.

use crate::model::{LogLevels, LogLine, Timestamp};

use super::TextMatch;

/// Which lines somebody wants: those that pass every part of it.
#[derive(Clone, Debug)]
pub struct LogFilter {
    /// From this time on.
    pub from: Option<Timestamp>,
    /// Before this time.
    pub until: Option<Timestamp>,
    /// Of these levels.
    pub levels: LogLevels,
    /// Of any of these sources; none stand for all, and an empty text for lines without one.
    pub sources: Vec<String>,
    /// Of any of these features, likewise.
    pub features: Vec<String>,
    /// Of any of these environments, likewise.
    pub environments: Vec<String>,
    /// Of this trace.
    pub trace_id: Option<String>,
    /// About this user.
    pub user_id: Option<String>,
    /// With this text.
    pub text: Option<TextMatch>,
}

impl Default for LogFilter {
    /// All lines.
    fn default() -> Self {
        LogFilter {
            from: None,
            until: None,
            levels: LogLevels::ALL,
            sources: Vec::new(),
            features: Vec::new(),
            environments: Vec::new(),
            trace_id: None,
            user_id: None,
            text: None,
        }
    }
}

impl LogFilter {
    /// Whether the line is one of them.
    pub fn matches(&self, line: &LogLine) -> bool {
        let is_any = |wanted: &[String], found: &str| {
            wanted.is_empty() || wanted.iter().any(|one| one == found)
        };
        self.contains_time(line.time)
            && self.levels.contains(line.level)
            && is_any(&self.sources, &line.source)
            && is_any(&self.features, &line.feature)
            && is_any(&self.environments, &line.environment)
            && self.trace_id.as_ref().is_none_or(|wanted| *wanted == line.trace_id)
            && self.user_id.as_ref().is_none_or(|wanted| *wanted == line.user_id)
            && self.text.as_ref().is_none_or(|text| {
                text.is_match(line.message.as_bytes())
                    || text.is_match(line.metadata.as_json().as_bytes())
            })
    }

    /// Whether a time is among those that are wanted.
    pub(super) fn contains_time(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| time >= from) && self.until.is_none_or(|until| time < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{LogLevel, LogMetadata};

    #[test]
    fn a_line_must_pass_every_part() {
        let line = LogLine {
            time: Timestamp::from_millis(100),
            level: LogLevel::Warn,
            message: "disk is slow".to_owned(),
            source: "db".to_owned(),
            metadata: LogMetadata::from_stored(r#"{"disk":"sda"}"#.to_owned()),
            ..LogLine::default()
        };
        let all = LogFilter::default;
        let time = |ms| Some(Timestamp::from_millis(ms));
        let text = |text| Some(TextMatch::substring(text, true));
        for filter in [
            all(),
            LogFilter { from: time(100), until: time(101), ..all() },
            LogFilter { levels: LogLevels::from_level_up(LogLevel::Warn), ..all() },
            LogFilter { sources: vec!["api".to_owned(), "db".to_owned()], ..all() },
            LogFilter { features: vec![String::new()], ..all() },
            LogFilter { text: text("SLOW"), ..all() },
            LogFilter { text: text("sda"), ..all() },
        ] {
            assert!(filter.matches(&line), "{filter:?}");
        }
        for filter in [
            LogFilter { from: time(101), ..all() },
            LogFilter { until: time(100), ..all() },
            LogFilter { levels: LogLevels::NONE.with(LogLevel::Error), ..all() },
            LogFilter { sources: vec!["api".to_owned()], ..all() },
            LogFilter { environments: vec!["production".to_owned()], ..all() },
            LogFilter { trace_id: Some("1".to_owned()), ..all() },
            LogFilter { user_id: Some("1".to_owned()), ..all() },
            LogFilter { text: text("sdb"), ..all() },
            // Nothing is found half in the message and half in the metadata.
            LogFilter { text: text("slow{"), ..all() },
        ] {
            assert!(!filter.matches(&line), "{filter:?}");
        }
    }
}
