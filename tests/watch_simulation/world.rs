//! What happens around the watch, and what must be true of it whatever happens.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use vedette::engine::watch::{
    Batch, Book, IncidentFilter, Outcome, Policy, Request, Sent, Signal, View,
};
use vedette::incidents::{Act, ActKind, Suppression, SuppressionKind, Suppressions};
use vedette::model::{
    Alert, AlertKey, AlertSource, ChannelDefinition, Delivery, Evidence, IncidentStatus, Labels,
    Route, Severity, Timestamp,
};

use crate::sink::{Heard, Sink};
use crate::support::disk::{Fault, Random, SimDisk};
use crate::support::engine;

const START: i64 = 1_772_323_200_000;
const ALERTS: u64 = 6;

/// Silences by the name of the alert.
#[derive(Debug, Default)]
struct Silenced(Mutex<BTreeSet<String>>);

impl Suppressions for Silenced {
    fn silenced(&self, labels: &Labels, _: Timestamp) -> Option<Suppression> {
        let silenced = self.0.lock().expect("not poisoned");
        silenced.contains(labels.get("alertname")?).then(|| Suppression {
            kind: SuppressionKind::Silence,
            id: "1".to_owned(),
            text: "a silence of the simulation".to_owned(),
        })
    }

    fn in_maintenance(&self, _: &Labels, _: Timestamp) -> Option<Suppression> {
        None
    }

    fn inhibited(&self, labels: &Labels, firing: &[Labels], _: Timestamp) -> Option<Suppression> {
        // The first alert explains the last.
        let explains = |labels: &Labels| labels.get("alertname") == Some("alert-0");
        let explained = labels.get("alertname") == Some("alert-5") && firing.iter().any(explains);
        explained.then(|| Suppression {
            kind: SuppressionKind::Inhibition,
            id: String::new(),
            text: "another alert explains it".to_owned(),
        })
    }
}

/// What a source last said of an alert, and whether that was acknowledged.
#[derive(Clone, Debug)]
struct Said {
    fires: bool,
    acknowledged: bool,
}

pub(crate) struct World {
    seed: u64,
    random: Random,
    disk: SimDisk,
    book: Option<Book>,
    tsdb: Option<Arc<vedette::tsdb::Tsdb>>,
    now: i64,
    said: BTreeMap<u64, Said>,
    silenced: Arc<Silenced>,
    /// Which routes and channels are set.
    route: u64,
    with_c: bool,
    sink: Sink,
    /// Deliveries that arrived: they must be in the file for ever.
    arrived: BTreeSet<uuid::Uuid>,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        World {
            seed,
            random: Random(seed.wrapping_mul(0x9E37_79B9)),
            disk: SimDisk::new(),
            book: None,
            tsdb: None,
            now: START,
            said: BTreeMap::new(),
            silenced: Arc::default(),
            route: 0,
            with_c: true,
            sink: Sink::default(),
            arrived: BTreeSet::new(),
        }
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    fn policy(&self) -> Policy {
        let channel = |name: &str, more: serde_json::Value| -> ChannelDefinition {
            let mut json = serde_json::json!({ "name": name, "kind": "webhook" });
            json.as_object_mut().expect("an object").extend(more.as_object().expect("one").clone());
            serde_json::from_value(json).expect("a channel")
        };
        let mut channels = vec![
            channel("a", serde_json::json!({ "fallback": "b" })),
            channel("b", serde_json::json!({ "default": false })),
        ];
        if self.with_c {
            channels.push(channel("c", serde_json::json!({ "default": false })));
        }
        let routes = [
            serde_json::json!({
                "repeat_interval": "10m",
                "escalations": [{ "after": "5m", "channels": ["b"] }],
            }),
            serde_json::json!({
                "repeat_interval": "10m",
                "routes": [
                    { "matchers": ["team=x"], "channels": ["c"], "continue": true },
                    { "matchers": ["team=~.*"], "channels": ["a"], "group_by": ["team"] },
                ]
            }),
            serde_json::json!({
                "channels": ["b"],
                "group_by": ["..."],
                "group_wait": "0s",
                "routes": [{ "min_severity": "critical", "channels": ["a", "c"] }],
            }),
        ];
        let route: Route =
            serde_json::from_value(routes[self.route as usize % 3].clone()).expect("a route");
        Policy {
            route,
            channels: Arc::new(channels),
            suppressions: Arc::clone(&self.silenced) as Arc<dyn Suppressions>,
            ..Policy::default()
        }
    }

