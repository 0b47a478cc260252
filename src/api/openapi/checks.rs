//! Checks.

use super::super::auth::Permission::{Operate, Read};
use super::objects;
use super::operation::{Operation, after, get, limit, post, query, repeated};
use super::schema::{name, object, one_of, or_null, refer, text, time, whole};

pub(super) fn operations() -> Vec<Operation> {
    let one = |path: &str| format!("/api/v1/checks/{{name}}{path}");
    let mut all = vec![
        get("/api/v1/checks", Read, "List checks, by name")
            .takes(&[
                repeated("status", one_of(super::schemas::CHECK_STATUS, "How they are.")),
                repeated("feature", text("What they belong to.")),
                repeated("provider", text("Whose services they ask.")),
                repeated("kind", one_of(super::schemas::CHECK_KINDS, "Their kind.")),
                repeated("match[]", text("Matchers on the labels of their alerts.")),
                limit("At most so many; 1000."),
                after(),
            ])
            .answers_page(refer("Check")),
    ];
    all.extend(objects::all_but_list("checks", "check", "CheckDefinition", "Check"));
    all.extend([
        post("/api/v1/checks/run", Operate, "Ask all checks at once").answers_with(
            202,
            "They are being asked.",
            object(&[("asked*", whole("How many."))]),
        ),
        post("/api/v1/checks/test", Operate, "Ask once what the body defines, and keep nothing")
            .says("`name` may be left out.")
            .body(refer("CheckDefinition"))
            .answers(object(&[
                ("result*", refer("CheckResult")),
                ("response_excerpt*", text("The beginning of what was answered.")),
            ])),
        post(one("/run"), Operate, "Ask a check at once, and answer with the result")
            .answers(refer("CheckResult"))
            .may_conflict(),
        post(one("/pause"), Operate, "Leave a check alone").answers(refer("Check")),
        post(one("/resume"), Operate, "Take a check up again")
            .answers(refer("Check"))
            .may_conflict(),
        get(one("/heartbeat"), Read, "Show where the pings of a heartbeat go")
            .says("The address is a secret: viewers are answered 403.")
            .answers(object(&[
                ("name*", name("The check.")),
                ("token*", text("The secret.")),
                ("path*", text("`/ping/` and the secret.")),
                ("deadline*", or_null(time("When the next ping is due."))),
                ("running_since*", or_null(time("Since when the job runs."))),
            ])),
        get(one("/results"), Read, "List results, the newest first")
            .takes(&[
                query("from", text("From: Unix seconds or RFC 3339.")),
                query("to", text("Until.")),
                limit("At most so many; 100, at most 1000."),
                after(),
            ])
            .answers_page(refer("CheckResult")),
        get(one("/uptime"), Read, "Show how much of a window a check was up")
            .takes(&[
                query("window", text("How far back, such as `7d`; a day unless it says.")),
                query("from", text("Instead of a window: Unix seconds or RFC 3339.")),
                query("to", text("Until; now unless it says.")),
            ])
            .answers(refer("Uptime")),
    ]);
    all
}
