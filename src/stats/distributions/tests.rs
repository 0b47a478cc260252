//! Tails and quantiles against mpmath (30 digits), scipy where that is too slow.

use proptest::prelude::*;

use super::*;
use crate::stats::figures::{close, number, topic};

fn each(name: &str, hold: impl Fn(&serde_json::Value)) {
    let cases = topic("distributions")[name].as_array().expect("cases").clone();
    assert!(cases.len() > 5, "few cases of {name}");
    cases.iter().for_each(hold);
}

#[test]
fn the_normal_tail_keeps_its_digits_to_the_end() {
    each("normal_sf", |case| {
        let (z, p) = (number(case, "z"), number(case, "p"));
        // scipy's own figure is good to about 2e-14 at z = 37: the exponent is 684.
        close(normal_sf(z), p, 5e-14, case);
        assert_eq!(normal_cdf(-z), normal_sf(z));
    });
    each("normal_isf", |case| {
        close(normal_isf(number(case, "p")).expect("one"), number(case, "z"), 2e-15, case);
    });
    assert_eq!(normal_quantile(0.975), normal_isf(0.025000000000000022));
}

#[test]
fn the_tail_of_t_is_right_at_any_degrees_of_freedom() {
    each("t_sf", |case| {
        let (t, df, p) = (number(case, "t"), number(case, "df"), number(case, "p"));
        let ours = t_sf(t, df).expect("a tail");
        // Rounding of the exponent alone costs ln p × 1e-16 (1e-13 at p = 1e-198).
        close(ours, p, 3e-14 * (1.0 + p.ln().abs() / 10.0), case);
        close(t_sf(-t, df).expect("a tail"), 1.0 - p, 1e-15, case);
    });
    each("t_isf", |case| {
        let (p, df, t) = (number(case, "p"), number(case, "df"), number(case, "t"));
        close(t_isf(p, df).expect("a quantile"), t, 1e-13, case);
        close(t_quantile(p, df).expect("a quantile"), -t, 1e-13, case);
    });
}

#[test]
fn chi_square_f_and_beta_are_right() {
    each("chi2_sf", |case| {
        let (x, df, p) = (number(case, "x"), number(case, "df"), number(case, "p"));
        close(chi2_sf(x, df).expect("a tail"), p, 1e-13 * (1.0 + p.ln().abs() / 10.0), case);
    });
    each("f_sf", |case| {
        let (x, p) = (number(case, "x"), number(case, "p"));
        close(f_sf(x, number(case, "df1"), number(case, "df2")).expect("a tail"), p, 1e-12, case);
    });
    for (name, function) in
        [("beta_cdf", beta_cdf as fn(f64, f64, f64) -> Option<f64>), ("beta_sf", beta_sf)]
    {
        each(name, |case| {
            let (x, a, b) = (number(case, "x"), number(case, "a"), number(case, "b"));
            let (ours, p) = (function(x, a, b).expect("a tail"), number(case, "p"));
            // x itself is given to 1e-16, which is √(a + b) × 1e-16 of a standard deviation.
            let tolerance = 1e-12 + 1e-15 * (a + b).sqrt() * (1.0 + p.ln().abs());
            close(ours, p, tolerance, case);
        });
    }
}

#[test]
fn what_is_no_argument_has_no_answer() {
    for p in [0.0, 1.0, -0.5, 2.0, f64::NAN] {
        assert_eq!(normal_isf(p), None);
        assert_eq!(normal_quantile(p), None);
        assert_eq!(t_isf(p, 5.0), None);
    }
    for df in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(t_sf(1.0, df), None);
        assert_eq!(t_isf(0.3, df), None);
        assert_eq!(chi2_sf(1.0, df), None);
        assert_eq!(beta_cdf(0.5, df, 1.0), None);
    }
    assert_eq!(chi2_sf(-1.0, 3.0), Some(1.0));
    assert_eq!(f_sf(0.0, 3.0, 4.0), Some(1.0));
    assert_eq!(beta_cdf(2.0, 3.0, 4.0), Some(1.0));
    assert_eq!(beta_cdf(-2.0, 3.0, 4.0), Some(0.0));
    assert_eq!(t_sf(0.0, 3.0), Some(0.5));
}

proptest! {
    #[test]
    fn probabilities_are_probabilities(
        t in prop_oneof![-50.0..50.0f64, any::<f64>()],
        a in prop_oneof![0.01..1e3f64, 1e3..1e12f64],
        b in prop_oneof![0.01..1e3f64, 1e3..1e12f64],
        p in prop_oneof![0.0..1.0f64, any::<f64>()],
    ) {
        let all = [
            t_sf(t, a), chi2_sf(t, a), f_sf(t, a, b), beta_cdf(p, a, b), beta_sf(p, a, b),
        ];
        for probability in all.into_iter().flatten() {
            prop_assert!((0.0..=1.0).contains(&probability), "{t} {a} {b} {p}: {all:?}");
        }
        prop_assert!(t_isf(p, a).is_none_or(f64::is_finite));
        prop_assert!(normal_isf(p).is_none_or(f64::is_finite));
    }

    #[test]
    fn a_quantile_of_t_is_the_reverse_of_its_tail(
        ln_p in -200.0..-0.8f64,
        ln_df in 0.0..25.0f64,
    ) {
        let (p, df) = (ln_p.exp(), ln_df.exp());
        let t = t_isf(p, df).expect("a quantile");
        let back = t_sf(t, df).expect("a tail");
        prop_assert!((back / p - 1.0).abs() < 1e-11, "{p} {df}: {t}, {back}");
    }
}
