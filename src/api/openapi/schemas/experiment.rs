//! Experiments, who gets what, and what the results say.

use serde_json::{Value, json};

use super::super::schema::{
    all_of, any, duration, flag, labels, list_of, map, moment, name, number, object, one_of,
    or_null, refer, text, time, whole, with_example,
};
use super::Named;

const STATUS: &[&str] = &["draft", "running", "paused", "completed", "cancelled"];
const KINDS: &[&str] = &["ab_test", "multivariate", "canary", "blue_green"];

pub(super) fn schemas() -> Vec<Named> {
    vec![
        ("ExperimentDefinition", definition()),
        ("Experiment", shown()),
        (
            "Variant",
            object(&[
                ("name*", name("Its name.")),
                ("description", text("More than a name.")),
                ("traffic_weight", number("Its share, by the sum of all weights; 0 or more.")),
                ("is_control", flag("Whether the others are compared with it.")),
                ("configuration", any("What an application gets that asks.")),
                ("levels", labels("Of a multivariate experiment: the level of each factor.")),
            ]),
        ),
        ("ExperimentMetric", metric()),
        ("ExperimentResult", result()),
        (
            "Assignment",
            object(&[
                ("unit", text("Whose.")),
                ("variant*", or_null(text("What it gets; null: it is not in the experiment."))),
                ("in_experiment*", flag("Whether results of it are of use.")),
                ("reason*", text("Why: hash, sticky, forced, targeting …")),
                ("configuration", any("What to go by.")),
            ]),
        ),
        (
            "Assignments",
            object(&[
                ("assignments*", list_of(refer("Assignment"), "In the order of the units.")),
                ("configurations*", map(json!({}), "By variant.")),
                ("default_configuration*", any("Of whoever is not in it.")),
            ]),
        ),
        ("AuditEntry", audit()),
        ("Analysis", analysis()),
    ]
}

fn definition() -> Value {
    let fields = object(&[
        ("name*", name("Its name; the label `experiment`.")),
        ("kind", one_of(KINDS, "What kind; ab_test.")),
        ("description", text("More than a name.")),
        ("hypothesis", text("What is expected, and why.")),
        ("feature", name("The feature that it is about.")),
        ("traffic_allocation", number("How many of all units take part, in per cent; 100.")),
        ("variants", list_of(refer("Variant"), "The arms; made from factors where there are any.")),
        (
            "factors",
            list_of(
                object(&[
                    ("name*", name("Its name.")),
                    (
                        "levels*",
                        list_of(name("A level."), "Two or more; the first is the control's."),
                    ),
                ]),
                "What varies; of a multivariate experiment.",
            ),
        ),
        (
            "steps",
            list_of(
                object(&[
                    ("traffic*", number("The canary's share in per cent.")),
                    ("hold", duration("How long it stays so.")),
                ]),
                "The steps of a canary.",
            ),
        ),
        ("metrics*", list_of(refer("ExperimentMetric"), "What is measured.")),
        (
            "guardrails",
            list_of(
                object(&[
                    ("metric", text("A metric of this experiment; or")),
                    ("rule", name("an alert rule.")),
                    ("action", one_of(&["pause", "rollback"], "What happens then; pause.")),
                ]),
                "What stops it.",
            ),
        ),
        ("targeting", any("Who may take part: a condition on attributes, as GrowthBook has them.")),
        (
            "namespace",
            object(&[
                ("name*", text("Its name.")),
                ("from*", number("0 to 1, included.")),
                ("to*", number("0 to 1, not included.")),
            ]),
        ),
        (
            "hold_out",
            object(&[
                ("name*", text("The same name holds out the same units.")),
                ("percent*", number("How many of all units.")),
            ]),
        ),
        ("sticky", flag("Whether a unit keeps its variant; true.")),
        ("seed", text("What the hash is salted with; the name.")),
        ("forced", labels("Units that always get a certain variant.")),
        ("start_at", moment("When it starts by itself.")),
        ("end_at", moment("When it ends by itself.")),
        (
            "analysis",
            object(&[
                (
                    "method",
                    one_of(
                        &["sequential", "fixed"],
                        "Right at any time, or once at the end; sequential.",
                    ),
                ),
                ("alpha", number("How often a difference may be found where there is none; 0.05.")),
                (
                    "correction",
                    one_of(&["holm", "benjamini_hochberg", "none"], "Against chance; holm."),
                ),
                ("cuped", flag("Whether covariates are used; true.")),
                ("tuned_for", whole("Units at which the interval is tightest; 5000.")),
                ("late_results", duration("So long after the end results count; 7d.")),
            ]),
        ),
        ("configuration", any("What everybody gets; a variant's own is merged over it.")),
        ("created_by", text("Who made it.")),
        ("labels", labels("Of its incidents.")),
    ]);
    with_example(
        fields,
        json!({
            "name": "one-page-checkout", "kind": "ab_test", "feature": "checkout",
            "hypothesis": "fewer pages, fewer who leave",
            "variants": [
                {"name": "control", "traffic_weight": 50, "is_control": true},
                {"name": "one-page", "traffic_weight": 50, "configuration": {"pages": 1}},
            ],
            "metrics": [
                {"name": "converted", "estimator": "proportion", "better": "higher",
                 "role": "primary", "minimum_detectable_effect": 0.01},
                {"name": "latency_ms", "estimator": "quantile", "quantile": 0.95,
                 "better": "lower", "role": "guardrail", "margin": 20},
            ],
            "analysis": {"method": "sequential", "alpha": 0.05, "correction": "holm"},
        }),
    )
}

