//! Looks into values that a verification has read, beyond their checksums.

use super::block::{OpenBlock, Unpacker};
use super::journal::Part;
use super::{block, exemplars, open_chunk, open_histogram, series_table};
use crate::model::HISTOGRAM_NAN;
use crate::promql::Samples;
use crate::store::Table;

/// Whether a value of ours decodes. The error says what is wrong with it.
pub fn inspect(table: Table, _key: &[u8], payload: &[u8]) -> Result<(), String> {
    match table {
        Table::Blocks => {
            block::origin(payload).ok_or("a block without an origin")?;
            let mut open = OpenBlock::default();
            let mut unpacker = Unpacker::new().map_err(|e| e.to_string())?;
            open.open(&mut unpacker, payload)?;
            let mut samples = Samples::default();
            for chunk in &open.chunks {
                samples.clear();
                open.decode(chunk, &mut samples)?;
                if !samples.times.windows(2).all(|pair| pair[0] < pair[1]) {
                    return Err("times that do not rise".to_owned());
                }
            }
            Ok(())
        }
        Table::Journal => {
            let part = Part::parse(payload).ok_or("a journal part that cannot be decoded")?;
            let mut tail = open_chunk::Tail::default();
            // Times and values depend on the parts before; the form does not, but for whole
            // numbers, whose predecessor is unknown here.
            let _ = part.for_each_sample(|_, rest| {
                let (_, bits) = open_chunk::take(&mut tail, rest)?;
                if bits == HISTOGRAM_NAN {
                    open_histogram::take(None, rest)?;
                }
                Some(())
            });
            Ok(())
        }
        Table::Series => {
            let decoded = series_table::decode(payload, |_, _| {});
            decoded.ok_or_else(|| "a block of series that cannot be decoded".to_owned())
        }
        Table::Exemplars => {
            let decoded = exemplars::decode(payload, |_, _| {});
            decoded.ok_or_else(|| "a bundle of exemplars that cannot be decoded".to_owned())
        }
        Table::Meta
        | Table::Segments
        | Table::Activity
        | Table::Metadata
        | Table::Records
        | Table::Watch
        | Table::Incidents
        | Table::Checks
        | Table::Units
        | Table::Ledger
        | Table::Experiments
        | Table::LogJournal
        | Table::Logs => Ok(()),
    }
}
