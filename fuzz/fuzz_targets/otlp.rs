//! OTLP metrics in both forms, read and translated.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette::config::{Limits, Otlp};
use vedette::decode::admit::TimeBounds;
use vedette::decode::otlp::{Context, Form, read, translate};
use vedette::model::Timestamp;

fuzz_target!(|body: &[u8]| {
    let (limits, settings) = (Limits::default(), Otlp::default());
    let nhcb = Otlp { convert_histograms_to_nhcb: true, ..Otlp::default() };
    let bounds = TimeBounds::new(Timestamp::MAX, Timestamp::MIN, &limits);
    for form in [Form::Protobuf, Form::Json] {
        let Ok(export) = read(body, form) else { continue };
        for settings in [&settings, &nhcb] {
            let context =
                Context { settings, limits: &limits, bounds: &bounds, lookback_ms: 300_000 };
            let _ = translate(&export, &context);
        }
    }
});
