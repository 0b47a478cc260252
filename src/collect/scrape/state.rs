//! What an answer of a target means, given what it answered before (`scrape/scrape.go` of
//! Prometheus). Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;

use super::target::{Pool, Target};
use crate::collect::relabel;
use crate::decode::admit::admit_labels;
use crate::decode::exposition::{Format, Item, Parser, SampleLine};
use crate::model::{
    Exemplar, Labels, LabelsBuilder, METRIC_NAME, Metadata, MetricType, Row, STALE_NAN, Timestamp,
};

/// Families whose facts are remembered per target.
const FAMILIES_MAX: usize = 10_000;

/// The series that every scrape adds, with their types and help texts.
const REPORT: [(&str, &str); 5] = [
    ("up", "Whether the last scrape of the target succeeded."),
    ("scrape_duration_seconds", "How long the last scrape took."),
    ("scrape_samples_scraped", "How many samples the target gave."),
    ("scrape_samples_post_metric_relabeling", "How many samples were left after relabelling."),
    ("scrape_series_added", "How many series the last scrape showed for the first time."),
];

/// What one scrape comes to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outcome {
    /// The samples, the staleness markers of vanished series and the series about the scrape.
    pub rows: Vec<Row>,
    /// Exemplars, with the series that they belong to.
    pub exemplars: Vec<(Labels, Exemplar)>,
    /// Families that are new, or of which something else is said than before.
    pub metadata: Vec<(String, Metadata)>,
    /// Why the scrape failed, if it did.
    pub error: Option<String>,
    /// Samples that the target gave.
    pub scraped: usize,
    /// Samples that were left after relabelling.
    pub kept: usize,
    /// Series that were not there in the scrape before.
    pub added: usize,
}

/// What is known of one target's series.
#[derive(Debug)]
pub struct ScrapeState {
    pool: Arc<Pool>,
    target: Labels,
    /// By the series as the target writes it.
    series: HashMap<String, Known>,
    round: u64,
    families: BTreeMap<String, Metadata>,
    report: Vec<Labels>,
    /// Series from before the group's settings changed. What the next scrape does not show, ends.
    left_over: BTreeSet<Labels>,
}

#[derive(Debug)]
struct Known {
    /// `None` where relabelling drops it.
    labels: Option<Labels>,
    /// The last scrape that showed it.
    round: u64,
    /// Whether it gets a marker when it vanishes: a good scrape gave it a sample with our time.
    stored: bool,
    /// Whether the scrape under way gives it one.
    pending: bool,
}

/// The counts of a scrape under way.
#[derive(Default)]
struct Round {
    rows: Vec<Row>,
    exemplars: Vec<(Labels, Exemplar)>,
    metadata: Vec<(String, Metadata)>,
    scraped: usize,
    kept: usize,
    added: usize,
}

impl ScrapeState {
    /// Nothing is known yet.
    pub fn new(pool: Arc<Pool>, target: &Target) -> Self {
        let target = target.labels.clone();
        let report = REPORT.iter().filter_map(|(name, _)| report_labels(&target, name)).collect();
        let families = BTreeMap::new();
        let left_over = BTreeSet::new();
        ScrapeState { pool, target, series: HashMap::new(), round: 0, families, report, left_over }
    }

    /// The same target under changed settings of its group: labels are worked out anew, and
    /// series that thereby change are ended by the next scrape.
    #[must_use]
    pub fn with_pool(mut self, pool: Arc<Pool>) -> Self {
        let stored = self.series.drain().filter(|(_, known)| known.stored);
        self.left_over.extend(stored.filter_map(|(_, known)| known.labels));
        self.pool = pool;
        self
    }

    /// The outcome of an answer (its inflated body and its content type), or of a failure to get
    /// one. `now` is when the scrape began and is the time of its samples; `took` is how long it
    /// lasted. A failed scrape gives `up` 0 and ends all series.
    pub fn apply(
        &mut self,
        answer: Result<(&[u8], Option<&str>), String>,
        now: Timestamp,
        took: Duration,
    ) -> Outcome {
        self.round += 1;
        let mut round =
            Round { rows: Vec::with_capacity(self.series.len() + 8), ..Round::default() };
        let read = answer.and_then(|(body, content_type)| {
            self.read(body, Format::from_content_type(content_type), now, &mut round)
        });
        let error = read.err();
        if error.is_some() {
            round.rows.clear();
            round.exemplars.clear();
            round.metadata.clear();
            // What this round showed is not stored: only what was stored before ends.
            self.end_series(now, &mut round.rows, |_| true);
        } else {
            let this = self.round;
            self.end_series(now, &mut round.rows, |known| known.round != this);
        }
        let figures = [
            f64::from(u8::from(error.is_none())),
            took.as_secs_f64(),
            round.scraped as f64,
            round.kept as f64,
            round.added as f64,
        ];
        for (labels, value) in self.report.iter().zip(figures) {
            round.rows.push(Row { labels: labels.clone(), at: now, value: value.into() });
        }
        if self.round == 1 {
            round.metadata.extend(report_metadata());
        }
        let Round { rows, exemplars, metadata, scraped, kept, added } = round;
        Outcome { rows, exemplars, metadata, error, scraped, kept, added }
    }

    /// The last words of a target that is scraped no more: markers for all its series, those
    /// about the scrape included.
    pub fn end(&mut self, now: Timestamp) -> Vec<Row> {
        let mut rows = Vec::new();
        self.end_series(now, &mut rows, |_| true);
        if self.round > 0 {
            rows.extend(self.report.iter().map(|labels| marker(labels.clone(), now)));
        }
        rows
    }

