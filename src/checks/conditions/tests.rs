//! Expectations follow the scenarios of Gatus (`config/endpoint/condition_test.go`, with
//! resolved conditions shown also where they hold) but for the differences that the module names.

use super::*;
use crate::model::{CheckDefinition, CheckStatus, Phases};

fn now() -> Timestamp {
    serde_json::from_str("\"2026-11-21T10:00:00Z\"").expect("a time")
}

fn with_body(body: &str) -> Observation {
    Observation { connected: true, body: body.as_bytes().to_vec(), ..Observation::default() }
}

fn full() -> Observation {
    Observation {
        connected: true,
        phases: Phases { total_us: 499_900, ..Phases::default() },
        status: Some(404),
        headers: vec![
            ("content-type".to_owned(), "text/html".to_owned()),
            ("last-modified".to_owned(), "Sat, 21 Nov 2026 09:50:00 GMT".to_owned()),
        ],
        ip: Some("10.0.0.1".to_owned()),
        dns_rcode: Some("NXDOMAIN".to_owned()),
        certificate_expires_at: Some(now().plus_millis(14 * 86_400_000)),
        values: [("FREE_PERCENT".to_owned(), 7.5), ("TOKENS".to_owned(), 12.0)].into(),
        ..Observation::default()
    }
}

fn holds(text: &str, observation: &Observation) -> ConditionOutcome {
    let condition = Condition::parse(text).expect("valid");
    condition.evaluate(observation, Severity::Critical, now())
}

#[test]
fn places_of_an_observation_are_compared_and_shown() {
    for (text, expected, shown) in [
        ("[STATUS] == 404", true, "[STATUS] (404) == 404"),
        ("[STATUS] == 200", false, "[STATUS] (404) == 200"),
        ("[status] != 200", true, "[status] (404) != 200"),
        ("[STATUS] < 300", false, "[STATUS] (404) < 300"),
        ("200 < [STATUS]", true, "200 < [STATUS] (404)"),
        ("[STATUS] == any(200, 404)", true, "[STATUS] (404) == any(200, 404)"),
        ("any(200, 429) == [STATUS]", false, "any(200, 429) == [STATUS] (404)"),
        ("[STATUS] == pat(4*)", true, "[STATUS] (404) == pat(4*)"),
        ("[STATUS] != pat(4*)", false, "[STATUS] (404) != pat(4*)"),
        ("[STATUS] == regex(^[45]\\d\\d$)", true, "[STATUS] (404) == regex(^[45]\\d\\d$)"),
        ("[RESPONSE_TIME] < 500", true, "[RESPONSE_TIME] (499) < 500"),
        ("[RESPONSE_TIME] >= 0.5s", false, "[RESPONSE_TIME] (499) >= 0.5s"),
        ("[RESPONSE_TIME] <= 499", true, "[RESPONSE_TIME] (499) <= 499"),
        ("[IP] == pat(10.*)", true, "[IP] (10.0.0.1) == pat(10.*)"),
        ("[CONNECTED] == true", true, "[CONNECTED] (true) == true"),
        ("[DNS_RCODE] == NOERROR", false, "[DNS_RCODE] (NXDOMAIN) == NOERROR"),
        (
            "[CERTIFICATE_EXPIRATION] > 2419200000",
            false,
            "[CERTIFICATE_EXPIRATION] (336h) > 2419200000",
        ),
        ("[CERTIFICATE_EXPIRATION] > 48h", true, "[CERTIFICATE_EXPIRATION] (336h) > 48h"),
        ("[CERTIFICATE_EXPIRATION] > 3w", false, "[CERTIFICATE_EXPIRATION] (336h) > 3w"),
        (
            "[HEADERS].Content-Type == text/html",
            true,
            "[HEADERS].Content-Type (text/html) == text/html",
        ),
        ("[HEADER].x-none == 1", false, "[HEADER].x-none (INVALID) == 1"),
        ("has([HEADERS].x-none) == false", true, "has([HEADERS].x-none) (false) == false"),
        (
            "age([HEADERS].Last-Modified) < 10m",
            false,
            "age([HEADERS].Last-Modified) (600000) < 10m",
        ),
        ("[FREE_PERCENT] > 7.4", true, "[FREE_PERCENT] (7.5) > 7.4"),
        ("[FREE_PERCENT] == 7.50", true, "[FREE_PERCENT] (7.5) == 7.50"),
        ("[TOKENS] == 12", true, "[TOKENS] (12) == 12"),
        ("[NEVER_HEARD_OF] < 5", false, "[NEVER_HEARD_OF] (INVALID) < 5"),
        ("[NEVER_HEARD_OF] != 5", true, "[NEVER_HEARD_OF] (INVALID) != 5"),
        ("1 == 2", false, "1 == 2"),
        ("raw == raw", true, "raw == raw"),
    ] {
        let outcome = holds(text, &full());
        assert_eq!((outcome.holds, outcome.shown.as_str()), (expected, shown), "{text}");
    }
    let expired = Observation {
        certificate_expires_at: Some(now().plus_millis(-90_061_000)),
        ..Observation::default()
    };
    let outcome = holds("[CERTIFICATE_EXPIRATION] > 0", &expired);
    assert_eq!(outcome.shown, "[CERTIFICATE_EXPIRATION] (-25h1m1s) > 0");
    assert!(!outcome.holds);
    assert_eq!(holds("[STATUS] < 400", &expired).shown, "[STATUS] (INVALID) < 400");
}

