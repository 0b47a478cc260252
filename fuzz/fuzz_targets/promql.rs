//! What parses is printed and prettified, and both parse to the same tree again; and it is evaluated without a
//! panic or an endless loop.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use vedette::model::{
    Buckets, CUSTOM_BUCKETS_SCHEMA, Histogram, Labels, ResetHint, STALE_NAN, Timestamp,
};
use vedette::promql::{self, Options, Samples, Selection, SeriesCursor, Source, SourceError};

/// A few series of numbers and native histograms, whatever is asked.
struct Few;

/// The second of each pair does not fit the first: another resolution, other bounds, or both.
fn histogram(series: u32, place: usize) -> Histogram {
    let grown = place as f64;
    let positive = Buckets::from_pairs([(-3, 1.0 + grown), (1, 0.5), (2, 4.0 - grown)]);
    let custom = series == 3 || place == 5;
    let base = Histogram { count: 9.0, sum: grown, positive, ..Histogram::default() };
    if custom {
        let positive = Buckets::from_pairs([(0, grown), (2, 3.0)]);
        let custom_bounds = if place % 2 == 0 { vec![-1.0, 2.5] } else { vec![2.5, 10.0, 20.0] };
        return Histogram { schema: CUSTOM_BUCKETS_SCHEMA, custom_bounds, positive, ..base };
    }
    Histogram {
        reset_hint: [ResetHint::Reset, ResetHint::NotReset, ResetHint::Gauge][place % 3],
        schema: [2, 8, -4][place % 3],
        zero_threshold: [0.001, 1.0, 0.3][place % 3],
        zero_count: 1.5,
        sum: if place == 3 { f64::NAN } else { -1.0 },
        negative: Buckets::from_pairs([(0, 2.0), (7, grown)]),
        ..base
    }
}

struct Cursor {
    left: u32,
    start: i64,
    end: i64,
}

impl Source for Few {
    fn select<'a>(&'a self, s: &Selection) -> Result<Box<dyn SeriesCursor + 'a>, SourceError> {
        Ok(Box::new(Cursor { left: 5, start: s.start.millis(), end: s.end.millis() }))
    }
}

impl SeriesCursor for Cursor {
    fn next(&mut self, samples: &mut Samples) -> Result<Option<Labels>, SourceError> {
        samples.clear();
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let values = [1.0, f64::NAN, -3.5, f64::INFINITY, f64::from_bits(STALE_NAN), 0.0];
        for (place, value) in values.into_iter().enumerate() {
            let at = 1_000_000 + 15_000 * place as i64;
            if !(self.start..=self.end).contains(&at) {
                continue;
            }
            // Of the last two series each sample but a staleness marker is a histogram, and of
            // one of them the first too is a number.
            if self.left < 3 || place == 4 || (place == 0 && self.left == 4) {
                samples.push(at, value);
            } else {
                samples.push_histogram(at, Arc::new(histogram(self.left, place)));
            }
        }
        let Some(le) = ["0.1", "1", "+Inf"].get(self.left as usize) else {
            let other = if self.left == 3 { "b" } else { "c" };
            return Ok(Labels::from_pairs([("__name__", "m"), ("job", other)]).ok());
        };
        Ok(Labels::from_pairs([("__name__", "m"), ("le", *le), ("job", "a")]).ok())
    }
}

fuzz_target!(|text: &str| {
    let Ok(expr) = promql::parse(text) else { return };
    let printed = expr.to_string();
    let again = promql::parse(&printed).unwrap_or_else(|e| panic!("{printed}: {e}"));
    assert_eq!(again.to_string(), printed);
    // NaN, alone among numbers, is not equal to itself.
    if !printed.contains("NaN") {
        assert_eq!(again, expr);
    }
    let pretty = promql::prettify(&expr);
    let again = promql::parse(&pretty).unwrap_or_else(|e| panic!("{pretty}: {e}"));
    assert_eq!(again.to_string(), printed);
    let options = Options { max_samples: 100_000, ..Options::default() };
    let at = Timestamp::from_millis;
    let _ = promql::instant(&Few, &expr, at(1_060_000), &options);
    let _ = promql::range(&Few, &expr, at(1_000_000), at(1_060_000), 20_000, &options);
});
