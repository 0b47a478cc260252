//! Checks.

use serde_json::{Value, json};

use super::super::schema::{
    all_of, any_of, duration, flag, labels, list, list_of, map, name, number, object, one_of,
    or_null, refer, text, time, whole, with_example,
};
use super::{Named, SEVERITIES};

/// How a check may be.
pub(crate) const CHECK_STATUS: &[&str] = &["healthy", "degraded", "unhealthy", "unknown", "paused"];
/// What it may ask.
pub(crate) const CHECK_KINDS: &[&str] = &[
    "http",
    "tcp",
    "icmp",
    "dns",
    "tls",
    "grpc",
    "websocket",
    "exec",
    "heartbeat",
    "postgres",
    "mysql",
    "redis",
    "ssh",
    "model",
    "host",
];

pub(super) fn schemas() -> Vec<Named> {
    vec![
        ("CheckDefinition", definition()),
        ("Check", shown()),
        ("CheckResult", result()),
        ("Condition", condition()),
        ("Threshold", threshold()),
        ("Uptime", uptime()),
    ]
}

fn condition() -> Value {
    any_of(
        &[
            text("Its failure is critical."),
            object(&[
                ("condition*", text("`[STATUS] == 200`")),
                ("severity", one_of(SEVERITIES, "critical: unhealthy; else degraded.")),
            ]),
        ],
        "What must hold, in Gatus's notation.",
    )
}

fn threshold() -> Value {
    any_of(
        &[
            whole("So many in a row."),
            object(&[("of*", whole("So many")), ("within*", whole("of the last so many."))]),
        ],
        "How many results it takes.",
    )
}

fn definition() -> Value {
    let fields = object(&[
        ("name*", name("Its name.")),
        ("kind*", one_of(CHECK_KINDS, "What is asked.")),
        ("target", text("Whom: a URL, `host:port`, a host; none for heartbeats.")),
        ("every", duration("How often; `checks.every`. Of a heartbeat: the period.")),
        ("cron", text("When, instead: five fields of cron.")),
        ("zone", text("In which zone the clock is read for `cron`; UTC.")),
        ("timeout", duration("How long one attempt may take; `checks.timeout`.")),
        ("retries", whole("Attempts after a failed one; 0.")),
        ("grace", duration("How late a heartbeat may come; a minute.")),
        ("conditions", list_of(refer("Condition"), "What must hold; each kind has its own.")),
        ("invert", flag("Whether failure is what is wanted.")),
        ("failure_threshold", refer("Threshold")),
        ("success_threshold", refer("Threshold")),
        ("depends_on", list_of(name("A check."), "Checks without which it cannot succeed.")),
        ("feature", name("What it belongs to.")),
        ("provider", name("Whose service it asks.")),
        ("labels", labels("Labels of its metrics and alerts.")),
        ("severity", one_of(SEVERITIES, "How bad its failure is; critical.")),
        ("channels", list_of(name("A channel."), "Who is told; the routes decide when empty.")),
        ("paused", flag("Whether it is left alone.")),
        ("compat", one_of(&["blackbox"], "Also writes `probe_*` metrics.")),
        (
            "settings",
            map(json!({}), "What the kind needs besides. Secrets are shown as `<secret>`."),
        ),
        ("description", text("In words.")),
    ]);
    let http = json!({
        "name": "shop", "kind": "http", "target": "https://shop.example/health",
        "every": "30s", "timeout": "5s",
        "conditions": [
            "[STATUS] == 200",
            {"condition": "[RESPONSE_TIME] < 300", "severity": "warning"},
        ],
        "failure_threshold": {"of": 3, "within": 5}, "feature": "checkout",
        "labels": {"team": "web"},
    });
    let heartbeat = json!({
        "name": "backup", "kind": "heartbeat", "cron": "30 2 * * *", "zone": "Europe/Amsterdam",
        "grace": "1h",
    });
    with_example(with_example(fields, http), heartbeat)
}

fn shown() -> Value {
    all_of(&[
        refer("CheckDefinition"),
        refer("Defined"),
        object(&[
            ("status*", one_of(CHECK_STATUS, "How it is.")),
            ("since", or_null(time("Since when."))),
            ("unknown_because", text("Why nobody can say.")),
            ("response_time_ms", number("Of the last result, in milliseconds.")),
            ("last_result", refer("CheckResult")),
            ("next_check_at", or_null(time("When it is asked next."))),
            ("running_since", time("Since when it is being asked.")),
            ("alerting", flag("Whether an alert of it is open.")),
            ("held_back_by", text("The check that keeps its alert from opening.")),
            ("uptime_24h", or_null(number("Per cent of the last day; in lists."))),
        ]),
    ])
}

fn result() -> Value {
    let phase = |says: &str| or_null(whole(says));
    with_example(
        object(&[
            ("check*", name("The check.")),
            ("at*", time("When it was asked.")),
            ("status*", one_of(CHECK_STATUS, "What the answer means.")),
            ("response_time_ms", number("The whole attempt, in milliseconds.")),
            (
                "phases*",
                object(&[
                    ("dns_us*", phase("Looking up the name, in microseconds.")),
                    ("connect_us*", phase("Connecting.")),
                    ("tls_us*", phase("Shaking hands.")),
                    ("first_byte_us*", phase("From the request to the first byte.")),
                    ("total_us*", whole("All of it.")),
                ]),
            ),
            ("error", or_null(text("What went wrong."))),
            ("failed_condition", or_null(text("The condition that failed, with its values."))),
            ("metadata*", map(json!({}), "What the kind measured besides.")),
        ]),
        json!({
            "check": "shop", "at": "2026-11-21T15:08:05.326Z", "status": "unhealthy",
            "response_time_ms": 0.289,
            "phases": {"dns_us": null, "connect_us": 246, "tls_us": null, "first_byte_us": null, "total_us": 289},
            "error": "connection refused by 127.0.0.1:1", "metadata": {},
        }),
    )
}

fn uptime() -> Value {
    let spent: Vec<(&str, Value)> = vec![
        ("healthy*", number("")),
        ("degraded*", number("")),
        ("unhealthy*", number("")),
        ("unknown*", number("")),
        ("paused*", number("")),
        ("maintenance*", number("")),
    ];
    let span = || {
        let mut seconds = object(&spent);
        seconds["description"] = "Seconds by status.".into();
        object(&[
            ("from*", time("From.")),
            ("to*", time("Until.")),
            ("uptime_percent*", or_null(number("Up by up and down; null when nothing is known."))),
            ("healthy_percent*", or_null(number("The same, with degraded time as down."))),
            ("seconds*", seconds),
            (
                "latency_ms*",
                or_null(map(
                    json!({"type": "number"}),
                    "`count`, `mean`, `min`, `p50`, `p90`, `p95`, `p99`, `max`.",
                )),
            ),
        ])
    };
    all_of(&[
        span(),
        object(&[
            ("transitions*", list(map(json!({}), "A change: `at`, `from`, `to`."))),
            ("transitions_left_out*", whole("Older ones that are not shown.")),
            ("bars*", list_of(span(), "By hour up to two days, else by day, in UTC.")),
        ]),
    ])
}