#[test]
fn bodies_are_walked_as_gatus_walks_them() {
    for (body, text, expected) in [
        ("test", "[BODY] == test", true),
        ("  test \n", "[BODY] == test", true),
        ("123", "[BODY] < 124", true),
        ("100", "[BODY] > 123", false),
        (r#"{"status": "UP"}"#, "[BODY].status == UP", true),
        (r#"{"data": {"id": 1, "name": "john"}}"#, "[BODY].data.name == john", true),
        (r#"{"data": {"id": 1}}"#, "[BODY].data.name == john", false),
        (r#"{"data": {"id": 1}}"#, "len([BODY].data.name) == john", false),
        (r#"{"data": {"id": 1}}"#, "[BODY].data.id > 0", true),
        (r#"{"user": {"a": "john", "b": "doe"}}"#, "[BODY].user.a != [BODY].user.b", true),
        (r#"[{"id": 1}, {"id": 2}]"#, "[BODY][0].id == 1", true),
        (r#"[{"id": 1}, {"id": 2}]"#, "[BODY][5].id == 1", false),
        (r#"{"data": [{"id": 1}, {"id": 2}]}"#, "[BODY].data[1].id == 2", true),
        (r#"[[1, 2], [3, 4], [], [5, 6, 7]]"#, "[BODY][3][2] == 7", true),
        (
            r#"{"data": [{"apps": [{"name": "a"}, {"name": "b"}]}]}"#,
            "[BODY].data[0].apps[1].name == b",
            true,
        ),
        (r#"{"data": {"name": "john"}}"#, "[BODY].data.name.invalid == john", false),
        (r#"{"data": null}"#, "[BODY].data == OK", false),
        ("null", "[BODY].data == OK", false),
        (r#"{"message": "x"}"#, "[BODY][0].name == test", false),
        ("no json", "[BODY].a == b", false),
        (r#"{"data": "0x1"}"#, "[BODY].data == 1", true),
        (r#"{"data": "0xC0ff33"}"#, "[BODY].data == 12648243", true),
        (r#"{"data": "0o2"}"#, "[BODY].data == 2", true),
        (r#"{"data": "0b0010"}"#, "[BODY].data == 0b10", true),
        (r#"{"data": "0x01"}"#, "len([BODY].data) == 4", true),
        (r#"{"balance": "123.40000000000005"}"#, "[BODY].balance > 100", true),
        (r#"{"data": ["hello", "Whatever"]}"#, "[BODY].data == pat(*Whatever*)", true),
        (r#"[{"id": 1}, {"id": 2}, {"id": 3}]"#, "len([BODY]) == 3", true),
        (r#"{"data": [1, 2, 3]}"#, "len([BODY].data) == 3", true),
        ("john.doe", "len([BODY]) == 8", true),
        (r#"{"age": 18, "adult": true}"#, "len([BODY].age) == 2", true),
        (r#"{"age": 18, "adult": true}"#, "len([BODY].adult) == 4", true),
        (r#"[{"age":18,"adult":true}]"#, "len([BODY][0]) == 23", true),
        (r#"{"name": "john.doe"}"#, "len([BODY]) == 20", true),
        ("{}", "has([BODY].errors) == false", true),
        (r#"{"errors": ["1"]}"#, "has([BODY].errors) == false", false),
        (r#"{"article": {"id": 1}}"#, "has([BODY].article) == true", true),
        ("", "has([BODY]) == false", true),
        (
            "<div id=\"user\">john.doe</div> / more",
            "[BODY] == pat(*<div id=\"user\">john.doe</div>*)",
            true,
        ),
        (r#"{"at": 1795255200}"#, "age([BODY].at) == 0", true),
        (r#"{"at": "2026-11-21T09:59:59Z"}"#, "age([BODY].at) <= 1s", true),
        (r#"{"at": "yesterday"}"#, "age([BODY].at) <= 1s", false),
        // Where we differ: what is absent or no number is not 0.
        ("{}", "[BODY].errors < 5", false),
        (r#"{"errors": "many"}"#, "[BODY].errors < 5", false),
        (r#"{"ratio": 0.7}"#, "[BODY].ratio < 0.5", false),
        (r#"{"id": 12345678}"#, "[BODY].id == 12345678", true),
        (r#"{"n": 1.0}"#, "[BODY].n == 1", true),
        (r#"{"version": "1.10"}"#, "[BODY].version == 1.1", false),
        (r#"{"a.b": {"c]": 1}}"#, "[BODY][\"a.b\"][\"c]\"] == 1", true),
        ("a == b", "[BODY] == regex(a == b)", true),
        ("one\nERROR two", "[BODY] != regex((?i)error)", false),
        ("x", "[BODY] == regex(^y)", false),
    ] {
        let outcome = holds(text, &with_body(body));
        assert_eq!(outcome.holds, expected, "{text} of {body}: {}", outcome.shown);
    }
}

#[test]
fn long_values_are_cut_where_they_are_shown() {
    let body = "<!DOCTYPE html><html lang=\"en\"><head>";
    let outcome = holds("[BODY] == pat(*<div id=\"user\">john.doe</div>*)", &with_body(body));
    let expected = "[BODY] (<!DOCTYPE html><html lang...(truncated)) == \
                    pat(*<div id=\"user\">john.doe</div>*)";
    assert_eq!(outcome.shown, expected);
    let outcome = holds("[BODY] == short", &with_body(&"ä".repeat(1000)));
    assert_eq!(outcome.shown.chars().filter(|c| *c == 'ä').count(), SHOWN_MAX);
}

#[test]
fn what_is_no_condition_says_why() {
    for (text, part) in [
        ("[STATUS] ? 201", "has no comparison"),
        ("[STATUS]==201", "a space on either side"),
        ("[STATUS] = = 201", "has no comparison"),
        ("[STATUS] ==", "has no comparison"),
        ("[STATUS]", "has no comparison"),
        ("", "has no comparison"),
        ("[RESPONSE_TIME] < potato", "neither a number nor a duration"),
        ("[STATUS] < any(1, 2)", "by == and != only"),
        ("pat(*) == any(1, 2)", "compares two of"),
        ("len(abc) == 3", "wants a place in brackets"),
        ("age([STATUS]) < 5m", "only [BODY] and [HEADERS] hold times"),
        ("[BODY].a[x] == 1", "is no index"),
        ("[BODY].a[1 == 1", "a [ without its ]"),
        ("[BODY]a == 1", "goes on with a dot or an index"),
        ("[BODY]..a == 1", "a dot without a key"),
        ("[STATUS].x == 1", "only [BODY] and [HEADERS] have something below"),
        ("[HEADERS] == 1", "name a header"),
        ("[DOMAIN_EXPIRATION] > 720h", "whois"),
        ("[CONTEXT].a == 1", "suites"),
        ("[BODY] == regex((a)", "error parsing regexp: missing closing )"),
        ("[BODY] == pat([a)", "in the middle of a class"),
    ] {
        let error = Condition::parse(text).expect_err(text).to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    assert!(Condition::parse(&"x".repeat(2000)).is_err());
}

fn judge(fields: &str) -> Judge {
    let text = format!("{{\"name\": \"a\", \"target\": \"b\", {fields}}}");
    let check: CheckDefinition = serde_json::from_str(&text).expect("a check");
    Judge::prepare(&check).expect("valid conditions")
}

fn status_of(fields: &str, observation: &Observation) -> (CheckStatus, Option<String>) {
    let judgement = judge(fields).judge(observation, now());
    (judgement.status, judgement.failed_condition)
}

#[test]
fn the_worst_failed_severity_decides() {
    let conditions = r#""kind": "http", "conditions": [
        {"condition": "[RESPONSE_TIME] < 300", "severity": "warning"},
        {"condition": "[CERTIFICATE_EXPIRATION] > 720h", "severity": "info"},
        "[STATUS] == 200"]"#;
    let mut seen = Observation { status: Some(200), ..full() };
    let slow = "[RESPONSE_TIME] (499) < 300".to_owned();
    assert_eq!(status_of(conditions, &seen), (CheckStatus::Degraded, Some(slow)));
    seen.status = Some(503);
    let failed = "[STATUS] (503) == 200".to_owned();
    assert_eq!(status_of(conditions, &seen), (CheckStatus::Unhealthy, Some(failed)));
    seen = Observation {
        status: Some(200),
        certificate_expires_at: Some(now().plus_millis(1000 * 3_600_000)),
        phases: Phases::default(),
        ..full()
    };
    assert_eq!(status_of(conditions, &seen), (CheckStatus::Healthy, None));
}

#[test]
fn each_kind_has_conditions_of_its_own() {
    let up = Observation { connected: true, ..Observation::default() };
    let none = Observation { error: Some("refused".to_owned()), ..Observation::default() };
    for kind in [
        "http",
        "tcp",
        "icmp",
        "dns",
        "tls",
        "grpc",
        "websocket",
        "exec",
        "postgres",
        "mysql",
        "redis",
        "ssh",
        "model",
        "host",
    ] {
        let fields = format!("\"kind\": \"{kind}\"");
        let good = Observation {
            status: Some(match kind {
                "http" => 204,
                "grpc" => 1,
                _ => 0,
            }),
            dns_rcode: Some("NOERROR".to_owned()),
            certificate_expires_at: Some(now().plus_millis(1)),
            ..up.clone()
        };
        assert_eq!(status_of(&fields, &good).0, CheckStatus::Healthy, "{kind}");
        assert_eq!(status_of(&fields, &none).0, CheckStatus::Unhealthy, "{kind}");
    }
    let bad = Observation { status: Some(500), ..up };
    assert_eq!(status_of("\"kind\": \"http\"", &bad).0, CheckStatus::Unhealthy);
    assert_eq!(status_of("\"kind\": \"exec\"", &bad).0, CheckStatus::Unhealthy);
}

#[test]
fn an_error_fails_unless_the_connection_itself_is_asked_for() {
    let refused = Observation { error: Some("refused".to_owned()), ..Observation::default() };
    let late = Observation { connected: true, ..refused.clone() };
    let timed = r#""kind": "tcp", "conditions": ["[RESPONSE_TIME] < 500"]"#;
    assert_eq!(status_of(timed, &refused), (CheckStatus::Unhealthy, None));
    let closed = r#""kind": "tcp", "conditions": ["[CONNECTED] == false"]"#;
    assert_eq!(status_of(closed, &refused).0, CheckStatus::Healthy);
    let open = r#""kind": "tcp", "conditions": ["[CONNECTED] == true"]"#;
    assert_eq!(status_of(open, &refused).0, CheckStatus::Unhealthy);
    assert_eq!(status_of(open, &late).0, CheckStatus::Unhealthy);
}

#[test]
fn an_inverted_check_wants_failure() {
    let inverted = r#""kind": "tcp", "invert": true"#;
    let refused = Observation { error: Some("refused".to_owned()), ..Observation::default() };
    assert_eq!(status_of(inverted, &refused), (CheckStatus::Healthy, None));
    let (status, why) = status_of(inverted, &full());
    assert_eq!(status, CheckStatus::Unhealthy);
    assert!(why.is_some_and(|why| why.contains("invert")));
}

#[test]
fn a_plugin_of_nagios_that_warns_is_degraded() {
    let plugin = r#""kind": "exec", "settings": { "command": ["x"], "nagios": true }"#;
    for (code, expected) in [
        (0, CheckStatus::Healthy),
        (1, CheckStatus::Degraded),
        (2, CheckStatus::Unhealthy),
        (3, CheckStatus::Unhealthy),
    ] {
        let ended = Observation { connected: true, status: Some(code), ..Observation::default() };
        assert_eq!(status_of(plugin, &ended).0, expected, "{code}");
    }
}
