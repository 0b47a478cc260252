//! Parameters from the query string and the form body, read as Prometheus reads them.

use axum::body::Bytes;
use axum::http::{HeaderMap, Uri, header};

use crate::model::{Timestamp, parse_duration_ms};

use super::ApiError;

/// Parameters in the order in which they came: the form's before the query string's, as Go's
/// `Request.ParseForm` has it.
#[derive(Clone, Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads both places. A body of another type than a form holds no parameters.
    pub(super) fn read(uri: &Uri, headers: &HeaderMap, body: &Bytes) -> Result<Self, ApiError> {
        let mut pairs = Vec::new();
        let form = headers
            .get(header::CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .is_some_and(|kind| kind.trim_start().starts_with("application/x-www-form-urlencoded"));
        if form {
            let body = std::str::from_utf8(body)
                .map_err(|_| ApiError::bad_data("the form is not valid UTF-8"))?;
            read_pairs(body, &mut pairs)?;
        }
        read_pairs(uri.query().unwrap_or(""), &mut pairs)?;
        Ok(Params(pairs))
    }

    /// The first value of a parameter; an empty one counts as absent.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// Every value of a parameter.
    pub(super) fn all<'p>(&'p self, name: &'p str) -> impl Iterator<Item = &'p str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The names of all parameters.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A time, or `None` where it is absent.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        self.get(name)
            .map(|text| parse_time(text).map_err(|error| ApiError::parameter(name, error)))
            .transpose()
    }

    /// A time that must be given.
    pub(super) fn required_time(&self, name: &str) -> Result<Timestamp, ApiError> {
        parse_time(self.get(name).unwrap_or("")).map_err(|error| ApiError::parameter(name, error))
    }

    /// A duration in milliseconds, or `None` where it is absent.
    pub(super) fn duration_ms(&self, name: &str) -> Result<Option<i64>, ApiError> {
        self.get(name)
            .map(|text| parse_duration(text).map_err(|error| ApiError::parameter(name, error)))
            .transpose()
    }

    /// `limit`: `None` where absent or 0, which both mean no limit.
    pub(super) fn limit(&self) -> Result<Option<usize>, ApiError> {
        let Some(text) = self.get("limit") else { return Ok(None) };
        match text.parse::<i64>() {
            Ok(limit) if limit < 0 => {
                Err(ApiError::parameter("limit", "limit must be non-negative"))
            }
            Ok(0) => Ok(None),
            Ok(limit) => Ok(Some(usize::try_from(limit).unwrap_or(usize::MAX))),
            Err(error) => Err(ApiError::parameter("limit", error)),
        }
    }
}

fn read_pairs(text: &str, pairs: &mut Vec<(String, String)>) -> Result<(), ApiError> {
    for part in text.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(())
}

/// Undoes percent-encoding and `+` for a space (WHATWG URL, `application/x-www-form-urlencoded`).
pub(super) fn decode(text: &str) -> Result<String, ApiError> {
    let invalid = || ApiError::bad_data(format!("invalid URL escape in {text:?}"));
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let mut digit = || {
                    bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or_else(invalid)
                };
                out.push((digit()? * 16 + digit()?) as u8);
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8(out).map_err(|_| invalid())
}

/// Reads Unix seconds with a fraction, or RFC 3339 (`parseTime` in `web/api/v1/api.go`). The
/// fraction is rounded to milliseconds.
pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    let refused = || format!("cannot parse {text:?} to a valid timestamp");
    if let Ok(seconds) = text.parse::<f64>() {
        let millis = (seconds * 1000.0).round();
        if !millis.is_finite() {
            return Err(refused());
        }
        return Ok(Timestamp::from_millis(millis as i64));
    }
    match text {
        // The ends of Go's range of time, which Grafana and promtool send for "everything".
        "-292273086-05-16T16:47:06Z" => return Ok(Timestamp::MIN),
        "292277025-08-18T07:12:54.999999999Z" => return Ok(Timestamp::MAX),
        _ => {}
    }
    text.parse::<jiff::Timestamp>()
        .map(|time| Timestamp::from_millis(time.as_millisecond()))
        .map_err(|_| refused())
}

/// Reads seconds with a fraction, or Prometheus's notation; milliseconds.
pub(super) fn parse_duration(text: &str) -> Result<i64, String> {
    let refused = || format!("cannot parse {text:?} to a valid duration");
    if let Ok(seconds) = text.parse::<f64>() {
        let millis = seconds * 1000.0;
        // Go counts nanoseconds in an i64.
        if !millis.is_finite() || millis.abs() > i64::MAX as f64 / 1e6 {
            return Err(format!("{}. It overflows int64", refused()));
        }
        return Ok(millis.round() as i64);
    }
    parse_duration_ms(text).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str, form: &'static str) -> Params {
        let uri: Uri = format!("/x?{query}").parse().expect("a URI");
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            "application/x-www-form-urlencoded; charset=utf-8".parse().expect("a value"),
        );
        Params::read(&uri, &headers, &Bytes::from_static(form.as_bytes())).expect("readable")
    }

    #[test]
    fn form_and_query_string_are_merged_and_decoded() {
        let params = params("match[]=up&match%5B%5D=a%2Bb&limit=3", "query=sum+by+%28a%29&limit=2");
        assert_eq!(params.get("query"), Some("sum by (a)"));
        assert_eq!(params.all("match[]").collect::<Vec<_>>(), ["up", "a+b"]);
        assert_eq!(params.limit().expect("valid"), Some(2));
        assert_eq!(params.get("absent"), None);
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%", "%4", "%zz", "%ff"] {
            assert!(decode(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn times_are_seconds_or_rfc_3339() {
        for (text, millis) in [
            ("1435781430.781", 1_435_781_430_781),
            ("0", 0),
            ("-1.5", -1_500),
            ("1.5e9", 1_500_000_000_000),
            ("2015-07-01T20:10:30.781Z", 1_435_781_430_781),
            ("2015-07-01T22:10:30.781+02:00", 1_435_781_430_781),
        ] {
            assert_eq!(parse_time(text), Ok(Timestamp::from_millis(millis)), "{text}");
        }
        for text in ["", "now", "2015-07-01", "NaN"] {
            let error = parse_time(text).expect_err(text);
            assert_eq!(error, format!("cannot parse {text:?} to a valid timestamp"));
        }
    }

    #[test]
    fn durations_are_seconds_or_prometheus_notation() {
        assert_eq!(parse_duration("15"), Ok(15_000));
        assert_eq!(parse_duration("0.5"), Ok(500));
        assert_eq!(parse_duration("1h30m"), Ok(5_400_000));
        assert!(parse_duration("soon").is_err());
        assert!(parse_duration("1e300").is_err());
    }

    #[test]
    fn a_negative_limit_is_refused() {
        let error = params("limit=-1", "").limit().expect_err("negative");
        assert_eq!(error.message, "invalid parameter \"limit\": limit must be non-negative");
    }
}
