//! A worker for every channel that is defined or has something waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::engine::watch::{Outcome, Sent};
use crate::model::{ChannelDefinition, Name};

use super::Tools;
use super::worker;

/// How often workers and gauges are looked after when nothing changes.
const ROUND: Duration = Duration::from_secs(15);

struct Running {
    /// What the worker was last told of.
    channel: ChannelDefinition,
    wake: watch::Sender<()>,
    task: JoinHandle<()>,
}

/// Follows definitions and what waits until the stop.
pub(super) async fn run(
    tools: Arc<Tools>,
    mut changes: watch::Receiver<u64>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut changed = tools.ledger.changed();
    let mut running: BTreeMap<Name, Running> = BTreeMap::new();
    while !*stopped.borrow() {
        changed.borrow_and_update();
        changes.borrow_and_update();
        look(&tools, &mut running, &stopped).await;
        tokio::select! {
            _ = stopped.changed() => break,
            going = changed.changed() => if going.is_err() { break },
            going = changes.changed() => if going.is_err() { break },
            () = tokio::time::sleep(ROUND) => {}
        }
    }
    for (_, Running { wake, task, .. }) in running {
        drop(wake);
        // A worker hears the stop itself; what it has under way is dropped with it.
        task.abort();
    }
}

async fn look(
    tools: &Arc<Tools>,
    running: &mut BTreeMap<Name, Running>,
    stopped: &watch::Receiver<bool>,
) {
    let defined = tools.channels.now().into_iter().map(|channel| (channel.name.clone(), channel));
    let defined: BTreeMap<Name, ChannelDefinition> = defined.collect();
    running.retain(|name, worker| {
        if worker.task.is_finished() {
            tracing::error!(channel = %name, "the worker of a channel ended; it is started again");
            return false;
        }
        // Dropping its waker ends the worker of a channel that is gone.
        defined.contains_key(name)
    });
    for (name, channel) in &defined {
        match running.get_mut(name) {
            Some(worker) if worker.channel == *channel => {}
            Some(worker) => {
                worker.channel = channel.clone();
                worker.wake.send_replace(());
            }
            None => {
                let (wake, woken) = watch::channel(());
                let working =
                    worker::run(Arc::clone(tools), channel.clone(), woken, stopped.clone());
                let task = tokio::spawn(working);
                running.insert(name.clone(), Running { channel: channel.clone(), wake, task });
            }
        }
    }
    let pending = tools.ledger.pending();
    measure(tools, &pending);
    let lost: BTreeSet<uuid::Uuid> =
        pending.iter().filter(|d| !defined.contains_key(&d.channel)).map(|d| d.id).collect();
    if lost.is_empty() {
        return;
    }
    let dead = |id| Outcome {
        id,
        result: Sent::Dead { error: "the channel does not exist any more".to_owned() },
    };
    if let Err(error) = tools.ledger.settle(lost.into_iter().map(dead).collect()).await {
        tracing::warn!(%error, "deliveries to channels that are gone cannot be given up yet");
    }
}

fn measure(tools: &Tools, pending: &[Arc<crate::model::Delivery>]) {
    let now = tools.clock.now();
    let oldest = pending.iter().map(|d| now.since(d.created_at)).max().unwrap_or(0);
    tools.telemetry.sending.oldest_seconds.set((oldest / 1000).max(0));
}
