//! Properties of the PromQL parser and evaluator on arbitrary input.
//!
//! Strategies are boxed: in line they nest by value, and generating overflows a test's stack.

#[path = "promql/memory.rs"]
mod memory;

use std::sync::Arc;

use memory::Memory;
use proptest::prelude::*;
use vedette::model::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram, Labels, Reading, ResetHint, Timestamp,
};
use vedette::promql::{self, Options, Value};

fn name() -> BoxedStrategy<String> {
    prop_oneof![
        Just("m".to_owned()),
        Just("b".to_owned()),
        Just("h".to_owned()),
        Just("sum".to_owned()),
        Just("by".to_owned()),
        Just("job:m:rate5m".to_owned()),
        Just("offset".to_owned()),
        Just("fill_left".to_owned()),
        Just("anchored".to_owned()),
        Just("step".to_owned()),
        Just("max_of".to_owned()),
    ]
    .boxed()
}

fn duration() -> BoxedStrategy<String> {
    prop_oneof![
        (1_u32..400).prop_map(|n| format!("{n}s")),
        (1_u32..9).prop_map(|n| format!("{n}m{n}s")),
        (1_u32..100).prop_map(|n| n.to_string()),
        (1_u32..100).prop_map(|n| format!("{n}.25")),
    ]
    .boxed()
}

/// A duration in brackets: positive at every step and range, calculated or not.
fn width() -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        3 => duration(),
        1 => Just("step()".to_owned()),
        1 => Just("range()".to_owned()),
    ];
    let inner = leaf.prop_recursive(3, 8, 2, |inner| {
        let op =
            prop_oneof![Just("+"), Just("*"), Just("^"), Just("-"), Just("/"), Just("%")].boxed();
        let pick = prop_oneof![Just("max_of"), Just("min_of")].boxed();
        prop_oneof![
            (inner.clone(), op, inner.clone()).prop_map(|(a, o, b)| format!("{a}{o}{b}")),
            (pick, inner.clone(), inner.clone()).prop_map(|(p, a, b)| format!("{p}({a}, {b})")),
            inner.clone().prop_map(|a| format!("({a})")),
            inner.prop_map(|a| format!("-({a})")),
        ]
    });
    prop_oneof![
        3 => duration(),
        1 => inner.prop_map(|d| format!("max_of({d}, 1s) % 1000")),
    ]
    .boxed()
}

fn times() -> BoxedStrategy<String> {
    prop_oneof![
        4 => Just(String::new()),
        1 => duration().prop_map(|d| format!(" offset {d}")),
        1 => duration().prop_map(|d| format!(" offset -{d}")),
        1 => Just(" @ start()".to_owned()),
        1 => Just(" @ 90.5 offset 1m".to_owned()),
        1 => Just(" offset 7s @ end()".to_owned()),
        1 => Just(" offset step()".to_owned()),
        1 => width().prop_map(|d| format!(" offset -({d})")),
        1 => width().prop_map(|d| format!(" offset min_of({d}, 1m) @ 100")),
    ]
    .boxed()
}

fn selector() -> BoxedStrategy<String> {
    let matchers = prop_oneof![
        3 => Just(String::new()),
        1 => Just("{a=\"1\"}".to_owned()),
        1 => Just("{a!~\"1|2\", \"x.y\"=\"q\\n\\\"\"}".to_owned()),
        1 => "[a-z\\\\\"\u{e9}\u{1F600}\n\t]{0,4}".prop_map(|v| format!("{{a!={v:?}}}")),
    ];
    (name(), matchers).prop_map(|(name, matchers)| format!("{name}{matchers}")).boxed()
}

fn number() -> BoxedStrategy<String> {
    prop_oneof![
        (-1000_i32..1000).prop_map(|n| n.to_string()),
        any::<f64>()
            .prop_filter("NaN is not equal to itself", |n| !n.is_nan())
            .prop_map(|n| { if n.is_infinite() { "-Inf".to_owned() } else { format!("{n:e}") } }),
        Just("0x1F".to_owned()),
        Just("5m".to_owned()),
    ]
    .boxed()
}

/// A range vector over a vector.
fn matrix(vector: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    prop_oneof![
        8 => (selector(), width(), times()).prop_map(|(s, d, t)| format!("{s}[{d}]{t}")).boxed(),
        8 => (vector, width(), times()).prop_map(|(v, d, t)| format!("({v})[{d}:10s]{t}")),
        1 => (selector(), width(), times()).prop_map(|(s, d, t)| format!("{s}[{d}] anchored{t}")),
        1 => (selector(), width(), times()).prop_map(|(s, d, t)| format!("{s}[{d}]{t} smoothed")),
    ]
    .boxed()
}

