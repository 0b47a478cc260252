//! Names, labels and quoting inside an exposition.

use std::borrow::Cow;

use super::Format;
use crate::model::{BUCKET_LABEL, METRIC_NAME, MetricType};

/// Label names and values as they are read.
pub(super) type LabelPairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// Where in the text, and what is wrong.
type Fault = (usize, String);

fn fault<T>(at: usize, what: impl Into<String>) -> Result<T, Fault> {
    Err((at, what.into()))
}

/// The classic name at the beginning of `text`; colons belong to metric names only.
pub(super) fn bare_name(text: &str, colons: bool) -> &str {
    let len = text
        .bytes()
        .enumerate()
        .take_while(|(place, byte)| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => true,
            b':' => colons,
            b'0'..=b'9' => *place > 0,
            _ => false,
        })
        .count();
    &text[..len]
}

/// The offset behind the quoted string that begins at `start`. A line feed may stand inside in
/// text, not in OpenMetrics.
pub(super) fn quoted_end(text: &str, start: usize, format: Format) -> Result<usize, Fault> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while let Some(found) = memchr::memchr3(b'"', b'\\', b'\n', &bytes[at.min(bytes.len())..]) {
        at += found;
        match bytes[at] {
            b'"' => return Ok(at + 1),
            b'\\' => at += 2,
            _ if format == Format::OpenMetrics => break,
            _ => at += 1,
        }
    }
    fault(start, "a quote is not closed")
}

/// The offset behind the brace that closes the one at `start`. Looks at quotes only, so that a
/// series that is known already costs no more.
pub(super) fn braces_end(text: &str, start: usize, format: Format) -> Result<usize, Fault> {
    let bytes = text.as_bytes();
    let mut at = start + 1;
    while let Some(found) = memchr::memchr3(b'"', b'}', b'\n', &bytes[at..]) {
        at += found;
        match bytes[at] {
            b'}' => return Ok(at + 1),
            b'"' => at = quoted_end(text, at, format)?,
            _ => break,
        }
    }
    fault(start, "a brace is not closed")
}

/// Undoes `\\`, `\n` and, where quotes are escaped too, `\"`. Other backslashes stay, as in
/// Prometheus.
pub(super) fn unescape(text: &str, quotes: bool) -> Cow<'_, str> {
    if memchr::memchr(b'\\', text.as_bytes()).is_none() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let (plain, taken) = match rest.as_bytes().get(at + 1) {
            Some(b'\\') => ('\\', 2),
            Some(b'n') => ('\n', 2),
            Some(b'"') if quotes => ('"', 2),
            _ => ('\\', 1),
        };
        out.push(plain);
        rest = &rest[at + taken..];
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Reads `name{label="value",…}` or `{"name",label="value",…}`. Offsets in faults are relative to
/// `series`.
pub(super) fn read<'a>(
    series: &'a str,
    kind: MetricType,
    format: Format,
    pairs: &mut LabelPairs<'a>,
) -> Result<(), Fault> {
    let name = bare_name(series, true);
    let place = pairs.len();
    pairs.push((Cow::Borrowed(METRIC_NAME), Cow::Borrowed(name)));
    let mut named = !name.is_empty();
    if let Some(open) = series[name.len()..].find('{') {
        let mut body = Body { text: series, at: name.len() + open + 1, format };
        while let Some(entry) = body.next_entry()? {
            match entry {
                Entry::Name(at, _) if named => return fault(at, "the metric has two names"),
                Entry::Name(_, quoted) => {
                    pairs[place].1 = quoted;
                    named = true;
                }
                Entry::Label(label, value) => {
                    let value = canonical_bound(kind, &label, value);
                    pairs.push((label, value));
                }
            }
        }
    }
    if named { Ok(()) } else { fault(0, "the metric has no name") }
}

/// Reads the labels of an exemplar, which has no name.
pub(super) fn read_exemplar<'a>(
    braces: &'a str,
    format: Format,
    pairs: &mut LabelPairs<'a>,
) -> Result<(), Fault> {
    let mut body = Body { text: braces, at: 1, format };
    while let Some(entry) = body.next_entry()? {
        match entry {
            Entry::Name(at, _) => return fault(at, "expected a label and its value"),
            Entry::Label(label, value) => pairs.push((label, value)),
        }
    }
    Ok(())
}

enum Entry<'a> {
    Name(usize, Cow<'a, str>),
    Label(Cow<'a, str>, Cow<'a, str>),
}

/// Inside braces.
struct Body<'a> {
    text: &'a str,
    at: usize,
    format: Format,
}

impl<'a> Body<'a> {
    fn skip_spaces(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(self.at), Some(b' ' | b'\t')) {
            self.at += 1;
        }
        bytes.get(self.at).copied()
    }

    fn quoted(&mut self) -> Result<Cow<'a, str>, Fault> {
        let start = self.at;
        self.at = quoted_end(self.text, start, self.format)?;
        Ok(unescape(&self.text[start + 1..self.at - 1], true))
    }

    fn next_entry(&mut self) -> Result<Option<Entry<'a>>, Fault> {
        let start = match self.skip_spaces() {
            Some(b'}') | None => return Ok(None),
            Some(_) => self.at,
        };
        let quoted = self.text.as_bytes()[start] == b'"';
        let name = if quoted {
            self.quoted()?
        } else {
            let name = bare_name(&self.text[start..], false);
            self.at += name.len();
            Cow::Borrowed(name)
        };
        if name.is_empty() {
            return fault(start, "expected a label name");
        }
        let entry = match self.skip_spaces() {
            Some(b'=') => {
                self.at += 1;
                if self.skip_spaces() != Some(b'"') {
                    return fault(self.at, "expected a quoted label value");
                }
                Entry::Label(name, self.quoted()?)
            }
            Some(b',' | b'}') if quoted => Entry::Name(start, name),
            _ => return fault(self.at, "expected = after the label name"),
        };
        match self.skip_spaces() {
            Some(b',') => self.at += 1,
            Some(b'}') => {}
            _ => return fault(self.at, "expected a comma or a closing brace"),
        }
        Ok(Some(entry))
    }
}

/// Prometheus 3 writes the bounds of classic histograms and summaries in one canonical form
/// (`normalizeFloatsInLabelValues`), so that `le="1"` and `le="1.0"` are one series.
fn canonical_bound<'a>(kind: MetricType, label: &str, value: Cow<'a, str>) -> Cow<'a, str> {
    let bound = match kind {
        MetricType::Histogram => label == BUCKET_LABEL,
        MetricType::Summary => label == "quantile",
        _ => false,
    };
    match value.parse::<f64>() {
        Ok(number) if bound => {
            let text = format_bound(number);
            if text == value { value } else { Cow::Owned(text) }
        }
        _ => value,
    }
}

/// A bound as OpenMetrics writes it: the shortest digits that read back the same, with `.0` if
/// it would look like an integer, and an exponent from 1e+06 on and below 1e-04 (Go's format `g`).
pub fn format_bound(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    if value == 0.0 {
        return "0.0".to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
}
