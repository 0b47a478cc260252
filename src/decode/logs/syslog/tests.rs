//! The examples of RFC 5424 (6.5) and RFC 3164 (5.4), and what programs make of the latter.

use super::*;

/// 2003-10-12T00:00:00Z, by `date -u -d 2003-10-12 +%s`.
const NOW: Timestamp = Timestamp::from_millis(1_065_916_800_000);

fn read(message: &str) -> Draft {
    read_syslog(message.as_bytes(), NOW, &TimeZone::UTC)
}

fn metadata(draft: &Draft) -> String {
    Value::Object(draft.metadata.clone()).to_string()
}

#[test]
fn the_examples_of_rfc_5424_are_read() {
    let draft = read(
        "<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \u{feff}'su root' failed for lonvick on /dev/pts/8",
    );
    assert_eq!(draft.level, Some(LogLevel::Fatal));
    // By `date -u -d 2003-10-11T22:14:15Z +%s`.
    assert_eq!(draft.time.map(Timestamp::millis), Some(1_065_910_455_003));
    assert_eq!(draft.source, "su");
    assert_eq!(draft.message.as_deref(), Some("'su root' failed for lonvick on /dev/pts/8"));
    assert_eq!(
        metadata(&draft),
        r#"{"facility":"auth","host":"mymachine.example.com","msgid":"ID47"}"#
    );

    let draft = read(
        "<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.",
    );
    assert_eq!((draft.level, draft.source.as_str()), (Some(LogLevel::Info), "myproc"));
    assert_eq!(metadata(&draft), r#"{"facility":"local4","host":"192.0.2.1","pid":"8710"}"#);

    let draft = read(
        "<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut=\"3\" eventSource=\"Appli\\\"cation\" eventID=\"1011\"][examplePriority@32473 class=\"hi\\]gh\"]",
    );
    assert_eq!(draft.message.as_deref(), Some(""));
    assert_eq!(
        draft.metadata["exampleSDID@32473"],
        serde_json::json!({"iut": "3", "eventSource": "Appli\"cation", "eventID": "1011"})
    );
    assert_eq!(draft.metadata["examplePriority@32473"]["class"], "hi]gh");
}

#[test]
fn the_examples_of_rfc_3164_are_read() {
    let draft =
        read("<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8");
    assert_eq!(draft.time.map(Timestamp::millis), Some(1_065_910_455_000));
    assert_eq!((draft.level, draft.source.as_str()), (Some(LogLevel::Fatal), "su"));
    assert_eq!(draft.message.as_deref(), Some("'su root' failed for lonvick on /dev/pts/8"));
    assert_eq!(metadata(&draft), r#"{"facility":"auth","host":"mymachine"}"#);

    // No priority and no form: user.notice.
    let draft = read("Use the BFG!");
    assert_eq!((draft.time, draft.message.as_deref()), (None, Some("Use the BFG!")));
    assert_eq!(metadata(&draft), r#"{"facility":"user"}"#);
}

#[test]
fn what_programs_make_of_rfc_3164_is_read() {
    for (message, source, pid, host, text) in [
        ("<13>Oct  1 01:02:03 tag[77]: no host", "tag", Some("77"), None, "no host"),
        ("<13>Oct 11 2003 22:14:15.5: r1 %SYS-5: up", "", None, Some("r1"), "%SYS-5: up"),
        (
            "<30>2003-10-11T22:14:15.003+02:00 h postfix/smtpd[9]: x",
            "postfix/smtpd",
            Some("9"),
            Some("h"),
            "x",
        ),
        ("<30>sshd[12]: Accepted", "sshd", Some("12"), None, "Accepted"),
        (
            "<13>Oct 11 22:14:15 h last message repeated 2 times",
            "",
            None,
            Some("h"),
            "last message repeated 2 times",
        ),
        ("<999>Oct 11 22:14:15 x", "", None, None, "<999>Oct 11 22:14:15 x"),
        ("<13>", "", None, None, ""),
        ("<13>1 not-a-time h a - - - x", "", None, None, "1 not-a-time h a - - - x"),
    ] {
        let draft = read(message);
        assert_eq!(draft.source, source, "{message}");
        assert_eq!(draft.message.as_deref(), Some(text), "{message}");
        let get = |name: &str| draft.metadata.get(name).and_then(Value::as_str);
        assert_eq!((get("pid"), get("host")), (pid, host), "{message}");
    }
}

#[test]
fn a_missing_year_is_the_one_nearest_to_now() {
    let at = |text: &str, now: &str, zone: &str| {
        let now = time_in_text(now).expect("a time");
        let zone = TimeZone::get(zone).expect("bundled");
        bsd_time(text, now, &zone).map(|(time, _)| time.to_string())
    };
    for (text, now, zone, expected) in [
        ("Dec 31 23:59:59 h", "2026-01-01T00:00:01Z", "UTC", "2025-12-31T23:59:59.000Z"),
        ("Jan  1 00:00:01 h", "2025-12-31T23:59:59Z", "UTC", "2026-01-01T00:00:01.000Z"),
        ("Feb 29 12:00:00 h", "2025-01-01T00:00:00Z", "UTC", "2024-02-29T12:00:00.000Z"),
        (
            "Jan 31 10:00:00 h",
            "2026-01-31T09:00:00Z",
            "Europe/Amsterdam",
            "2026-01-31T09:00:00.000Z",
        ),
        (
            "Jul 31 10:00:00 h",
            "2026-07-31T09:00:00Z",
            "Europe/Amsterdam",
            "2026-07-31T08:00:00.000Z",
        ),
    ] {
        assert_eq!(at(text, now, zone).as_deref(), Some(expected), "{text}");
    }
    assert_eq!(at("Jan 41 10:00:00 h", "2026-01-31T09:00:00Z", "UTC"), None);
}
