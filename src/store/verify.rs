//! Reads everything and checks every seal: at once, or in small parts.

use super::read::Entry;
use super::{Progress, Snapshot, Store, StoreError, Table};

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

impl VerifyReport {
    fn take(&mut self, table: Table, entry: Entry<'_>, inspect: &Inspect<'_>) {
        let key = entry.key().to_vec();
        self.values += 1;
        self.bytes += entry.sealed_bytes() as u64;
        let finding = match entry.open() {
            Ok(value) => inspect(table, &key, value.payload())
                .map_err(|reason| format!("table {}, key {key:02x?}: {reason}", table.name())),
            Err(error) => Err(error.to_string()),
        };
        if let Err(reason) = finding {
            self.damaged += 1;
            if self.damage.len() < DAMAGE_SHOWN_MAX {
                self.damage.push(reason);
            }
        }
    }
}

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
            report.take(table, entry?, inspect);
            if report.values.is_multiple_of(64) {
                progress((report.bytes as f64 / expected_bytes.max(1) as f64).min(1.0));
            }
        }
    }
    progress(1.0);
    Ok(report)
}

/// A verification beside the daily work, in parts with a snapshot each: none keeps pages from
/// being reused for long. A value that is written meanwhile is seen or not.
#[derive(Clone, Debug, Default)]
pub struct Scrub {
    /// How many tables are done.
    tables: usize,
    /// The last key of the table at work that was checked.
    after: Option<Vec<u8>>,
    report: VerifyReport,
}

impl Scrub {
    /// Checks the next values, up to about `bytes_max` of them, and gives whether there are more.
    ///
    /// # Errors
    ///
    /// When the file cannot be read; a damaged value is no error but a finding.
    pub fn step(
        &mut self,
        store: &Store,
        bytes_max: u64,
        inspect: &Inspect<'_>,
    ) -> Result<bool, StoreError> {
        let until = self.report.bytes.saturating_add(bytes_max);
        let snapshot = store.read()?;
        while let Some(table) = Table::ALL.get(self.tables) {
            for entry in snapshot.table(*table)?.after(self.after.as_deref())? {
                let entry = entry?;
                self.after = Some(entry.key().to_vec());
                self.report.take(*table, entry, inspect);
                if self.report.bytes >= until {
                    return Ok(true);
                }
            }
            self.tables += 1;
            self.after = None;
        }
        Ok(false)
    }

    /// What was found so far.
    pub fn report(&self) -> &VerifyReport {
        &self.report
    }
}
