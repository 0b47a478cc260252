//! PostgreSQL, MariaDB and Redis, as they are.

use serde_json::{Value, json};
use vedette::model::Observation;

use super::ask;
use super::servers::{Server, mariadb, postgres, redis};

fn body(seen: &Observation) -> Value {
    serde_json::from_slice(&seen.body).expect("JSON")
}

fn text(seen: &Observation) -> String {
    assert_eq!(seen.error, None);
    String::from_utf8(seen.body.clone()).expect("UTF-8")
}

fn error(seen: Observation) -> String {
    let error = seen.error.expect("an error");
    assert!(!error.contains("s3cret") && !error.contains("w4tch"), "{error}");
    error
}

fn url(server: &Server, kind: &str, user: &str, rest: &str) -> String {
    format!("{kind}://{user}:s3cret@{}/{rest}", server.address())
}

#[tokio::test]
async fn postgresql_lets_in_by_every_way_of_a_password() {
    let mut server = postgres();
    let all = |user: &str, mode: &str| {
        url(&server, "postgres", user, &format!("postgres?sslmode={mode}"))
    };
    let (scram, encrypted) = (all("scram", "disable"), all("scram", "require"));
    let others: Vec<String> = [("old", "disable"), ("clear", "disable"), ("trusted", "disable")]
        .iter()
        .chain(&[("old", "prefer"), ("clear", "require")])
        .map(|(user, mode)| all(user, mode))
        .collect();
    let seen = server.ready("postgres", &scram, json!({})).await;
    assert_eq!(body(&seen), json!({ "?column?": 1 }));
    assert_eq!((seen.values["VALUE"], seen.values["ROWS"]), (1.0, 1.0));
    assert!(seen.connected && seen.metadata["encrypted"] == false);
    assert!(seen.metadata["server_version"].as_str().expect("a text").starts_with("15."));
    assert_eq!(seen.phases.tls_us, None);
    assert!(seen.phases.first_byte_us.expect("an answer") <= seen.phases.total_us);

    let seen = ask("postgres", &encrypted, json!({})).await;
    assert_eq!((seen.error.clone(), &seen.metadata["encrypted"]), (None, &json!(true)));
    assert!(seen.phases.tls_us.is_some() && seen.certificate_expires_at.is_some());
    for target in others {
        assert_eq!(ask("postgres", &target, json!({})).await.error, None, "{target}");
    }
}