    fn end_series(&mut self, now: Timestamp, rows: &mut Vec<Row>, ended: impl Fn(&Known) -> bool) {
        if !self.left_over.is_empty() {
            for row in rows.iter() {
                self.left_over.remove(&row.labels);
            }
        }
        let mut gone: Vec<Labels> = std::mem::take(&mut self.left_over).into_iter().collect();
        self.series.retain(|_, known| {
            if !ended(known) {
                known.stored = known.pending;
                return true;
            }
            if known.stored {
                gone.extend(known.labels.clone());
            }
            false
        });
        gone.sort_unstable();
        rows.extend(gone.into_iter().map(|labels| marker(labels, now)));
    }

    fn read(
        &mut self,
        body: &[u8],
        format: Format,
        now: Timestamp,
        round: &mut Round,
    ) -> Result<(), String> {
        let config = &self.pool.config;
        let latest = now.plus_millis(self.pool.limits.future_seconds_max.saturating_mul(1000));
        let sample_limit = if config.sample_limit == 0 { usize::MAX } else { config.sample_limit };
        let mut shown: BTreeMap<String, Metadata> = BTreeMap::new();
        let parser = Parser::new(body, format).map_err(|error| error.to_string())?;
        for item in parser {
            let line = match item.map_err(|error| error.to_string())? {
                Item::Sample(line) => line,
                Item::Help { family, text } => {
                    facts_of(&mut shown, &family).help = text.into_owned();
                    continue;
                }
                Item::Type { family, kind } => {
                    facts_of(&mut shown, &family).kind = kind;
                    continue;
                }
                Item::Unit { family, unit } => {
                    unit.clone_into(&mut facts_of(&mut shown, &family).unit);
                    continue;
                }
            };
            round.scraped += 1;
            let own_time = if config.honor_timestamps { line.at_ms } else { None };
            let this = self.round;
            let known = match self.series.entry_ref(line.series) {
                EntryRef::Occupied(entry) => entry.into_mut(),
                EntryRef::Vacant(entry) => {
                    let labels = finish_labels(&line, &self.target, &self.pool)?;
                    round.added += usize::from(labels.is_some());
                    entry.insert(Known { labels, round: 0, stored: false, pending: false })
                }
            };
            let seen = known.round == this;
            known.round = this;
            let Some(labels) = &known.labels else { continue };
            if seen && own_time.is_none() {
                // The same series twice at the same time: the first one stands.
                continue;
            }
            round.kept += 1;
            if round.kept > sample_limit {
                return Err(format!(
                    "the target gives more samples than sample_limit = {sample_limit}"
                ));
            }
            known.pending = own_time.is_none();
            let at = own_time.map_or(now, Timestamp::from_millis);
            if at <= latest {
                let exemplar = line.exemplar.and_then(|exemplar| exemplar.to_exemplar(at));
                round.exemplars.extend(exemplar.map(|exemplar| (labels.clone(), exemplar)));
                round.rows.push(Row { labels: labels.clone(), at, value: line.value.into() });
            }
        }
        for (family, facts) in shown {
            let known = self.families.get(&family) == Some(&facts);
            if !known && (self.families.len() < FAMILIES_MAX || self.families.contains_key(&family))
            {
                self.families.insert(family.clone(), facts.clone());
                round.metadata.push((family, facts));
            }
        }
        Ok(())
    }
}

fn facts_of<'m>(shown: &'m mut BTreeMap<String, Metadata>, family: &str) -> &'m mut Metadata {
    shown.entry(family.to_owned()).or_default()
}

fn marker(labels: Labels, at: Timestamp) -> Row {
    Row { labels, at, value: f64::from_bits(STALE_NAN).into() }
}

/// The labels that a line's series is stored with; `None` if relabelling drops it.
fn finish_labels(
    line: &SampleLine<'_>,
    target: &Labels,
    pool: &Pool,
) -> Result<Option<Labels>, String> {
    let mut pairs = Vec::new();
    line.labels(&mut pairs).map_err(|error| error.to_string())?;
    let mut builder = LabelsBuilder::default();
    for (place, (name, value)) in pairs.iter().enumerate() {
        if pairs[..place].iter().any(|(earlier, _)| earlier == name) {
            return Err(format!("{}: label {name:?} appears more than once", line.series));
        }
        builder.set(name, value);
    }
    for (name, value) in target.iter() {
        match builder.get(name).map(str::to_owned) {
            None => {
                builder.set(name, value);
            }
            Some(_) if pool.config.honor_labels => {}
            Some(exposed) => {
                let mut exported = format!("exported_{name}");
                while builder.get(&exported).is_some() || target.get(&exported).is_some() {
                    exported.insert_str(0, "exported_");
                }
                builder.set(&exported, &exposed);
                builder.set(name, value);
            }
        }
    }
    if !relabel::apply(&pool.metric_relabel, &mut builder) {
        return Ok(None);
    }
    let pairs: Vec<(&str, &str)> = builder.iter().collect();
    admit_labels(&pairs, &pool.limits)
        .map(Some)
        .map_err(|reason| format!("{}: {reason}", line.series))
}

fn report_labels(target: &Labels, name: &str) -> Option<Labels> {
    let named = target.iter().chain([(METRIC_NAME, name)]);
    Labels::from_pairs(named).ok()
}

fn report_metadata() -> impl Iterator<Item = (String, Metadata)> {
    REPORT.iter().map(|(name, help)| {
        let facts =
            Metadata { kind: MetricType::Gauge, unit: String::new(), help: (*help).to_owned() };
        ((*name).to_owned(), facts)
    })
}
