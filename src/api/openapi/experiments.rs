//! Experiments, and calculators that know none.

use serde_json::{Value, json};

use super::super::auth::Permission::{Operate, Read, Send};
use super::objects;
use super::operation::{
    Operation, after, delete, get, idempotency_key, limit, post, query, required,
};
use super::schema::{
    any, any_of, flag, list, list_of, map, name, number, object, one_of, or_null, refer, text,
    time, whole,
};

fn said(own: &[(&str, Value)]) -> Value {
    let mut fields =
        vec![("by", text("Who acts; the token's name unless it says.")), ("note", text("Why."))];
    fields.extend(own.iter().cloned());
    object(&fields)
}

/// Units of a request: ids, or ids with attributes of their own.
pub(super) fn units() -> Value {
    let attributes = map(json!({}), "What is known of it, for targeting.");
    let whole = object(&[("unit*", text("Its id.")), ("attributes", attributes)]);
    list_of(any_of(&[text("Its id."), whole], "A unit."), "Instead of `unit`: several.")
}

pub(super) fn asked() -> Vec<(&'static str, Value)> {
    vec![
        ("unit", text("A user, a session, a request: whatever is to be kept apart.")),
        ("units", units()),
        ("attributes", map(json!({}), "What is known of the unit, for targeting.")),
        ("expose", flag("Whether it counts as exposed; `true` unless it says.")),
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    let one = |path: &str| format!("/api/v1/experiments/{{name}}{path}");
    let act = |word: &str, summary: &str, own: &[(&str, Value)]| {
        post(one(&format!("/{word}")), Operate, summary)
            .optional_body(said(own))
            .answers(refer("Experiment"))
            .may_conflict()
    };
    let results = any_of(
        &[
            object(&[("results*", list(refer("ExperimentResult")))]),
            list(refer("ExperimentResult")),
            refer("ExperimentResult"),
        ],
        "Many results, or one.",
    );
    let mut all = objects::all("experiments", "experiment", "ExperimentDefinition", "Experiment");
    all.extend([
        act("start", "Start a draft", &[]),
        act("pause", "Enrol nobody new", &[]),
        act("resume", "Go on, and accept breaches until now", &[]),
        act(
            "complete",
            "End an experiment",
            &[("ship", name("The variant that everybody gets from now on."))],
        ),
        act("cancel", "End an experiment of which nothing follows", &[]),
        act(
            "step",
            "Take a canary to its next step",
            &[("to", whole("The step, counted from 0; the next unless it says."))],
        ),
        act(
            "switch",
            "Give all traffic to the other variant",
            &[("to", name("The variant; the other one unless it says."))],
        ),
        act("rollback", "End an experiment with everybody at the control", &[]),
        post(one("/assign"), Send, "Say which variant a unit gets, or many units get")
            .says("At most 10,000 units.")
            .body(object(&asked()))
            .answers(any_of(
                &[refer("Assignment"), refer("Assignments")],
                "Of one unit, or of many.",
            )),
        post("/api/v1/experiments/assign", Send, "Say what a unit gets in all experiments")
            .body(object(&[
                ("unit*", text("The unit.")),
                ("attributes", map(json!({}), "What is known of it.")),
                ("experiments", list_of(text("A name."), "These alone.")),
                ("feature", text("Those of this feature alone.")),
                ("expose", flag("Whether it counts as exposed; `true` unless it says.")),
            ]))
            .answers(object(&[
                ("unit*", text("The unit.")),
                ("assignments*", map(refer("Assignment"), "By the experiment's name.")),
            ])),
        post(one("/results"), Send, "Take results")
            .says("Up to 50,000. Good ones are kept when others are not: then 400.")
            .takes(&[idempotency_key("Names the request: sent again, nothing counts twice.")])
            .body_of(
                true,
                &[("application/json", results), ("application/x-ndjson", text("One per line."))],
            )
            .answers(object(&[
                ("accepted*", whole("Results that count.")),
                ("repeated*", whole("Results whose id was known.")),
                ("left_out*", whole("Results of units that are in no analysis, or too late.")),
            ])),
        get(one("/exposures"), Read, "List first exposures, the newest first")
            .takes(&[
                query("variant", text("To this variant.")),
                query("unit", text("Of this unit.")),
                query("before", text("Before then: RFC 3339 or Unix milliseconds.")),
                limit("At most so many; 100."),
            ])
            .answers_page(object(&[
                ("unit_hash*", text("The unit's hash; ids are not kept.")),
                ("variant*", or_null(text("What it got."))),
                ("epoch*", whole("In which epoch, counted from 0.")),
                ("at*", time("When.")),
                ("excluded*", flag("Whether it is in no analysis.")),
            ])),
        delete(one("/units/{unit}"), Operate, "Delete all that is known of a unit")
            .answers(object(&[("was_known*", flag("Whether there was anything."))])),
        get(one("/audit"), Read, "Show who did what, the newest first")
            .takes(&[limit("At most so many; 200."), after()])
            .answers_page(refer("AuditEntry")),
        get(one("/timeline"), Read, "Show the estimates over time")
            .takes(&[
                query("metric", text("Of this metric.")),
                query("variant", text("Of this variant.")),
            ])
            .answers(object(&[
                ("experiment*", name("Which.")),
                ("alpha*", number("How often a difference may be found where there is none.")),
                (
                    "points*",
                    list_of(any("`at`, `total_samples`, `estimates`."), "The oldest first."),
                ),
            ])),
        get(one("/analysis"), Read, "Show what the results say").answers(refer("Analysis")),
        get(one("/variants"), Read, "Show how each variant does").answers(object(&[
            ("experiment*", name("Which.")),
            ("at*", time("When.")),
            (
                "variants*",
                list_of(
                    map(json!({}), "Units, requests, rates, latency, cost, and each metric."),
                    "In their order.",
                ),
            ),
        ])),
    ]);
    all
}

/// Both ways to ask a calculator.
fn calculator(what: &str, summary: &str, parameters: &[Value], answer: Value) -> [Operation; 2] {
    let path = format!("/api/v1/stats/{what}");
    let mut properties = serde_json::Map::new();
    let mut needed = Vec::new();
    for parameter in parameters {
        let name = parameter["name"].as_str().unwrap_or_default();
        let mut schema = parameter["schema"].clone();
        schema["description"] = parameter["description"].clone();
        properties.insert(name.to_owned(), schema);
        if parameter["required"] == true {
            needed.push(name);
        }
    }
    let mut body = json!({"type": "object", "properties": properties});
    if !needed.is_empty() {
        body["required"] = json!(needed);
    }
    [
        get(&path, Read, summary).takes(parameters).answers(answer.clone()),
        post(&path, Read, format!("{summary}, asked by JSON")).body(body).answers(answer),
    ]
}

pub(super) fn statistics() -> Vec<Operation> {
    let plan = || {
        vec![
            query("baseline", number("The control's share, for conversions.")),
            query("std_dev", number("The deviation of one unit, for means.")),
            query("alpha", number("0.05 unless it says.")),
            query("power", number("0.8 unless it says.")),
            query("comparisons", whole("So many share α; 1.")),
            query("method", one_of(&["sequential", "fixed"], "How results will be judged.")),
            query("tuned_for", number("Units that the sequence is tuned for; 5000.")),
        ]
    };
    let numbers = |says: &str| list_of(json!({"type": "number"}), says);
    let mut size = plan();
    size.push(required("effect", number("The difference to find, absolute.")));
    size.push(query("ratio", number("Units of control per unit of the variant; 1.")));
    let mut power = plan();
    power.push(query("effect", number("The difference, absolute.")));
    power.push(required("n_control", whole("Units of control.")));
    power.push(required("n_variant", whole("Units of the variant.")));
    let mut all = Vec::new();
    all.extend(calculator(
        "sample-size",
        "How many units it takes to find an effect",
        &size,
        object(&[
            ("control*", whole("Units of control.")),
            ("variant*", whole("Units of the variant.")),
            ("total*", whole("Both.")),
            ("effect*", number("As asked.")),
            ("alpha*", number("After it is divided among comparisons.")),
            ("power*", number("As asked.")),
            ("method*", text("As asked.")),
        ]),
    ));
    all.extend(calculator(
        "power",
        "How likely an effect is found",
        &power,
        object(&[
            ("effect*", or_null(number("As asked."))),
            ("power*", or_null(number("The chance to find it."))),
            (
                "detectable_effect*",
                or_null(number("What would be found with the chance asked for.")),
            ),
            ("at_power*", number("That chance.")),
            ("alpha*", number("After it is divided among comparisons.")),
            ("method*", text("As asked.")),
        ]),
    ));
    all.extend(calculator(
        "adjust",
        "Correct p-values for their number",
        &[
            required("p", numbers("The p-values.")),
            query("alpha", number("0.05 unless it says.")),
            query(
                "method",
                one_of(
                    &["holm", "hochberg", "bonferroni", "benjamini_hochberg", "none"],
                    "Holm's unless it says.",
                ),
            ),
        ],
        object(&[
            ("method*", text("By which.")),
            ("alpha*", number("As asked.")),
            ("p*", numbers("As they came.")),
            ("adjusted*", numbers("Corrected, in the same order.")),
            ("significant*", list_of(json!({"type": "boolean"}), "Whether below α.")),
        ]),
    ));
    all.extend(calculator(
        "srm",
        "Whether variants got their shares of the units",
        &[
            required("observed", numbers("Units of each variant.")),
            query("weights", numbers("Their weights; equal unless given.")),
        ],
        object(&[
            ("chi2*", number("χ².")),
            ("df*", whole("Its degrees of freedom.")),
            ("p_value*", number("Right at one look.")),
            ("log_e*", number("The evidence, as a natural logarithm.")),
            ("p_sequential*", number("Right at any number of looks.")),
            ("alarm*", flag("Whether that is below 0.001.")),
            ("observed*", numbers("As asked.")),
            ("expected*", numbers("By the weights.")),
        ]),
    ));
    all
}
