//! Log lines.

use std::fmt;
use std::str::FromStr;

use super::Timestamp;

/// How bad a log line is. Ordered: what is worse is greater.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LogLevel {
    /// For those who look for a fault; `trace` is taken as this.
    Debug = 0,
    /// What happens.
    #[default]
    Info = 1,
    /// Something to look at some day; `notice` is taken as [`LogLevel::Info`].
    Warn = 2,
    /// Something failed.
    Error = 3,
    /// Something failed for good; `critical`, `alert`, `emergency` and `panic` are taken as this.
    Fatal = 4,
}

impl LogLevel {
    /// All of them, the mildest first.
    pub const ALL: [LogLevel; 5] =
        [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error, LogLevel::Fatal];

    /// `debug`, `info`, `warn`, `error` or `fatal`.
    pub const fn as_str(self) -> &'static str {
        match self {
            LogLevel::Debug => "debug",
            LogLevel::Info => "info",
            LogLevel::Warn => "warn",
            LogLevel::Error => "error",
            LogLevel::Fatal => "fatal",
        }
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LogLevel {
    type Err = String;

    /// Any of the names in use, in any case.
    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text.trim().to_ascii_lowercase().as_str() {
            "trace" | "debug" | "dbg" | "verbose" => LogLevel::Debug,
            "info" | "information" | "informational" | "notice" => LogLevel::Info,
            "warn" | "warning" => LogLevel::Warn,
            "error" | "err" => LogLevel::Error,
            "fatal" | "critical" | "crit" | "alert" | "emerg" | "emergency" | "panic" => {
                LogLevel::Fatal
            }
            _ => {
                return Err(format!("{text:?} is no level; use debug, info, warn, error or fatal"));
            }
        })
    }
}

/// A set of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LogLevels(u8);

impl LogLevels {
    /// None of them.
    pub const NONE: LogLevels = LogLevels(0);
    /// All of them.
    pub const ALL: LogLevels = LogLevels(0b1_1111);

    /// A level, and all that are worse.
    pub const fn from_level_up(level: LogLevel) -> Self {
        LogLevels((Self::ALL.0 << level as u8) & Self::ALL.0)
    }

    /// This set and one more.
    #[must_use]
    pub const fn with(self, level: LogLevel) -> Self {
        LogLevels(self.0 | 1 << level as u8)
    }

    /// Whether the level is among them.
    pub const fn contains(self, level: LogLevel) -> bool {
        self.0 & (1 << level as u8) != 0
    }

    /// Whether both have a level in common.
    pub const fn intersects(self, other: LogLevels) -> bool {
        self.0 & other.0 != 0
    }

    /// A bit for each level, the mildest in the lowest.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// From bits; those of no level are left out.
    pub const fn from_bits(bits: u8) -> Self {
        LogLevels(bits & Self::ALL.0)
    }
}

/// What a line says beyond its fields: a JSON object in its compact form, or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogMetadata(String);

impl LogMetadata {
    /// From an object; an empty one is nothing.
    pub fn new(object: &serde_json::Map<String, serde_json::Value>) -> Self {
        if object.is_empty() {
            return LogMetadata::default();
        }
        // A map of JSON values can always be written.
        LogMetadata(serde_json::to_string(object).unwrap_or_default())
    }

    /// From text that [`LogMetadata::as_json`] gave.
    pub fn from_stored(json: String) -> Self {
        LogMetadata(json)
    }

    /// The JSON object, or an empty text.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What somebody had to say. Empty texts stand for what was not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogLine {
    /// When it was said.
    pub time: Timestamp,
    /// How bad it is.
    pub level: LogLevel,
    /// What was said.
    pub message: String,
    /// The program, unit or file that said it.
    pub source: String,
    /// The feature it belongs to.
    pub feature: String,
    /// `production`, `staging` and the like.
    pub environment: String,
    /// The trace that it is part of.
    pub trace_id: String,
    /// The user it is about.
    pub user_id: String,
    /// Everything else.
    pub metadata: LogMetadata,
}

