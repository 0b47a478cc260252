//! Several tests at once: p-values adjusted, in the order in which they came.
//!
//! A p-value that is `None` was no test: it stays `None` and does not count.

/// Which error is bounded, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adjustment {
    /// p as it is.
    None,
    /// p × m. The chance of any false positive is at most α.
    Bonferroni,
    /// Holm 1979, step-down: as Bonferroni and never less powerful.
    Holm,
    /// Hochberg 1988, step-up: as Holm for independent (or positively dependent) tests.
    Hochberg,
    /// Benjamini & Hochberg 1995: of the positives, at most α are false.
    BenjaminiHochberg,
}

/// Adjusts `p_values`, each from 0 to 1, keeping their order. What is not within that is `None`.
#[must_use]
pub fn adjust(p_values: &[Option<f64>], by: Adjustment) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = p_values
        .iter()
        .enumerate()
        .filter_map(|(at, p)| p.filter(|p| (0.0..=1.0).contains(p)).map(|p| (at, p)))
        .collect();
    // Stable, so equal p-values keep their places; they end up equal anyway.
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let m = order.len();
    let mut adjusted = vec![None; p_values.len()];
    // `rank` counts from 0 at the smallest.
    let factor = |rank: usize| match by {
        Adjustment::None => 1.0,
        Adjustment::Bonferroni => m as f64,
        Adjustment::Holm | Adjustment::Hochberg => (m - rank) as f64,
        Adjustment::BenjaminiHochberg => m as f64 / (rank + 1) as f64,
    };
    let raised = order.iter().enumerate().map(|(rank, (at, p))| (*at, (p * factor(rank)).min(1.0)));
    match by {
        Adjustment::None | Adjustment::Bonferroni => {
            for (at, p) in raised {
                adjusted[at] = Some(p);
            }
        }
        Adjustment::Holm => {
            let mut largest: f64 = 0.0;
            for (at, p) in raised {
                largest = largest.max(p);
                adjusted[at] = Some(largest);
            }
        }
        Adjustment::Hochberg | Adjustment::BenjaminiHochberg => {
            let mut smallest: f64 = 1.0;
            for (at, p) in raised.rev() {
                smallest = smallest.min(p);
                adjusted[at] = Some(smallest);
            }
        }
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::stats::figures::{cases, close, numbers};

    /// Benjamini & Hochberg 1995, section 4.1: fifteen hypotheses of a thrombolysis trial. At
    /// 5 % Bonferroni (and Holm) reject the first three, their procedure the first four.
    #[test]
    fn the_fifteen_hypotheses_of_benjamini_and_hochberg() {
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        let p: Vec<Option<f64>> = p.map(Some).to_vec();
        let rejected = |by| adjust(&p, by).iter().filter(|p| p.is_some_and(|p| p <= 0.05)).count();
        assert_eq!(rejected(Adjustment::Bonferroni), 3);
        assert_eq!(rejected(Adjustment::Holm), 3);
        assert_eq!(rejected(Adjustment::BenjaminiHochberg), 4);
        assert_eq!(rejected(Adjustment::None), 9);
    }

    /// By hand, from Holm's definition: 0.01 × 4, 0.02 × 3 = 0.06, 0.022 × 2 lower, so 0.06, 0.09.
    #[test]
    fn holm_never_falls_below_an_earlier_step() {
        let p = [Some(0.022), Some(0.01), None, Some(0.09), Some(0.02)];
        let adjusted = adjust(&p, Adjustment::Holm);
        assert_eq!(adjusted, [Some(0.06), Some(0.04), None, Some(0.09), Some(0.06)]);
        // Hochberg from the end: 0.09, 0.044, min(0.044, 0.06), min(0.044, 0.04).
        let adjusted = adjust(&p, Adjustment::Hochberg);
        assert_eq!(adjusted, [Some(0.044), Some(0.04), None, Some(0.09), Some(0.044)]);
    }

    #[test]
    fn adjusted_values_are_those_of_statsmodels() {
        for case in cases("adjust") {
            let p: Vec<Option<f64>> = numbers(&case, "p").into_iter().map(Some).collect();
            for (key, by) in [
                ("bonferroni", Adjustment::Bonferroni),
                ("holm", Adjustment::Holm),
                ("hochberg", Adjustment::Hochberg),
                ("bh", Adjustment::BenjaminiHochberg),
            ] {
                for (ours, expected) in adjust(&p, by).into_iter().zip(numbers(&case, key)) {
                    close(ours.expect("adjusted"), expected, 1e-14, &key);
                }
            }
        }
    }

    #[test]
    fn nothing_and_nonsense_pass_through() {
        assert_eq!(adjust(&[], Adjustment::Holm), []);
        let nonsense = [Some(f64::NAN), Some(-0.1), Some(1.1), None, Some(0.03)];
        let expected = [None, None, None, None, Some(0.03)];
        for by in [Adjustment::Holm, Adjustment::BenjaminiHochberg, Adjustment::Bonferroni] {
            assert_eq!(adjust(&nonsense, by), expected);
        }
    }

    proptest! {
        #[test]
        fn order_of_arrival_changes_nothing(p in prop::collection::vec(0.0..1.0f64, 1..20)) {
            for by in [Adjustment::Holm, Adjustment::Hochberg, Adjustment::BenjaminiHochberg] {
                let forwards: Vec<Option<f64>> = p.iter().copied().map(Some).collect();
                let backwards: Vec<Option<f64>> = p.iter().rev().copied().map(Some).collect();
                let mut mirrored = adjust(&backwards, by);
                mirrored.reverse();
                let adjusted = adjust(&forwards, by);
                prop_assert_eq!(&adjusted, &mirrored);
                for (raw, raised) in p.iter().zip(adjusted) {
                    prop_assert!(raised.is_some_and(|raised| raised >= *raw && raised <= 1.0));
                }
            }
        }
    }
}
