//! Keeps the watch informed of what people have set: routes, channels, how long incidents live.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::config::Settings;
use crate::engine::watch::{Catalog, Channels, Policy, Watch, WatchError};
use crate::incidents::Suppressions;
use crate::model::IncidentStatus;
use crate::telemetry::Telemetry;

use super::banner::own_url;
use super::loops::Changes;

/// How often what the watch counts is carried over to the telemetry.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// How long until what was not taken is handed over again.
const AGAIN: Duration = Duration::from_secs(1);

/// What the watch is told of, and who is asked for it.
pub(super) struct Informed {
    pub(super) watch: Watch,
    pub(super) catalog: Arc<Catalog>,
    pub(super) suppressions: Arc<dyn Suppressions>,
    /// Where the daemon listens: people find it there unless they say otherwise.
    pub(super) address: SocketAddr,
}

impl Informed {
    fn policy(&self, settings: &Settings) -> Policy {
        let external_url = match settings.notify.external_url.is_empty() {
            true => own_url(settings, self.address),
            false => settings.notify.external_url.trim_end_matches('/').to_owned(),
        };
        Policy {
            route: settings.notify.root(),
            channels: Arc::clone(&self.catalog) as Arc<dyn Channels>,
            reopen_within_ms: settings.incidents.reopen_within.millis(),
            retention_ms: settings.incidents.retention.millis(),
            external_url,
            suppressions: Arc::clone(&self.suppressions),
            ..Policy::default()
        }
    }

    /// Hands over what is set now.
    pub(super) async fn inform(&self, settings: &Settings) -> Result<(), WatchError> {
        self.watch.set_policy(self.policy(settings)).await
    }

    /// Hands over what changes, until the daemon stops.
    pub(super) async fn keep_informed(self, mut settings: Changes) {
        let mut channels = self.catalog.channels.changes();
        loop {
            let ended = tokio::select! {
                changed = settings.changed() => changed.is_err(),
                changed = channels.changed() => changed.is_err(),
            };
            if ended {
                return;
            }
            loop {
                let now = Arc::clone(&settings.borrow_and_update());
                match self.inform(&now).await {
                    Ok(()) => break,
                    Err(WatchError::Stopping) => return,
                    Err(WatchError::Store(error)) => {
                        tracing::error!(%error, "changed routes and channels were not taken up yet");
                        tokio::time::sleep(AGAIN).await;
                    }
                }
            }
        }
    }
}

/// Carries what the watch counts over to the telemetry, until the settings' channel closes.
pub(super) async fn count(watch: Watch, telemetry: Arc<Telemetry>, mut settings: Changes) {
    let mut before = [0; 5];
    loop {
        tokio::select! {
            () = tokio::time::sleep(COUNT_EVERY) => {}
            changed = settings.changed() => if changed.is_err() { return },
        }
        let view = watch.view();
        let of = |status| view.active().filter(|incident| incident.status == status).count() as i64;
        telemetry.incidents_open.set(of(IncidentStatus::Open));
        telemetry.incidents_acknowledged.set(of(IncidentStatus::Acknowledged));
        telemetry.notification_groups.set(view.groups().count() as i64);
        telemetry.deliveries_pending.set(view.pending().count() as i64);
        let counts = watch.counts();
        let now = [
            counts.commits(),
            counts.failures(),
            counts.decided(),
            counts.delivered(),
            counts.dead(),
        ];
        let [commits, failures, decided, delivered, dead] =
            std::array::from_fn(|place| now[place] - before[place]);
        before = now;
        telemetry.watch_commits.add(["success"], commits);
        telemetry.watch_commits.add(["failure"], failures);
        telemetry.deliveries.add(["decided"], decided);
        telemetry.deliveries.add(["delivered"], delivered);
        telemetry.deliveries.add(["dead"], dead);
    }
}
