//! Writes answers as JSON straight into a buffer, in Prometheus's forms.
//!
//! A large range query is mostly numbers; building a tree of them first would cost more than the
//! query itself.

use std::io::Write as _;

use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use serde::Serialize;

use crate::model::{Histogram, Labels};

/// Appends a sample's value without quotes: `%f` with the fewest digits that read back exactly,
/// exponents below 1e-6 and from 1e21 on (`util/jsonutil/marshal.go`).
pub(super) fn push_float(out: &mut Vec<u8>, value: f64) {
    // 2^53: up to here every whole number is exact, and most samples are whole numbers.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    if value == value.trunc() && value.abs() < WHOLE && (value != 0.0 || value.is_sign_positive()) {
        return push_integer(out, value as i64);
    }
    if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else if value.is_infinite() {
        out.extend_from_slice(if value > 0.0 { b"+Inf" } else { b"-Inf" });
    } else if value == 0.0 {
        out.extend_from_slice(b"-0");
    } else if value.abs() < 1e-6 || value.abs() >= 1e21 {
        push_exponent(out, value);
    } else {
        push_positional(out, value);
    }
}

/// Writing into memory does not fail, which is why results of `write!` are let go in this file.
fn push_positional(out: &mut Vec<u8>, value: f64) {
    let start = out.len();
    // serde_json's formatter is several times faster than the standard library's; it falls into
    // exponents earlier than Prometheus, and then the standard library, which never does, is right.
    let _ = serde_json::to_writer(&mut *out, &value);
    if out[start..].contains(&b'e') {
        out.truncate(start);
        let _ = write!(out, "{value}");
    } else if out.ends_with(b".0") {
        out.truncate(out.len() - 2);
    }
}

/// Go writes at least two digits of exponent, and its sign: `1e+21`, `1.5e-07`.
fn push_exponent(out: &mut Vec<u8>, value: f64) {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    let _ = write!(out, "{mantissa}e{sign}{digits:0>2}");
}

fn push_integer(out: &mut Vec<u8>, value: i64) {
    if value < 0 {
        out.push(b'-');
    }
    let mut digits = [0_u8; 20];
    let mut place = digits.len();
    let mut rest = value.unsigned_abs();
    loop {
        place -= 1;
        digits[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[place..]);
}

/// Milliseconds as seconds: a whole number where they are whole, as Go writes them.
pub(super) fn seconds(millis: i64) -> serde_json::Value {
    match millis % 1000 {
        0 => (millis / 1000).into(),
        _ => (millis as f64 / 1000.0).into(),
    }
}

/// Appends a time as seconds: whole, or with exactly three decimals.
pub(super) fn push_time(out: &mut Vec<u8>, at_ms: i64) {
    if at_ms < 0 {
        out.push(b'-');
    }
    let millis = at_ms.unsigned_abs();
    push_integer(out, (millis / 1000) as i64);
    let fraction = (millis % 1000) as u16;
    if fraction != 0 {
        out.push(b'.');
        out.push(b'0' + (fraction / 100) as u8);
        out.push(b'0' + (fraction / 10 % 10) as u8);
        out.push(b'0' + (fraction % 10) as u8);
    }
}

/// Appends `[1435781430.781,"1"]`.
pub(super) fn push_point(out: &mut Vec<u8>, at_ms: i64, value: f64) {
    out.push(b'[');
    push_time(out, at_ms);
    out.extend_from_slice(b",\"");
    push_float(out, value);
    out.extend_from_slice(b"\"]");
}

/// Appends `[1435781430.781,{"count":"6","sum":"3.5","buckets":[[0,"1","2","6"]]}]`: of the
/// buckets those that hold anything, each with the rule of its bounds in front
/// (`MarshalHistogram` in `util/jsonutil/marshal.go`).
pub(super) fn push_histogram_point(out: &mut Vec<u8>, at_ms: i64, histogram: &Histogram) {
    let quoted = |out: &mut Vec<u8>, before: &[u8], value: f64| {
        out.extend_from_slice(before);
        out.push(b'"');
        push_float(out, value);
        out.push(b'"');
    };
    out.push(b'[');
    push_time(out, at_ms);
    quoted(out, b",{\"count\":", histogram.count);
    quoted(out, b",\"sum\":", histogram.sum);
    let mut is_first = true;
    for bucket in histogram.all_buckets().filter(|bucket| bucket.count != 0.0) {
        out.extend_from_slice(if is_first { b",\"buckets\":[[" } else { b",[" });
        is_first = false;
        push_integer(out, i64::from(bucket.rule));
        quoted(out, b",", bucket.lower);
        quoted(out, b",", bucket.upper);
        quoted(out, b",", bucket.count);
        out.push(b']');
    }
    if !is_first {
        out.push(b']');
    }
    out.extend_from_slice(b"}]");
}

/// Appends a text with its quotes and escapes.
pub(super) fn push_text(out: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(out, text);
}

/// Appends `{"__name__":"up","job":"node"}`.
pub(super) fn push_labels(out: &mut Vec<u8>, labels: &Labels) {
    out.push(b'{');
    for (place, (name, value)) in labels.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        push_text(out, name);
        out.push(b':');
        push_text(out, value);
    }
    out.push(b'}');
}

