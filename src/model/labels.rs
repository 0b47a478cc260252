//! A set of labels, kept in one allocation.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// The label that carries the metric's name.
pub const METRIC_NAME: &str = "__name__";
/// The label that carries a classic histogram bucket's upper bound.
pub const BUCKET_LABEL: &str = "le";
/// The label that names a scrape target's group.
pub const JOB_LABEL: &str = "job";
/// The label that names one scrape target.
pub const INSTANCE_LABEL: &str = "instance";

/// Why labels are not a valid set.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// A label without a name.
    #[error("a label has an empty name")]
    EmptyName,
    /// The same name twice.
    #[error("label {0:?} appears more than once")]
    Duplicate(String),
    /// A name or value that does not fit the encoding.
    #[error("a label name or value is longer than {max} bytes")]
    TooLong {
        /// The longest text that fits.
        max: usize,
    },
}

/// A set of labels: sorted by name, names unique, no empty name and no empty value (an empty
/// value means that the label is absent, as in Prometheus).
///
/// All names and values stand in one buffer, each preceded by its length in bytes. A length is
/// written as one Unicode scalar, so that the buffer stays valid UTF-8 and cutting it needs no
/// `unsafe`. Equal sets have equal buffers. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Labels(Arc<str>);

/// The longest name or value: the scalar values without the surrogate gap.
const TEXT_BYTES_MAX: usize = 0x10FFFF - 0x800;

fn push_text(out: &mut String, text: &str) {
    let len = text.len() as u32;
    let scalar = if len < 0xD800 { len } else { len + 0x800 };
    // `text` was checked against TEXT_BYTES_MAX, so the scalar exists.
    out.push(char::from_u32(scalar).unwrap_or('\0'));
    out.push_str(text);
}

fn take_text<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let scalar = rest.chars().next()?;
    let code = scalar as u32;
    let len = (if code < 0xD800 { code } else { code - 0x800 }) as usize;
    let start = scalar.len_utf8();
    let text = rest.get(start..start + len)?;
    *rest = &rest[start + len..];
    Some(text)
}

impl Labels {
    /// The set without labels.
    pub fn empty() -> Self {
        Labels(Arc::from(""))
    }

    /// A set from pairs in any order. Pairs with an empty value are left out.
    pub fn from_pairs<N: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Result<Self, LabelError> {
        let pairs: Vec<(N, V)> = pairs.into_iter().collect();
        let mut refs: Vec<(&str, &str)> =
            pairs.iter().map(|(n, v)| (n.as_ref(), v.as_ref())).collect();
        refs.sort_unstable_by(|a, b| a.0.cmp(b.0));
        Self::from_sorted(refs)
    }

    /// A set from pairs sorted by name. Pairs with an empty value are left out.
    pub fn from_sorted<'a>(
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, LabelError> {
        let mut packed = String::new();
        let mut previous: Option<&str> = None;
        for (name, value) in pairs {
            if name.is_empty() {
                return Err(LabelError::EmptyName);
            }
            if name.len() > TEXT_BYTES_MAX || value.len() > TEXT_BYTES_MAX {
                return Err(LabelError::TooLong { max: TEXT_BYTES_MAX });
            }
            if previous.is_some_and(|p| p >= name) {
                return Err(LabelError::Duplicate(name.to_owned()));
            }
            previous = Some(name);
            if !value.is_empty() {
                push_text(&mut packed, name);
                push_text(&mut packed, value);
            }
        }
        Ok(Labels(packed.into()))
    }

    /// Names and values, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let mut rest: &str = &self.0;
        std::iter::from_fn(move || Some((take_text(&mut rest)?, take_text(&mut rest)?)))
    }

    /// The value of a label, if the set has it.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().take_while(|(n, _)| *n <= name).find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// The metric's name, if there is one.
    pub fn metric_name(&self) -> Option<&str> {
        self.get(METRIC_NAME)
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The same set without the labels that `drop` names.
    #[must_use]
    pub fn without(&self, drop: impl Fn(&str) -> bool) -> Self {
        let mut packed = String::with_capacity(self.0.len());
        for (name, value) in self.iter().filter(|(name, _)| !drop(name)) {
            push_text(&mut packed, name);
            push_text(&mut packed, value);
        }
        Labels(packed.into())
    }

    /// The same set without its metric name.
    #[must_use]
    pub fn without_name(&self) -> Self {
        self.without(|name| name == METRIC_NAME)
    }

    /// The canonical bytes of the set: equal for equal sets, for hashing and as a map key.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl Default for Labels {
    fn default() -> Self {
        Self::empty()
    }
}

