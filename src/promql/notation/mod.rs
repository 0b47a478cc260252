//! Series written down for tests: `up{job="a"} 1+2x3 _x2 stale {{count:3 buckets:[1 2]}}`.
//!
//! The notation of promtool's unit tests for rules (its documentation: "Unit testing for rules",
//! `series`; `seriesDesc` in `promql/parser/generated_parser.y`). `1+2x3` is `1 3 5 7` and `1x3`
//! is `1 1 1 1`: the first value does not count; `_x3` is three steps without a value.

mod histogram;

use std::sync::Arc;

use super::span::{ParseError, Span};
use crate::model::{Histogram, Labels, MatchOp, Reading, STALE_NAN};

pub use histogram::write_histogram;

/// More values than this in one series are refused.
pub const NOTED_VALUES_MAX: usize = 1_000_000;

/// A series with a value, or none, per step.
#[derive(Clone, Debug, PartialEq)]
pub struct NotedSeries {
    /// The series.
    pub labels: Labels,
    /// One per step; none where the series has no sample. The end of a series is the staleness
    /// marker.
    pub values: Vec<Option<Reading>>,
}

/// Reads a series: labels, then values.
pub fn parse_series(text: &str) -> Result<NotedSeries, ParseError> {
    let start = text.len() - text.trim_start().len();
    let end = end_of_labels(text, start);
    let labels = parse_labels(text, start, end)?;
    let values = Reader { text, at: end }.values()?;
    Ok(NotedSeries { labels, values })
}

/// Reads values alone.
pub fn parse_values(text: &str) -> Result<Vec<Option<Reading>>, ParseError> {
    Reader { text, at: 0 }.values()
}

/// Reads a histogram alone, `{{…}}`.
pub fn parse_histogram(text: &str) -> Result<Histogram, ParseError> {
    let mut reader = Reader { text, at: 0 };
    reader.skip_spaces();
    let histogram = reader.histogram()?;
    reader.skip_spaces();
    if reader.at < text.len() {
        return Err(reader.unexpected("end of histogram"));
    }
    Ok(histogram)
}

/// Where labels end: behind the braces, quoted texts aside, or before a space.
fn end_of_labels(text: &str, start: usize) -> usize {
    let mut quote: Option<u8> = None;
    let mut escaped = false;
    let mut inside = false;
    for (at, byte) in text.bytes().enumerate().skip(start) {
        match (quote, byte) {
            (Some(_), _) if escaped => escaped = false,
            (Some(mark), b'\\') if mark != b'`' => escaped = true,
            (Some(mark), byte) if mark == byte => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'' | b'`') => quote = Some(byte),
            (None, b'{') => inside = true,
            (None, b'}') => return at + 1,
            (None, b' ' | b'\t' | b'\n') if !inside => return at,
            (None, _) => {}
        }
    }
    text.len()
}

fn parse_labels(text: &str, start: usize, end: usize) -> Result<Labels, ParseError> {
    let span = Span::new(start, end);
    let written = text.get(start..end).unwrap_or("");
    if written.split_whitespace().collect::<String>() == "{}" {
        return Ok(Labels::empty());
    }
    let matchers = super::parser::parse_selector(written)
        .map_err(|e| ParseError::new(text, span, e.message))?;
    if let Some(matcher) = matchers.iter().find(|m| m.op() != MatchOp::Equal) {
        let message = format!("label {} must be given by \"=\"", matcher.name());
        return Err(ParseError::new(text, span, message));
    }
    Labels::from_pairs(matchers.iter().map(|m| (m.name(), m.value())))
        .map_err(|e| ParseError::new(text, span, e.to_string()))
}

/// Goes through the text of values.
struct Reader<'t> {
    text: &'t str,
    at: usize,
}

type Result<T, E = ParseError> = std::result::Result<T, E>;