    fn alert(&mut self, number: u64) -> Alert {
        let team = if number.is_multiple_of(2) { "x" } else { "y" };
        let name = format!("alert-{}", number % ALERTS);
        let labels = Labels::from_pairs([("alertname", name.as_str()), ("team", team)]);
        Alert {
            source: AlertSource::External,
            labels: labels.expect("valid"),
            annotations: vec![("summary".to_owned(), format!("text {}", self.random.below(3)))],
            severity: [Severity::Info, Severity::Warning, Severity::Critical]
                [self.random.below(3) as usize],
            starts_at: self.at(),
            value: Some(self.random.below(4) as f64),
            generator_url: String::new(),
            channels: Vec::new(),
            cooldown_ms: if number == 3 { 120_000 } else { 0 },
            evidence: Evidence { expression: "up == 0".to_owned(), ..Evidence::default() },
            ends_at: None,
        }
    }

    fn key(&mut self, number: u64) -> AlertKey {
        self.alert(number).key()
    }

    /// Opens, through as many further power cuts as the dice say.
    pub(crate) fn open(&mut self) {
        let first = self.disk.bytes().is_empty();
        for _ in 0..20 {
            let cut = !first && self.random.one_in(5);
            if cut {
                self.disk.fail_after(self.random.below(30), Fault::PowerCut);
            }
            if self.try_open() {
                self.disk.heal();
                self.check();
                return;
            }
            assert!(cut, "seed {}: the power was on", self.seed);
            self.book = None;
            self.tsdb = None;
            self.disk.crash(&mut self.random);
        }
        panic!("seed {}: twenty power cuts in a row", self.seed);
    }

    fn try_open(&mut self) -> bool {
        let Ok(tsdb) = engine::open(&self.disk) else { return false };
        let mut randomness = Random(self.random.next());
        let random = Box::new(move |bytes: &mut [u8; 10]| {
            bytes[..8].copy_from_slice(&randomness.next().to_be_bytes());
        });
        self.tsdb = Some(Arc::clone(&tsdb));
        let Ok(book) = Book::open(tsdb, random) else { return false };
        self.book = Some(book);
        self.apply(Request::Policy(Box::new(self.policy())))
    }

    fn crash(&mut self) {
        self.book = None;
        self.tsdb = None;
        self.disk.crash(&mut self.random);
        self.open();
    }

    /// Asks for one thing; whether it was committed.
    fn apply(&mut self, request: Request) -> bool {
        let now = self.at();
        let book = self.book.as_mut().expect("open");
        let applied = book.apply(now, vec![request]);
        let ok = !applied.failed;
        if ok {
            self.check_told();
        }
        ok
    }

    fn view(&self) -> View {
        let store = Arc::clone(self.tsdb.as_ref().expect("open").store());
        View::of(self.book.as_ref().expect("open").state(), None, store)
    }

    /// What is in memory agrees with itself.
    fn check_told(&self) {
        let view = self.view();
        for incident in view.at_work() {
            for channel in &incident.told {
                let group = view
                    .groups()
                    .find(|group| group.channel == *channel && group.has_told(incident.id));
                assert!(
                    group.is_some(),
                    "seed {}: #{} says that {channel} was told, and no group will tell the end",
                    self.seed,
                    incident.number
                );
            }
        }
        for group in view.groups() {
            for id in group.members.keys().filter(|id| group.has_told(**id)) {
                let incident = view.at_work().find(|incident| incident.id == *id);
                let told = incident.is_some_and(|i| i.told.contains(&group.channel));
                assert!(told, "seed {}: a group told of {id}, and that does not say so", self.seed);
            }
        }
    }

