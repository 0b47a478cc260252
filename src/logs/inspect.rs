//! Looks into values of the tables, beyond their checksums.

use std::collections::BTreeSet;

use crate::model::varint;
use crate::store::Table;

use super::Header;
use super::codec::{PackedTexts, decode_record, take_rows, take_subjects};
use super::keys::{Mark, Part, block_of, journal_of, mark_key};
use super::piece::Unpacker;

/// Whether a value of the tables `Logs` and `LogJournal` can be unpacked. The error says what is
/// wrong.
pub fn inspect(table: Table, key: &[u8], payload: &[u8]) -> Result<(), String> {
    let mut unpacker = Unpacker::new()?;
    if table == Table::LogJournal {
        journal_of(key).ok_or("a key of no number")?;
        return match decode_record(&mut unpacker, payload) {
            Some(_) => Ok(()),
            None => Err("log lines of the journal that cannot be unpacked".to_owned()),
        };
    }
    if key == mark_key() {
        return match Mark::decode(payload) {
            Some(_) => Ok(()),
            None => Err("where the journal of log lines begins is cut short".to_owned()),
        };
    }
    let (part, _) = block_of(key).ok_or("a key of no known kind")?;
    let mut rest = payload;
    let mut scratch = Vec::new();
    let is_sound = match part {
        Part::Header => Header::decode(payload, &mut BTreeSet::new()).is_some(),
        Part::Rows => take_rows(&mut unpacker, &mut rest, &mut scratch).is_some(),
        Part::Subjects => take_subjects(&mut unpacker, &mut rest, &mut scratch).is_some(),
        Part::Messages | Part::Metadata => texts(&mut unpacker, payload).is_some(),
        Part::Traces => payload.len() > 1,
    };
    match is_sound {
        true => Ok(()),
        false => Err(format!("{part:?} of a block of log lines that cannot be unpacked")),
    }
}

fn texts(unpacker: &mut Unpacker, mut payload: &[u8]) -> Option<()> {
    let packed = PackedTexts::take(&mut payload)?;
    let (mut bytes, mut lengths) = (Vec::new(), Vec::new());
    packed.bytes(unpacker, &mut bytes)?;
    packed.lengths(unpacker, &mut lengths)?;
    let (mut rest, mut sum) = (lengths.as_slice(), 0u64);
    while !rest.is_empty() {
        sum = sum.checked_add(varint::take(&mut rest)?)?;
    }
    (sum == bytes.len() as u64).then_some(())
}
