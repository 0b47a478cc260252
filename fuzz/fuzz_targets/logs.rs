//! Log lines in every form that others send.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette::decode::logs::{LogBounds, read_journal, read_json, read_loki, read_syslog, read_text};
use vedette::decode::otlp::{Form, read_logs};
use vedette::model::Timestamp;

fuzz_target!(|body: &[u8]| {
    let now = Timestamp::from_millis(1_769_853_600_000);
    let bounds = LogBounds::new(now, 86_400_000, 600);
    let zone = jiff::tz::TimeZone::UTC;
    for flag in [false, true] {
        let _ = read_json(body, flag, &bounds);
        let _ = read_loki(body, flag, &bounds);
    }
    for form in [Form::Protobuf, Form::Json] {
        let _ = read_logs(body, form, &bounds);
    }
    let _ = read_journal(body);
    let _ = read_syslog(body, now, &zone).fit(&bounds);
    let _ = read_text(&String::from_utf8_lossy(body), &zone).fit(&bounds);
});
