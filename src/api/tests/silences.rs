//! Silences and Alertmanager's API, over the router.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use super::{NOW_S, Served, get, send, serve};
use crate::config::Settings;

fn time(seconds: i64) -> String {
    crate::model::Timestamp::from_millis((NOW_S + seconds) * 1000).to_string()
}

async fn post(served: &Served, path: &str, body: Value) -> (StatusCode, Value) {
    send(served, Method::POST, path, &body.to_string()).await
}

async fn add(served: &Served, labels: Value) {
    let (status, answer) = post(served, "/api/v2/alerts", json!([{"labels": labels}])).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn a_silence_is_made_shown_changed_and_ended() {
    let served = serve(Settings::default());
    let wanted = json!({"matchers": ["job=\"a\""], "duration": "2h", "comment": "work"});
    let (status, made) = post(&served, "/api/v1/silences", wanted).await;
    assert_eq!(status, 201, "{made}");
    let made = &made["data"];
    assert_eq!(made["state"], "active");
    assert_eq!(made["created_by"], "local", "the caller, where nobody is named");
    assert_eq!((&made["starts_at"], &made["ends_at"]), (&time(0).into(), &time(7200).into()));
    let path = format!("/api/v1/silences/{}", made["id"].as_str().expect("an id"));

    let mut longer = made.clone();
    longer["ends_at"] = time(9000).into();
    let (status, changed) = send(&served, Method::PUT, &path, &longer.to_string()).await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(
        (&changed["data"]["id"], &changed["data"]["ends_at"]),
        (&made["id"], &time(9000).into())
    );

    longer["matchers"] = json!(["job=\"b\""]);
    let (_, other) = send(&served, Method::PUT, &path, &longer.to_string()).await;
    assert_ne!(other["data"]["id"], made["id"], "what was silenced so far stays known");
    assert_eq!(get(&served, &path).await.1["data"]["state"], "expired");

    let other_path = format!("/api/v1/silences/{}", other["data"]["id"].as_str().expect("an id"));
    let (status, ended) = send(&served, Method::DELETE, &other_path, "").await;
    assert_eq!((status, &ended["data"]["state"]), (StatusCode::OK, &json!("expired")));
    let (_, list) = get(&served, "/api/v1/silences?state=active").await;
    assert_eq!(list["data"], json!([]));
    let (_, list) = get(&served, "/api/v1/silences?limit=1").await;
    assert_eq!(list["data"][0]["id"], other["data"]["id"], "the newest first");
    let next = list["next"].as_str().expect("another page");
    let (_, list) = get(&served, &format!("/api/v1/silences?limit=1&after={next}")).await;
    assert_eq!(list["data"][0]["id"], made["id"]);
}

#[tokio::test]
async fn a_silence_without_end_or_choice_is_refused() {
    let served = serve(Settings::default());
    for (wanted, word) in [
        (json!({"matchers": ["a=b"]}), "ends_at"),
        (json!({"matchers": [], "duration": "1h"}), "at least one matcher"),
        (json!({"matchers": ["a=~.*"], "duration": "1h"}), "empty string"),
        (json!({"matchers": ["a"], "duration": "1h"}), "bad matcher format"),
        (json!({"matchers": ["a=b"], "duration": "1h", "ends_at": time(5)}), "one of both"),
        (json!({"matchers": ["a=b"], "ends_at": time(-5)}), "start time must be before"),
        (
            json!({"matchers": ["a=b"], "duration": "1h",
                "recurrence": {"cron": "0 2 * * *", "duration": "1h", "zone": "Mars"}}),
            "Mars",
        ),
    ] {
        let (status, answer) = post(&served, "/api/v1/silences", wanted).await;
        assert_eq!(status, 400, "{answer}");
        let error = answer["error"].as_str().expect("a text");
        assert!(error.contains(word), "{error}");
    }
    assert_eq!(get(&served, "/api/v1/silences/x").await.0, 404);
}

#[tokio::test]
async fn a_preview_shows_what_would_be_silenced_and_when() {
    let served = serve(Settings::default());
    add(&served, json!({"alertname": "A", "job": "a"})).await;
    add(&served, json!({"alertname": "B", "job": "b"})).await;
    let wanted = json!({"matchers": ["job=~a|c"], "duration": "30d",
        "recurrence": {"cron": "0 2 * * *", "duration": "1h", "zone": "Europe/Amsterdam"}});
    let (status, answer) = post(&served, "/api/v1/silences/preview", wanted).await;
    assert_eq!(status, 200, "{answer}");
    let data = &answer["data"];
    assert_eq!((&data["total"], &data["state"]), (&json!(1), &json!("pending")));
    assert_eq!(data["alerts"][0]["labels"], json!({"alertname": "A", "job": "a"}));
    assert_eq!(data["next"][0]["starts_at"], "2026-01-01T01:00:00.000Z");
    assert_eq!(get(&served, "/api/v1/silences").await.1["data"], json!([]), "nothing was made");
}

#[tokio::test]
async fn alerts_are_taken_as_alertmanager_takes_them() {
    let served = serve(Settings::default());
    let (status, answer) = post(
        &served,
        "/api/v2/alerts",
        json!([
            {"labels": {"alertname": "Good", "empty": ""}, "annotations": {"summary": "x"},
                "generatorURL": "http://p/graph", "startsAt": time(-60)},
            {"labels": {}},
            {"labels": {"alertname": "Bad"}, "startsAt": time(10), "endsAt": time(5)},
        ]),
    )
    .await;
    assert_eq!(status, 400);
    assert_eq!(answer, "at least one label pair required; start time must be before end time");

    let (status, list) = get(&served, "/api/v2/alerts").await;
    assert_eq!(status, 200);
    assert_eq!(
        list,
        json!([{
            "labels": {"alertname": "Good"},
            "annotations": {"summary": "x"},
            "startsAt": time(-60), "endsAt": time(300), "updatedAt": time(0),
            "fingerprint": list[0]["fingerprint"],
            "generatorURL": "http://p/graph",
            "receivers": [{"name": "nobody"}],
            "status": {"state": "active", "silencedBy": [], "inhibitedBy": [], "mutedBy": []},
        }])
    );

    let ended =
        json!([{"labels": {"alertname": "Good"}, "startsAt": time(-60), "endsAt": time(-1)}]);
    assert_eq!(post(&served, "/api/v2/alerts", ended).await.0, 200);
    assert_eq!(get(&served, "/api/v2/alerts").await.1, json!([]));

    for body in ["", "{}", "[{}]", "[{\"labels\":{\"a\":1}}]"] {
        let (status, answer) = send(&served, Method::POST, "/api/v2/alerts", body).await;
        assert!(status == 400 && answer.is_string(), "{body}: {status} {answer}");
    }
}

#[tokio::test]
async fn lists_of_alerts_are_filtered() {
    let served = serve(Settings::default());
    add(&served, json!({"alertname": "A", "job": "a"})).await;
    add(&served, json!({"alertname": "B", "job": "b"})).await;
    let silence = json!({"matchers": [{"name": "job", "value": "b", "isRegex": false}],
        "startsAt": time(0), "endsAt": time(60), "createdBy": "me", "comment": "x"});
    let (status, made) = post(&served, "/api/v2/silences", silence).await;
    assert_eq!(status, 200, "{made}");
    let names = async |query: &str| {
        let (status, list) = get(&served, &format!("/api/v2/alerts?{query}")).await;
        assert_eq!(status, 200, "{list}");
        let list = list.as_array().expect("a list").clone();
        let mut names: Vec<String> = list
            .iter()
            .map(|a| a["labels"]["alertname"].as_str().expect("a name").to_owned())
            .collect();
        names.sort();
        names.concat()
    };
    for (query, expected) in [
        ("", "AB"),
        ("silenced=false", "A"),
        ("active=false", "B"),
        ("filter=job%3Db", "B"),
        ("filter=job%3D~%22a%7Cb%22&filter=alertname!%3DB", "A"),
        ("filter=%7Bjob%3D%22a%22%7D", "A"),
        ("receiver=nobo.*", "AB"),
        ("receiver=some", ""),
    ] {
        assert_eq!(names(query).await, expected, "{query}");
    }
    let (_, list) = get(&served, "/api/v2/alerts?filter=job%3Db").await;
    let status = &list[0]["status"];
    assert_eq!(
        (&status["state"], &status["silencedBy"][0]),
        (&json!("suppressed"), &made["silenceID"])
    );
    let (status, error) = get(&served, "/api/v2/alerts?filter=job").await;
    assert!(status == 400 && error.as_str().is_some_and(|e| e.contains("bad matcher format")));
    let (status, _) = get(&served, "/api/v2/alerts?receiver=(").await;
    assert_eq!(status, 400);
    let (_, groups) = get(&served, "/api/v2/alerts/groups").await;
    assert_eq!(groups[0]["receiver"]["name"], "nobody");
    assert_eq!(groups[0]["alerts"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn silences_of_alertmanager_fail_in_its_words() {
    let served = serve(Settings::default());
    let silence = |starts: i64, ends: i64, value: &str| {
        json!({"matchers": [{"name": "job", "value": value, "isRegex": true}],
            "startsAt": time(starts), "endsAt": time(ends), "createdBy": "me", "comment": "x"})
    };
    for (wanted, text) in [
        (silence(0, 0, "b"), "Failed to create silence: start time must be before end time"),
        (silence(-9, -5, "b"), "Failed to create silence: end time can't be in the past"),
        (
            silence(0, 60, ".*"),
            "invalid silence: matchers: at least one matcher must not match the empty string",
        ),
    ] {
        assert_eq!(
            post(&served, "/api/v2/silences", wanted).await,
            (StatusCode::BAD_REQUEST, text.into())
        );
    }
    let mut unknown = silence(0, 60, "b");
    unknown["id"] = "2fae1bf4-54eb-4b4b-a8ec-cd9c6d2f3b4d".into();
    assert_eq!(
        post(&served, "/api/v2/silences", unknown).await,
        (StatusCode::NOT_FOUND, "silence not found".into())
    );
    assert_eq!(get(&served, "/api/v2/silence/x").await.0, 404);
    let (_, made) = post(&served, "/api/v2/silences", silence(0, 60, "b")).await;
    let id = made["silenceID"].as_str().expect("an id");
    let (_, shown) = get(&served, &format!("/api/v2/silence/{id}")).await;
    assert_eq!(
        shown,
        json!({
            "id": id, "status": {"state": "active"}, "updatedAt": time(0), "comment": "x",
            "createdBy": "me", "startsAt": time(0), "endsAt": time(60),
            "matchers": [{"name": "job", "value": "b", "isRegex": true, "isEqual": true}],
        })
    );
    let (status, _) = send(&served, Method::DELETE, &format!("/api/v2/silence/{id}"), "").await;
    assert_eq!(status, 200);
    let (_, list) = get(&served, "/api/v2/silences?filter=job%3D~b").await;
    assert_eq!(list[0]["status"]["state"], "expired");
    assert_eq!(get(&served, "/api/v2/silences?filter=job%3Db").await.1, json!([]));
}

#[tokio::test]
async fn maintenance_and_inhibition_are_shown_as_what_suppresses() {
    let served = serve(Settings::default());
    let inhibit = json!([{"source_matchers": ["severity=critical"],
        "target_matchers": ["severity=warning"], "equal": ["job"]}]);
    let inhibit = serde_json::from_value(inhibit).expect("valid");
    served.app.engine().expect("open").muting.set_inhibitions(inhibit);
    add(&served, json!({"alertname": "A", "job": "a", "severity": "critical"})).await;
    add(&served, json!({"alertname": "B", "job": "a", "severity": "warning"})).await;
    add(&served, json!({"alertname": "C", "job": "c", "severity": "warning"})).await;
    let window = json!({"name": "work", "matchers": ["job=c"], "ends_at": time(60)});
    let (status, answer) = post(&served, "/api/v1/maintenance", window).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!(answer["data"]["state"], "active");
    let (_, list) = get(&served, "/api/v2/alerts").await;
    let of = |name: &str| {
        let list = list.as_array().expect("a list");
        list.iter().find(|a| a["labels"]["alertname"] == name).expect(name).clone()
    };
    assert_eq!(of("A")["status"]["state"], "active");
    assert_eq!(of("B")["status"]["inhibitedBy"], json!([of("A")["fingerprint"]]));
    assert_eq!(of("C")["status"]["mutedBy"], json!(["work"]));
    let (_, preview) = get(&served, "/api/v2/alerts?muted=false&inhibited=false").await;
    assert_eq!(preview.as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_status_names_who_we_are_and_the_receivers() {
    let served = serve(Settings::default());
    let channel =
        json!({"name": "ops", "kind": "webhook", "settings": {"url": "http://127.0.0.1:1"}});
    let (status, answer) = post(&served, "/api/v1/channels", channel).await;
    assert_eq!(status, 201, "{answer}");
    let (_, receivers) = get(&served, "/api/v2/receivers").await;
    assert_eq!(receivers, json!([{"name": "ops"}]));
    let (_, answer) = get(&served, "/api/v2/status").await;
    assert_eq!(answer["cluster"], json!({"status": "disabled", "peers": []}));
    assert_eq!(answer["versionInfo"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(answer["config"]["original"].as_str().is_some_and(|c| c.contains("- name: \"ops\"")));
}
