//! What each check measures, as series.

use crate::model::{
    CheckDefinition, CheckKind, CheckResult, CheckStatus, JOB_LABEL, MetricType, Observation,
    Phases, Timestamp,
};
use crate::telemetry::{Collected, RowSink, Sink};

use super::alerts::check_labels;
use super::target::shown_target;

/// Characters of a condition that its label keeps.
const CONDITION_CHARS_MAX: usize = 200;
/// Named values of one check that become series.
const VALUES_MAX: usize = 32;
const G: MetricType = MetricType::Gauge;

/// What one run measured, as far as series show it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Measured {
    pub(super) result: CheckResult,
    /// `[STATUS]`.
    pub(super) code: Option<i64>,
    pub(super) certificate_expires_at: Option<Timestamp>,
    pub(super) ip: Option<String>,
    /// Named values: free bytes, tokens, …
    pub(super) values: Vec<(String, f64)>,
}

impl Measured {
    /// Of a result and what was seen.
    pub(super) fn new(result: CheckResult, seen: Option<&Observation>) -> Self {
        let values = seen.map(|seen| {
            seen.values.iter().take(VALUES_MAX).map(|(name, value)| (name.clone(), *value))
        });
        Measured {
            result,
            code: seen.and_then(|seen| seen.status),
            certificate_expires_at: seen.and_then(|seen| seen.certificate_expires_at),
            ip: seen.and_then(|seen| seen.ip.clone()),
            values: values.into_iter().flatten().collect(),
        }
    }
}

/// The series of one check.
#[derive(Debug)]
pub(super) struct CheckSeries {
    own: RowSink,
    blackbox: Option<RowSink>,
}

impl CheckSeries {
    pub(super) fn new(check: &CheckDefinition) -> Self {
        let labels = check_labels(check);
        let common: Vec<(&str, &str)> = labels.iter().collect();
        let blackbox = (check.compat.as_deref() == Some("blackbox")).then(|| {
            let target = shown_target(check);
            let mut common: Vec<(&str, &str)> = check
                .labels
                .iter()
                .filter(|(name, _)| !["job", "instance"].contains(name))
                .collect();
            let job = check.labels.get(JOB_LABEL).unwrap_or("blackbox");
            let instance = check.labels.get("instance").unwrap_or(&target);
            common.extend([
                ("instance", instance),
                (JOB_LABEL, job),
                ("check", check.name.as_str()),
            ]);
            RowSink::new(&common)
        });
        CheckSeries { own: RowSink::new(&common), blackbox }
    }

    /// A round at `at`: how the check is, and what its last run measured. What is not known
    /// (any more) is ended.
    pub(super) fn round(
        &mut self,
        kind: CheckKind,
        status: CheckStatus,
        last: Option<&Measured>,
        at: Timestamp,
    ) -> Vec<Collected> {
        self.own.begin(at);
        own(&mut self.own, status, last);
        let mut all = vec![self.own.finish()];
        if let Some(sink) = &mut self.blackbox {
            sink.begin(at);
            if let Some(last) = last {
                blackbox(sink, kind, last);
            }
            all.push(sink.finish());
        }
        all
    }

    /// Ends all of its series.
    pub(super) fn end(&mut self, at: Timestamp) -> Vec<Collected> {
        let mut all = vec![self.own.end(at)];
        all.extend(self.blackbox.as_mut().map(|sink| sink.end(at)));
        all
    }
}

