//! Writes an exposition (`common/expfmt/text_create.go`).

use std::fmt::Write as _;

use super::Escaping;
use crate::model::{
    Labels, METRIC_NAME, MetricType, is_classic_label_name, is_classic_metric_name,
};

/// Writes Prometheus text, family by family.
#[derive(Debug, Default)]
pub struct Writer {
    text: String,
    escaping: Escaping,
}

impl Writer {
    /// An empty text with names escaped so.
    pub fn new(escaping: Escaping) -> Self {
        Writer { text: String::new(), escaping }
    }

    /// What was written.
    pub fn into_text(self) -> String {
        self.text
    }

    /// Begins a family.
    pub fn family(&mut self, name: &str, kind: MetricType) {
        // The text format's word; `unknown` is OpenMetrics.
        let kind = if kind == MetricType::Unknown { "untyped" } else { kind.as_str() };
        let name = self.escaping.apply(name);
        self.text.push_str("# TYPE ");
        if is_classic_metric_name(&name) {
            self.text.push_str(&name);
        } else {
            push_quoted(&mut self.text, &name);
        }
        let _ = writeln!(self.text, " {kind}");
    }

    /// Writes a sample of a series with a name; `extra` labels follow its own, even empty ones.
    /// Writing to a String cannot fail, which is why results are let go here.
    pub fn sample(&mut self, labels: &Labels, extra: &[(&str, &str)], value: f64, at_ms: i64) {
        let name = self.escaping.apply(labels.metric_name().unwrap_or_default());
        let is_bare = is_classic_metric_name(&name);
        let mut separator = "{";
        if is_bare {
            self.text.push_str(&name);
        } else {
            self.text.push('{');
            push_quoted(&mut self.text, &name);
            separator = ",";
        }
        let own = labels.iter().filter(|(label, _)| *label != METRIC_NAME);
        for (label, value) in own.chain(extra.iter().copied()) {
            let label = self.escaping.apply(label);
            self.text.push_str(separator);
            separator = ",";
            if is_classic_label_name(&label) {
                self.text.push_str(&label);
            } else {
                push_quoted(&mut self.text, &label);
            }
            self.text.push('=');
            push_quoted(&mut self.text, value);
        }
        if separator == "," {
            self.text.push('}');
        }
        self.text.push(' ');
        push_value(&mut self.text, value);
        let _ = writeln!(self.text, " {at_ms}");
    }
}

fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Numbers from this power of ten on are written with an exponent.
const PLAIN_BELOW: i32 = 6;

/// Go's format `g` with the fewest digits that read back exactly.
fn push_value(out: &mut String, value: f64) {
    if value.is_nan() {
        return out.push_str("NaN");
    }
    if value.is_infinite() {
        return out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let _ = if value == 0.0 || (-4..PLAIN_BELOW).contains(&exponent) {
        write!(out, "{value}")
    } else {
        let sign = if exponent < 0 { '-' } else { '+' };
        write!(out, "{digits}e{sign}{:02}", exponent.unsigned_abs())
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).expect("valid")
    }

    /// The forms are those of the text format's documentation (version 1.0.0 for quoted names).
    #[test]
    fn samples_have_the_form_of_the_text_format() {
        let mut writer = Writer::new(Escaping::AllowUtf8);
        writer.family("up", MetricType::Unknown);
        let up = labels(&[("__name__", "up"), ("path", "a\\b\"c\nd")]);
        writer.sample(&up, &[("instance", "")], 1.0, 1500);
        writer.sample(&labels(&[("__name__", "up")]), &[], f64::NEG_INFINITY, -1);
        writer.family("http.size", MetricType::Gauge);
        writer.sample(&labels(&[("__name__", "http.size"), ("a.b", "1")]), &[], 0.5, 0);
        assert_eq!(
            writer.into_text(),
            "# TYPE up untyped\n\
             up{path=\"a\\\\b\\\"c\\nd\",instance=\"\"} 1 1500\n\
             up -Inf -1\n\
             # TYPE \"http.size\" gauge\n\
             {\"http.size\",\"a.b\"=\"1\"} 0.5 0\n"
        );
    }

    #[test]
    fn escaped_names_need_no_quotes() {
        let mut writer = Writer::new(Escaping::Underscores);
        writer.family("http.size", MetricType::Unknown);
        writer.sample(&labels(&[("__name__", "http.size"), ("a.b", "1")]), &[], 1.0, 0);
        assert_eq!(writer.into_text(), "# TYPE http_size untyped\nhttp_size{a_b=\"1\"} 1 0\n");
    }

    /// Expected texts are those of Go's `strconv.FormatFloat(v, 'g', -1, 64)`.
    #[test]
    fn values_are_written_as_go_writes_them() {
        for (value, text) in [
            (0.0, "0"),
            (1.5, "1.5"),
            (100_000.0, "100000"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (-2.5e300, "-2.5e+300"),
        ] {
            let mut out = String::new();
            push_value(&mut out, value);
            assert_eq!(out, text);
        }
    }
}