#[tokio::test]
async fn postgresql_refuses_in_words_and_answers_queries_as_json() {
    let mut server = postgres();
    let target = server.address();
    let with = |more: Value| {
        let mut all = json!({ "user": "scram", "password": "s3cret", "database": "postgres" });
        for (key, value) in more.as_object().expect("an object") {
            all[key] = value.clone();
        }
        all
    };
    server.ready("postgres", &target, with(json!({}))).await;

    let wrong = json!({ "user": "scram", "password": "wrong-password", "database": "postgres" });
    let refused = error(ask("postgres", &target, wrong).await);
    assert!(
        refused.starts_with(&format!("{target}: the user or password is wrong (SQLSTATE 28P01"))
            && !refused.contains("wrong-password"),
        "{refused}"
    );
    let refused = error(ask("postgres", &target, with(json!({ "database": "nothing" }))).await);
    assert!(refused.contains("there is no such database (SQLSTATE 3D000"), "{refused}");
    let refused = error(ask("postgres", &target, with(json!({ "user": "nobody" }))).await);
    assert!(refused.contains("pg_hba.conf"), "{refused}");
    let nothing = json!({ "user": "scram", "database": "postgres" });
    let refused = error(ask("postgres", &target, nothing).await);
    assert!(refused.contains("set settings.password"), "{refused}");
    let query = with(json!({ "query": "SELECT * FROM nothing" }));
    let refused = error(ask("postgres", &target, query).await);
    assert!(refused.contains("there is no such table (SQLSTATE 42P01"), "{refused}");

    let query = "SELECT 42::bigint AS n, 1.5::numeric AS x, true AS yes, NULL AS nil, \
        '{\"a\":[1]}'::jsonb AS j, 'é' AS t UNION ALL SELECT 0, 0, false, NULL, '{}', ''";
    let seen = ask("postgres", &target, with(json!({ "query": query }))).await;
    assert_eq!(seen.error, None);
    assert_eq!(
        body(&seen),
        json!({ "n": 42, "x": 1.5, "yes": true, "nil": null, "j": { "a": [1] }, "t": "é" })
    );
    assert_eq!((seen.values["VALUE"], seen.values["ROWS"]), (42.0, 2.0));
    let many = with(json!({ "query": "SELECT * FROM generate_series(1, 1000000)" }));
    let seen = ask("postgres", &target, many).await;
    assert_eq!((seen.error.clone(), seen.values["VALUE"]), (None, 1.0));
    assert!(seen.metadata["rows"].as_str().expect("a note").starts_with("more than 9"));
    let slow = with(json!({ "query": "SELECT pg_sleep(60)" }));
    let probe = super::probe("postgres", &target, slow);
    let late = error(probe.ask(std::time::Duration::from_secs(5)).await);
    assert!(late.contains(&format!("while the answer of {target} to the query")), "{late}");

    // The certificate is for db.test, and its own authority.
    let ca = server.path("cert.pem");
    let full = |name: &str| {
        with(json!({ "sslmode": "verify-full", "tls": { "ca_file": ca, "server_name": name } }))
    };
    assert_eq!(ask("postgres", &target, full("db.test")).await.error, None);
    let refused = error(ask("postgres", &target, full("other.test")).await);
    assert!(refused.contains("is not for other.test: it is for db.test"), "{refused}");
    let refused = error(ask("postgres", &target, with(json!({ "sslmode": "verify-full" }))).await);
    assert!(refused.contains("certificate"), "{refused}");
}

#[tokio::test]
async fn mariadb_is_pinged_asked_and_refuses_in_words() {
    let mut server = mariadb();
    let target = server.address();
    let of = |user: &str, password: &str, more: Value| {
        let mut all = json!({ "user": user, "password": password });
        for (key, value) in more.as_object().expect("an object") {
            all[key] = value.clone();
        }
        all
    };
    // The last thing that the server's users.sql does is to fill the table.
    let query = "SELECT id, name, paid, NULL AS nil FROM shop.orders ORDER BY id";
    let asked = of("watch", "s3cret", json!({ "query": query, "sslmode": "disable" }));
    let seen = server.ready("mysql", &target, asked).await;
    assert_eq!(
        body(&seen),
        json!({ "id": 7, "name": "a \"quoted\" name", "paid": 12.5, "nil": null })
    );
    assert_eq!((seen.values["VALUE"], seen.values["ROWS"]), (7.0, 2.0));
    assert_eq!(seen.metadata["encrypted"], false);

    let seen = ask("mysql", &url(&server, "mysql", "watch", "shop"), json!({})).await;
    assert_eq!((seen.error.clone(), seen.body.len()), (None, 0));
    assert_eq!(seen.metadata["encrypted"], true, "it offers TLS, and sslmode is prefer");
    let version = seen.metadata["server_version"].as_str().expect("a text");
    assert!(version.contains("MariaDB") && !version.starts_with("5.5.5-"), "{version}");
    assert_eq!(ask("mysql", &format!("mysql://open@{target}"), json!({})).await.error, None);

    let refused = error(ask("mysql", &target, of("watch", "wrong-password", json!({}))).await);
    assert!(
        refused.starts_with(&format!("{target}: the user or password is wrong (error 1045")),
        "{refused}"
    );
    let other = of("watch", "s3cret", json!({ "database": "nothing" }));
    let refused = error(ask("mysql", &target, other).await);
    assert!(refused.contains("the user may not use this database (error 1044"), "{refused}");
    let query = of("watch", "s3cret", json!({ "query": "SELECT * FROM shop.nothing" }));
    let refused = error(ask("mysql", &target, query).await);
    assert!(refused.contains("(error 114"), "{refused}");
    let refused = error(ask("mysql", &target, of("other", "s3cret", json!({}))).await);
    assert!(refused.contains("log in by client_ed25519"), "{refused}");

    let tls = |more: Value| of("tls", "s3cret", more);
    let refused = error(ask("mysql", &target, tls(json!({ "sslmode": "disable" }))).await);
    assert!(refused.contains("the user or password is wrong"), "{refused}");
    let full = tls(json!({
        "sslmode": "verify-full",
        "tls": { "ca_file": server.path("cert.pem"), "server_name": "db.test" },
    }));
    let seen = ask("mysql", &target, full).await;
    assert_eq!(seen.error, None);
    assert!(seen.phases.tls_us.is_some());
}

