//! Examples: single observations that point at what caused them, mostly a trace.

use super::{Labels, Timestamp};

/// All label names and values of an exemplar together have at most so many characters
/// (OpenMetrics 1.0, "Exemplars").
pub const EXEMPLAR_CHARS_MAX: usize = 128;

/// One observation of a series, with labels of its own such as `trace_id`.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// What it points at.
    pub labels: Labels,
    /// What was observed.
    pub value: f64,
    /// When; the time of its sample where it has none of its own.
    pub at: Timestamp,
    /// Whether the time is its own. Exemplars of a scrape that have none are told apart by labels
    /// and value alone, as the same one is exposed again and again.
    pub timed: bool,
}

impl Exemplar {
    /// Whether its labels keep to [`EXEMPLAR_CHARS_MAX`].
    pub fn is_short_enough(&self) -> bool {
        let chars = |text: &str| text.chars().count();
        let total: usize = self.labels.iter().map(|(n, v)| chars(n) + chars(v)).sum();
        total <= EXEMPLAR_CHARS_MAX
    }

    /// Whether it adds nothing to a series whose latest exemplar is `latest`: it is the same, or
    /// comes before it by time, value and labels (`validateExemplar` in `tsdb/exemplar.go` of
    /// Prometheus).
    pub fn is_known_or_older(&self, latest: &Exemplar) -> bool {
        let same = self.labels == latest.labels && self.value.to_bits() == latest.value.to_bits();
        if same && !self.timed && !latest.timed {
            return true;
        }
        let order = self
            .at
            .cmp(&latest.at)
            .then_with(|| self.value.total_cmp(&latest.value))
            .then_with(|| self.labels.cmp(&latest.labels));
        order.is_le()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exemplar(trace: &str, value: f64, at_ms: i64, timed: bool) -> Exemplar {
        let labels = Labels::from_pairs([("trace_id", trace)]).expect("valid");
        Exemplar { labels, value, at: Timestamp::from_millis(at_ms), timed }
    }

    #[test]
    fn only_what_comes_after_the_latest_is_news() {
        let latest = exemplar("b", 2.0, 1000, true);
        for (next, is_news) in [
            (exemplar("b", 2.0, 1000, true), false),
            (exemplar("b", 2.0, 999, true), false),
            (exemplar("b", 2.0, 1001, true), true),
            (exemplar("b", 3.0, 1000, true), true),
            (exemplar("b", 1.0, 1000, true), false),
            (exemplar("c", 2.0, 1000, true), true),
            (exemplar("a", 2.0, 1000, true), false),
        ] {
            assert_eq!(next.is_known_or_older(&latest), !is_news, "{next:?}");
        }
    }

    #[test]
    fn without_a_time_of_its_own_the_same_one_is_no_news_later() {
        let latest = exemplar("a", 1.0, 1000, false);
        assert!(exemplar("a", 1.0, 2000, false).is_known_or_older(&latest));
        assert!(!exemplar("b", 1.0, 2000, false).is_known_or_older(&latest));
        assert!(!exemplar("a", 1.0, 2000, true).is_known_or_older(&latest));
    }

    #[test]
    fn labels_are_measured_in_characters() {
        // The name has 8 characters; 120 of two bytes each are left.
        assert!(exemplar(&"é".repeat(120), 1.0, 0, true).is_short_enough());
        assert!(!exemplar(&"é".repeat(121), 1.0, 0, true).is_short_enough());
    }
}
