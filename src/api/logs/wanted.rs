//! Which log lines somebody wants, said by the parameters of a request or in JSON on a WebSocket.

use serde::Deserialize;

use crate::api::ApiError;
use crate::api::params::Params;
use crate::logs::{LogFilter, TextMatch};
use crate::model::{LogLevel, LogLevels};

/// Values of one field.
const VALUES_MAX: usize = 100;
/// The longest value, in bytes. Expressions have a bound of their own besides.
const VALUE_BYTES_MAX: usize = 4096;

/// One value or many.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
pub(in crate::api) enum Values {
    #[default]
    None,
    One(String),
    Many(Vec<String>),
}

impl Values {
    /// All of them, if they are not too many or too long.
    pub(in crate::api) fn list(self) -> Result<Vec<String>, String> {
        let list = match self {
            Values::None => Vec::new(),
            Values::One(one) => vec![one],
            Values::Many(many) => many,
        };
        if list.len() > VALUES_MAX {
            return Err(format!("{} values; give at most {VALUES_MAX}", list.len()));
        }
        list.iter().try_for_each(|value| bounded(value))?;
        Ok(list)
    }

    fn is_empty(&self) -> bool {
        match self {
            Values::None => true,
            Values::One(_) => false,
            Values::Many(many) => many.is_empty(),
        }
    }
}

fn bounded(value: &str) -> Result<(), String> {
    if value.len() <= VALUE_BYTES_MAX {
        return Ok(());
    }
    Err(format!("{} bytes; give at most {VALUE_BYTES_MAX}", value.len()))
}

/// Which lines, as it is said. An empty text asks for nothing in particular.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in crate::api) struct WantedLines {
    level: Option<String>,
    levels: Values,
    source: Values,
    feature: Values,
    environment: Values,
    trace_id: Option<String>,
    user_id: Option<String>,
    q: Option<String>,
    regex: Option<String>,
    case: bool,
}

/// What is wrong with which field.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::api) struct Wrong {
    pub(in crate::api) field: &'static str,
    pub(in crate::api) reason: String,
}

impl From<Wrong> for ApiError {
    fn from(wrong: Wrong) -> Self {
        ApiError::parameter(wrong.field, wrong.reason)
    }
}

impl WantedLines {
    /// What the parameters of a request say.
    pub(in crate::api) fn of_params(params: &Params) -> Result<WantedLines, Wrong> {
        let case = match params.get("case") {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(other) => {
                let reason = format!("{other:?} is neither 0 nor 1");
                return Err(Wrong { field: "case", reason });
            }
        };
        let one = |name: &str| params.get(name).map(str::to_owned);
        let many = |name| Values::Many(params.all(name).map(str::to_owned).collect());
        Ok(WantedLines {
            level: one("level"),
            levels: many("levels"),
            source: many("source"),
            feature: many("feature"),
            environment: many("environment"),
            trace_id: one("trace_id"),
            user_id: one("user_id"),
            q: one("q"),
            regex: one("regex"),
            case,
        })
    }

    /// Whether every line passes.
    pub(in crate::api) fn is_all(&self) -> bool {
        let none = |text: &Option<String>| text.as_deref().unwrap_or("").is_empty();
        let lists = [&self.levels, &self.source, &self.feature, &self.environment];
        lists.into_iter().all(Values::is_empty)
            && [&self.level, &self.trace_id, &self.user_id, &self.q, &self.regex]
                .into_iter()
                .all(none)
    }

    /// The filter, at any time.
    pub(in crate::api) fn filter(self) -> Result<LogFilter, Wrong> {
        let list = |field, values: Values| values.list().map_err(|reason| Wrong { field, reason });
        let one = |field, text: Option<String>| {
            let text = text.filter(|text| !text.is_empty());
            text.as_deref().map_or(Ok(()), bounded).map_err(|reason| Wrong { field, reason })?;
            Ok(text)
        };
        Ok(LogFilter {
            levels: levels(one("level", self.level)?, &list("levels", self.levels)?)?,
            sources: list("source", self.source)?,
            features: list("feature", self.feature)?,
            environments: list("environment", self.environment)?,
            trace_id: one("trace_id", self.trace_id)?,
            user_id: one("user_id", self.user_id)?,
            text: text(one("q", self.q)?, one("regex", self.regex)?, self.case)?,
            ..LogFilter::default()
        })
    }
}

fn levels(least: Option<String>, exactly: &[String]) -> Result<LogLevels, Wrong> {
    let read =
        |field, text: &str| text.parse::<LogLevel>().map_err(|reason| Wrong { field, reason });
    let words = exactly.iter().flat_map(|text| text.split(','));
    let each: Vec<&str> = words.filter(|word| !word.trim().is_empty()).collect();
    match (least, each.as_slice()) {
        (None, []) => Ok(LogLevels::ALL),
        (Some(least), []) => Ok(LogLevels::from_level_up(read("level", &least)?)),
        (None, each) => {
            each.iter().try_fold(LogLevels::NONE, |set, text| Ok(set.with(read("levels", text)?)))
        }
        (Some(_), _) => {
            let reason = "give level, the mildest, or levels, which ones exactly; not both";
            Err(Wrong { field: "level", reason: reason.to_owned() })
        }
    }
}

fn text(q: Option<String>, regex: Option<String>, case: bool) -> Result<Option<TextMatch>, Wrong> {
    match (q, regex) {
        (None, None) => Ok(None),
        (Some(text), None) => Ok(Some(TextMatch::substring(&text, !case))),
        (None, Some(pattern)) => {
            TextMatch::regex(&pattern).map(Some).map_err(|reason| Wrong { field: "regex", reason })
        }
        (Some(_), Some(_)) => {
            let reason = "give q, a text, or regex, an expression; not both";
            Err(Wrong { field: "regex", reason: reason.to_owned() })
        }
    }
}