    /// What was acknowledged is there, and all that is there is in the file.
    fn check(&mut self) {
        let view = self.view();
        let said: Vec<(u64, Said)> = self.said.iter().map(|(n, s)| (*n, s.clone())).collect();
        for (number, said) in said {
            let key = self.key(number);
            let fires = view.of_alert(key).is_some_and(|incident| incident.firing);
            if said.acknowledged {
                assert_eq!(
                    fires, said.fires,
                    "seed {}: alert {number} was acknowledged as {said:?}",
                    self.seed
                );
            }
        }
        for id in &self.arrived {
            let known = view.delivery(*id).expect("reads");
            assert!(known.is_some(), "seed {}: {id} arrived and is not in the file", self.seed);
        }
        let all = IncidentFilter { limit: 10_000, ..IncidentFilter::default() };
        let page = view.incidents(&all).expect("reads");
        let numbers: Vec<u64> = page.items.iter().map(|incident| incident.number).collect();
        let expected: Vec<u64> = (1..=numbers.len() as u64).rev().collect();
        assert_eq!(numbers, expected, "seed {}: numbers count from 1", self.seed);
        for incident in view.at_work() {
            let stored = view.numbered(incident.number).expect("reads").expect("is there");
            assert_eq!(stored.id, incident.id);
            let timeline = view.timeline(incident.id, 5_000).expect("reads");
            assert_eq!(
                timeline.len() as u64,
                incident.timeline_entries.min(1000),
                "seed {}: the timeline of #{}",
                self.seed,
                incident.number
            );
        }
        let in_memory: Vec<_> = page
            .items
            .iter()
            .filter(|incident| incident.status != IncidentStatus::Resolved || incident.firing)
            .map(|incident| incident.id)
            .collect();
        for id in in_memory {
            let at_work = view.at_work().any(|incident| incident.id == id);
            assert!(at_work, "seed {}: {id} goes on and nobody looks after it", self.seed);
        }
    }

    fn signal(&mut self) {
        let number = self.random.below(ALERTS);
        let fires = self.random.one_in(2);
        self.send(number, fires);
    }

    fn send(&mut self, number: u64, fires: bool) {
        let signal = match fires {
            true => Signal::Firing(Box::new(self.alert(number))),
            false => Signal::Ended { key: self.key(number), at: self.at() },
        };
        let batch = Batch { signals: vec![signal], ..Batch::default() };
        let acknowledged = self.apply(Request::Commit(batch));
        self.said.insert(number, Said { fires, acknowledged });
    }

    fn act(&mut self) {
        let ids: Vec<_> = self.view().at_work().map(|incident| incident.id).collect();
        if ids.is_empty() {
            return;
        }
        let id = ids[self.random.below(ids.len() as u64) as usize];
        let kind = match self.random.below(8) {
            0 | 1 => ActKind::Acknowledge,
            2 => ActKind::Resolve,
            3 => ActKind::Reopen,
            4 => ActKind::Snooze(Some(self.at().plus_millis(60_000))),
            5 => ActKind::Note("seen".to_owned()),
            6 => ActKind::Assign(Some("somebody".to_owned())),
            _ => ActKind::Edit { severity: Some(Severity::Critical), title: None },
        };
        self.apply(Request::Act(
            id,
            Act { by: "somebody".to_owned(), version: None, note: None, kind },
        ));
    }

    /// Channels take what waits, each group's messages in order.
    fn deliver(&mut self, chaos: bool) {
        let waiting: Vec<Arc<Delivery>> = self.view().pending().cloned().collect();
        let mut blocked = BTreeSet::new();
        for delivery in &waiting {
            // None overtakes an earlier one to its channel that tells of the same incident.
            let alerts = &delivery.notification.alerts;
            let places: BTreeSet<_> =
                alerts.iter().map(|alert| (delivery.channel.clone(), alert.number)).collect();
            let due = !chaos || delivery.next_attempt_at <= self.at();
            let waits = !due || places.iter().any(|place| blocked.contains(place));
            blocked.extend(places);
            if waits {
                continue;
            }
            // What an outcome before it changed is looked at again.
            let Some(delivery) = self.view().pending().find(|d| d.id == delivery.id).cloned()
            else {
                continue;
            };
            let dice = if chaos { self.random.below(10) } else { 9 };
            let result = match dice {
                0 if !self.arrived.contains(&delivery.id) => {
                    for alert in &delivery.notification.alerts {
                        self.sink.refused.insert((delivery.channel.to_string(), alert.number));
                    }
                    Sent::Dead { error: "refused".to_owned() }
                }
                1 | 2 => {
                    Sent::Retry { at: self.at().plus_millis(30_000), error: "busy".to_owned() }
                }
                dice => {
                    self.arrive(&delivery);
                    if dice == 3 {
                        // The end comes between sending and noting that.
                        self.crash();
                        return;
                    }
                    Sent::Delivered
                }
            };
            self.apply(Request::Delivered(vec![Outcome { id: delivery.id, result }]));
        }
    }

