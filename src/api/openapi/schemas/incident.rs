//! Incidents and what explains them.

use serde_json::{Value, json};

use super::super::schema::{
    any, any_of, flag, labels, list_of, name, number, object, one_of, or_null, refer, text, time,
    whole, with_example,
};
use super::Named;

/// How far people have come.
pub(crate) const INCIDENT_STATUS: &[&str] = &["open", "acknowledged", "resolved"];
/// How bad something is.
pub(crate) const SEVERITIES: &[&str] = &["info", "warning", "critical"];
/// Who finds alerts.
pub(crate) const SOURCES: &[&str] = &["rule", "check", "experiment", "external", "internal"];
const TIMELINE_KINDS: &[&str] = &[
    "opened",
    "reopened",
    "acknowledged",
    "assigned",
    "snoozed",
    "woken",
    "noted",
    "severity_changed",
    "auto_resolved",
    "resolved",
    "notified",
    "delivered",
    "suppressed",
    "escalated",
    "edited",
    "alert_changed",
];

pub(super) fn schemas() -> Vec<Named> {
    vec![
        ("Incident", incident()),
        ("TimelineEntry", timeline_entry()),
        (
            "Note",
            with_example(
                object(&[("at*", time("When.")), ("by*", text("Who.")), ("text*", text("What."))]),
                json!({"at": "2026-11-21T15:10:00.000Z", "by": "ann", "text": "the disk was full"}),
            ),
        ),
        ("Evidence", evidence()),
        (
            "PostedAlert",
            with_example(
                object(&[
                    ("labels*", labels("What identifies it; `alertname` among them.")),
                    ("annotations", labels("Texts for people.")),
                    ("startsAt", time("Since when it holds.")),
                    ("endsAt", time("When it ended, or will unless it is sent again.")),
                    ("generatorURL", text("Where to look at its source.")),
                ]),
                json!({
                    "labels": {"alertname": "DiskFull", "instance": "db1", "severity": "critical"},
                    "annotations": {"summary": "db1 has 2 % left"},
                    "startsAt": "2026-11-21T15:00:00Z",
                }),
            ),
        ),
    ]
}

fn incident() -> Value {
    let when = |says: &str| or_null(time(says));
    let who = |says: &str| or_null(text(says));
    let fields = object(&[
        ("id*", text("A UUID.")),
        ("number*", whole("For people, counted up from 1.")),
        (
            "source*",
            any_of(
                &[object(&[
                    ("kind*", one_of(SOURCES, "Who found it.")),
                    ("name", text("The rule, check or experiment.")),
                    ("group", text("Of a rule file: the group.")),
                    ("file", text("Of a rule file: the file.")),
                ])],
                "Who found it.",
            ),
        ),
        ("dedupe_key*", text("What makes two alerts the same incident.")),
        ("status*", one_of(INCIDENT_STATUS, "How far people have come.")),
        ("firing*", flag("Whether the alert still fires.")),
        ("severity*", one_of(SEVERITIES, "The worst that it was, or what a person made of it.")),
        ("title*", text("A line for people.")),
        ("description*", text("More than a line.")),
        ("labels*", labels("Of the alert.")),
        ("annotations*", labels("Of the alert.")),
        ("value*", or_null(number("The number that made it."))),
        ("generator_url*", text("Where to look at its source.")),
        ("started_at*", time("Since when the alert holds.")),
        ("triggered_at*", time("When the incident opened, or reopened.")),
        ("ended_at*", when("When the alert ended.")),
        ("acknowledged_at*", when("When somebody took it.")),
        ("acknowledged_by*", who("Who.")),
        ("resolved_at*", when("When it was over.")),
        ("resolved_by*", who("Who ended it; null: by itself.")),
        ("assignee*", who("Whose it is.")),
        ("snoozed_until*", when("Until when nobody is told.")),
        ("suppressed*", who("Why nobody is told at present.")),
        (
            "told*",
            list_of(name("A channel."), "Who was told that it fires, and not yet that it ended."),
        ),
        ("escalated*", whole("Steps of its escalation that were taken.")),
        ("escalations*", list_of(any("When and whom."), "All steps, fixed when it opened.")),
        ("notes*", whole("How many notes it has.")),
        ("version*", whole("Counts changes.")),
        ("updated_at*", time("When it was last changed.")),
        ("updated_by*", text("By whom; empty: vedette.")),
    ]);
    with_example(
        fields,
        json!({
            "id": "01a1fea6-22cc-7000-8b17-1408f58d0085", "number": 2,
            "source": {"kind": "rule", "file": "", "group": "", "name": "queue-deep"},
            "dedupe_key": "bd6ff8ebb6a6a6d52858fd7af85350ea", "status": "open", "firing": true,
            "severity": "critical", "title": "queue-deep: 140", "description": "",
            "labels": {"alertname": "queue-deep", "job": "orders", "severity": "critical"},
            "annotations": {"summary": "queue-deep: 140"}, "value": 140.0, "generator_url": "",
            "started_at": "2026-11-21T15:07:43.177Z", "triggered_at": "2026-11-21T15:07:43.180Z",
            "ended_at": null, "acknowledged_at": null, "acknowledged_by": null,
            "resolved_at": null, "resolved_by": null, "assignee": null, "snoozed_until": null,
            "suppressed": null, "told": ["ops"], "escalated": 0, "escalations": [], "notes": 0,
            "version": 1, "updated_at": "2026-11-21T15:07:43.180Z", "updated_by": "",
        }),
    )
}

fn timeline_entry() -> Value {
    with_example(
        object(&[
            ("at*", time("When.")),
            ("kind*", one_of(TIMELINE_KINDS, "What.")),
            ("by", text("Who; absent: vedette.")),
            ("text", text("In words.")),
        ]),
        json!({
            "at": "2026-11-21T15:07:44.964Z", "kind": "notified", "text": "ops: that it fires",
        }),
    )
}

fn evidence() -> Value {
    with_example(
        object(&[
            ("expression*", text("The rule's query, or the condition that failed.")),
            (
                "samples*",
                list_of(
                    json!({
                        "type": "array", "minItems": 2, "maxItems": 2,
                        "prefixItems": [
                            {"type": "string", "description": "The series."},
                            {"type": "array", "description": "Unix milliseconds and values.",
                             "items": {"type": "array", "items": {"type": ["number", "null"]}}},
                        ],
                    }),
                    "What was measured around the breach.",
                ),
            ),
            ("check_result*", or_null(refer("CheckResult"))),
            ("response_excerpt*", text("The beginning of what was answered.")),
            ("log_lines*", list_of(any("A line."), "What was logged at that time.")),
        ]),
        json!({
            "expression": "avg_over_time(queue_depth[5m]) > 100",
            "samples": [["queue_depth{job=\"orders\"}", [[1_795_273_660_000_i64, 131.0], [1_795_273_675_000_i64, 140.0]]]],
            "check_result": null, "response_excerpt": "", "log_lines": [],
        }),
    )
}
