//! Relabelling: rewriting, keeping and dropping label sets, as Prometheus does it
//! (`model/relabel/relabel.go`). Pure.

use std::borrow::Cow;

use md5::{Digest, Md5};
use regex::Regex;

use crate::config::{RelabelAction, RelabelConfig};
use crate::model::{LabelsBuilder, anchored_regex, is_classic_label_name};

/// Why a step cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RelabelError {
    /// The regular expression is broken.
    #[error("regex {regex:?} is broken: {what}")]
    Regex {
        /// The expression.
        regex: String,
        /// What the compiler says.
        what: String,
    },
    /// The action needs a label to write to or to compare with.
    #[error("action {0:?} needs a target_label that is a label name")]
    Target(RelabelAction),
    /// `hashmod` without a divisor.
    #[error("action hashmod needs a modulus above 0")]
    Modulus,
    /// `labelmap` with a replacement that cannot be a label name.
    #[error("replacement {0:?} does not make a label name")]
    Replacement(String),
    /// A key that the action does not know what to do with.
    #[error("action {action:?} takes no {key}; remove it")]
    Surplus {
        /// The action.
        action: RelabelAction,
        /// The key.
        key: &'static str,
    },
}

/// A step that has been checked, with its expression compiled.
#[derive(Clone, Debug)]
pub struct Relabel {
    config: RelabelConfig,
    regex: Regex,
    /// The expression of the default, which every value matches as a whole.
    matches_all: bool,
    target: Template,
    replacement: Template,
}

/// Compiles all steps; the error is told with the place of its step.
pub fn compile(configs: &[RelabelConfig]) -> Result<Vec<Relabel>, (usize, RelabelError)> {
    let compile = |(place, config)| Relabel::compile(config).map_err(|error| (place, error));
    configs.iter().enumerate().map(compile).collect()
}

/// Applies all steps in their order. `false` means that the set is dropped.
pub fn apply(steps: &[Relabel], labels: &mut LabelsBuilder) -> bool {
    steps.iter().all(|step| step.apply(labels))
}

impl Relabel {
    /// Checks a step as Prometheus does (`Config.Validate`).
    pub fn compile(config: &RelabelConfig) -> Result<Self, RelabelError> {
        use RelabelAction::{
            Drop, DropEqual, HashMod, Keep, KeepEqual, LabelDrop, LabelKeep, LabelMap, Lowercase,
            Replace, Uppercase,
        };
        let action = config.action;
        let default = RelabelConfig::default();
        let surplus = |keys: &[(&'static str, bool)]| {
            keys.iter()
                .find(|(_, differs)| *differs)
                .map_or(Ok(()), |(key, _)| Err(RelabelError::Surplus { action, key }))
        };
        let changed_regex = ("regex", config.regex != default.regex);
        let changed_replacement = ("replacement", config.replacement != default.replacement);
        let changed_modulus = ("modulus", config.modulus != 0);
        let changed_separator = ("separator", config.separator != default.separator);
        let target_fits = match action {
            Replace => may_be_label_name(&config.target_label),
            HashMod | Lowercase | Uppercase | KeepEqual | DropEqual => {
                !config.target_label.is_empty()
            }
            Keep | Drop | LabelMap | LabelDrop | LabelKeep => true,
        };
        if !target_fits {
            return Err(RelabelError::Target(action));
        }
        match action {
            HashMod if config.modulus == 0 => return Err(RelabelError::Modulus),
            LabelMap if !may_be_label_name(&config.replacement) => {
                return Err(RelabelError::Replacement(config.replacement.clone()));
            }
            Lowercase | Uppercase => surplus(&[changed_replacement])?,
            KeepEqual | DropEqual => {
                surplus(&[changed_regex, changed_replacement, changed_modulus, changed_separator])?
            }
            LabelDrop | LabelKeep => surplus(&[
                ("source_labels", !config.source_labels.is_empty()),
                ("target_label", !config.target_label.is_empty()),
                changed_replacement,
                changed_modulus,
                changed_separator,
            ])?,
            Replace | Keep | Drop | HashMod | LabelMap => {}
        }
        let regex = anchored_regex(&config.regex).map_err(|error| RelabelError::Regex {
            regex: config.regex.clone(),
            what: error.reason,
        })?;
        Ok(Relabel {
            config: config.clone(),
            regex,
            matches_all: !changed_regex.1,
            target: Template::read(&config.target_label),
            replacement: Template::read(&config.replacement),
        })
    }

    /// Applies the step. `false` means that the set is dropped.
    pub fn apply(&self, labels: &mut LabelsBuilder) -> bool {
        let RelabelConfig { source_labels, separator, target_label, modulus, .. } = &self.config;
        let source: Cow<'_, str> = match &source_labels[..] {
            [] => Cow::Borrowed(""),
            [one] => Cow::Owned(labels.get(one).unwrap_or("").to_owned()),
            many => {
                let values: Vec<&str> =
                    many.iter().map(|name| labels.get(name).unwrap_or("")).collect();
                Cow::Owned(values.join(separator))
            }
        };
        let target = || labels.get(target_label).unwrap_or("");
        match self.config.action {
            RelabelAction::Keep => return self.matches(&source),
            RelabelAction::Drop => return !self.matches(&source),
            RelabelAction::KeepEqual => return target() == source,
            RelabelAction::DropEqual => return target() != source,
            RelabelAction::Replace => self.replace(&source, labels),
            RelabelAction::Lowercase => {
                labels.set(target_label, &source.to_lowercase());
            }
            RelabelAction::Uppercase => {
                labels.set(target_label, &source.to_uppercase());
            }
            RelabelAction::HashMod => {
                // The lower half of the digest, read big-endian.
                let digest = Md5::digest(source.as_bytes());
                let low = digest[8..].iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
                labels.set(target_label, &(low % modulus).to_string());
            }
            RelabelAction::LabelMap => {
                let found: Vec<(String, String)> = labels
                    .iter()
                    .filter_map(|(name, value)| {
                        let captures = self.regex.captures(name)?;
                        Some((self.replacement.fill(&captures), value.to_owned()))
                    })
                    .collect();
                for (name, value) in found.iter().filter(|(name, _)| !name.is_empty()) {
                    labels.set(name, value);
                }
            }
            RelabelAction::LabelDrop => {
                labels.retain(|name| !self.regex.is_match(name));
            }
            RelabelAction::LabelKeep => {
                labels.retain(|name| self.regex.is_match(name));
            }
        }
        true
    }

