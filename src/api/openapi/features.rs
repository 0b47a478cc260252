//! Features, providers and configuration.

use serde_json::json;

use super::super::auth::Permission::{Operate, Read, Send};
use super::experiments::asked;
use super::objects;
use super::operation::{Operation, after, get, limit, post, put, query};
use super::schema::{
    any, any_of, flag, list, list_of, map, name, object, one_of, refer, text, whole,
};

pub(super) fn operations() -> Vec<Operation> {
    let window = || {
        vec![
            query("window", text("How far back, from `1s` to `400d`; `1h`.")),
            query("at", text("Its end; now. Unix seconds or RFC 3339.")),
        ]
    };
    let mut with_parts = window();
    with_parts.push(query(
        "by",
        one_of(
            &["model", "provider", "feature", "experiment", "variant"],
            "Adds the same figures for each value of this label.",
        ),
    ));
    let mut all = objects::all("features", "feature", "FeatureDefinition", "Feature");
    all.extend(objects::all("providers", "provider", "ProviderDefinition", "Provider"));
    for (plural, noun) in [("features", "feature"), ("providers", "provider")] {
        all.extend([
            get(format!("/api/v1/{plural}/summary"), Read, format!("Show how all {plural} do"))
                .takes(&window())
                .answers(list(refer("Summary"))),
            get(
                format!("/api/v1/{plural}/{{name}}/summary"),
                Read,
                format!("Show how a {noun} does"),
            )
            .says("One that outcomes tell of need not be defined.")
            .takes(&with_parts)
            .answers(refer("Summary")),
        ]);
    }
    let of = |path: &str| format!("/api/v1/features/{{name}}/config{path}");
    all.extend([
        get(of(""), Read, "Show a feature's configuration")
            .takes(&[query("version", whole("This version; the newest unless it says."))])
            .answers(refer("ConfigurationVersion")),
        put(of(""), Operate, "Make a new version of a feature's configuration")
            .says("Exactly one of `value` and `version`.")
            .body(object(&[
                ("value", any("The configuration: any JSON, up to 256 KiB.")),
                ("version", whole("An older version to go back to.")),
                ("author", text("Who; the token's name unless it says.")),
                ("comment", text("Why.")),
                ("follows", whole("The newest version that was seen, 0 for none: else 409.")),
            ]))
            .answers_with(201, "Made.", refer("ConfigurationVersion"))
            .may_conflict(),
        get(of("/history"), Read, "List versions, the newest first")
            .takes(&[limit("At most so many; 100."), after()])
            .answers_page(refer("ConfigurationVersion")),
        get(of("/diff"), Read, "Show what is different between two versions")
            .takes(&[
                query("from", whole("The one before `to` unless it says.")),
                query("to", whole("The newest unless it says.")),
            ])
            .answers(object(&[
                ("from*", whole("The older version.")),
                ("to*", whole("The newer version.")),
                (
                    "changes*",
                    list_of(
                        object(&[
                            ("path*", text("A JSON pointer (RFC 6901).")),
                            ("before", any("What was there.")),
                            ("after", any("What is there.")),
                        ]),
                        "What is different.",
                    ),
                ),
                ("truncated*", flag("Whether there is more.")),
            ])),
        post("/api/v1/features/{name}/evaluate", Send, "Say which configuration a unit gets")
            .says(
                "The newest version, with the unit's variants merged over it. At most 1,000 units.",
            )
            .body(object(&asked()))
            .answers(any_of(
                &[evaluated(), list(evaluated())],
                "Of one unit, or of several in their order.",
            )),
    ]);
    all
}

fn evaluated() -> serde_json::Value {
    object(&[
        ("feature*", name("Which.")),
        ("unit*", text("Whose.")),
        ("version*", any("The version of the configuration, or `null`.")),
        ("configuration*", any("What to go by.")),
        (
            "assignments*",
            list_of(
                map(json!({}), "`experiment`, `variant`, `in_experiment`, `reason`."),
                "In the order of the experiments' names.",
            ),
        ),
    ])
}
