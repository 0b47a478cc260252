//! Each service's form, derived by hand from what the service documents.

use serde_json::{Value, json};

use super::sample::{NOW, alert, ended, outgoing};
use super::*;
use crate::model::{NotificationReason as Reason, NotifiedAlert, Severity};
use crate::notify::Outgoing;

fn two_down() -> Outgoing {
    let alerts = vec![
        alert("Down", "a:80", Severity::Critical),
        ended(alert("Down", "b:80", Severity::Warning)),
    ];
    outgoing(Reason::Firing, alerts)
}

/// Far more than any service takes.
fn storm() -> Outgoing {
    let alerts: Vec<NotifiedAlert> = (0..500)
        .map(|n| {
            let mut alert = alert("Down", &format!("host-{n}<&>:80"), Severity::Critical);
            alert.annotations[0].1 = "🐎 \"&<>\" ".repeat(40);
            alert
        })
        .collect();
    let mut outgoing = outgoing(Reason::Firing, alerts);
    outgoing.notification.truncated = 3;
    outgoing
}

#[test]
fn a_message_says_what_how_bad_since_when_and_how_long() {
    let message = Message::of(&two_down());
    assert_eq!(message.title, "[FIRING:1] Down (critical)");
    let lines: Vec<String> = message.lines.iter().map(Line::plain).collect();
    assert_eq!(
        lines,
        [
            "🔴 Down: a:80 does not answer · value 0.5 · since 01:10 UTC",
            "✅ Down: b:80 does not answer · resolved after 30m (01:10–01:40 UTC)",
        ]
    );
    assert_eq!(
        message.lines[0].link,
        "https://watch.example/incidents/00000000-0000-0000-0000-000000000007"
    );
}

#[test]
fn a_title_counts_what_fires_and_says_when_nothing_does() {
    let down = |names: &[&str]| {
        names.iter().map(|name| alert(name, "a:80", Severity::Warning)).collect::<Vec<_>>()
    };
    let title = |outgoing: &Outgoing| Message::of(outgoing).title;
    assert_eq!(
        title(&outgoing(Reason::Firing, down(&["Down", "Down"]))),
        "[FIRING:2] Down (warning)"
    );
    let mut mixed = outgoing(Reason::Firing, down(&["Slow", "Full", "Down"]));
    assert_eq!(title(&mixed), "[FIRING:3] Down (warning)", "named by its group");
    mixed.notification.group_labels = crate::model::Labels::empty();
    assert_eq!(title(&mixed), "[FIRING:3] Slow and 2 more (warning)");
    let over = down(&["Down"]).into_iter().map(ended).collect();
    assert_eq!(title(&outgoing(Reason::Resolved, over)), "[RESOLVED] Down (warning)");
    assert_eq!(title(&outgoing(Reason::Test, down(&["Down"]))), "[TEST] Down (warning)");
}

#[test]
fn what_began_and_ended_unheard_is_one_line() {
    let over = ended(alert("Down", "a:80", Severity::Critical));
    let mut late = outgoing(Reason::Resolved, vec![over]);
    late.unannounced.insert(late.notification.alerts[0].key);
    late.joined = 1;
    let message = Message::of(&late);
    assert_eq!(
        message.paragraphs(),
        [
            "Told late, because this channel could not be reached.",
            "✅ Down: a:80 does not answer · down 01:10–01:40 UTC, now up (30m)",
        ]
    );
}

#[test]
fn a_webhook_gets_what_alertmanager_sends() {
    // Field by field as `template.Data` and `webhook.Message` of Alertmanager declare it.
    let body = alertmanager::webhook_json(&two_down());
    assert_eq!(body["version"], "4");
    assert_eq!(body["receiver"], "ops");
    assert_eq!(body["status"], "firing");
    assert_eq!(body["groupKey"], "{}:{alertname=\"Down\"}");
    assert_eq!(body["truncatedAlerts"], 0);
    assert_eq!(body["externalURL"], "https://watch.example");
    assert_eq!(body["groupLabels"], json!({"alertname": "Down"}));
    assert_eq!(body["commonLabels"], json!({"alertname": "Down"}));
    assert_eq!(body["commonAnnotations"], json!({}));
    let first = &body["alerts"][0];
    assert_eq!(first["status"], "firing");
    assert_eq!(
        first["labels"],
        json!({"alertname": "Down", "instance": "a:80", "severity": "critical"})
    );
    assert_eq!(first["annotations"], json!({"summary": "a:80 does not answer"}));
    assert_eq!(first["startsAt"], "2025-11-21T01:10:00Z");
    assert_eq!(first["endsAt"], "0001-01-01T00:00:00Z");
    assert_eq!(first["generatorURL"], "http://prometheus/graph?g0");
    let second = &body["alerts"][1];
    assert_eq!(second["status"], "resolved");
    assert_eq!(second["endsAt"], "2025-11-21T01:40:00Z");
}