#[tokio::test]
async fn redis_lets_in_by_password_and_by_user() {
    let mut server = redis(false);
    let target = server.address();
    let seen = server.ready("redis", &format!("redis://:s3cret@{target}/3"), json!({})).await;
    assert_eq!(text(&seen), "PONG");
    let watch = format!("redis://watch:w4tch@{target}");
    assert_eq!(text(&ask("redis", &watch, json!({})).await), "PONG");
    let whole = json!({ "password": "s3cret", "command": ["SET", "n", "2.5"] });
    assert_eq!(text(&ask("redis", &target, whole).await), "OK");
    let seen = ask("redis", &watch, json!({ "command": ["GET", "n"] })).await;
    assert_eq!((text(&seen).as_str(), seen.values["VALUE"]), ("2.5", 2.5));
    let info = json!({ "password": "s3cret", "command": ["INFO", "server"] });
    let seen = ask("redis", &target, info).await;
    assert_eq!((seen.error.clone(), seen.values["TCP_PORT"]), (None, f64::from(server.port)));

    let refused = error(ask("redis", &target, json!({})).await);
    assert!(refused.contains("it wants a password first"), "{refused}");
    let refused = error(ask("redis", &format!("redis://:s3creT@{target}"), json!({})).await);
    assert!(refused.contains("the user or password is wrong (WRONGPASS"), "{refused}");
    let refused = error(ask("redis", &watch, json!({ "command": ["FLUSHALL"] })).await);
    assert!(refused.contains("the user may not do that (NOPERM"), "{refused}");
    let none = format!("redis://:s3cret@{target}/99");
    let refused = error(ask("redis", &none, json!({})).await);
    assert!(refused.contains("the choice of a database: ERR DB index"), "{refused}");
    // It may say nothing of the password even where it repeats what it was told.
    let echo = json!({ "password": "s3cret", "command": ["ECHO", "it is s3cret, they say"] });
    assert_eq!(text(&ask("redis", &target, echo).await), "it is <secret>, they say");
}

#[tokio::test]
async fn redis_is_asked_over_tls() {
    let mut server = redis(true);
    let target = format!("rediss://:s3cret@{}", server.address());
    let tls = json!({ "ca_file": server.path("cert.pem"), "server_name": "db.test" });
    let seen = server.ready("redis", &target, json!({ "tls": tls })).await;
    assert_eq!((text(&seen).as_str(), &seen.metadata["encrypted"]), ("PONG", &json!(true)));
    let refused = error(ask("redis", &target, json!({})).await);
    assert!(refused.contains("certificate"), "{refused}");
    let plain = format!("redis://:s3cret@{}", server.address());
    // It answers with an alert of TLS, and hangs up.
    let refused = error(ask("redis", &plain, json!({})).await);
    assert!(refused.starts_with(&server.address()), "{refused}");
}
