//! The public test vectors of GrowthBook's SDKs (`packages/sdk-js/test/cases.json`, specVersion
//! 0.8.0): figures of theirs, expected of us.

use super::{bucket_ranges, choose, in_namespace, place};

/// Seed, value, version and place.
const HASH: [(&str, &str, u32, Option<f64>); 15] = [
    ("", "a", 1, Some(0.22)),
    ("", "b", 1, Some(0.077)),
    ("b", "a", 1, Some(0.946)),
    ("ef", "d", 1, Some(0.652)),
    ("asdf", "8952klfjas09ujk", 1, Some(0.549)),
    ("", "123", 1, Some(0.011)),
    ("", "___)((*\":&", 1, Some(0.563)),
    ("seed", "a", 2, Some(0.0505)),
    ("seed", "b", 2, Some(0.2696)),
    ("foo", "ab", 2, Some(0.2575)),
    ("foo", "def", 2, Some(0.2019)),
    ("89123klj", "8952klfjas09ujkasdf", 2, Some(0.124)),
    ("90850943850283058242805", "123", 2, Some(0.7516)),
    ("()**(%$##$%#$#", "___)((*\":&", 2, Some(0.0128)),
    ("abc", "def", 99, None),
];

#[test]
fn hashes_are_those_of_growthbooks_vectors() {
    for (seed, value, version, expected) in HASH {
        assert_eq!(place(seed, value, version), expected, "{seed:?} {value:?} {version}");
    }
}

/// What it is about, variants, coverage, weights, and the parts.
type RangeCase = (&'static str, usize, f64, Option<&'static [f64]>, &'static [(f64, f64)]);

const RANGES: [RangeCase; 13] = [
    ("normal 50/50", 2, 1.0, None, &[(0.0, 0.5), (0.5, 1.0)]),
    ("reduced coverage", 2, 0.5, None, &[(0.0, 0.25), (0.5, 0.75)]),
    ("zero coverage", 2, 0.0, None, &[(0.0, 0.0), (0.5, 0.5)]),
    ("4 variations", 4, 1.0, None, &[(0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)]),
    ("uneven weights", 2, 1.0, Some(&[0.4, 0.6]), &[(0.0, 0.4), (0.4, 1.0)]),
    (
        "uneven weights, 3 variations",
        3,
        1.0,
        Some(&[0.2, 0.3, 0.5]),
        &[(0.0, 0.2), (0.2, 0.5), (0.5, 1.0)],
    ),
    (
        "uneven weights, reduced coverage, 3 variations",
        3,
        0.2,
        Some(&[0.2, 0.3, 0.5]),
        &[(0.0, 0.04), (0.2, 0.26), (0.5, 0.6)],
    ),
    ("negative coverage", 2, -0.2, None, &[(0.0, 0.0), (0.5, 0.5)]),
    ("coverage above 1", 2, 1.5, None, &[(0.0, 0.5), (0.5, 1.0)]),
    ("weights sum below 1", 2, 1.0, Some(&[0.4, 0.1]), &[(0.0, 0.5), (0.5, 1.0)]),
    ("weights sum above 1", 2, 1.0, Some(&[0.7, 0.6]), &[(0.0, 0.5), (0.5, 1.0)]),
    (
        "weights.length not equal to num variations",
        4,
        1.0,
        Some(&[0.4, 0.4, 0.2]),
        &[(0.0, 0.25), (0.25, 0.5), (0.5, 0.75), (0.75, 1.0)],
    ),
    ("weights sum almost equals 1", 2, 1.0, Some(&[0.4, 0.5999]), &[(0.0, 0.4), (0.4, 0.9999)]),
];

#[test]
fn parts_are_those_of_growthbooks_vectors() {
    for (what, count, coverage, weights, expected) in RANGES {
        let ranges = bucket_ranges(count, coverage, weights);
        assert_eq!(ranges.len(), expected.len(), "{what}");
        for (range, expected) in ranges.iter().zip(expected) {
            // Their tests round sums of decimal fractions, too.
            assert!((range.0 - expected.0).abs() < 1e-9, "{what}: {ranges:?}");
            assert!((range.1 - expected.1).abs() < 1e-9, "{what}: {ranges:?}");
        }
    }
}

/// Unit, namespace, its part, and whether the unit is in it.
const NAMESPACES: [(&str, &str, f64, f64, bool); 16] = [
    ("1", "namespace1", 0.0, 0.4, false),
    ("1", "namespace1", 0.4, 1.0, true),
    ("1", "namespace2", 0.0, 0.4, false),
    ("1", "namespace2", 0.4, 1.0, true),
    ("2", "namespace1", 0.0, 0.4, false),
    ("2", "namespace1", 0.4, 1.0, true),
    ("2", "namespace2", 0.0, 0.4, false),
    ("2", "namespace2", 0.4, 1.0, true),
    ("3", "namespace1", 0.0, 0.4, false),
    ("3", "namespace1", 0.4, 1.0, true),
    ("3", "namespace2", 0.0, 0.4, true),
    ("3", "namespace2", 0.4, 1.0, false),
    ("4", "namespace1", 0.0, 0.4, false),
    ("4", "namespace1", 0.4, 1.0, true),
    ("4", "namespace2", 0.0, 0.4, true),
    ("4", "namespace2", 0.4, 1.0, false),
];

#[test]
fn namespaces_are_those_of_growthbooks_vectors() {
    for (unit, name, from, to, expected) in NAMESPACES {
        assert_eq!(in_namespace(unit, name, from, to), expected, "{unit} in {name} {from}..{to}");
    }
}

/// A place, the parts, and the variant.
type ChoiceCase = (f64, &'static [(f64, f64)], Option<usize>);

const EVEN: &[(f64, f64)] = &[(0.0, 0.5), (0.5, 1.0)];
const REDUCED: &[(f64, f64)] = &[(0.0, 0.25), (0.5, 0.75)];
const CHOICES: [ChoiceCase; 13] = [
    (0.2, EVEN, Some(0)),
    (0.4, EVEN, Some(0)),
    (0.6, EVEN, Some(1)),
    (0.8, EVEN, Some(1)),
    (0.0, EVEN, Some(0)),
    (0.5, EVEN, Some(1)),
    (0.2, REDUCED, Some(0)),
    (0.4, REDUCED, None),
    (0.6, REDUCED, Some(1)),
    (0.8, REDUCED, None),
    (0.25, REDUCED, None),
    (0.5, REDUCED, Some(1)),
    (0.5, &[(0.0, 0.5), (0.5, 0.5), (0.5, 1.0)], Some(2)),
];

#[test]
fn choices_are_those_of_growthbooks_vectors() {
    for (place, ranges, expected) in CHOICES {
        assert_eq!(choose(place, ranges), expected, "{place} in {ranges:?}");
    }
}

#[test]
fn other_letters_are_hashed_by_their_utf_16_code_units() {
    // Worked out with Python: FNV-1a over the code units of "é" (0xE9) and "😀" (0xD83D, 0xDE00),
    // `h = ((h ^ unit) * 0x01000193) & 0xFFFFFFFF`, then the same over the decimal digits.
    assert_eq!(place("s", "é", 1), Some(0.141));
    assert_eq!(place("s", "😀", 2), Some(0.2801));
}