fn metric() -> Value {
    object(&[
        ("name*", text("Up to 63 of letters, digits, `_`, `-` and `.`.")),
        ("description", text("More than a name.")),
        (
            "kind",
            one_of(
                &["conversion", "latency", "accuracy", "satisfaction", "cost", "custom"],
                "What it is about; custom.",
            ),
        ),
        (
            "estimator",
            one_of(&["mean", "proportion", "ratio", "quantile"], "What is estimated; mean."),
        ),
        ("quantile", number("Above 0 and below 1; of `quantile` alone.")),
        ("better*", one_of(&["higher", "lower"], "Which way is good.")),
        ("role", one_of(&["primary", "secondary", "guardrail"], "What it decides; primary.")),
        (
            "aggregate",
            one_of(&["sum", "last", "first", "max"], "What several results of a unit come to."),
        ),
        ("target", number("What is hoped for; shown, never tested.")),
        ("minimum_detectable_effect", number("The smallest difference worth finding, absolute.")),
        ("margin", number("Of a guardrail: how much worse it may become, absolute.")),
        ("cap_low", number("Values below count as this.")),
        ("cap_high", number("Values above count as this.")),
    ])
}

fn result() -> Value {
    with_example(
        object(&[
            ("unit", text("A user, a session; without one every result is a unit of its own.")),
            ("variant", text("May be left out of a unit that was exposed.")),
            ("metric*", text("The metric.")),
            ("value", number("Of all metrics but ratios.")),
            ("numerator", number("Of a ratio.")),
            ("denominator", number("Of a ratio; 1.")),
            ("covariate", number("What was known of the unit before, for CUPED.")),
            ("count", whole("So many units with this value; without `unit` only.")),
            ("time", moment("When; now.")),
            ("id", text("Another result of the same id is left out.")),
        ]),
        json!({"unit": "user-17", "variant": "one-page", "metric": "converted", "value": 1}),
    )
}