#[test]
fn another_alertmanager_hears_how_long_an_alert_holds() {
    let posted = alertmanager::postable(two_down().notification.alerts.iter(), NOW);
    assert_eq!(posted[0]["startsAt"], "2025-11-21T01:10:00Z");
    assert_eq!(posted[0]["endsAt"], "2025-11-21T01:45:00Z");
    assert_eq!(posted[1]["endsAt"], "2025-11-21T01:40:00Z");
}

#[test]
fn slack_gets_a_header_and_a_section() {
    let body = chat::slack(&Message::of(&two_down()), None);
    assert_eq!(
        body,
        json!({
            "text": "[FIRING:1] Down (critical)",
            "attachments": [{
                "color": "#d32f2f",
                "fallback": "[FIRING:1] Down (critical)",
                "blocks": [
                    {"type": "header", "text": {
                        "type": "plain_text", "text": "[FIRING:1] Down (critical)", "emoji": true}},
                    {"type": "section", "text": {"type": "mrkdwn", "text":
                        "🔴 Down: a:80 does not answer · value 0.5 · since 01:10 UTC · \
                         <https://watch.example/incidents/00000000-0000-0000-0000-000000000007|open>\n\
                         ✅ Down: b:80 does not answer · resolved after 30m (01:10–01:40 UTC) · \
                         <https://watch.example/incidents/00000000-0000-0000-0000-000000000007|open>"
                    }},
                ],
            }],
        })
    );
    assert_eq!(chat::slack_escape("<!channel> & co"), "&lt;!channel&gt; &amp; co");
}

#[test]
fn discord_gets_an_embed_and_pings_nobody() {
    let body = chat::discord(&Message::of(&two_down()), Some("own words"));
    assert_eq!(body["embeds"][0]["title"], "[FIRING:1] Down (critical)");
    assert_eq!(body["embeds"][0]["description"], "own words");
    assert_eq!(body["embeds"][0]["color"], 0xd3_2f_2f);
    assert_eq!(body["embeds"][0]["url"], "https://watch.example");
    assert_eq!(body["allowed_mentions"], json!({"parse": []}));
}

#[test]
fn teams_gets_an_adaptive_card() {
    let body = chat::teams(&Message::of(&two_down()), None);
    let attachment = &body["attachments"][0];
    assert_eq!(body["type"], "message");
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    assert_eq!(attachment["content"]["type"], "AdaptiveCard");
    assert_eq!(attachment["content"]["body"][0]["color"], "attention");
    assert_eq!(attachment["content"]["actions"][0]["url"], "https://watch.example");
}

#[test]
fn telegram_gets_html_that_is_well_formed_however_long() {
    for outgoing in [two_down(), storm()] {
        let text = chat::telegram_html(&Message::of(&outgoing), None);
        assert!(text.starts_with("<b>[FIRING:"), "{text}");
        assert!(text.encode_utf16().count() <= 4096);
        assert_eq!(text.matches("<a ").count(), text.matches("</a>").count());
        let bare = text.replace("<b>", "").replace("</b>", "").replace("</a>", "");
        let bare: String = bare.split("<a href=").collect();
        assert!(!bare.contains('<'), "{bare}");
    }
}

#[test]
fn pagerduty_gets_an_event_per_alert_under_the_incident() {
    let events = pager::pagerduty(&two_down(), "key", None);
    assert_eq!(events.len(), 2);
    assert_eq!(
        events[0],
        json!({
            "routing_key": "key",
            "event_action": "trigger",
            "dedup_key": "vedette-00000000-0000-0000-0000-000000000007",
            "payload": {
                "summary": "Down: a:80 does not answer · value 0.5 · since 01:10 UTC",
                "source": "a:80",
                "severity": "critical",
                "timestamp": "2025-11-21T01:10:00Z",
                "component": null,
                "group": "Down",
                "class": "Down",
                "custom_details": {
                    "alertname": "Down", "instance": "a:80", "severity": "critical",
                    "summary": "a:80 does not answer", "value": 0.5, "incident": 12,
                },
            },
            "client": "vedette",
            "client_url": "https://watch.example/incidents/00000000-0000-0000-0000-000000000007",
        })
    );
    assert_eq!(
        events[1],
        json!({
            "routing_key": "key",
            "event_action": "resolve",
            "dedup_key": "vedette-00000000-0000-0000-0000-000000000007",
        })
    );
    let mut taken = alert("Down", "a:80", Severity::Critical);
    taken.acknowledged_by = Some("me".to_owned());
    let events = pager::pagerduty(&outgoing(Reason::Repeat, vec![taken]), "key", None);
    let actions: Vec<&Value> = events.iter().map(|event| &event["event_action"]).collect();
    assert_eq!(actions, ["trigger", "acknowledge"]);
}

#[test]
fn opsgenie_gets_an_alert_under_an_alias_and_its_end() {
    let requests = pager::opsgenie(&two_down(), None);
    assert_eq!(requests[0].path, "/v2/alerts");
    assert_eq!(requests[0].body["message"], "Down: a:80 does not answer");
    assert_eq!(requests[0].body["priority"], "P1");
    assert_eq!(requests[0].body["alias"], "vedette-00000000-0000-0000-0000-000000000007");
    assert_eq!(requests[0].body["details"]["value"], "0.5");
    assert_eq!(
        requests[1].path,
        "/v2/alerts/vedette-00000000-0000-0000-0000-000000000007/close?identifierType=alias"
    );
}

