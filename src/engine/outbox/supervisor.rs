//! A worker for every channel that is defined or has something waiting.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::engine::watch::{Outcome, Sent};
use crate::model::{ChannelDefinition, Name};

use super::Tools;
use super::worker::{self, Job};

/// How often workers and gauges are looked after when nothing changes.
const ROUND: Duration = Duration::from_secs(15);

pub(super) type List = Box<dyn Fn() -> Vec<Arc<ChannelDefinition>> + Send + Sync>;

struct Running {
    job: watch::Sender<Job>,
    task: JoinHandle<()>,
}

/// Follows definitions and what waits until the stop.
pub(super) async fn run(
    tools: Arc<Tools>,
    mut channels: watch::Receiver<u64>,
    list: List,
    mut stopped: watch::Receiver<bool>,
) {
    let mut changed = tools.ledger.changed();
    let mut running: BTreeMap<Name, Running> = BTreeMap::new();
    while !*stopped.borrow() {
        changed.borrow_and_update();
        channels.borrow_and_update();
        look(&tools, &list, &mut running, &stopped).await;
        tokio::select! {
            _ = stopped.changed() => break,
            going = changed.changed() => if going.is_err() { break },
            going = channels.changed() => if going.is_err() { break },
            () = tokio::time::sleep(ROUND) => {}
        }
    }
    for (_, Running { job, task }) in running {
        drop(job);
        // A worker hears the stop itself; what it has under way is dropped with it.
        task.abort();
    }
}

async fn look(
    tools: &Arc<Tools>,
    list: &List,
    running: &mut BTreeMap<Name, Running>,
    stopped: &watch::Receiver<bool>,
) {
    let defined: BTreeMap<Name, Arc<ChannelDefinition>> =
        list().into_iter().map(|channel| (channel.name.clone(), channel)).collect();
    running.retain(|name, worker| {
        if worker.task.is_finished() {
            tracing::error!(channel = %name, "the worker of a channel ended; it is started again");
            return false;
        }
        // Dropping the job ends the worker of a channel that is gone.
        defined.contains_key(name)
    });
    for (name, channel) in &defined {
        match running.get(name) {
            Some(worker) => {
                worker.job.send_if_modified(|job| {
                    let other = *job.channel != **channel;
                    job.channel = Arc::clone(channel);
                    other
                });
            }
            None => {
                let (job, jobs) = watch::channel(Job { channel: Arc::clone(channel) });
                let task = tokio::spawn(worker::run(Arc::clone(tools), jobs, stopped.clone()));
                running.insert(name.clone(), Running { job, task });
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
