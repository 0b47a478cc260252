//! The live feed, and the overview that it keeps up to date.

use serde_json::Value;

use super::super::auth::Permission::Read;
use super::operation::{Operation, get, query, repeated};
use super::schema::{list_of, object, one_of, refer, text, whole};
use super::schemas::LOG_LEVELS;

/// Which lines: the parameters that all reading has.
pub(super) fn filters() -> Vec<Value> {
    vec![
        query("level", one_of(LOG_LEVELS, "This level, and all that are worse.")),
        query("levels", text("These levels exactly, with commas between them.")),
        repeated("source", text("Of this program, unit or file; any of several.")),
        repeated("feature", text("Of this feature; any of several.")),
        repeated("environment", text("Of this environment; any of several.")),
        query("trace_id", text("Of this trace.")),
        query("user_id", text("Of this user.")),
        query("q", text("A text within the message or the metadata, whatever its case.")),
        query("case", one_of(&["0", "1"], "Whether the case of `q` counts.")),
        query("regex", text("A regular expression instead of `q`.")),
    ]
}

pub(super) fn operations() -> Vec<Operation> {
    let mut following = vec![
        query("topics", text("With commas between them; all but logs unless it says.")),
        query("since", whole("The last id that was seen: what came after it is told first.")),
    ];
    following
        .push(repeated("name", text("Of these subjects alone; log lines have filters instead.")));
    following.extend(filters());
    let mut polling = following.clone();
    polling.push(query("wait", text("How long to wait for something; a second, at most 25.")));
    vec![
        get("/api/v1/overview", Read, "Show how everything is")
            .says("Evaluates nothing: what it shows is kept up to date beforehand.")
            .answers(refer("Overview")),
        get("/api/v1/live", Read, "Follow the feed over a WebSocket")
            .says("Frames are JSON texts. A client may say `{\"subscribe\":[…],\"filter\":{…}}` and `{\"unsubscribe\":[…]}`. See docs/live.md.")
            .takes(&following)
            .answers_nothing(101, "Frames follow."),
        get("/api/v1/live/events", Read, "Follow the feed as server-sent events")
            .says("`Last-Event-ID` wins over `since`.")
            .takes(&following)
            .answers_raw(200, "A stream without end.", &[("text/event-stream", text("A frame each."))]),
        get("/api/v1/live/poll", Read, "Ask the feed for what came since")
            .takes(&polling)
            .answers(object(&[
                ("events*", list_of(refer("LiveFrame"), "In their order.")),
                ("next*", whole("The `since` of the next request.")),
            ])),
    ]
}
