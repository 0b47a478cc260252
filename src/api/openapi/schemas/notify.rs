//! Silences, maintenance, channels, deliveries.

use serde_json::{Value, json};

use super::super::schema::{
    all_of, any, any_of, duration, flag, labels, list, list_of, map, moment, name, object, one_of,
    or_null, refer, text, time, whole, with_example,
};
use super::{Named, SEVERITIES};

/// How a silence or window may be.
pub(crate) const HOLD_STATES: &[&str] = &["active", "pending", "expired"];
/// How far a delivery may be.
pub(crate) const DELIVERY_STATES: &[&str] = &["pending", "delivered", "dead", "superseded"];
const CHANNEL_KINDS: &[&str] = &[
    "webhook",
    "slack",
    "discord",
    "teams",
    "telegram",
    "email",
    "pagerduty",
    "opsgenie",
    "ntfy",
    "pushover",
    "alertmanager",
    "exec",
];
const REASONS: &[&str] = &["firing", "resolved", "repeat", "escalation", "fallback", "test"];

pub(super) fn schemas() -> Vec<Named> {
    vec![
        (
            "Matchers",
            any_of(
                &[
                    list(text("`job=\"db\"`, `!=`, `=~`, `!~`")),
                    text("One, or several in braces."),
                    labels("Labels and their values."),
                ],
                "Which alerts: all of these must fit. Answers give a list of texts.",
            ),
        ),
        ("Recurrence", recurrence()),
        ("SilenceDefinition", silence_definition()),
        ("Silence", silence()),
        (
            "SilencedAlert",
            object(&[
                ("key*", text("What makes two alerts the same incident.")),
                ("labels*", labels("Which alert.")),
                ("severity*", one_of(SEVERITIES, "How bad it is.")),
                ("starts_at*", time("Since when it holds.")),
                (
                    "incident*",
                    or_null(object(&[
                        ("id*", text("Its incident.")),
                        ("number*", whole("That incident's number.")),
                    ])),
                ),
            ]),
        ),
        ("MaintenanceWindow", window()),
        (
            "Maintenance",
            all_of(&[
                refer("MaintenanceWindow"),
                refer("Defined"),
                object(&[
                    ("state", one_of(HOLD_STATES, "How it is.")),
                    ("active_until", time("Until when it holds now.")),
                    ("next_starts_at", time("When it holds next.")),
                ]),
            ]),
        ),
        ("ChannelDefinition", channel()),
        ("Channel", all_of(&[refer("ChannelDefinition"), refer("Defined")])),
        ("Delivery", delivery()),
    ]
}

fn recurrence() -> Value {
    with_example(
        object(&[
            ("cron*", text("When each one begins: five fields.")),
            ("duration*", duration("How long each one lasts.")),
            ("zone", text("In which zone the clock is read; UTC.")),
        ]),
        json!({"cron": "0 22 * * 1-5", "duration": "10h", "zone": "Europe/Amsterdam"}),
    )
}

fn silence_definition() -> Value {
    with_example(
        object(&[
            ("matchers*", refer("Matchers")),
            ("starts_at", moment("From when; now.")),
            ("ends_at", moment("Until when; or")),
            ("duration", duration("for how long.")),
            ("recurrence", refer("Recurrence")),
            ("created_by", text("Who; the token's name unless it says.")),
            ("by", text("The same.")),
            ("comment", text("Why.")),
        ]),
        json!({"matchers": ["job=\"db\""], "duration": "2h", "comment": "moving disks"}),
    )
}

fn silence() -> Value {
    with_example(
        object(&[
            ("id*", text("A UUID.")),
            ("matchers*", list_of(text("A matcher."), "Which alerts.")),
            ("starts_at*", time("From when.")),
            ("ends_at*", time("Until when.")),
            ("recurrence", refer("Recurrence")),
            ("created_by*", text("Who.")),
            ("comment*", text("Why.")),
            ("updated_at*", time("When it was last changed.")),
            ("state*", one_of(HOLD_STATES, "How it is.")),
            ("active_until", time("Until when it holds now.")),
            ("next_starts_at", time("When it holds next.")),
        ]),
        json!({
            "id": "01a1fea6-e338-7000-87c4-e30683958580", "matchers": ["job=\"db\""],
            "starts_at": "2026-11-21T15:08:32.440Z", "ends_at": "2026-11-21T17:08:32.440Z",
            "created_by": "ann", "comment": "moving disks",
            "updated_at": "2026-11-21T15:08:32.440Z", "state": "active",
            "active_until": "2026-11-21T17:08:32.440Z",
        }),
    )
}

fn window() -> Value {
    with_example(
        object(&[
            ("name*", name("Its name.")),
            ("matchers*", refer("Matchers")),
            ("starts_at", moment("From when.")),
            ("ends_at", moment("Until when; needed unless it recurs.")),
            ("recurrence", refer("Recurrence")),
            ("created_by", text("Who.")),
            ("comment", text("Why.")),
        ]),
        json!({
            "name": "nightly-backup", "matchers": ["job=\"db\""],
            "recurrence": {"cron": "30 2 * * *", "duration": "1h", "zone": "Europe/Amsterdam"},
        }),
    )
}

fn channel() -> Value {
    with_example(
        object(&[
            ("name*", name("Its name.")),
            ("kind*", one_of(CHANNEL_KINDS, "How it speaks.")),
            (
                "settings",
                map(
                    json!({}),
                    "What the kind needs. A secret is a text, `{\"file\": path}` or `{\"env\": name}`, \
                 and is shown as `<secret>`.",
                ),
            ),
            ("template", text("A template in place of the kind's own text.")),
            ("fallback", name("A channel that is told when this one takes nothing.")),
            ("send_resolved", flag("Whether it hears of ends; true.")),
            ("default", flag("Whether it is told of what no route gives to another; true.")),
        ]),
        json!({
            "name": "ops", "kind": "webhook",
            "settings": {"url": "https://hooks.example/vedette", "hmac_secret": {"env": "HOOK_SECRET"}},
        }),
    )
}

fn delivery() -> Value {
    let notification = object(&[
        ("reason*", one_of(REASONS, "Why.")),
        ("group_key*", text("Which group.")),
        ("group_labels*", labels("What its alerts have in common.")),
        ("alerts*", list_of(map(json!({}), "An alert as it was told."), "What it is about.")),
        ("truncated*", whole("Alerts that were left out.")),
        ("external_url*", text("Where vedette is, for links.")),
    ]);
    object(&[
        ("id*", text("A UUID.")),
        ("channel*", name("By which channel.")),
        ("state*", one_of(DELIVERY_STATES, "How far it is.")),
        ("attempts*", whole("How often it was tried.")),
        ("last_error*", or_null(text("What went wrong last."))),
        ("next_attempt_at*", or_null(time("When it is tried next."))),
        ("created_at*", time("When it was decided.")),
        ("finished_at*", or_null(time("When it was delivered or given up."))),
        ("idempotency_key*", text("The same for every attempt.")),
        ("group*", text("The group that it belongs to.")),
        ("sequence*", whole("Its place among those of its group.")),
        ("fell_back*", flag("Whether the fallback was told instead.")),
        ("first_told", list_of(text("An incident."), "Of which it tells for the first time.")),
        ("notification*", notification),
        ("said", any("What the other side said.")),
    ])
}
