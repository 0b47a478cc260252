//! Which series belong together: keys made of some of their labels.

use crate::model::{Labels, METRIC_NAME};

/// Chooses labels: those named, or all but those named and the metric's name.
pub(super) struct Signature {
    /// Sorted.
    names: Vec<String>,
    keep: bool,
}

impl Signature {
    /// The labels in `names` (`by`, `on`).
    pub(super) fn keeping(names: &[String]) -> Self {
        Self::new(names, true)
    }

    /// All labels but those in `names` and the metric's name (`without`, `ignoring`).
    pub(super) fn dropping(names: &[String]) -> Self {
        Self::new(names, false)
    }

    fn new(names: &[String], keep: bool) -> Self {
        let mut names = names.to_vec();
        names.sort_unstable();
        names.dedup();
        Signature { names, keep }
    }

    fn wants(&self, name: &str) -> bool {
        let named = self.names.iter().any(|n| n == name);
        if self.keep { named } else { !named && name != METRIC_NAME }
    }

    /// Whether every series has the same key.
    pub(super) fn is_empty(&self) -> bool {
        self.keep && self.names.is_empty()
    }

    /// Writes the key of a label set: equal exactly where the chosen labels are equal. The byte
    /// 0xff cannot be part of a label.
    pub(super) fn write(&self, labels: &Labels, key: &mut Vec<u8>) {
        key.clear();
        if self.is_empty() {
            return;
        }
        for (name, value) in labels.iter().filter(|(name, _)| self.wants(name)) {
            key.extend_from_slice(name.as_bytes());
            key.push(0xff);
            key.extend_from_slice(value.as_bytes());
            key.push(0xff);
        }
    }

    /// The chosen labels.
    pub(super) fn labels(&self, labels: &Labels) -> Labels {
        labels.without(|name| !self.wants(name))
    }
}

/// A set of steps.
#[derive(Clone, Default)]
pub(super) struct Steps(Vec<u64>);

impl Steps {
    pub(super) fn none(len: usize) -> Self {
        Steps(vec![0; len.div_ceil(64)])
    }

    /// Whether no room for steps was made yet.
    pub(super) fn is_unset(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(super) fn has(&self, step: usize) -> bool {
        self.0.get(step / 64).is_some_and(|word| word >> (step % 64) & 1 == 1)
    }

    /// Adds a step and says whether it was there before.
    #[inline]
    pub(super) fn add(&mut self, step: usize) -> bool {
        let Some(word) = self.0.get_mut(step / 64) else { return false };
        let bit = 1 << (step % 64);
        let before = *word & bit != 0;
        *word |= bit;
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_equal_where_the_chosen_labels_are() {
        let labels = |pairs: &[(&str, &str)]| {
            Labels::from_pairs(pairs.iter().copied()).expect("valid labels")
        };
        let key = |signature: &Signature, labels: &Labels| {
            let mut key = Vec::new();
            signature.write(labels, &mut key);
            key
        };
        let a = labels(&[("__name__", "x"), ("job", "1"), ("path", "/")]);
        let b = labels(&[("__name__", "y"), ("job", "1"), ("path", "/b")]);
        let names = ["job".to_owned()];
        let by = Signature::keeping(&names);
        assert_eq!(key(&by, &a), key(&by, &b));
        assert_eq!(by.labels(&a), labels(&[("job", "1")]));
        let without = Signature::dropping(&names);
        assert_ne!(key(&without, &a), key(&without, &b));
        assert_eq!(without.labels(&a), labels(&[("path", "/")]));
        let c = labels(&[("a", "bc")]);
        let d = labels(&[("ab", "c")]);
        assert_ne!(key(&Signature::dropping(&[]), &c), key(&Signature::dropping(&[]), &d));
    }

    #[test]
    fn steps_remember_what_was_added() {
        let mut steps = Steps::none(70);
        assert!(!steps.add(69));
        assert!(steps.add(69));
        assert!(steps.has(69) && !steps.has(5) && !steps.has(1000));
    }
}
