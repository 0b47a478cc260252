//! Running it: health, settings, tokens, storage.

use serde_json::{Value, json};

use super::super::auth::Permission::{Administer, Open, Operate, Read};
use super::operation::{Operation, delete, get, post, put};
use super::schema::{
    any, flag, list, list_of, map, number, object, one_of, or_null, refer, text, time, whole,
};

const ROLES: &[&str] = &["viewer", "writer", "operator", "admin"];

fn plain(says: &str) -> Vec<(&'static str, Value)> {
    vec![("text/plain", text(says))]
}

pub(super) fn operations() -> Vec<Operation> {
    let status = |what: &str| format!("/api/v1/status/{what}");
    let reloaded = || object(&[("reloaded*", flag("`true`."))]);
    let mut all = vec![
        get("/", Open, "Say where to look").answers_raw(
            200,
            "A page; a browser is sent to the dashboard.",
            &[("text/html", text("A page."))],
        ),
        get("/-/healthy", Open, "Say whether the daemon lives").answers_raw(
            200,
            "It does.",
            &plain("`vedette is healthy.`"),
        ),
        get("/-/ready", Open, "Say whether the daemon serves")
            .says("503 with the progress while the database is being recovered.")
            .answers_raw(200, "It does.", &plain("`vedette is ready.`")),
        post("/-/reload", Operate, "Read the settings again")
            .says("All of them are taken up, or nothing: then 400 says why.")
            .answers(reloaded()),
        put("/-/reload", Operate, "Read the settings again, by PUT as Prometheus allows")
            .answers(reloaded()),
        get("/metrics", Read, "Give metrics about vedette itself").answers_raw(
            200,
            "Text 0.0.4.",
            &plain("Metrics."),
        ),
        get("/api/v1/openapi.json", Read, "Give this document").answers_raw(
            200,
            "OpenAPI 3.1.",
            &[("application/json", json!({"type": "object"}))],
        ),
        get(status("buildinfo"), Read, "Say which version answers")
            .says("`version` is the Prometheus whose API this is like, for Grafana.")
            .answers(map(json!({"type": "string"}), "`applicationVersion` is vedette's own.")),
        get(status("runtimeinfo"), Read, "Say how the daemon runs")
            .answers(map(json!({}), "As Prometheus has it, and `phase`.")),
        get(status("config"), Operate, "Show the settings that hold, without secrets")
            .answers(object(&[("yaml*", text("TOML, under Prometheus's key."))])),
        get(status("flags"), Operate, "Show settings under the names of Prometheus's flags")
            .answers(map(json!({"type": "string"}), "By name.")),
        get(status("tsdb"), Read, "Show what the time-series engine holds")
            .answers(map(json!({}), "As Prometheus has it.")),
    ];
    all.extend(page());
    all.extend(administration());
    all
}

/// The dashboard, and how a browser signs in.
fn page() -> Vec<Operation> {
    let session = "/api/v1/session";
    let who = || {
        object(&[
            ("mode*", one_of(&["open", "token"], "Whether a token is needed.")),
            ("name*", or_null(text("The token's name; `local` where none is needed."))),
            ("role*", or_null(one_of(ROLES, "Its role."))),
            (
                "may*",
                list_of(
                    one_of(&["read", "send", "operate", "administer"], "A permission."),
                    "What that allows.",
                ),
            ),
            ("via*", one_of(&["cookie", "header", "none"], "How the token came.")),
        ])
    };
    let html = || vec![("text/html", text("The page."))];
    vec![
        get(session, Open, "Say who asks, and what that allows").answers(who()),
        post(session, Open, "Sign in: keep a token in a cookie")
            .says(
                "The cookie is HttpOnly and SameSite=Strict. A request that it admits and that \
                 changes something must come from the page's own origin. Ten wrong tokens from one \
                 address within a minute are answered 429.",
            )
            .body(object(&[
                ("token*", text("A token that `vedette token create` made.")),
                ("remember", flag("Whether the session outlives the browser's: 30 days.")),
            ]))
            .answers(who()),
        delete(session, Open, "Sign out: take the cookie away")
            .says("The token stays valid.")
            .answers_nothing(204, "Gone."),
        get("/ui", Open, "Give the dashboard").answers_raw(200, "The page.", &html()),
        get("/ui/", Open, "Give the dashboard").answers_raw(200, "The page.", &html()),
        get("/ui/{*path}", Open, "Give the dashboard, or one of its files")
            .says("Files are below the hash over all of them, and never change.")
            .answers_raw(200, "The page, or a file.", &html()),
    ]
}

fn administration() -> Vec<Operation> {
    let admin = |what: &str| format!("/api/v1/admin/{what}");
    let role = || one_of(ROLES, "What it may do.");
    let level = object(&[
        ("level*", one_of(&["flushed", "hours", "days", "rollups"], "Which.")),
        ("segments*", whole("Segments.")),
        ("samples*", whole("Samples.")),
        ("bytes*", whole("Bytes.")),
    ]);
    let scrub = object(&[
        ("at*", time("When all of the file was last looked through.")),
        ("values*", whole("Values that were read.")),
        ("damaged*", whole("Values that were damaged.")),
    ]);
    vec![
        get(admin("storage"), Administer, "Show what the file holds").answers(object(&[
            ("file_bytes*", whole("The file.")),
            ("journal_bytes*", whole("Samples that are not in blocks yet.")),
            ("disk_free_bytes*", or_null(whole("Free on its disk."))),
            ("disk_total_bytes*", or_null(whole("Of so many."))),
            ("oldest_ms*", or_null(whole("The oldest sample in blocks, Unix milliseconds."))),
            ("newest_ms*", or_null(whole("The newest."))),
            ("damaged_blocks*", whole("Blocks whose checksum did not fit.")),
            ("scrub*", or_null(scrub)),
            ("levels*", list_of(level, "By level.")),
        ])),
        get(admin("backup"), Administer, "Say how far a backup is").answers(object(&[
            ("running*", flag("Whether one runs.")),
            ("progress*", number("0 to 1.")),
        ])),
        post(admin("backup"), Administer, "Copy the database to a new file")
            .says("The file is on the daemon's machine and must not be there yet.")
            .body(object(&[("path*", text("An absolute path."))]))
            .answers(object(&[
                ("path*", text("The file.")),
                ("bytes*", whole("Its size.")),
                ("seconds*", number("How long it took.")),
            ]))
            .may_conflict(),
        post(admin("compact"), Administer, "Pack memory into blocks and merge blocks, now")
            .answers(object(&[
                ("flushed_samples*", any("Samples that were packed.")),
                ("merges*", whole("Merges that were made.")),
            ])),
        get(admin("tokens"), Administer, "List tokens").answers(list(object(&[
            ("name*", text("Its name.")),
            ("role*", role()),
            ("origin*", one_of(&["file", "api"], "Where it is kept.")),
            ("created_at", time("When it was made.")),
        ]))),
        post(admin("tokens"), Administer, "Make a token")
            .says("The answer shows it, this once.")
            .body(object(&[("name*", refer("Name")), ("role*", role())]))
            .answers(object(&[
                ("name*", text("Its name.")),
                ("role*", role()),
                ("token*", text("The token.")),
            ]))
            .may_conflict(),
        delete(admin("tokens/{name}"), Administer, "Revoke a token")
            .answers(object(&[("name*", text("Its name.")), ("revoked*", flag("`true`."))]))
            .may_conflict(),
    ]
}
