//! Values as they are stored: journal parts, blocks, series.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vedette::store::Table;
use vedette::tsdb::inspect;

fuzz_target!(|value: &[u8]| {
    for table in Table::ALL {
        let _ = inspect(table, &[], value);
    }
});