fn vector() -> BoxedStrategy<String> {
    let leaf = (selector(), times()).prop_map(|(s, t)| s + &t).boxed();
    leaf.prop_recursive(4, 24, 3, |inner| {
        let function = prop_oneof![
            Just("rate"),
            Just("increase"),
            Just("delta"),
            Just("irate"),
            Just("idelta"),
            Just("deriv"),
            Just("changes"),
            Just("resets"),
            Just("avg_over_time"),
            Just("stddev_over_time"),
            Just("max_over_time"),
            Just("last_over_time"),
            Just("absent_over_time"),
            Just("mad_over_time"),
            Just("sum_over_time"),
            Just("first_over_time"),
            Just("ts_of_last_over_time"),
        ]
        .boxed();
        let map = prop_oneof![
            Just("abs"),
            Just("sgn"),
            Just("sort"),
            Just("timestamp"),
            Just("absent"),
            Just("hour"),
            Just("ln"),
            Just("round"),
            Just("histogram_count"),
            Just("histogram_stddev"),
        ]
        .boxed();
        let fold = prop_oneof![
            Just("sum"),
            Just("avg"),
            Just("count"),
            Just("stddev"),
            Just("min"),
            Just("group"),
        ]
        .boxed();
        let group = prop_oneof![
            Just(""),
            Just(" by (a)"),
            Just(" without (a, le)"),
            Just(" by (\"x.y\", on)"),
        ]
        .boxed();
        let op = prop_oneof![
            Just("+"),
            Just("- ignoring (a)"),
            Just("/ on (a) group_left (le)"),
            Just("* on () group_right ()"),
            Just("+ fill (-1.5)"),
            Just("/ on (a) group_left fill_right (1e9) fill_left (2m)"),
            Just(">/"),
            Just("</ on (step)"),
            Just("> bool"),
            Just("<= on (a)"),
            Just("and"),
            Just("or on (a)"),
            Just("unless"),
            Just("atan2"),
            Just("^"),
            Just("%"),
            Just("=="),
        ]
        .boxed();
        prop_oneof![
            (function, matrix(inner.clone())).prop_map(|(f, m)| format!("{f}({m})")).boxed(),
            (map, inner.clone()).prop_map(|(f, v)| format!("{f}({v})")).boxed(),
            (fold, group.clone(), inner.clone())
                .prop_map(|(f, g, v)| format!("{f}{g} ({v})"))
                .boxed(),
            (number(), group, inner.clone())
                .prop_map(|(n, g, v)| format!("quantile{g} ({n}, {v})"))
                .boxed(),
            inner.clone().prop_map(|v| format!("bottomk(2, {v})")).boxed(),
            inner.clone().prop_map(|v| format!("count_values(\"le\", {v})")).boxed(),
            inner.clone().prop_map(|v| format!("histogram_quantile(0.5, {v})")).boxed(),
            (number(), matrix(inner.clone()))
                .prop_map(|(n, m)| format!("quantile_over_time({n}, {m})"))
                .boxed(),
            inner.clone().prop_map(|v| format!("vector(scalar({v}))")).boxed(),
            inner
                .clone()
                .prop_map(|v| format!("label_replace({v}, \"le\", \"$1\", \"a\", \"(.*)\")"))
                .boxed(),
            (inner.clone(), op, inner.clone())
                .prop_map(|(a, o, b)| format!("({a}) {o} ({b})"))
                .boxed(),
            (inner.clone(), number()).prop_map(|(a, n)| format!("({a}) * {n}")).boxed(),
            (inner.clone(), number()).prop_map(|(a, n)| format!("({a}) / {n}")).boxed(),
            (inner.clone(), number()).prop_map(|(a, n)| format!("({a}) </ {n}")).boxed(),
            (inner.clone(), number())
                .prop_map(|(a, n)| format!("histogram_fraction(-1, {n}, {a})"))
                .boxed(),
            (inner.clone(), number()).prop_map(|(v, n)| format!("limit_ratio({n}, {v})")).boxed(),
            inner.clone().prop_map(|v| format!("info({v}, {{x=~\".*\"}})")).boxed(),
            inner
                .clone()
                .prop_map(|v| format!("histogram_quantiles({v}, \"q\", 0.5, 0.9)"))
                .boxed(),
            (selector(), times()).prop_map(|(s, t)| format!("{s} smoothed{t}")).boxed(),
            inner.prop_map(|a| format!("-({a})")).boxed(),
        ]
    })
    .boxed()
}

