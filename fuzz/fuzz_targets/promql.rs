//! What parses is printed and prettified, and both parse to the same tree again; and it is evaluated without a
//! panic or an endless loop.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette::model::{Labels, STALE_NAN, Timestamp};
use vedette::promql::{self, Options, Samples, Selection, SeriesCursor, Source, SourceError};

/// A few series, whatever is asked.
struct Few;

struct Cursor {
    left: u32,
    start: i64,
    end: i64,
}

impl Source for Few {
    fn select<'a>(&'a self, s: &Selection) -> Result<Box<dyn SeriesCursor + 'a>, SourceError> {
        Ok(Box::new(Cursor { left: 3, start: s.start.millis(), end: s.end.millis() }))
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
            if (self.start..=self.end).contains(&at) {
                samples.push(at, value);
            }
        }
        let le = ["0.1", "1", "+Inf"][self.left as usize];
        Ok(Labels::from_pairs([("__name__", "m"), ("le", le), ("job", "a")]).ok())
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
