//! `vedette backup`, `verify`, `compact`, `salvage`: work on the database file itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;

use crate::clock::{Clock as _, SystemClock};
use crate::config::Inputs;
use crate::daemon::open_store;
use crate::engine::scrub::inspect;
use crate::store::{self, DATABASE_FILE, Store};
use crate::tsdb::{self, Tsdb, TsdbOptions};

use super::client::Client;
use super::progress::Bar;
use super::serve::ServeArgs;
use super::{Outcome, Remote, block_on};

/// Which database.
#[derive(Args, Clone, Debug)]
pub(super) struct DatabaseArgs {
    /// The settings file that names the data directory
    #[arg(long, env = "VEDETTE_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data directory itself
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// Arguments of `backup`.
#[derive(Args, Debug)]
pub(super) struct BackupArgs {
    /// The file to write; must not exist. While the daemon runs it is written by the daemon
    #[arg(value_name = "FILE")]
    target: PathBuf,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    remote: Remote,
}

/// Arguments of `salvage`.
#[derive(Args, Debug)]
pub(super) struct SalvageArgs {
    /// The damaged file
    #[arg(value_name = "DAMAGED")]
    damaged: PathBuf,
    /// The directory for the new database; must not hold one
    #[arg(value_name = "DIR")]
    target: PathBuf,
}

/// What opening came to.
pub(super) enum Opened {
    /// The database is ours.
    Ours(Box<Store>),
    /// A daemon holds it.
    Held,
}

impl DatabaseArgs {
    fn inputs(&self) -> Inputs {
        let args = ServeArgs {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            ..ServeArgs::default()
        };
        args.inputs()
    }
}

/// Opens the database, or finds that a daemon holds it.
pub(super) fn open(args: &DatabaseArgs) -> anyhow::Result<Opened> {
    let settings = args.inputs().load()?;
    let bar = Bar::new("opening");
    match open_store(&settings.storage.path, settings.storage.cache.bytes(), &|share| bar.at(share))
    {
        Ok(store) => Ok(Opened::Ours(Box::new(store))),
        Err(error) if error.kind() == io::ErrorKind::ResourceBusy => Ok(Opened::Held),
        Err(error) => Err(error.into()),
    }
}

/// Opens a database that must exist.
fn open_existing(args: &DatabaseArgs) -> anyhow::Result<(Opened, PathBuf)> {
    let path = args.inputs().load()?.storage.path.join(DATABASE_FILE);
    if !path.exists() {
        bail!("there is no {}; name the directory with --data-dir", path.display());
    }
    Ok((open(args)?, path))
}

/// Opens a database that must exist and be ours.
fn open_ours(args: &DatabaseArgs) -> anyhow::Result<Box<Store>> {
    match open_existing(args)? {
        (Opened::Ours(store), _) => Ok(store),
        (Opened::Held, path) => bail!("a daemon holds {}; stop it first", path.display()),
    }
}

pub(super) fn backup(args: BackupArgs) -> Outcome {
    let store = match open_existing(&args.database)? {
        (Opened::Ours(store), _) => store,
        (Opened::Held, _) => return block_on(backup_online(&args)),
    };
    let bar = Bar::new("copying");
    let bytes = store::backup(&store, &args.target, &|share| bar.at(share))?;
    drop(bar);
    println!("{bytes} bytes of data copied to {}", args.target.display());
    Ok(())
}

/// Lets the daemon do it and shows how far it is.
async fn backup_online(args: &BackupArgs) -> Outcome {
    let client = Client::new(&args.remote)?;
    // The daemon may run in another directory.
    let target = std::path::absolute(&args.target)?;
    let body = json!({"path": target});
    let bar = Bar::new("copying");
    let copying = client.send_json(false, "/api/v1/admin/backup", &body);
    tokio::pin!(copying);
    let outcome = loop {
        tokio::select! {
            outcome = &mut copying => break outcome?,
            () = tokio::time::sleep(Duration::from_millis(300)) => {
                if let Ok((progress, _)) = client.get("/api/v1/admin/backup").await {
                    bar.at(progress["progress"].as_f64().unwrap_or(0.0));
                }
            }
        }
    };
    drop(bar);
    println!("{} bytes of data copied to {}", outcome["bytes"], target.display());
    Ok(())
}

pub(super) fn verify(args: DatabaseArgs) -> Outcome {
    let store = open_ours(&args)?;
    let bar = Bar::new("verifying");
    let report = store::verify(&store.read()?, store.file_bytes()?, &inspect, &|share| {
        bar.at(share);
    })?;
    drop(bar);
    for damage in &report.damage {
        println!("{damage}");
    }
    if report.damaged > 0 {
        bail!(
            "{} of {} values are damaged; they are skipped when read, and \
             `vedette salvage` copies the intact ones to a new database",
            report.damaged,
            report.values
        );
    }
    println!("{} values, {} bytes: all intact", report.values, report.bytes);
    Ok(())
}

pub(super) fn compact(args: DatabaseArgs) -> Outcome {
    let mut store = Arc::new(*open_ours(&args)?);
    let before = store.file_bytes()?;
    pack(&store)?;
    let bar = Bar::new("compacting");
    Arc::get_mut(&mut store).context("the database is still in use")?.compact()?;
    drop(bar);
    println!("{before} bytes before, {} after", store.file_bytes()?);
    Ok(())
}

/// Moves what is in the journal into blocks and merges them: only then is there much to give
/// back.
fn pack(store: &Arc<Store>) -> Outcome {
    let bar = Bar::new("packing");
    let (tsdb, report) = Tsdb::open(Arc::clone(store), TsdbOptions::default(), &|_| {})?;
    for damage in report.damage {
        eprintln!("{damage}");
    }
    tsdb.flush(&|share| bar.at(share))?;
    let now = SystemClock.now();
    while tsdb.merge(now, &|share| bar.at(share))? {}
    Ok(())
}

pub(super) fn salvage(args: &SalvageArgs) -> Outcome {
    let target = args.target.join(DATABASE_FILE);
    if target.exists() {
        bail!("{} exists; name a directory without a database", target.display());
    }
    let new = open_new(&args.target)?;
    let bar = Bar::new("salvaging");
    let outcome = tsdb::salvage(&args.damaged, &new, &|share| bar.at(share))
        .with_context(|| format!("cannot salvage {}", args.damaged.display()))?;
    drop(bar);
    println!(
        "{} series and {} samples in blocks saved to {}, and {} parts of the journal; \
         {} places in the file are damaged",
        outcome.series,
        outcome.block_samples,
        target.display(),
        outcome.journal_parts,
        outcome.found.damaged
    );
    Ok(())
}

fn open_new(directory: &Path) -> anyhow::Result<Store> {
    const CACHE_BYTES: u64 = 32 << 20;
    Ok(open_store(directory, CACHE_BYTES, &|_| {})?)
}
