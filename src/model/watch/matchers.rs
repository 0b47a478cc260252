//! Conditions on an alert's labels, as people write them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::{Labels, MatchOp, Matcher};

/// Matchers that must all hold. In JSON and TOML a list of texts (`severity="critical"`,
/// `instance=~"web.*"`; quotes may be left out), or an object of labels that must be equal, or
/// Alertmanager's list of `{name, value, isRegex, isEqual}`. Written as a list of texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matchers(pub Vec<Matcher>);

impl Matchers {
    /// Whether all hold; true of none.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|matcher| matcher.matches_labels(labels))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads one: `name op value`.
    ///
    /// # Errors
    ///
    /// Says what was expected where.
    pub fn parse_one(text: &str) -> Result<Matcher, String> {
        let expected =
            || format!("{text:?} is not a matcher; write name=\"value\", or with !=, =~ or !~");
        let at = text.find(['=', '!']).ok_or_else(expected)?;
        let (name, rest) = text.split_at(at);
        let ops = [
            ("=~", MatchOp::Regex),
            ("!~", MatchOp::NotRegex),
            ("!=", MatchOp::NotEqual),
            ("=", MatchOp::Equal),
        ];
        let (op, value) = ops
            .into_iter()
            .find_map(|(sign, op)| Some((op, rest.strip_prefix(sign)?)))
            .ok_or_else(expected)?;
        let name = name.trim().trim_matches('"');
        let value = value.trim();
        if name.is_empty() {
            return Err(expected());
        }
        let value = if value.starts_with('"') {
            serde_json::from_str::<String>(value).map_err(|_| expected())?
        } else {
            value.to_owned()
        };
        Matcher::new(name, op, value).map_err(|error| format!("{text}: {error}"))
    }
}

impl fmt::Display for Matchers {
    /// `{a="b",c=~"d"}`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (place, matcher) in self.0.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            write!(f, "{matcher}")?;
        }
        f.write_str("}")
    }
}

impl Serialize for Matchers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum One {
    Text(String),
    #[serde(rename_all = "camelCase")]
    Object {
        name: String,
        value: String,
        #[serde(default)]
        is_regex: bool,
        #[serde(default = "yes")]
        is_equal: bool,
    },
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    List(Vec<One>),
    Equal(std::collections::BTreeMap<String, String>),
}

impl<'de> Deserialize<'de> for Matchers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let one = |one: One| match one {
            One::Text(text) => Matchers::parse_one(&text),
            One::Object { name, value, is_regex, is_equal } => {
                let op = match (is_regex, is_equal) {
                    (false, true) => MatchOp::Equal,
                    (false, false) => MatchOp::NotEqual,
                    (true, true) => MatchOp::Regex,
                    (true, false) => MatchOp::NotRegex,
                };
                Matcher::new(name, op, value).map_err(|error| error.to_string())
            }
        };
        let matchers = match Form::deserialize(deserializer)? {
            Form::List(list) => list.into_iter().map(one).collect::<Result<_, _>>(),
            Form::Equal(map) => Ok(map.into_iter().map(|(n, v)| Matcher::equal(n, v)).collect()),
        };
        matchers.map(Matchers).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matchers_are_read_from_each_form_and_written_as_texts() {
        let forms = [
            r#"["a=\"b\"", "c=~d.*", "e!=\"f g\""]"#,
            r#"[{"name":"a","value":"b"},{"name":"c","value":"d.*","isRegex":true},
                {"name":"e","value":"f g","isEqual":false}]"#,
        ];
        for form in forms {
            let matchers: Matchers = serde_json::from_str(form).expect("read");
            assert_eq!(matchers.to_string(), r#"{a="b",c=~"d.*",e!="f g"}"#);
            let written = serde_json::to_string(&matchers).expect("written");
            assert_eq!(serde_json::from_str::<Matchers>(&written).expect("read"), matchers);
        }
        let equal: Matchers = serde_json::from_str(r#"{"a":"b"}"#).expect("read");
        let labels = Labels::from_pairs([("a", "b")]).expect("valid");
        assert!(equal.matches(&labels) && !equal.matches(&Labels::empty()));
    }

    #[test]
    fn a_text_that_is_no_matcher_is_refused_with_the_form() {
        for text in ["", "a", "=b", "a!b", "a=\"b", "a=~("] {
            let error = Matchers::parse_one(text).expect_err(text);
            let quoted = format!("{text:?}");
            assert!(error.contains(text) || error.contains(&quoted), "{error}");
        }
    }
}
