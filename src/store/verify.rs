//! Reads everything and checks every seal.

use super::{Progress, Snapshot, StoreError, Table};

/// What a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VerifyReport {
    /// Values that were read.
    pub values: u64,
    /// Their bytes, seals included.
    pub bytes: u64,
    /// What is damaged, one text each; the first [`DAMAGE_SHOWN_MAX`].
    pub damage: Vec<String>,
    /// How many values are damaged.
    pub damaged: u64,
}

/// How many damaged values are described.
pub const DAMAGE_SHOWN_MAX: usize = 100;

/// Looks into an intact value (table, key, payload) and says what is wrong with it, if anything.
pub type Inspect<'a> = dyn Fn(Table, &[u8], &[u8]) -> Result<(), String> + 'a;

/// Checks every value of `snapshot`; `inspect` may look into the intact ones and say what is
/// wrong with them. `expected_bytes` (the size of the file) only scales the progress.
pub fn verify(
    snapshot: &Snapshot,
    expected_bytes: u64,
    inspect: &Inspect<'_>,
    progress: &Progress<'_>,
) -> Result<VerifyReport, StoreError> {
    let mut report = VerifyReport::default();
    for table in Table::ALL {
        for entry in snapshot.table(table)?.all()? {
            let entry = entry?;
            let key = entry.key().to_vec();
            report.values += 1;
            report.bytes += entry.sealed_bytes() as u64;
            let finding = match entry.open() {
                Ok(value) => inspect(table, &key, value.payload())
                    .map_err(|reason| format!("table {}, key {key:02x?}: {reason}", table.name())),
                Err(error) => Err(error.to_string()),
            };
            if let Err(reason) = finding {
                report.damaged += 1;
                if report.damage.len() < DAMAGE_SHOWN_MAX {
                    report.damage.push(reason);
                }
            }
            if report.values.is_multiple_of(64) {
                progress((report.bytes as f64 / expected_bytes.max(1) as f64).min(1.0));
            }
        }
    }
    progress(1.0);
    Ok(report)
}
