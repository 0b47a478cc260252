//! Both text formats.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette::decode::exposition::{Format, Parser};

fuzz_target!(|body: &[u8]| {
    for content_type in ["text/plain", "application/openmetrics-text; version=1.0.0"] {
        let format = Format::from_content_type(Some(content_type));
        if let Ok(parser) = Parser::new(body, format) {
            parser.for_each(drop);
        }
    }
});
