//! What may be set about the engine.

/// How long data is kept. All in milliseconds or bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Samples as they were written.
    pub raw_ms: i64,
    /// Their 5-minute and 1-hour figures.
    pub rollup_ms: i64,
    /// Packed data in all; the oldest goes first. `None`: as much as fits.
    pub bytes_max: Option<u64>,
}

impl Default for Retention {
    fn default() -> Self {
        const DAY_MS: i64 = 86_400_000;
        Retention { raw_ms: 15 * DAY_MS, rollup_ms: 400 * DAY_MS, bytes_max: None }
    }
}

/// What may be set about the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TsdbOptions {
    /// Metric families whose type and help are remembered.
    pub metadata_max: usize,
    /// Exemplars that are kept, of all series together.
    pub exemplars_max: usize,
    /// Wire forms of label sets that are remembered, 16 bytes each.
    pub series_keys_max: usize,
}

impl Default for TsdbOptions {
    fn default() -> Self {
        TsdbOptions { metadata_max: 20_000, exemplars_max: 100_000, series_keys_max: 8_000_000 }
    }
}
