//! Alert rules, objectives and alerts.

use super::super::auth::Permission::{Operate, Read};
use super::objects;
use super::operation::{Operation, get, post, query, repeated};
use super::schema::{
    duration, labels, list, list_of, moment, name, number, object, one_of, or_null, refer, text,
    time, whole,
};

pub(super) fn operations() -> Vec<Operation> {
    let one = |path: &str| format!("/api/v1/rules/{{name}}{path}");
    let bounds = [
        ("start", moment("The first evaluation; a day ago unless it says.")),
        ("end", moment("The last; now unless it says.")),
        ("interval", duration("Between two of them; the rule's own unless it says.")),
    ];
    let mut with_rule = bounds.to_vec();
    with_rule.push(("rule*", refer("RuleDefinition")));
    let trial = || {
        object(&[
            ("query*", text("The rule as PromQL.")),
            ("at*", time("When it was evaluated.")),
            ("for*", number("How long it must hold, in seconds.")),
            ("found*", one_of(super::schemas::FOUND, "What the query gave.")),
            ("size*", whole("Elements of the result.")),
            ("values*", list_of(refer("RuleValue"), "The first of them.")),
            ("error*", or_null(text("Why it failed."))),
            ("alerts*", list_of(refer("PrometheusAlert"), "The alerts that hold.")),
        ])
    };
    let mut all = vec![
        get("/api/v1/rules", Read, "List rule groups, in Prometheus's shape")
            .takes(&[
                query("type", one_of(&["alert", "record"], "These alone.")),
                repeated("rule_name[]", text("Rules of this name.")),
                repeated("rule_group[]", text("Groups of this name.")),
                repeated("file[]", text("Groups of this file.")),
                repeated("match[]", text("Rules whose labels fit.")),
                query("exclude_alerts", text("`true`: without their alerts.")),
                query("group_limit", whole("Groups in one page.")),
                query("group_next_token", text("The `groupNextToken` of the page before.")),
            ])
            .answers(object(&[
                ("groups*", list(refer("RuleGroup"))),
                ("groupNextToken", text("Where the next page begins.")),
            ])),
        get("/api/v1/alerts", Read, "List alerts of rules that are pending or firing")
            .answers(object(&[("alerts*", list(refer("PrometheusAlert")))])),
    ];
    all.extend(objects::all_but_list("rules", "rule", "RuleDefinition", "Rule"));
    all.extend([
        post("/api/v1/rules/test", Operate, "Evaluate the definition in the body once, now")
            .says("Nothing is kept, written or told.")
            .body(refer("RuleDefinition"))
            .answers(trial()),
        post(one("/test"), Operate, "Evaluate a rule once, now").answers(trial()),
        get(one("/explain"), Read, "Show why a rule fires, or does not")
            .says("Its alerts with their clocks, who was told, and the last 120 evaluations.")
            .answers(refer("RuleExplanation")),
        post("/api/v1/rules/backtest", Operate, "Play the rule in the body over stored samples")
            .says("Nothing is written and nobody is told. At most 200,000 evaluations.")
            .body(object(&with_rule))
            .answers(refer("Backtest")),
        post(one("/backtest"), Operate, "Play a rule over stored samples")
            .optional_body(object(&bounds))
            .answers(refer("Backtest")),
    ]);
    all.extend(objects::all("objectives", "objective", "ObjectiveDefinition", "Objective"));
    all.extend([
        get("/api/v1/objectives/{name}/budget", Read, "Show what is left of an error budget")
            .answers(object(&[
                ("name*", name("The objective.")),
                ("objective*", number("The share of good events that was promised.")),
                ("window*", number("The window, in seconds.")),
                ("at*", time("When.")),
                ("series*", list_of(
                    object(&[
                        ("labels*", labels("Which.")),
                        ("budget_remaining", number("1: all is left; below 0: overdrawn.")),
                        ("burn_rate", number("1: the budget just lasts, at present.")),
                        ("burn_rate_of_window", number("The same over the whole window.")),
                    ]),
                    "What the objective's queries tell apart. `errors_5m` and the like: the share \
                     of bad events, by window.",
                )),
            ])),
        get("/api/v1/objectives/{name}/rules", Read, "Show the rules that follow from an objective")
            .answers(object(&[
                ("name*", text("The group.")),
                ("rules*", list_of(
                    object(&[
                        ("record", text("The series that it writes.")),
                        ("alert", text("Or the alert.")),
                        ("expr*", text("PromQL.")),
                        ("labels*", labels("Its labels.")),
                    ]),
                    "The rules.",
                )),
            ])),
    ]);
    all
}
