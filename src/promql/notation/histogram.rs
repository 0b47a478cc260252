//! Histograms in the notation: `{{schema:1 count:12 sum:10 buckets:[1 2] offset:-3}}`.

use super::{Reader, Result};
use crate::model::{BucketSpan, Buckets, Histogram, ResetHint};
use crate::promql::print::format_short;
use crate::promql::span::{ParseError, Span};

const FIELDS: &str = "one of schema, count, sum, buckets, n_buckets, offset, n_offset, z_bucket, \
                      z_bucket_w, custom_values, counter_reset_hint";

impl Reader<'_> {
    /// Reads from `{{` to `}}`.
    pub(super) fn histogram(&mut self) -> Result<Histogram> {
        if !self.take("{{") {
            return Err(self.unexpected("\"{{\""));
        }
        let mut histogram = Histogram::default();
        let (mut offset, mut negative_offset) = (0, 0);
        let (mut positive, mut negative) = (Vec::new(), Vec::new());
        loop {
            self.skip_spaces();
            if self.take("}}") {
                histogram.positive = run(offset, positive);
                histogram.negative = run(negative_offset, negative);
                return Ok(histogram);
            }
            let start = self.at;
            let field = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_').to_owned();
            if !matches!(
                field.as_str(),
                "schema"
                    | "count"
                    | "sum"
                    | "buckets"
                    | "n_buckets"
                    | "offset"
                    | "n_offset"
                    | "z_bucket"
                    | "z_bucket_w"
                    | "custom_values"
                    | "counter_reset_hint"
            ) {
                self.at = start;
                return Err(self.unexpected(FIELDS));
            }
            if !self.take(":") {
                return Err(self.unexpected("\":\""));
            }
            match field.as_str() {
                "schema" => histogram.schema = self.whole()?,
                "count" => histogram.count = self.number()?,
                "sum" => histogram.sum = self.number()?,
                "buckets" => positive = self.list()?,
                "n_buckets" => negative = self.list()?,
                "offset" => offset = self.whole()?,
                "n_offset" => negative_offset = self.whole()?,
                "z_bucket" => histogram.zero_count = self.number()?,
                "z_bucket_w" => histogram.zero_threshold = self.number()?,
                "custom_values" => histogram.custom_bounds = self.list()?,
                _ => histogram.reset_hint = self.hint()?,
            }
        }
    }

    fn whole(&mut self) -> Result<i32> {
        let start = self.at;
        let value = self.number()?;
        // Exact: the cast saturates, and then the two differ.
        let whole = value as i32;
        if f64::from(whole) == value {
            return Ok(whole);
        }
        let span = Span::new(start, self.at);
        Err(ParseError::new(self.text, span, format!("{value} is not a whole number that fits")))
    }

    fn list(&mut self) -> Result<Vec<f64>> {
        if !self.take("[") {
            return Err(self.unexpected("\"[\""));
        }
        let mut values = Vec::new();
        loop {
            self.skip_spaces();
            if self.take("]") {
                return Ok(values);
            }
            values.push(self.number()?);
        }
    }

    fn hint(&mut self) -> Result<ResetHint> {
        let start = self.at;
        let hint = match self.take_while(|c| c.is_ascii_alphabetic() || c == '_') {
            "unknown" => ResetHint::Unknown,
            "reset" => ResetHint::Reset,
            "not_reset" => ResetHint::NotReset,
            "gauge" => ResetHint::Gauge,
            _ => {
                self.at = start;
                return Err(self.unexpected("one of unknown, reset, not_reset, gauge"));
            }
        };
        Ok(hint)
    }
}

fn run(offset: i32, counts: Vec<f64>) -> Buckets {
    let length = u32::try_from(counts.len()).unwrap_or(u32::MAX);
    let spans = if length == 0 { Vec::new() } else { vec![BucketSpan { offset, length }] };
    Buckets { spans, counts }
}

/// Buckets further apart than this are written as several runs, which the notation cannot read
/// back: it has one run of buckets only.
const GAP_MAX: usize = 10_000;

