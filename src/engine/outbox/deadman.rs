//! A dead man's switch, the other way round: while the watch truly works, it pings a service that
//! raises the alarm when the pings stop (Healthchecks and the like).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::Settings;
use crate::engine::watch::{Batch, Watch};
use crate::senders::{Clients, ping};
use crate::store::{DocumentKind, Table, Write};

/// How long the keeper may take to commit before the watch counts as stuck.
const COMMIT_WAIT: Duration = Duration::from_secs(10);
/// How long a ping may take.
const PING_WAIT: Duration = Duration::from_secs(10);
/// How long to wait for settings while none ask for pings.
const IDLE: Duration = Duration::from_secs(3600);

pub(super) type Alive = Box<dyn Fn() -> Result<(), String> + Send + Sync>;

/// Pings until the stop.
pub(super) async fn run(
    watch: Watch,
    clients: Clients,
    mut settings: watch::Receiver<Arc<Settings>>,
    clock: Arc<dyn Clock>,
    alive: Alive,
    mut stopped: watch::Receiver<bool>,
) {
    let mut failing = false;
    while !*stopped.borrow() {
        let deadman = settings.borrow_and_update().notify.deadman.clone();
        let pause = deadman.as_ref().map_or(IDLE, |deadman| deadman.every.duration());
        if let Some(deadman) = deadman {
            let works = async {
                alive()?;
                commits(&watch, &*clock).await?;
                let pinging = ping(&clients, &deadman.url, clock.now());
                match tokio::time::timeout(PING_WAIT, pinging).await {
                    Ok(pinged) => pinged.map_err(|failure| failure.reason),
                    Err(_) => Err("the ping was not answered in time".to_owned()),
                }
            };
            let outcome = tokio::select! {
                outcome = works => outcome,
                _ = stopped.changed() => return,
            };
            match &outcome {
                Ok(()) if failing => tracing::info!("the dead man's switch is held again"),
                Err(reason) if !failing => {
                    tracing::warn!(%reason, "the dead man's switch was not held");
                }
                Ok(()) | Err(_) => {}
            }
            failing = outcome.is_err();
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            going = settings.changed() => if going.is_err() { return },
            _ = stopped.changed() => return,
        }
    }
}

/// Whether the keeper still commits: the disk is not full, and nothing is stuck.
async fn commits(watch: &Watch, clock: &dyn Clock) -> Result<(), String> {
    let write = Write::document(Table::Watch, DocumentKind::Figure, "deadman", &clock.now())
        .map_err(|error| error.to_string())?;
    let committing = watch.commit(Batch::of_writes(vec![write]));
    match tokio::time::timeout(COMMIT_WAIT, committing).await {
        Ok(committed) => committed.map_err(|error| error.to_string()),
        Err(_) => Err("the watch does not commit".to_owned()),
    }
}