/// Which line: when it was said, and the how-manieth it is of all that were ever taken. Orders
/// lines by time, and those of one millisecond as they came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogId {
    /// When it was said.
    pub time: Timestamp,
    /// Rises by one with each line that is taken, over restarts.
    pub number: u64,
}

impl fmt::Display for LogId {
    /// `1767225600000-42`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.time.millis(), self.number)
    }
}

impl FromStr for LogId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (time, number) = text.rsplit_once('-')?;
            Some(LogId {
                time: Timestamp::from_millis(time.parse().ok()?),
                number: number.parse().ok()?,
            })
        };
        read().ok_or_else(|| format!("{text:?} is no log line's id; use one that was answered"))
    }
}

/// A line that is durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredLine {
    /// Which.
    pub id: LogId,
    /// What it says.
    pub line: LogLine,
}

impl StoredLine {
    /// Appends the line as a JSON object: `id`, `time` (RFC 3339), `level`, `message`, and the
    /// other fields where they say something.
    pub fn push_json(&self, out: &mut String) {
        let line = &self.line;
        out.push_str("{\"id\":\"");
        out.push_str(&self.id.to_string());
        out.push_str("\",\"time\":\"");
        out.push_str(&line.time.to_string());
        out.push_str("\",\"level\":\"");
        out.push_str(line.level.as_str());
        out.push_str("\",\"message\":");
        push_text(out, &line.message);
        for (name, text) in [
            ("source", &line.source),
            ("feature", &line.feature),
            ("environment", &line.environment),
            ("trace_id", &line.trace_id),
            ("user_id", &line.user_id),
        ] {
            if !text.is_empty() {
                out.push_str(",\"");
                out.push_str(name);
                out.push_str("\":");
                push_text(out, text);
            }
        }
        if !line.metadata.is_empty() {
            out.push_str(",\"metadata\":");
            out.push_str(line.metadata.as_json());
        }
        out.push('}');
    }
}

fn push_text(out: &mut String, text: &str) {
    // A text can always be written.
    out.push_str(&serde_json::to_string(text).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_go_by_all_the_names_in_use() {
        for (text, level) in [
            ("TRACE", LogLevel::Debug),
            ("notice", LogLevel::Info),
            ("Warning", LogLevel::Warn),
            ("err", LogLevel::Error),
            ("crit", LogLevel::Fatal),
        ] {
            assert_eq!(text.parse(), Ok(level), "{text}");
        }
        assert!("loud".parse::<LogLevel>().is_err_and(|e| e.contains("use debug")));
    }

    #[test]
    fn a_level_and_what_is_worse_makes_a_set() {
        let set = LogLevels::from_level_up(LogLevel::Warn);
        let within: Vec<_> = LogLevel::ALL.into_iter().filter(|l| set.contains(*l)).collect();
        assert_eq!(within, [LogLevel::Warn, LogLevel::Error, LogLevel::Fatal]);
        assert!(!set.intersects(LogLevels::NONE.with(LogLevel::Info)));
        assert_eq!(LogLevels::from_bits(set.bits()), set);
    }

    #[test]
    fn ids_are_ordered_by_time_and_then_as_they_came() {
        let id = |time, number| LogId { time: Timestamp::from_millis(time), number };
        assert!(id(1, 9) < id(2, 1) && id(2, 1) < id(2, 2));
        // Times before 1970 have a sign of their own.
        for one in [id(-5, 7), id(1_767_225_600_000, 42)] {
            assert_eq!(one.to_string().parse(), Ok(one));
        }
        assert!("x-1".parse::<LogId>().is_err());
    }

    #[test]
    fn a_line_says_nothing_of_what_was_not_said() {
        let time = Timestamp::from_millis(1_767_225_600_000);
        let line = LogLine { time, message: "a \"b\"\n".to_owned(), ..LogLine::default() };
        let mut out = String::new();
        StoredLine { id: LogId { time, number: 3 }, line }.push_json(&mut out);
        assert_eq!(
            out,
            r#"{"id":"1767225600000-3","time":"2026-01-01T00:00:00.000Z","level":"info","message":"a \"b\"\n"}"#
        );
    }
}