/// Writes a histogram in the notation (`TestExpression` in `model/histogram/float_histogram.go`);
/// gaps between buckets are filled with empty ones.
pub fn write_histogram(histogram: &Histogram) -> String {
    let mut parts = Vec::new();
    let mut number = |name: &str, value: f64| {
        if value != 0.0 {
            parts.push(format!("{name}:{}", format_short(value)));
        }
    };
    number("schema", f64::from(histogram.schema));
    number("count", histogram.count);
    number("sum", histogram.sum);
    number("z_bucket", histogram.zero_count);
    number("z_bucket_w", histogram.zero_threshold);
    let list = |values: &[f64]| {
        let values: Vec<String> = values.iter().map(|v| format_short(*v)).collect();
        format!("[{}]", values.join(" "))
    };
    if histogram.has_custom_bounds() {
        parts.push(format!("custom_values:{}", list(&histogram.custom_bounds)));
    }
    match histogram.reset_hint {
        ResetHint::Unknown => {}
        ResetHint::Reset => parts.push("counter_reset_hint:reset".to_owned()),
        ResetHint::NotReset => parts.push("counter_reset_hint:not_reset".to_owned()),
        ResetHint::Gauge => parts.push("counter_reset_hint:gauge".to_owned()),
    }
    for (buckets, offset, name) in
        [(&histogram.positive, "offset", "buckets"), (&histogram.negative, "n_offset", "n_buckets")]
    {
        for (first, counts) in filled_runs(buckets) {
            if first != 0 {
                parts.push(format!("{offset}:{first}"));
            }
            parts.push(format!("{name}:{}", list(&counts)));
        }
    }
    format!("{{{{{}}}}}", parts.join(" "))
}

/// Runs of populated buckets with the gaps between them filled.
fn filled_runs(buckets: &Buckets) -> Vec<(i32, Vec<f64>)> {
    let mut runs: Vec<(i32, Vec<f64>)> = Vec::new();
    for (index, count) in buckets.iter().filter(|(_, count)| *count != 0.0) {
        let gap = runs.last().map(|(first, counts)| {
            i64::from(index) - i64::from(*first) - i64::try_from(counts.len()).unwrap_or(i64::MAX)
        });
        match (runs.last_mut(), gap.and_then(|gap| usize::try_from(gap).ok())) {
            (Some((_, counts)), Some(gap)) if gap <= GAP_MAX => {
                counts.extend(std::iter::repeat_n(0.0, gap));
                counts.push(count);
            }
            _ => runs.push((index, vec![count])),
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::super::parse_histogram;
    use super::*;
    use crate::model::CUSTOM_BUCKETS_SCHEMA;

    #[test]
    fn every_field_is_read_and_written_again() {
        let text = "{{schema:1 count:-12.5 sum:1e+06 z_bucket:2 z_bucket_w:0.001 \
                    counter_reset_hint:gauge offset:-3 buckets:[1 2.5 0 1] n_offset:4 \
                    n_buckets:[3]}}";
        let histogram = parse_histogram(text).expect("a histogram");
        let wanted = Histogram {
            reset_hint: ResetHint::Gauge,
            schema: 1,
            zero_threshold: 0.001,
            zero_count: 2.0,
            count: -12.5,
            sum: 1e6,
            positive: run(-3, vec![1.0, 2.5, 0.0, 1.0]),
            negative: run(4, vec![3.0]),
            custom_bounds: Vec::new(),
        };
        assert_eq!(histogram, wanted);
        assert_eq!(write_histogram(&histogram), text);
        assert_eq!(parse_histogram("{{}}").expect("empty"), Histogram::default());
    }

    #[test]
    fn custom_bounds_are_values_in_brackets() {
        let text = "{{schema:-53 count:3 custom_values:[5 10] counter_reset_hint:not_reset \
                    buckets:[1 2]}}";
        let histogram = parse_histogram(text).expect("a histogram");
        assert_eq!(histogram.schema, CUSTOM_BUCKETS_SCHEMA);
        assert_eq!(histogram.custom_bounds, [5.0, 10.0]);
        assert_eq!(write_histogram(&histogram), text);
    }

    #[test]
    fn gaps_are_filled_as_the_notation_has_one_run_only() {
        let buckets = Buckets::from_pairs([(1, 1.0), (4, 2.0)]);
        let histogram = Histogram { positive: buckets, ..Histogram::default() };
        assert_eq!(write_histogram(&histogram), "{{offset:1 buckets:[1 0 0 2]}}");
    }

    #[test]
    fn unknown_fields_and_half_buckets_are_refused() {
        for text in ["{{colour:1}}", "{{schema:1.5}}", "{{buckets:1}}", "{{count 1}}", "{{x}}"] {
            assert!(parse_histogram(text).is_err(), "{text}");
        }
    }
}