/// A finished JSON body as an answer.
pub(super) fn respond(body: Vec<u8>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// Remarks that go along with an answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Remarks {
    pub(super) warnings: Vec<String>,
    pub(super) infos: Vec<String>,
}

/// Begins an answer up to and including `"data":`.
pub(super) fn open_success(capacity: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(capacity + 64);
    out.extend_from_slice(b"{\"status\":\"success\",\"data\":");
    out
}

/// Ends an answer that [`open_success`] began.
pub(super) fn close_success(mut out: Vec<u8>, remarks: &Remarks) -> Response<Body> {
    for (name, texts) in [("warnings", &remarks.warnings), ("infos", &remarks.infos)] {
        if !texts.is_empty() {
            let _ = write!(out, ",\"{name}\":");
            let _ = serde_json::to_writer(&mut out, texts);
        }
    }
    out.push(b'}');
    respond(out)
}

/// An answer from data that serde knows.
pub(super) fn success(data: &impl Serialize) -> Response<Body> {
    success_with(data, &Remarks::default())
}

/// An answer with remarks.
pub(super) fn success_with(data: &impl Serialize, remarks: &Remarks) -> Response<Body> {
    let mut out = open_success(256);
    match serde_json::to_writer(&mut out, data) {
        Ok(()) => close_success(out, remarks),
        Err(error) => axum::response::IntoResponse::into_response(super::ApiError::internal(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn float(value: f64) -> String {
        let mut out = Vec::new();
        push_float(&mut out, value);
        String::from_utf8(out).expect("ASCII")
    }

    /// Expected values are those of Go's `strconv.FormatFloat(v, 'f' or 'e', -1, 64)`.
    #[test]
    fn values_are_written_as_go_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-42.0, "-42"),
            (0.1, "0.1"),
            (1.5e-6, "0.0000015"),
            (1e-6, "0.000001"),
            (9.99e-7, "9.99e-07"),
            (5e-324, "5e-324"),
            (123_456.789, "123456.789"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (-1.25e300, "-1.25e+300"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            assert_eq!(float(value), text);
        }
    }

    #[test]
    fn every_written_value_reads_back_exactly() {
        let mut bits: u64 = 0x9e37_79b9_7f4a_7c15;
        for _ in 0..100_000 {
            bits ^= bits << 13;
            bits ^= bits >> 7;
            bits ^= bits << 17;
            let value = f64::from_bits(bits);
            if value.is_finite() {
                let back: f64 = float(value).parse().expect("a number");
                assert_eq!(back.to_bits(), value.to_bits(), "{value:e}");
            }
        }
    }

    #[test]
    fn times_have_no_or_three_decimals() {
        for (at_ms, text) in [
            (1_435_781_430_781, "1435781430.781"),
            (1_000, "1"),
            (1_100, "1.100"),
            (1_001, "1.001"),
            (-1_500, "-1.500"),
            (-1, "-0.001"),
            (0, "0"),
        ] {
            let mut out = Vec::new();
            push_time(&mut out, at_ms);
            assert_eq!(String::from_utf8(out).expect("ASCII"), text);
        }
    }
}