    fn matches(&self, source: &str) -> bool {
        self.matches_all || self.regex.is_match(source)
    }

    fn replace(&self, source: &str, labels: &mut LabelsBuilder) {
        let Some(captures) = self.regex.captures(source) else { return };
        let target = self.target.fill(&captures);
        // Any UTF-8 text is a label name in Prometheus 3, but no empty one.
        if !target.is_empty() {
            // An empty value removes the label.
            labels.set(&target, &self.replacement.fill(&captures));
        }
    }
}

/// Whether a text with references to groups may become a label name: Prometheus 3 allows any
/// UTF-8 name where it contains no reference.
fn may_be_label_name(text: &str) -> bool {
    let Template(parts) = Template::read(text);
    let plain = parts.iter().all(|part| matches!(part, Part::Text(_)));
    !text.is_empty()
        && (plain
            || parts.iter().enumerate().all(|(place, part)| match part {
                Part::Group(_) => true,
                Part::Text(text) if place == 0 => is_classic_label_name(text),
                Part::Text(text) => is_classic_label_name(&format!("_{text}")),
            }))
}

/// A text with references to groups in Go's notation (`regexp.Expand`): `$1`, `$name`, `${name}`,
/// `$$` for a dollar. A name is as long as it can be: `$1x` is the group `1x`.
#[derive(Clone, Debug)]
struct Template(Vec<Part>);

#[derive(Clone, Debug)]
enum Part {
    Text(String),
    Group(String),
}

