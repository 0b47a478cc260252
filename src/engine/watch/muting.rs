//! Why somebody is not told: silences, maintenance windows and inhibitions together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::{Catalog, Defined, Silences};
use crate::incidents::inhibit::inhibited_by;
use crate::incidents::maintenance::{TimedWindow, intervals_about};
use crate::incidents::{Span, Suppression, SuppressionKind, Suppressions};
use crate::model::{Inhibition, Labels, MaintenanceWindow, Name, Timestamp, fingerprint};

type Defs = Arc<BTreeMap<Name, Arc<Defined<MaintenanceWindow>>>>;
type Windows = Arc<Vec<TimedWindow>>;

/// Everything that keeps people from being told, as it is now.
pub struct Muting {
    silences: Arc<Silences>,
    catalog: Arc<Catalog>,
    inhibitions: ArcSwap<Vec<Inhibition>>,
    /// The windows ready to be asked, and the definitions that they were made of.
    windows: Mutex<(Defs, Windows)>,
}

impl Muting {
    /// Over the silences and the windows that people defined; without inhibitions.
    pub fn new(silences: Arc<Silences>, catalog: Arc<Catalog>) -> Self {
        let none = (Defs::default(), Windows::default());
        Muting { silences, catalog, inhibitions: ArcSwap::default(), windows: Mutex::new(none) }
    }

    /// Takes up the inhibitions of the settings.
    pub fn set_inhibitions(&self, inhibitions: Vec<Inhibition>) {
        self.inhibitions.store(Arc::new(inhibitions));
    }

    /// The silences.
    pub fn silences(&self) -> &Silences {
        &self.silences
    }

    /// The maintenance windows. Read anew when one was changed.
    pub fn windows(&self) -> Arc<Vec<TimedWindow>> {
        let defined = self.catalog.maintenance.list();
        let mut cached = self.windows.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&cached.0, &defined) {
            let timed = |one: &Arc<Defined<MaintenanceWindow>>| {
                TimedWindow::new(one.definition.clone())
                    .inspect_err(|error| {
                        let window = one.definition.name.as_str();
                        tracing::error!(%error, window, "a maintenance window has no effect");
                    })
                    .ok()
            };
            let windows = Arc::new(defined.values().filter_map(timed).collect());
            *cached = (defined, windows);
        }
        Arc::clone(&cached.1)
    }

    /// The time within `from` (inclusive) and `until` in which work was or is planned on what has
    /// these labels, in order and without overlaps: uptime leaves it out.
    pub fn maintenance(&self, labels: &Labels, from: Timestamp, until: Timestamp) -> Vec<Span> {
        intervals_about(self.windows().iter(), labels, from, until)
    }

    /// The labels of the alerts among `firing` by which this one is inhibited.
    pub fn inhibiting(&self, labels: &Labels, firing: &[Labels]) -> Vec<Labels> {
        let inhibitions = self.inhibitions.load();
        let mut found: Vec<Labels> =
            inhibited_by(&inhibitions, labels, firing).map(|(_, source)| source.clone()).collect();
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// `: why` where somebody said why.
fn because(comment: &str) -> String {
    if comment.is_empty() { String::new() } else { format!(": {comment}") }
}

impl Suppressions for Muting {
    fn silenced(&self, labels: &Labels, now: Timestamp) -> Option<Suppression> {
        let found = self.silences.silencing(labels, now);
        // Of several the one that holds longest.
        let (silence, (_, until)) = found
            .iter()
            .filter_map(|silence| Some((silence.silence(), silence.current(now)?)))
            .max_by_key(|(silence, (_, until))| (*until, silence.id))?;
        let by = match silence.created_by.as_str() {
            "" => String::new(),
            by => format!(" by {by}"),
        };
        let why = because(&silence.comment);
        Some(Suppression {
            kind: SuppressionKind::Silence,
            id: silence.id.to_string(),
            text: format!("silenced{by} until {until}{why} (silence {})", silence.id),
        })
    }

    fn in_maintenance(&self, labels: &Labels, now: Timestamp) -> Option<Suppression> {
        let windows = self.windows();
        let (window, (_, until)) = windows
            .iter()
            .filter(|window| window.is_about(labels))
            .filter_map(|window| Some((window.window(), window.current(now)?)))
            .max_by_key(|(_, (_, until))| *until)?;
        let name = window.name.as_str();
        let why = because(&window.comment);
        let until = if until == Timestamp::MAX { String::new() } else { format!(" until {until}") };
        Some(Suppression {
            kind: SuppressionKind::Maintenance,
            id: name.to_owned(),
            text: format!("in maintenance window {name}{until}{why}"),
        })
    }

    fn inhibited(&self, labels: &Labels, firing: &[Labels], _: Timestamp) -> Option<Suppression> {
        let inhibitions = self.inhibitions.load();
        let (_, source) = inhibited_by(&inhibitions, labels, firing).next()?;
        Some(Suppression {
            kind: SuppressionKind::Inhibition,
            id: format!("{:016x}", fingerprint(source)),
            text: format!("explained by the alert {source}, which fires"),
        })
    }
}
