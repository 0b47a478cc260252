//! Silences, maintenance windows, channels and deliveries.

use super::super::auth::Permission::{Operate, Read};
use super::objects;
use super::operation::{Operation, after, delete, get, limit, post, put, query, repeated};
use super::schema::{list_of, object, one_of, refer, text, time, whole};

pub(super) fn operations() -> Vec<Operation> {
    let mut all = vec![
        get("/api/v1/silences", Read, "List silences, the newest first")
            .takes(&[
                query("state", text("`active`, `pending`, `expired`, or several with commas.")),
                limit("At most so many; 1000."),
                after(),
            ])
            .answers_page(refer("Silence")),
        post("/api/v1/silences", Operate, "Make a silence")
            .says("It needs an end: `ends_at` or `duration`.")
            .body(refer("SilenceDefinition"))
            .answers_with(201, "Made.", refer("Silence")),
        post("/api/v1/silences/preview", Operate, "Show what a silence would match now")
            .body(refer("SilenceDefinition"))
            .answers(object(&[
                ("matchers*", refer("Matchers")),
                ("state*", one_of(super::schemas::HOLD_STATES, "How it would be.")),
                ("total*", whole("Alerts that it would match.")),
                ("alerts*", list_of(refer("SilencedAlert"), "The first 1000 of them.")),
                (
                    "next*",
                    list_of(
                        object(&[("starts_at*", time("From.")), ("ends_at*", time("Until."))]),
                        "When it would hold next.",
                    ),
                ),
            ])),
        get("/api/v1/silences/{id}", Read, "Show a silence").answers(refer("Silence")),
        put("/api/v1/silences/{id}", Operate, "Change a silence")
            .says(
                "An active one with other matchers ends, and a new one takes its place: the \
                   answer has its id.",
            )
            .body(refer("SilenceDefinition"))
            .answers(refer("Silence")),
        delete("/api/v1/silences/{id}", Operate, "End a silence now").answers(refer("Silence")),
    ];
    all.extend(objects::all(
        "maintenance",
        "maintenance window",
        "MaintenanceWindow",
        "Maintenance",
    ));
    all.extend(objects::all("channels", "channel", "ChannelDefinition", "Channel"));
    all.extend([
        post("/api/v1/channels/{name}/test", Operate, "Send a test message through a channel")
            .says("It takes the way that all messages take, and waits up to 15 s.")
            .answers(object(&[
                ("delivery*", text("The id of the delivery.")),
                ("outcome*", one_of(&["delivered", "failed", "waiting"], "What became of it.")),
                ("said*", text("What the other side said.")),
            ])),
        get("/api/v1/deliveries", Read, "List what was sent, the newest first")
            .takes(&[
                repeated("state", one_of(super::schemas::DELIVERY_STATES, "How far they are.")),
                query("channel", text("By this channel.")),
                limit("At most so many; 100, at most 1000."),
                after(),
            ])
            .answers_page(refer("Delivery")),
        post("/api/v1/deliveries/{id}/resend", Operate, "Send a dead delivery again")
            .answers(refer("Delivery"))
            .may_conflict(),
    ]);
    all
}