impl Template {
    fn read(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            plain.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            let word = |text: &str| {
                text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
            };
            let braced = after.strip_prefix('{').and_then(|inner| {
                let end = word(inner);
                (end > 0 && inner[end..].starts_with('}')).then(|| (&inner[..end], end + 2))
            });
            let bare = Some(word(after)).filter(|end| *end > 0).map(|end| (&after[..end], end));
            match braced.or(bare) {
                _ if after.starts_with('$') => {
                    plain.push('$');
                    rest = &after[1..];
                }
                Some((name, taken)) => {
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Group(name.to_owned()));
                    rest = &after[taken..];
                }
                // Malformed: Go keeps the dollar as it is.
                None => {
                    plain.push('$');
                    rest = after;
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Template(parts)
    }

    /// A group that does not exist or did not take part is empty.
    fn fill(&self, captures: &regex::Captures<'_>) -> String {
        let mut out = String::new();
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Group(name) => {
                    let group = match name.parse::<usize>() {
                        Ok(number) => captures.get(number),
                        Err(_) => captures.name(name),
                    };
                    out.push_str(group.map_or("", |group| group.as_str()));
                }
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Labels;

    fn config(action: RelabelAction, source: &[&str], regex: &str) -> RelabelConfig {
        RelabelConfig {
            action,
            source_labels: source.iter().map(|s| (*s).to_owned()).collect(),
            regex: regex.to_owned(),
            ..RelabelConfig::default()
        }
    }

    fn to(target: &str, replacement: &str, config: RelabelConfig) -> RelabelConfig {
        RelabelConfig {
            target_label: target.to_owned(),
            replacement: replacement.to_owned(),
            ..config
        }
    }

    /// The outcome on `{a="foo",b="bar",c="baz"}` as text; `None` if it is dropped.
    fn run(config: RelabelConfig) -> Option<String> {
        let labels = Labels::from_pairs([("a", "foo"), ("b", "bar"), ("c", "baz")]).expect("valid");
        let mut builder = LabelsBuilder::new(&labels);
        let step = Relabel::compile(&config).expect("valid");
        step.apply(&mut builder).then(|| builder.build().expect("valid").to_string())
    }

    use RelabelAction::{
        Drop, DropEqual, HashMod, Keep, KeepEqual, LabelDrop, LabelKeep, LabelMap, Lowercase,
        Replace, Uppercase,
    };

    #[test]
    fn replace_writes_what_matched() {
        let whole = |text: &str| Some(text.to_owned());
        assert_eq!(
            run(to("d", "${1}-${1}-$2", config(Replace, &["a", "b"], "f(.*);(.*)r"))),
            whole(r#"{a="foo", b="bar", c="baz", d="oo-oo-ba"}"#)
        );
        // The expression must match the whole value.
        assert_eq!(
            run(to("d", "x", config(Replace, &["a"], "o"))),
            whole(r#"{a="foo", b="bar", c="baz"}"#)
        );
        // An empty result removes the label, a missing group is empty.
        assert_eq!(
            run(to("a", "$9", config(Replace, &[], "(.*)"))),
            whole(r#"{b="bar", c="baz"}"#)
        );
        assert_eq!(
            run(to("${1}_x", "$$1", config(Replace, &["a"], "(.*)"))),
            whole(r#"{a="foo", b="bar", c="baz", foo_x="$1"}"#)
        );
        // `$1x` names a group called 1x, which there is not.
        assert_eq!(
            run(to("d", "v$1x", config(Replace, &["a"], "(.*)"))),
            whole(r#"{a="foo", b="bar", c="baz", d="v"}"#)
        );
    }

    #[test]
    fn keep_and_drop_look_at_the_joined_value() {
        let all = Some(r#"{a="foo", b="bar", c="baz"}"#.to_owned());
        assert_eq!(run(config(Keep, &["a", "b"], "foo;bar")), all);
        assert_eq!(run(config(Keep, &["a"], "fo")), None);
        assert_eq!(run(config(Drop, &["a"], "f.o")), None);
        assert_eq!(run(config(Drop, &["missing"], ".+")), all);
        assert_eq!(run(to("a", "$1", config(KeepEqual, &["b"], "(.*)"))), None);
        assert_eq!(run(to("missing", "$1", config(KeepEqual, &["gone"], "(.*)"))), all);
        assert_eq!(run(to("b", "$1", config(DropEqual, &["b"], "(.*)"))), None);
    }

    #[test]
    fn labels_are_mapped_dropped_and_kept_by_name() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            run(RelabelConfig {
                replacement: "x_$1".to_owned(),
                ..config(LabelMap, &[], "([ab])")
            }),
            text(r#"{a="foo", b="bar", c="baz", x_a="foo", x_b="bar"}"#)
        );
        assert_eq!(run(config(LabelDrop, &[], "[ab]")), text(r#"{c="baz"}"#));
        assert_eq!(run(config(LabelKeep, &[], "[ab]")), text(r#"{a="foo", b="bar"}"#));
    }

    #[test]
    fn case_and_hash_are_written_to_the_target() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            run(to("a", "$1", config(Uppercase, &["a"], "(.*)"))),
            text(r#"{a="FOO", b="bar", c="baz"}"#)
        );
        assert_eq!(
            run(to("a", "$1", config(Lowercase, &["b"], "(.*)"))),
            text(r#"{a="bar", b="bar", c="baz"}"#)
        );
        // md5("foo") is acbd18db4cc2f85cedef654fccc4a4d8 (md5sum), and 0xedef654fccc4a4d8 modulo
        // 1000 is 696 (bc).
        let hash =
            RelabelConfig { modulus: 1000, ..to("h", "$1", config(HashMod, &["a"], "(.*)")) };
        assert_eq!(run(hash), text(r#"{a="foo", b="bar", c="baz", h="696"}"#));
    }

    #[test]
    fn a_step_that_makes_no_sense_is_refused() {
        let error = |config| Relabel::compile(&config).expect_err("nonsense");
        assert_eq!(error(config(Replace, &["a"], "x")), RelabelError::Target(Replace));
        assert_eq!(
            error(to("a b$1", "x", config(Replace, &["a"], "x"))),
            RelabelError::Target(Replace)
        );
        assert_eq!(error(to("a", "$1", config(HashMod, &["a"], "(.*)"))), RelabelError::Modulus);
        assert!(matches!(error(config(Keep, &["a"], "(")), RelabelError::Regex { .. }));
        assert!(matches!(error(config(LabelDrop, &["a"], "x")), RelabelError::Surplus { .. }));
        assert!(matches!(
            error(to("a", "x", config(Lowercase, &["a"], "(.*)"))),
            RelabelError::Surplus { key: "replacement", .. }
        ));
        assert!(matches!(
            error(to("", "", config(LabelMap, &[], "x"))),
            RelabelError::Replacement(_)
        ));
        let (place, _) = compile(&[config(Keep, &["a"], "x"), config(Replace, &[], "x")])
            .expect_err("the second");
        assert_eq!(place, 1);
    }
}