#[test]
fn ntfy_and_pushover_are_as_urgent_as_the_alert() {
    let body = push::ntfy(&two_down(), "alerts", None);
    assert_eq!(body["topic"], "alerts");
    assert_eq!(body["priority"], 5);
    assert_eq!(body["tags"], json!(["rotating_light"]));
    assert_eq!(body["click"], "https://watch.example");

    let fields = |emergency| push::pushover(&two_down(), None, emergency);
    assert!(fields(None).contains(&("priority", "1".to_owned())));
    let emergency = fields(Some(push::Emergency { retry_s: 60, expire_s: 3600 }));
    for field in [("priority", "2"), ("retry", "60"), ("expire", "3600")] {
        assert!(emergency.contains(&(field.0, field.1.to_owned())), "{field:?}");
    }
    assert!(emergency.contains(&("timestamp", "1763689200".to_owned())));
}

#[test]
fn a_mail_has_text_and_html_and_nothing_of_the_alert_is_markup() {
    let mut hostile = alert("Down", "a:80", Severity::Critical);
    hostile.annotations[0].1 = "<script>x</script>".to_owned();
    hostile.title = "Down\r\nBcc: all@example.com".to_owned();
    hostile.annotations.push(("runbook_url".to_owned(), "javascript:x".to_owned()));
    let mail = email::mail(&outgoing(Reason::Firing, vec![hostile]), None);
    assert!(!mail.subject.contains(['\r', '\n']), "{}", mail.subject);
    assert!(!mail.html.contains("<script>") && !mail.html.contains("href=\"javascript"));
    assert!(mail.text.contains("since 01:10 UTC"), "{}", mail.text);
    assert!(mail.html.contains("since 01:10 UTC"), "{}", mail.html);
}

#[test]
fn every_service_gets_no_more_than_it_takes_and_hears_how_much_is_missing() {
    let storm = storm();
    let message = Message::of(&storm);
    let chars = |value: &Value| value.as_str().expect("a text").chars().count();

    let slack = chat::slack(&message, None);
    let blocks = &slack["attachments"][0]["blocks"];
    assert!(chars(&blocks[0]["text"]["text"]) <= 150);
    assert!(chars(&blocks[1]["text"]["text"]) <= 3000);
    let discord = chat::discord(&message, None);
    assert!(chars(&discord["embeds"][0]["description"]) <= 2000);
    let teams = chat::teams(&message, None);
    assert!(teams.to_string().len() < 28 << 10);
    let pushover = push::pushover(&storm, None, None);
    assert!(pushover[1].1.chars().count() <= 1024);
    let ntfy = push::ntfy(&storm, "t", None);
    assert!(ntfy["message"].as_str().expect("a text").len() <= 4096);
    for text in [
        blocks[1]["text"]["text"].as_str(),
        discord["embeds"][0]["description"].as_str(),
        Some(&pushover[1].1),
        ntfy["message"].as_str(),
        teams["attachments"][0]["content"]["body"][1]["text"].as_str(),
    ] {
        let text = text.expect("a text");
        let (shown, missing) = text.rsplit_once("… and ").expect("counted");
        let shown = shown.matches('🔴').count() as u64;
        assert!(shown > 0, "{text}");
        assert_eq!(missing, format!("{} more", 503 - shown));
    }
    for event in pager::pagerduty(&storm, "key", None) {
        assert!(chars(&event["payload"]["summary"]) <= 1024);
    }
    for request in pager::opsgenie(&storm, None) {
        assert!(chars(&request.body["message"]) <= 130);
    }
}

#[test]
fn a_template_says_what_people_want_said() {
    let source = "{\"text\": {{ (title ~ ' on ' ~ alerts[0].labels.instance) | tojson }}, \
                  \"none\": \"{{ alerts[0].labels.nothing.deeper }}\"}";
    let template = template::Template::compile(source).expect("compiles");
    let text = template.render(&two_down()).expect("renders");
    assert_eq!(
        serde_json::from_str::<Value>(&text).expect("JSON"),
        json!({"text": "[FIRING:1] Down (critical) on a:80", "none": ""})
    );
}

#[test]
fn a_template_that_is_wrong_or_endless_is_refused_with_its_line() {
    let error = template::Template::compile("a\n{{ title").expect_err("open");
    assert!(error.contains("line 2"), "{error}");
    let big = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
    let endless = template::Template::compile(big).expect("compiles");
    let error = endless.render(&two_down()).expect_err("endless");
    assert!(error.contains("fuel"), "{error}");
    let large = template::Template::compile("{% for a in range(99999) %}xxxxxxxx{% endfor %}");
    let error = large.expect("compiles").render(&two_down()).expect_err("large");
    assert!(error.contains("larger than 262144 bytes"), "{error}");
}
