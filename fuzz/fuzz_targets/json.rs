//! Samples as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette::config::Limits;
use vedette::decode::admit::TimeBounds;
use vedette::decode::json::read_samples;
use vedette::model::Timestamp;

fuzz_target!(|body: &[u8]| {
    let limits = Limits::default();
    let now = Timestamp::from_millis(1_772_323_200_000);
    let bounds = TimeBounds::new(now, Timestamp::from_millis(0), &limits);
    let _ = read_samples(body, now, &limits, &bounds);
});