fn memory() -> Memory {
    let mut memory = Memory::default();
    for (place, pairs) in [
        &[("__name__", "m"), ("a", "1")][..],
        &[("__name__", "m"), ("a", "2"), ("le", "1")],
        &[("__name__", "m"), ("a", "2"), ("le", "+Inf")],
        &[("__name__", "b"), ("a", "1")],
        &[("__name__", "b"), ("a", "3"), ("x.y", "z")],
    ]
    .iter()
    .enumerate()
    {
        let labels = Labels::from_pairs(pairs.iter().copied()).expect("valid labels");
        for at in 0..20 {
            // Some gaps, resets, NaNs and infinities.
            let value = match (at + place as i64) % 11 {
                3 => continue,
                5 => f64::NAN,
                7 if place == 3 => f64::INFINITY,
                8 => f64::from_bits(vedette::model::STALE_NAN),
                n => n as f64 * (place as f64 - 1.5),
            };
            memory.add(&labels, at * 10_000, value);
        }
    }
    add_histograms(&mut memory);
    memory.sort();
    memory
}

/// Series of native histograms: counters with resets, changing resolution, bounds and hints,
/// numbers among them, gaps and staleness markers.
fn add_histograms(memory: &mut Memory) {
    for place in 0..3_i32 {
        let a = place.to_string();
        let labels = Labels::from_pairs([("__name__", "h"), ("a", a.as_str())]);
        let labels = labels.expect("valid labels");
        for at in 0..20 {
            let phase = (at + i64::from(place)) % 10;
            match phase {
                3 => continue,
                6 if place == 1 => memory.add(&labels, at * 10_000, f64::from(place)),
                8 => memory.add(&labels, at * 10_000, f64::from_bits(vedette::model::STALE_NAN)),
                n => {
                    let histogram = Arc::new(histogram(place, n as i32));
                    memory.add(&labels, at * 10_000, Reading::Histogram(histogram));
                }
            }
        }
    }
}

fn histogram(place: i32, n: i32) -> Histogram {
    let counts: Vec<f64> = (0..4).map(|bucket| f64::from((n * (bucket + place)) % 7)).collect();
    let populated: f64 = counts.iter().sum();
    let positive = Buckets::from_pairs((0..).zip(counts));
    let reset_hint = match n {
        0 => ResetHint::Reset,
        1 => ResetHint::NotReset,
        2 if place == 2 => ResetHint::Gauge,
        _ => ResetHint::Unknown,
    };
    let sum = if n == 7 { f64::NAN } else { f64::from(n) * 1.5 };
    if place == 2 {
        let custom_bounds = if n % 2 == 0 { vec![-1.0, 0.5, 4.0] } else { vec![0.5, 1.0, 4.0] };
        let schema = CUSTOM_BUCKETS_SCHEMA;
        let count = populated;
        return Histogram {
            reset_hint,
            schema,
            count,
            sum,
            positive,
            custom_bounds,
            ..Histogram::default()
        };
    }
    let negative = Buckets::from_pairs([(-1, f64::from(n)), (3, 0.5)]);
    Histogram {
        reset_hint,
        schema: if n > 4 { 0 } else { 2 },
        zero_threshold: if n % 3 == 0 { 0.001 } else { 0.6 },
        zero_count: 2.0,
        count: populated + f64::from(n) + 2.5,
        sum,
        positive,
        negative,
        custom_bounds: Vec::new(),
    }
}

/// Whether both say the same, every NaN being the same.
fn same_histograms(a: Option<&Histogram>, b: Option<&Histogram>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => {
            let scalars = |h: &Histogram| [h.zero_threshold, h.zero_count, h.count, h.sum];
            let all = |a: &[f64], b: &[f64]| {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(*a, *b))
            };
            (a.schema, a.reset_hint) == (b.schema, b.reset_hint)
                && all(&scalars(a), &scalars(b))
                && all(&a.custom_bounds, &b.custom_bounds)
                && a.positive.spans == b.positive.spans
                && a.negative.spans == b.negative.spans
                && all(&a.positive.counts, &b.positive.counts)
                && all(&a.negative.counts, &b.negative.counts)
        }
        _ => false,
    }
}

fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()) || a == b
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back_as_the_same_expression(text in vector()) {
        let expr = promql::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let printed = expr.to_string();
        let again = promql::parse(&printed).unwrap_or_else(|e| panic!("{printed}: {e}"));
        prop_assert_eq!(&expr, &again);
        prop_assert_eq!(&printed, &again.to_string());
    }

    #[test]
    fn what_is_prettified_reads_back_as_the_same_expression(text in vector()) {
        let expr = promql::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let pretty = promql::prettify(&expr);
        let again = promql::parse(&pretty).unwrap_or_else(|e| panic!("{pretty}: {e}"));
        prop_assert_eq!(&expr, &again);
        prop_assert_eq!(&pretty, &promql::prettify(&again));
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}") {
        let _ = promql::parse(&text);
        let _ = promql::parse_selector(&text);
    }

    #[test]
    fn no_sequence_of_words_makes_the_parser_panic(
        words in prop::collection::vec(prop_oneof![
            Just("sum"), Just("by"), Just("("), Just(")"), Just("["), Just("]"), Just("{"),
            Just("}"), Just(","), Just("m"), Just("5m"), Just("1"), Just("\"x\""), Just("="),
            Just("=~"), Just("+"), Just("-"), Just("^"), Just("offset"), Just("@"), Just("start"),
            Just(":"), Just("on"), Just("group_left"), Just("bool"), Just("and"), Just("rate"),
            Just("fill"), Just("fill_left"), Just("anchored"), Just("smoothed"), Just("step"),
            Just("range"), Just("max_of"), Just("*"), Just("</"), Just("()"), Just("[5m"),
            Just("#"), Just("\n"), Just("'"), Just("\\"),
        ], 0..24)
    ) {
        let text = words.join(" ");
        if let Ok(expr) = promql::parse(&text) {
            prop_assert_eq!(promql::parse(&expr.to_string()).ok(), Some(expr));
        }
        let _ = promql::parse(&words.concat());
    }

    /// A range query must give at every step what an instant query there gives: the one pass
    /// over all steps is only a faster way.
    #[test]
    fn every_step_of_a_range_is_an_instant(text in vector()) {
        // Without what means the whole query's times.
        for word in ["start()", "end()", "step()", "range()"] {
            prop_assume!(!text.contains(word));
        }
        // `sort` orders instants alone, and the order decides which of equals `bottomk` takes and
        // the last bits of sums.
        prop_assume!(!text.get(1..).is_some_and(|inner| inner.contains("sort(")));
        let memory = memory();
        let options = Options::default();
        let expr = promql::parse(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        let at = Timestamp::from_millis;
        let range = promql::range(&memory, &expr, at(60_000), at(180_000), 30_000, &options);
        let instants: Vec<_> = (0..5)
            .map(|step| promql::instant(&memory, &expr, at(60_000 + step * 30_000), &options))
            .collect();
        let answer = match range {
            Err(_) => {
                // A subquery has steps between the windows of a range, which no instant sees.
                let is_explained = instants.iter().any(Result::is_err) || text.contains(":10s]");
                prop_assert!(is_explained, "{} fails as a range only", text);
                return Ok(());
            }
            Ok(answer) => answer,
        };
        let Value::Matrix(matrix) = answer.value else { panic!("a range gives a matrix") };
        let mut total = 0;
        for (step, instant) in instants.into_iter().enumerate() {
            let time = 60_000 + step as i64 * 30_000;
            let instant = instant.unwrap_or_else(|e| panic!("{text} fails at {time} only: {e}"));
            let Value::Vector(vector) = instant.value else { panic!("a vector") };
            total += vector.len();
            for one in vector {
                let series = matrix.iter().find(|s| s.labels == one.labels);
                let found = series.and_then(|s| {
                    let place = s.samples.times.iter().position(|t| *t == time)?;
                    Some((s.samples.values[place], s.samples.histogram(place)))
                });
                let histogram = one.histogram.as_deref();
                prop_assert!(
                    found.is_some_and(|(value, other)| {
                        same_histograms(histogram, other.map(|h| &**h))
                            && (histogram.is_some() || same(value, one.sample.value))
                    }),
                    "{} at {}: {} is {} {:?} as an instant, {:?} in the range",
                    text, time, one.labels, one.sample.value, histogram, found
                );
            }
        }
        let in_range: usize = matrix.iter().map(|s| s.samples.len()).sum();
        prop_assert_eq!(total, in_range, "{} has more in its range", text);
    }
}
