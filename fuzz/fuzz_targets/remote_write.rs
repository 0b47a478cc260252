//! Both versions of remote write: any bytes are read or refused, never more.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette::decode::remote_write::{v1, v2};

fuzz_target!(|body: &[u8]| {
    let mut scratch = Vec::new();
    for entry in v1::Reader::new(body).flatten() {
        if let v1::Entry::Series(series) = entry {
            series.label_key(&mut scratch).labels().for_each(drop);
            series.samples().for_each(drop);
            series.histograms(4096).for_each(drop);
            series.exemplars().for_each(drop);
        }
    }
    if let Ok(request) = v2::Request::read(body) {
        for series in request.series().flatten() {
            let _ = series.metadata();
            if let Ok(key) = series.label_key(&mut scratch) {
                key.labels().for_each(drop);
            }
            series.samples().for_each(drop);
            series.histograms(4096).for_each(drop);
            series.exemplars().for_each(drop);
        }
    }
});