fn shown() -> Value {
    let when = |says: &str| or_null(time(says));
    all_of(&[
        refer("ExperimentDefinition"),
        refer("Defined"),
        object(&[
            ("status*", one_of(STATUS, "Where it is in its life.")),
            ("number", whole("What its results are kept under.")),
            ("started_at", when("When it started.")),
            ("ended_at", when("When it was over.")),
            ("changed_at", when("Since when it is as it is.")),
            (
                "epochs",
                list_of(
                    object(&[
                        ("from*", time("Its beginning.")),
                        ("weights*", list_of(json!({"type": "number"}), "Of the variants.")),
                        ("traffic_allocation*", number("In per cent.")),
                    ]),
                    "A change of shares begins one.",
                ),
            ),
            ("possible", list_of(text("A word."), "What may be done now.")),
            ("step", whole("Of a canary: its step, from 0.")),
            ("step_at", when("Since when.")),
            ("held_at", when("Since when a guardrail keeps it from its next step.")),
            ("held_because", or_null(text("Why."))),
            ("live", text("Of a blue-green one: who has the traffic.")),
            ("rolled_back", flag("Whether everybody was sent back to the control.")),
            ("shipped", or_null(text("What everybody gets after the end."))),
            (
                "breaches",
                list_of(
                    any("`guardrail`, `variant`, `at`, `reason`, `accepted`."),
                    "Of guardrails.",
                ),
            ),
            ("not_in_force", text("Why the settings file's definition is not taken up.")),
            ("units", whole("Units that have results.")),
            ("results", whole("Results.")),
            ("excluded_units", whole("Units in no analysis.")),
        ]),
    ])
}

fn audit() -> Value {
    with_example(
        object(&[
            ("number*", whole("Counted up.")),
            ("at*", time("When.")),
            (
                "kind*",
                one_of(
                    &[
                        "created",
                        "changed",
                        "started",
                        "paused",
                        "resumed",
                        "completed",
                        "cancelled",
                        "rolled_back",
                        "stepped",
                        "held",
                        "switched",
                        "epoch",
                        "breached",
                        "deleted",
                    ],
                    "What.",
                ),
            ),
            ("by*", text("Who; `vedette` where nobody did it.")),
            ("note", text("Why.")),
            ("details", any("What was different, or what was seen.")),
        ]),
        json!({"number": 2, "at": "2026-11-21T15:07:43.484Z", "kind": "started", "by": "ann"}),
    )
}

fn analysis() -> Value {
    let many = |says: &str| list_of(any(says), says);
    object(&[
        ("experiment*", name("Which.")),
        ("kind*", one_of(KINDS, "What kind.")),
        ("status*", one_of(STATUS, "Where it is in its life.")),
        ("at*", time("When this was computed.")),
        ("started_at*", or_null(time("When it started."))),
        ("duration_days*", or_null(number("How long it has run."))),
        ("total_samples*", whole("Units that have results.")),
        ("results*", whole("Results.")),
        ("alpha*", number("How often a difference may be found where there is none.")),
        ("confidence_level*", number("1 less that.")),
        ("method*", text("sequential or fixed.")),
        ("correction*", text("Against chance among many comparisons.")),
        ("srm*", or_null(map(json!({}), "Whether variants got their shares of the units."))),
        ("epochs*", many("Shares and units.")),
        (
            "metrics*",
            list_of(
                object(&[
                    ("name*", text("Which.")),
                    ("role*", text("What it decides.")),
                    ("kind*", text("What it is about.")),
                    ("estimator*", text("What is estimated.")),
                    ("better*", text("Which way is good.")),
                    ("variants*", many("`name`, `n`, `mean`, `ci_low`, `ci_high` …")),
                    (
                        "comparisons*",
                        many("`variant`, `diff`, `p_value`, `significant`, `readiness` …"),
                    ),
                ]),
                "In the order of the definition.",
            ),
        ),
        ("guardrails", many("ok, doubt or breached, by metric and variant.")),
        ("winner", or_null(text("Who is better for certain."))),
        ("decision*", one_of(&["ship", "rollback", "continue", "inconclusive"], "What to do.")),
        ("reasons*", list_of(text("A sentence."), "Why.")),
    ])
}