    fn arrive(&mut self, delivery: &Delivery) {
        let view = self.view();
        for alert in &delivery.notification.alerts {
            let known = view.numbered(alert.number).expect("reads");
            let known = known.is_some_and(|incident| incident.id == alert.incident);
            assert!(known, "seed {}: #{} is told and not in the file", self.seed, alert.number);
        }
        self.arrived.insert(delivery.id);
        self.sink.arrive(self.seed, delivery);
    }

    fn set(&mut self) {
        match self.random.below(5) {
            0 => self.route = self.random.below(3),
            1 => {
                self.with_c = !self.with_c;
                // Whoever is gone is not told of anything any more.
                self.sink.heard.retain(|(channel, _), _| channel != "c");
            }
            _ => {
                let name = format!("alert-{}", self.random.below(ALERTS));
                let mut silenced = self.silenced.0.lock().expect("not poisoned");
                if !silenced.remove(&name) {
                    silenced.insert(name);
                }
                return;
            }
        }
        self.take_up();
    }

    fn take_up(&mut self) {
        // A policy that was not taken is handed over again.
        while !self.apply(Request::Policy(Box::new(self.policy()))) {
            self.disk.heal();
        }
    }

    fn one(&mut self) {
        match self.random.below(10) {
            0..=3 => self.signal(),
            4 | 5 => self.act(),
            6 | 7 => {
                self.apply(Request::Tick);
            }
            _ => self.deliver(true),
        }
    }

    pub(crate) fn step(&mut self) {
        self.now += match self.random.below(12) {
            0 => 3_600_000,
            1..=3 => 60_000,
            // The clock is put back.
            4 if self.random.one_in(4) => -1_800_000,
            _ => 500 + self.random.below(16_000) as i64,
        };
        match self.random.below(24) {
            0 => self.crash(),
            1 => self.fault_during(Fault::PowerCut),
            2 => self.fault_during(Fault::Eio),
            3 => self.fault_during(Fault::Enospc),
            4 => self.set(),
            5 => self.check(),
            _ => self.one(),
        }
    }

    fn fault_during(&mut self, fault: Fault) {
        self.disk.fail_after(self.random.below(12), fault);
        for _ in 0..3 {
            match self.random.below(3) {
                0 => self.signal(),
                1 => self.act(),
                _ => {
                    self.apply(Request::Tick);
                }
            }
        }
        match fault {
            Fault::PowerCut => self.crash(),
            Fault::Eio | Fault::Enospc => {
                self.disk.heal();
                assert!(
                    self.apply(Request::Tick) || self.apply(Request::Tick),
                    "seed {}",
                    self.seed
                );
                self.check();
            }
        }
    }

    /// Everything ends, and everybody listens: whoever heard of a beginning has heard of the end.
    pub(crate) fn drain(&mut self) {
        self.disk.heal();
        self.silenced.0.lock().expect("not poisoned").clear();
        self.take_up();
        for number in 0..ALERTS {
            self.send(number, false);
        }
        // What people reopened, people resolve.
        let open: Vec<_> = self.view().active().map(|incident| incident.id).collect();
        for id in open {
            let act =
                Act { by: "last".to_owned(), version: None, note: None, kind: ActKind::Resolve };
            self.apply(Request::Act(id, act));
        }
        for _ in 0..40 {
            self.now += 60_000;
            self.apply(Request::Tick);
            self.deliver(false);
        }
        let view = self.view();
        let groups: Vec<_> = view.groups().collect();
        let active: Vec<_> = view.active().collect();
        assert!(
            groups.is_empty(),
            "seed {} at {}: groups are left: {groups:?} of {active:?}",
            self.seed,
            self.at()
        );
        assert_eq!(view.pending().count(), 0, "seed {}: deliveries are left", self.seed);
        for (place, heard) in &self.sink.heard {
            assert!(
                *heard == Heard::Resolved || self.sink.refused.contains(place),
                "seed {}: {place:?} was told that it fires, and never that it ended",
                self.seed
            );
        }
        self.crash();
        assert_eq!(self.view().active().count(), 0, "seed {}", self.seed);
    }
}