/// The number of `vedette_check_status`.
fn number_of(status: CheckStatus) -> f64 {
    match status {
        CheckStatus::Healthy => 0.0,
        CheckStatus::Degraded => 1.0,
        CheckStatus::Unhealthy => 2.0,
        CheckStatus::Unknown => 3.0,
        CheckStatus::Paused => 4.0,
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn own(sink: &mut RowSink, status: CheckStatus, last: Option<&Measured>) {
    let help = "How the check is: 0 healthy, 1 degraded, 2 unhealthy, 3 unknown, 4 paused.";
    sink.family("vedette_check_status", G, help);
    sink.point("", &[], number_of(status));
    let up = match status {
        CheckStatus::Healthy | CheckStatus::Degraded => Some(1.0),
        CheckStatus::Unhealthy => Some(0.0),
        CheckStatus::Unknown | CheckStatus::Paused => None,
    };
    if let Some(up) = up {
        let help = "Whether the check is healthy or degraded; absent while nobody can say.";
        sink.family("vedette_check_up", G, help);
        sink.point("", &[], up);
    }
    let Some(last) = last.filter(|_| status != CheckStatus::Paused) else { return };
    let result = &last.result;
    if let Some(success) = success(result.status) {
        sink.family("vedette_check_success", G, "Whether the last run by itself succeeded.");
        sink.point("", &[], success);
    }
    let help = "How long the last run took, by phase; total is all of it.";
    sink.family("vedette_check_duration_seconds", G, help);
    for (phase, us) in phases(&result.phases) {
        sink.point("", &[("phase", phase)], seconds(us));
    }
    if let Some(code) = last.code {
        let help = "The status that was answered: HTTP's, gRPC's, or an exit code.";
        sink.family("vedette_check_response_code", G, help);
        sink.point("", &[], code as f64);
    }
    if let Some(ends) = last.certificate_expires_at {
        let help = "Seconds from the last run until the first certificate of the chain expires.";
        sink.family("vedette_check_certificate_expiry_seconds", G, help);
        sink.point("", &[], ends.since(result.at) as f64 / 1000.0);
    }
    if let Some(condition) = &result.failed_condition {
        let condition: String = condition.chars().take(CONDITION_CHARS_MAX).collect();
        sink.family("vedette_check_failed_condition", G, "1 for the condition that failed.");
        sink.point("", &[("condition", &unshown(&condition))], 1.0);
    }
    if !last.values.is_empty() {
        let help = "What the last run measured, by the name that conditions use.";
        sink.family("vedette_check_value", G, help);
        for (name, value) in &last.values {
            sink.point("", &[("value", &name.to_lowercase())], *value);
        }
    }
}

/// A failed condition without what was found in its places (`[STATUS] (503) == 200`): each found
/// value would be a series of its own.
fn unshown(condition: &str) -> String {
    let mut text = String::with_capacity(condition.len());
    let mut rest = condition;
    while let Some((before, after)) = rest.split_once("] (") {
        text.push_str(before);
        text.push(']');
        rest = after.split_once(") ").map_or(after, |(_, rest)| {
            text.push(' ');
            rest
        });
    }
    text.push_str(rest);
    text
}

fn success(status: CheckStatus) -> Option<f64> {
    match status {
        CheckStatus::Healthy | CheckStatus::Degraded => Some(1.0),
        CheckStatus::Unhealthy => Some(0.0),
        CheckStatus::Unknown | CheckStatus::Paused => None,
    }
}

fn phases(phases: &Phases) -> impl Iterator<Item = (&'static str, u64)> {
    let parts = [
        ("dns", phases.dns_us),
        ("connect", phases.connect_us),
        ("tls", phases.tls_us),
        ("first_byte", phases.first_byte_us),
        ("total", Some(phases.total_us)),
    ];
    parts.into_iter().filter_map(|(phase, us)| Some((phase, us?)))
}

/// The names and phases of blackbox_exporter (`prober/handler.go`, `http.go`, `dns.go`, `icmp.go`,
/// `grpc.go`, `utils.go`).
fn blackbox(sink: &mut RowSink, kind: CheckKind, last: &Measured) {
    let result = &last.result;
    let Some(success) = success(result.status) else { return };
    let point = |sink: &mut RowSink, name: &str, help: &str, value: f64| {
        sink.family(name, G, help);
        sink.point("", &[], value);
    };
    let took = &result.phases;
    point(sink, "probe_success", "Displays whether or not the probe was a success", success);
    point(
        sink,
        "probe_duration_seconds",
        "Returns how long the probe took to complete in seconds",
        seconds(took.total_us),
    );
    if let Some(dns_us) = took.dns_us {
        let help = "Returns the time taken for probe dns lookup in seconds";
        point(sink, "probe_dns_lookup_time_seconds", help, seconds(dns_us));
    }
    if let Some(ip) = &last.ip {
        let version = if ip.contains(':') { 6.0 } else { 4.0 };
        let help = "Specifies whether probe ip protocol is IP4 or IP6";
        point(sink, "probe_ip_protocol", help, version);
    }
    if let Some(ends) = last.certificate_expires_at {
        let help = "Returns last SSL chain expiry in unixtime";
        point(sink, "probe_ssl_earliest_cert_expiry", help, ends.seconds().floor());
    }
    let rest = took.total_us.saturating_sub(
        [took.dns_us, took.connect_us, took.tls_us, took.first_byte_us].into_iter().flatten().sum(),
    );
    let shown = |all: [(&'static str, Option<u64>); 5]| {
        all.into_iter().filter_map(|(phase, us)| Some((phase, us?)))
    };
    let (name, help, parts) = match kind {
        CheckKind::Http => {
            let help = "Response HTTP status code";
            point(sink, "probe_http_status_code", help, last.code.unwrap_or(0) as f64);
            let encrypted = f64::from(u8::from(last.certificate_expires_at.is_some()));
            let help = "Indicates if SSL was used for the final redirect";
            point(sink, "probe_http_ssl", help, encrypted);
            let help = "Duration of http request by phase, summed over all redirects";
            let parts = [
                ("resolve", Some(took.dns_us.unwrap_or(0))),
                ("connect", Some(took.connect_us.unwrap_or(0))),
                ("tls", Some(took.tls_us.unwrap_or(0))),
                ("processing", Some(took.first_byte_us.unwrap_or(0))),
                ("transfer", Some(rest)),
            ];
            ("probe_http_duration_seconds", help, parts)
        }
        CheckKind::Dns => {
            let help = "Duration of DNS request by phase";
            let parts = [
                ("resolve", took.dns_us),
                ("connect", took.connect_us),
                ("request", Some(took.first_byte_us.unwrap_or(rest))),
                ("", None),
                ("", None),
            ];
            ("probe_dns_duration_seconds", help, parts)
        }
        CheckKind::Icmp => {
            let help = "Duration of icmp request by phase";
            let parts = [
                ("resolve", Some(took.dns_us.unwrap_or(0))),
                ("rtt", took.first_byte_us.or(Some(rest))),
                ("", None),
                ("", None),
                ("", None),
            ];
            ("probe_icmp_duration_seconds", help, parts)
        }
        CheckKind::Grpc => {
            let help = "Duration of gRPC request by phase";
            let parts = [
                ("resolve", took.dns_us),
                ("connect", took.connect_us),
                ("check", took.first_byte_us),
                ("", None),
                ("", None),
            ];
            ("probe_grpc_duration_seconds", help, parts)
        }
        _ => return,
    };
    sink.family(name, G, help);
    for (phase, us) in shown(parts) {
        sink.point("", &[("phase", phase)], seconds(us));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{at, define, result};
    use super::*;
    use crate::model::is_stale_nan;

    fn lines(all: &[Collected]) -> Vec<String> {
        let mut lines: Vec<String> = all
            .iter()
            .flat_map(|collected| &collected.rows)
            .map(|row| match row.value.as_float() {
                Some(value) if is_stale_nan(value) => format!("{} ended", row.labels),
                value => format!("{} {}", row.labels, value.unwrap_or(f64::NAN)),
            })
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn a_result_becomes_series_and_what_is_not_known_any_more_ends() {
        let check = define("shop", json!({}));
        let mut series = CheckSeries::new(&check);
        let mut measured = Measured::new(result("shop", 10, CheckStatus::Unhealthy), None);
        measured.code = Some(503);
        measured.certificate_expires_at = Some(at(70));
        let own = "check=\"shop\", instance=\"http://shop.example/\", kind=\"http\"";
        let kind = CheckKind::Http;
        let shown = lines(&series.round(kind, CheckStatus::Unhealthy, Some(&measured), at(10)));
        let condition = "condition=\"[STATUS] == 200\"";
        let expected = [
            format!("vedette_check_certificate_expiry_seconds{{{own}}} 60"),
            format!("vedette_check_duration_seconds{{{own}, phase=\"total\"}} 0.001"),
            format!(
                "vedette_check_failed_condition{{check=\"shop\", {condition}, instance=\"http://shop.example/\", kind=\"http\"}} 1"
            ),
            format!("vedette_check_response_code{{{own}}} 503"),
            format!("vedette_check_status{{{own}}} 2"),
            format!("vedette_check_success{{{own}}} 0"),
            format!("vedette_check_up{{{own}}} 0"),
        ];
        assert_eq!(shown, expected);
        let shown = lines(&series.round(kind, CheckStatus::Unknown, None, at(20)));
        assert!(shown.contains(&format!("vedette_check_up{{{own}}} ended")), "{shown:?}");
        assert!(shown.contains(&format!("vedette_check_status{{{own}}} 3")), "{shown:?}");
        assert_eq!(lines(&series.end(at(30))), [format!("vedette_check_status{{{own}}} ended")]);
    }

    #[test]
    fn blackbox_names_are_written_where_they_are_asked_for() {
        let check = define("shop", json!({ "compat": "blackbox", "labels": {"team": "web"} }));
        let mut series = CheckSeries::new(&check);
        let mut measured = Measured::new(result("shop", 10, CheckStatus::Healthy), None);
        measured.code = Some(200);
        measured.ip = Some("::1".to_owned());
        measured.certificate_expires_at = Some(at(70));
        measured.result.phases = Phases {
            dns_us: Some(1_000),
            connect_us: Some(2_000),
            tls_us: None,
            first_byte_us: Some(3_000),
            total_us: 10_000,
        };
        let kind = CheckKind::Http;
        let shown = lines(&series.round(kind, CheckStatus::Healthy, Some(&measured), at(10)));
        let common = "check=\"shop\", instance=\"http://shop.example/\", job=\"blackbox\"";
        for (metric, phase, value) in [
            ("probe_success", "", "1"),
            ("probe_duration_seconds", "", "0.01"),
            ("probe_http_status_code", "", "200"),
            ("probe_http_ssl", "", "1"),
            ("probe_ip_protocol", "", "6"),
            ("probe_ssl_earliest_cert_expiry", "", "70"),
            ("probe_http_duration_seconds", ", phase=\"resolve\"", "0.001"),
            ("probe_http_duration_seconds", ", phase=\"tls\"", "0"),
            ("probe_http_duration_seconds", ", phase=\"transfer\"", "0.004"),
        ] {
            let line = format!("{metric}{{{common}{phase}, team=\"web\"}} {value}");
            assert!(shown.contains(&line), "{line} in {shown:#?}");
        }
    }
}
