//! Contrasts against statsmodels: a saturated model with the HC2 covariance, whose variances are
//! those of separate cells.

use super::*;
use crate::stats::Moments;
use crate::stats::figures::{cases, close, number, numbers};

fn arm(value: f64, variance: f64, n: u64) -> Option<Estimate> {
    Some(Estimate { n, value, variance, unit_variance: variance * n as f64, third: None })
}

#[test]
fn effects_are_those_of_statsmodels() {
    for case in cases("contrast") {
        let levels: Vec<usize> =
            numbers(&case, "levels").into_iter().map(|count| count as usize).collect();
        let cells: Vec<Option<Estimate>> = case["cells"]
            .as_array()
            .expect("cells")
            .iter()
            .map(|cell| {
                let values: Vec<f64> =
                    cell.as_array().expect("values").iter().filter_map(|v| v.as_f64()).collect();
                Estimate::mean(&Moments::of(&values))
            })
            .collect();
        let all = contrasts(&levels).expect("a design");
        let expected = case["effects"].as_array().expect("effects");
        assert_eq!(all.len(), expected.len());
        for (contrast, expected) in all.iter().zip(expected) {
            let what = format!("{:?}", contrast.effect);
            let estimate = contrast.estimate(&cells).expect("every cell");
            close(estimate.value, number(expected, "value"), 1e-10, &what);
            close(estimate.variance, number(expected, "variance"), 1e-10, &what);
            let factors = match contrast.effect {
                Effect::Main { factor, level } => vec![(factor, level)],
                Effect::Interaction { factors: [a, b], levels: [i, j] } => vec![(a, i), (b, j)],
            };
            let named: Vec<f64> =
                factors.iter().flat_map(|(f, l)| [*f as f64, *l as f64]).collect();
            assert_eq!(named, numbers(expected, "which"));
        }
    }
}

#[test]
fn a_two_by_two_by_hand() {
    // Means 10, 12 / 13, 19: the first factor adds (13−10 + 19−12)/2 = 5, the second
    // (12−10 + 19−13)/2 = 4, and together they add 19 − 13 − 12 + 10 = 4 more.
    let cells = [arm(10.0, 1.0, 9), arm(12.0, 1.0, 9), arm(13.0, 1.0, 9), arm(19.0, 1.0, 9)];
    let all = contrasts(&[2, 2]).expect("a design");
    let found: Vec<(f64, f64)> = all
        .iter()
        .map(|contrast| contrast.estimate(&cells).expect("every cell"))
        .map(|estimate| (estimate.value, estimate.variance))
        .collect();
    assert_eq!(found, [(5.0, 1.0), (4.0, 1.0), (4.0, 4.0)]);
    let test = all[0].estimate(&cells).and_then(|estimate| estimate.test(0.05)).expect("a test");
    assert_eq!((test.statistic, test.df), (5.0, Some(32.0)));
}

#[test]
fn a_missing_cell_takes_out_what_it_belongs_to_only() {
    // Two by three: without the last cell only the effects of the second factor's last level and
    // those that average over it are gone.
    let mut cells = vec![arm(1.0, 1.0, 9); 6];
    cells[5] = None;
    let all = contrasts(&[2, 3]).expect("a design");
    let known: Vec<Effect> = all
        .iter()
        .filter(|contrast| contrast.estimate(&cells).is_some())
        .map(|contrast| contrast.effect)
        .collect();
    assert_eq!(
        known,
        [
            Effect::Main { factor: 1, level: 1 },
            Effect::Interaction { factors: [0, 1], levels: [1, 1] }
        ]
    );
    assert_eq!(all[0].estimate(&cells[..5]), None);
}

#[test]
fn what_is_no_design_has_no_contrasts() {
    for levels in [vec![], vec![1], vec![2, 0], vec![2; 9], vec![usize::MAX, 2]] {
        assert_eq!(contrasts(&levels), None, "{levels:?}");
    }
    assert_eq!(contrasts(&[2; 8]).map(|all| all.len()), Some(8 + 28));
    let still =
        contrasts(&[2]).expect("a design")[0].estimate(&[arm(1.0, 0.0, 5), arm(2.0, 0.0, 5)]);
    let still = still.expect("an effect");
    assert_eq!((still.value, still.df, still.test(0.05)), (1.0, None, None));
}