impl Reader<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip_spaces(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn take(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.at += wanted.len();
        }
        found
    }

    /// Takes characters as long as they fit.
    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> &str {
        let start = self.at;
        let rest = self.rest();
        self.at += rest.find(|c| !fits(c)).unwrap_or(rest.len());
        self.text.get(start..self.at).unwrap_or("")
    }

    fn fail(&self, message: impl Into<String>) -> ParseError {
        ParseError::new(self.text, Span::new(self.at, self.at + 1), message)
    }

    fn unexpected(&self, wanted: &str) -> ParseError {
        match self.rest().chars().next() {
            Some(found) => {
                self.fail(format!("unexpected {found:?} in series values, expected {wanted}"))
            }
            None => self.fail(format!("unexpected end of series values, expected {wanted}")),
        }
    }

    fn values(mut self) -> Result<Vec<Option<Reading>>> {
        let mut values = Vec::new();
        loop {
            self.skip_spaces();
            if self.rest().is_empty() {
                return Ok(values);
            }
            self.item(&mut values)?;
            if !self.rest().is_empty() && !self.rest().starts_with(char::is_whitespace) {
                return Err(self.unexpected("a space"));
            }
        }
    }

    fn item(&mut self, values: &mut Vec<Option<Reading>>) -> Result<()> {
        if self.take("_") {
            let times = if self.take("x") { self.times(values)? } else { 1 };
            values.extend(std::iter::repeat_n(None, times));
            return Ok(());
        }
        if self.rest().starts_with("{{") {
            return self.histograms(values);
        }
        let mut value = if self.take("stale") { f64::from_bits(STALE_NAN) } else { self.number()? };
        let step = if self.rest().starts_with(['+', '-']) { Some(self.number()?) } else { None };
        let times = match (self.take("x"), step) {
            (true, _) => self.times(values)?,
            (false, None) => 0,
            (false, Some(_)) => return Err(self.unexpected("\"x\"")),
        };
        values.push(Some(Reading::Float(value)));
        for _ in 0..times {
            // Nothing is added to what only repeats: the marker's bits stay.
            if let Some(step) = step {
                value += step;
            }
            values.push(Some(Reading::Float(value)));
        }
        Ok(())
    }

    fn histograms(&mut self, values: &mut Vec<Option<Reading>>) -> Result<()> {
        let mut histogram = self.histogram()?;
        let start = self.at;
        let sign = self.rest().chars().next().filter(|c| matches!(c, '+' | '-'));
        let step = match sign {
            Some(_) => {
                self.at += 1;
                Some(self.histogram()?)
            }
            None => None,
        };
        let times = match (self.take("x"), &step) {
            (true, _) => self.times(values)?,
            (false, None) => 0,
            (false, Some(_)) => return Err(self.unexpected("\"x\"")),
        };
        let mut shared = Arc::new(histogram.clone());
        values.push(Some(Reading::Histogram(Arc::clone(&shared))));
        for _ in 0..times {
            if let Some(step) = &step {
                if !histogram.has_custom_bounds() && histogram.schema > step.schema {
                    let (from, to) = (step.schema, histogram.schema);
                    let message = format!(
                        "error combining histograms: cannot merge from schema {from} to {to}"
                    );
                    return Err(ParseError::new(self.text, Span::new(start, self.at), message));
                }
                let sum = if sign == Some('+') { histogram.add(step) } else { histogram.sub(step) };
                sum.map_err(|e| {
                    let span = Span::new(start, self.at);
                    ParseError::new(self.text, span, format!("error combining histograms: {e}"))
                })?;
                shared = Arc::new(histogram.clone());
            }
            values.push(Some(Reading::Histogram(Arc::clone(&shared))));
        }
        Ok(())
    }

    /// How often something comes again.
    fn times(&mut self, values: &[Option<Reading>]) -> Result<usize> {
        let start = self.at;
        let digits = self.take_while(|c| c.is_ascii_digit());
        let times: usize = match digits.parse() {
            Ok(times) => times,
            Err(_) if digits.is_empty() => return Err(self.unexpected("a repetition count")),
            Err(_) => usize::MAX,
        };
        if times > NOTED_VALUES_MAX.saturating_sub(values.len()) {
            let message = format!("a series may have {NOTED_VALUES_MAX} values at most");
            return Err(ParseError::new(self.text, Span::new(start, self.at), message));
        }
        Ok(times)
    }

    /// A number with an optional sign.
    fn number(&mut self) -> Result<f64> {
        let start = self.at;
        let negative = self.take("-");
        if !negative {
            self.take("+");
        }
        let word = self.take_while(|c| c.is_ascii_alphabetic() && !matches!(c, 'x' | 'X'));
        let value = match word.to_ascii_lowercase().as_str() {
            "inf" => f64::INFINITY,
            "nan" => f64::NAN,
            "" => self.digits()?,
            _ => {
                self.at = start;
                return Err(self.unexpected("a number, \"_\", \"stale\" or \"{{\""));
            }
        };
        Ok(if negative { -value } else { value })
    }

    fn digits(&mut self) -> Result<f64> {
        let start = self.at;
        self.take_while(|c| c.is_ascii_digit() || c == '_');
        if self.take(".") {
            self.take_while(|c| c.is_ascii_digit() || c == '_');
        }
        if self.rest().starts_with(['e', 'E']) {
            let mantissa_end = self.at;
            self.at += 1;
            if self.rest().starts_with(['+', '-']) {
                self.at += 1;
            }
            if self.take_while(|c| c.is_ascii_digit()).is_empty() {
                self.at = mantissa_end;
            }
        }
        let digits = self.text.get(start..self.at).unwrap_or("").replace('_', "");
        digits.parse().map_err(|_| {
            let place = Reader { text: self.text, at: start };
            place.unexpected("a number, \"_\", \"stale\" or \"{{\"")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(text: &str) -> Vec<Option<f64>> {
        let values = parse_values(text).expect(text);
        values.iter().map(|v| v.as_ref().and_then(Reading::as_float)).collect()
    }

    #[test]
    fn floats_repeat_and_rise_as_in_promtool() {
        // The documentation's own examples.
        for (text, wanted) in [
            ("-2+4x3", vec![-2.0, 2.0, 6.0, 10.0]),
            ("1-2x4", vec![1.0, -1.0, -3.0, -5.0, -7.0]),
            ("1x4", vec![1.0; 5]),
            ("1.5e1 -.5 +3 1e-1", vec![15.0, -0.5, 3.0, 0.1]),
            ("1_000", vec![1000.0]),
        ] {
            assert_eq!(floats(text), wanted.into_iter().map(Some).collect::<Vec<_>>(), "{text}");
        }
        assert_eq!(floats("1 _x3 2 _"), [Some(1.0), None, None, None, Some(2.0), None]);
        assert_eq!(floats("-Inf"), [Some(f64::NEG_INFINITY)]);
        assert!(floats("NaN")[0].is_some_and(f64::is_nan));
        let stale = floats("1 stale")[1].map(f64::to_bits);
        assert_eq!(stale, Some(STALE_NAN));
    }

    #[test]
    fn a_series_has_labels_and_values() {
        let series = parse_series("  up{job=\"a }b\", i='1'} 1 2").expect("a series");
        let wanted = Labels::from_pairs([("__name__", "up"), ("job", "a }b"), ("i", "1")]);
        assert_eq!(series.labels, wanted.expect("labels"));
        assert_eq!(series.values.len(), 2);
        assert_eq!(parse_series("{} 1").expect("no labels").labels, Labels::empty());
        assert_eq!(parse_series("up").expect("no values").values, []);
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        for (text, wanted) in [
            ("up 1 2x", "1:8: parse error: unexpected end of series values, expected a repetition"),
            ("up 1 two", "1:6: parse error: unexpected 't'"),
            ("up 1+2", "1:7: parse error: unexpected end of series values, expected \"x\""),
            ("up 1,2", "1:5: parse error: unexpected ','"),
            ("up{a=~\"b\"} 1", "1:1: parse error: label a must be given by \"=\""),
            ("up 1x9999999", "1:6: parse error: a series may have 1000000 values at most"),
            ("up 1x99999999999999999999999", "1:6: parse error: a series may have"),
            ("up {{count:1", "parse error"),
            ("up {{schema:1}}+{{schema:0}}x2", "cannot merge from schema 0 to 1"),
        ] {
            let error = parse_series(text).expect_err(text).to_string();
            assert!(error.contains(wanted), "{text}: {error}");
        }
    }

    #[test]
    fn histograms_rise_bucket_by_bucket() {
        let values = parse_values("{{count:1 buckets:[1]}}+{{count:2 offset:1 buckets:[2]}}x2 7")
            .expect("values");
        let counts: Vec<f64> = values
            .iter()
            .flatten()
            .map(|v| match v {
                Reading::Histogram(h) => h.count,
                Reading::Float(v) => *v,
            })
            .collect();
        assert_eq!(counts, [1.0, 3.0, 5.0, 7.0]);
        let Some(Some(Reading::Histogram(last))) = values.get(2) else { panic!("{values:?}") };
        assert_eq!(last.positive.iter().collect::<Vec<_>>(), [(0, 1.0), (1, 4.0)]);
    }
}