impl PartialOrd for Labels {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Labels {
    /// Label by label, name then value; a prefix comes first (as `labels.Compare` in Prometheus).
    fn cmp(&self, other: &Self) -> Ordering {
        self.iter().cmp(other.iter())
    }
}

impl fmt::Display for Labels {
    /// Prometheus's notation: `up{job="node"}`, `{__name__="with space",a="b"}`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.metric_name().filter(|name| is_classic_metric_name(name));
        if let Some(name) = name {
            f.write_str(name)?;
        }
        let mut rest = self.iter().filter(|(n, _)| name.is_none() || *n != METRIC_NAME).peekable();
        if name.is_some() && rest.peek().is_none() {
            return Ok(());
        }
        f.write_str("{")?;
        for (place, (name, value)) in rest.enumerate() {
            if place > 0 {
                f.write_str(", ")?;
            }
            if is_classic_label_name(name) {
                write!(f, "{name}={value:?}")?;
            } else {
                write!(f, "{name:?}={value:?}")?;
            }
        }
        f.write_str("}")
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Labels {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> serde::Deserialize<'de> for Labels {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let pairs = std::collections::BTreeMap::<String, String>::deserialize(deserializer)?;
        Labels::from_pairs(pairs).map_err(serde::de::Error::custom)
    }
}

/// Changes a label set step by step.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder {
    pairs: Vec<(String, String)>,
}

impl LabelsBuilder {
    /// Starts from an existing set.
    pub fn new(base: &Labels) -> Self {
        LabelsBuilder { pairs: base.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect() }
    }

    /// The current value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        if value.is_empty() {
            return self.remove(name);
        }
        match self.pairs.iter_mut().find(|(n, _)| n == name) {
            Some((_, current)) => value.clone_into(current),
            None => self.pairs.push((name.to_owned(), value.to_owned())),
        }
        self
    }

    /// Removes a label.
    pub fn remove(&mut self, name: &str) -> &mut Self {
        self.pairs.retain(|(n, _)| n != name);
        self
    }

    /// Keeps the labels for which `keep` says so.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) -> &mut Self {
        self.pairs.retain(|(n, _)| keep(n));
        self
    }

    /// Names and values as they stand, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(n, v)| (n.as_str(), v.as_str()))
    }

    /// The finished set.
    pub fn build(&self) -> Result<Labels, LabelError> {
        Labels::from_pairs(self.iter())
    }
}

/// Whether `name` is a label name of the classic form `[a-zA-Z_][a-zA-Z0-9_]*`.
pub fn is_classic_label_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Whether `name` is a metric name of the classic form `[a-zA-Z_:][a-zA-Z0-9_:]*`.
pub fn is_classic_metric_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_' || b == b':')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).expect("valid labels")
    }

    #[test]
    fn labels_are_sorted_and_found_by_name() {
        let labels = set(&[("zone", "b"), (METRIC_NAME, "up"), ("job", "node")]);
        assert_eq!(
            labels.iter().collect::<Vec<_>>(),
            [(METRIC_NAME, "up"), ("job", "node"), ("zone", "b")]
        );
        assert_eq!(labels.get("job"), Some("node"));
        assert_eq!(labels.get("absent"), None);
        assert_eq!(labels.to_string(), r#"up{job="node", zone="b"}"#);
    }

    #[test]
    fn an_empty_value_is_an_absent_label() {
        assert_eq!(set(&[("a", ""), ("b", "1")]), set(&[("b", "1")]));
    }

    #[test]
    fn a_duplicate_name_is_refused() {
        assert_eq!(
            Labels::from_pairs([("a", "1"), ("a", "2")]),
            Err(LabelError::Duplicate("a".to_owned()))
        );
    }

    #[test]
    fn long_values_around_the_surrogate_gap_survive() {
        for len in [127, 128, 0xD7FF, 0xD800, 0xE000, 70_000] {
            let value = "x".repeat(len);
            assert_eq!(set(&[("a", &value), ("b", "2")]).get("a"), Some(value.as_str()));
            assert_eq!(set(&[("a", &value), ("b", "2")]).get("b"), Some("2"));
        }
    }

    #[test]
    fn order_is_by_label_then_value_then_length() {
        assert!(set(&[("a", "1")]) < set(&[("a", "1"), ("b", "1")]));
        assert!(set(&[("a", "2")]) > set(&[("a", "1"), ("b", "1")]));
        assert!(set(&[("a", "1")]) < set(&[("b", "0")]));
    }

    #[test]
    fn a_builder_sets_and_removes() {
        let mut builder = LabelsBuilder::new(&set(&[("a", "1"), ("b", "2")]));
        builder.set("a", "").set("c", "3").set("b", "4");
        assert_eq!(builder.build().expect("valid"), set(&[("b", "4"), ("c", "3")]));
    }
}
