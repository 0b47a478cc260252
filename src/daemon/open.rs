//! Opens the database and what stands on it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::{Pipeline, Policy};
use crate::store::{DATABASE_FILE, DiskMedium, Progress, Store, StoreOptions};
use crate::telemetry::Telemetry;
use crate::tsdb::{Retention, Tsdb, TsdbOptions};

/// Opens or creates the database of a data directory. `progress` hears how far a repair after
/// an unclean end has come. An error of the kind `ResourceBusy` means that another process holds
/// it.
pub fn open_store(
    directory: &Path,
    cache_bytes: u64,
    progress: &Progress<'_>,
) -> io::Result<Store> {
    let path = directory.join(DATABASE_FILE);
    let medium = DiskMedium::open(&path).map_err(|error| {
        let mend = match error.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "; give this user the directory, or set storage.path or --data-dir"
            }
            _ => "",
        };
        io::Error::new(error.kind(), format!("cannot open {}: {error}{mend}", path.display()))
    })?;
    let cache_bytes = usize::try_from(cache_bytes).unwrap_or(usize::MAX);
    Store::open(Arc::new(medium), StoreOptions { cache_bytes }, progress).map_err(io::Error::other)
}

/// What the write door lets in, by the settings.
pub fn engine_policy(settings: &Settings) -> Policy {
    let free_bytes_min = settings.storage.free_bytes_min.bytes();
    let bytes_max = settings.retention.max_bytes.bytes();
    Policy {
        limits: settings.limits.clone(),
        retention: Retention {
            raw_ms: settings.retention.raw.millis(),
            rollup_ms: settings.retention.rollup.millis(),
            bytes_max: (bytes_max > 0).then_some(bytes_max),
        },
        free_bytes_min: (free_bytes_min > 0).then_some(free_bytes_min),
    }
}

/// Opens everything. `progress` hears how far it has come, from 0 to 1: the first half is the
/// file, the second the journal.
pub(super) fn open_engine(
    settings: &Settings,
    clock: Arc<dyn Clock>,
    telemetry: Arc<Telemetry>,
    progress: &dyn Fn(f64),
) -> Result<Pipeline, String> {
    let cache_bytes = settings.storage.cache.bytes();
    let store = open_store(&settings.storage.path, cache_bytes, &|share| progress(share / 2.0))
        .map_err(|error| error.to_string())?;
    let options = TsdbOptions {
        metadata_max: settings.limits.metadata_max,
        exemplars_max: settings.limits.exemplars_max,
        ..TsdbOptions::default()
    };
    let (tsdb, report) = Tsdb::open(Arc::new(store), options, &|share| progress(0.5 + share / 2.0))
        .map_err(|error| error.to_string())?;
    for damage in &report.damage {
        tracing::error!(%damage, "damaged data was skipped; `vedette verify` lists all of it");
    }
    tracing::info!(
        series = report.series,
        replayed.samples = report.replayed_samples,
        "the database is open"
    );
    Pipeline::new(Arc::new(tsdb), clock, telemetry, engine_policy(settings))
        .map_err(|error| format!("cannot start the writer's thread: {error}"))
}
