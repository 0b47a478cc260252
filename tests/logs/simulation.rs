//! Log lines on a disk that fails: what was acknowledged is there, once, in its place, after
//! whatever happened; a group that was not is whole or absent, and told if it is there; the place
//! of a source is that of its last group; numbers rise. One seed decides everything, so a failure
//! is repeated by
//! `VEDETTE_SIM_SEED=n cargo test --test logs simulation`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vedette::engine::logs::{Core, Keeper, LogQuery, Order, PAGE_LINES_MAX};
use vedette::model::{LogId, LogLine, StoredLine, Timestamp};
use vedette::store::{DocumentKind, Table, Write, decode_document, document_key};
use vedette::tsdb::Tsdb;

use super::support::disk::{Fault, Random, SimDisk};
use super::support::engine;

const SEEDS: u64 = 60;
const STEPS: u64 = 50;

struct World {
    random: Random,
    disk: SimDisk,
    /// Dropped and opened again at a crash.
    running: Option<(Core, Keeper, Arc<Tsdb>)>,
    /// What was acknowledged, and of groups that were not what turned out to be durable.
    known: BTreeMap<LogId, StoredLine>,
    /// Groups whose commit failed, by what their lines say, and whether the process that wrote them
    /// goes on.
    uncertain: Vec<(Vec<LogLine>, bool)>,
    /// Lines of such groups that were told.
    late: BTreeSet<LogId>,
    /// How many such groups were there in the end.
    durable_late: u64,
    groups: u64,
    highest: Option<u64>,
}

fn open(disk: &SimDisk) -> Result<(Core, Keeper, Arc<Tsdb>), String> {
    let tsdb = engine::open(disk).map_err(|error| error.to_string())?;
    let core =
        Core::open(Arc::clone(&tsdb), Timestamp::default()).map_err(|error| error.to_string())?;
    let keeper = Keeper::new(&core)?;
    Ok((core, keeper, tsdb))
}

/// The group up to which the source has got.
fn place(tsdb: &Tsdb) -> u64 {
    let snapshot = tsdb.store().read().expect("readable");
    let key = document_key(DocumentKind::LogPlace, "simulated");
    let value = snapshot.get(Table::Watch, key.as_bytes()).expect("readable");
    value.map_or(0, |value| decode_document(value.payload()).expect("a number"))
}

fn all(core: &Core) -> Vec<StoredLine> {
    let mut query = LogQuery { order: Order::Oldest, limit: PAGE_LINES_MAX, ..LogQuery::default() };
    let mut lines = Vec::new();
    loop {
        let page = core.query(&query, &|| false).expect("readable");
        lines.extend(page.lines);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return lines,
        }
    }
}

impl World {
    fn new(seed: u64) -> World {
        let disk = SimDisk::new();
        let running = open(&disk).expect("opens");
        World {
            random: Random(seed),
            disk,
            running: Some(running),
            known: BTreeMap::new(),
            uncertain: Vec::new(),
            late: BTreeSet::new(),
            durable_late: 0,
            groups: 0,
            highest: None,
        }
    }

    /// Lines whose group and place can be read from what they say.
    fn group(&mut self) -> Vec<LogLine> {
        self.groups += 1;
        let count = 1 + self.random.below(40);
        (0..count)
            .map(|place| LogLine {
                time: Timestamp::from_millis(self.random.below(50) as i64),
                message: format!("{} {place}", self.groups),
                source: format!("s{}", self.random.below(3)),
                ..LogLine::default()
            })
            .collect()
    }

    fn write(&mut self) {
        let lines = self.group();
        let note = Write::document(Table::Watch, DocumentKind::LogPlace, "simulated", &self.groups);
        let note = note.expect("a number");
        let Some((core, ..)) = &mut self.running else { return };
        match core.write(Timestamp::default(), lines.clone(), &[note]) {
            Ok(written) => {
                self.late.extend(written.late.iter().map(|line| line.id));
                let said: Vec<LogLine> = written.lines.iter().map(|l| l.line.clone()).collect();
                assert_eq!(said, lines, "in the order in which they were sent");
                for line in written.lines {
                    assert!(self.highest.is_none_or(|highest| line.id.number > highest));
                    self.highest = Some(line.id.number);
                    self.known.insert(line.id, line);
                }
            }
            Err(_) => self.uncertain.push((lines, true)),
        }
    }

    fn pack(&mut self) {
        if let Some((_, keeper, _)) = &mut self.running {
            // A failed one is tried again by a later step.
            let _ = keeper.pack(Timestamp::default());
        }
    }

    fn fail(&mut self) {
        let faults = [Fault::Eio, Fault::Enospc, Fault::PowerCut];
        let fault = faults[self.random.below(3) as usize];
        let after = self.random.below(12);
        self.disk.fail_after(after, fault);
    }

    fn crash(&mut self) {
        self.running = None;
        self.uncertain.iter_mut().for_each(|(_, goes_on)| *goes_on = false);
        self.disk.released();
        self.disk.crash(&mut self.random);
        self.running = Some(open(&self.disk).expect("opens after a crash"));
        self.compare();
    }

    /// What is there is what must be, and nothing else.
    fn compare(&mut self) {
        self.disk.heal();
        let Some((core, _, tsdb)) = &mut self.running else { return };
        // An empty group settles nothing; one line does, and is known itself.
        let Ok(written) = core.write(
            Timestamp::default(),
            vec![LogLine { message: "settled".to_owned(), ..LogLine::default() }],
            &[],
        ) else {
            // The power is still off.
            return;
        };
        self.late.extend(written.late.iter().map(|line| line.id));
        for line in written.lines {
            assert!(self.highest.is_none_or(|highest| line.id.number > highest));
            self.highest = Some(line.id.number);
            self.known.insert(line.id, line);
        }
        let found = all(core);
        let last = found.iter().filter_map(|line| line.line.message.split_once(' '));
        let last = last.map(|(group, _)| group.parse().expect("a number")).max();
        assert_eq!(place(tsdb), last.unwrap_or(0), "the place is that of the last group");
        assert!(found.windows(2).all(|pair| pair[0].id < pair[1].id), "in order, each once");
        let mut numbers: Vec<u64> = found.iter().map(|line| line.id.number).collect();
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "no number twice");
        let found: BTreeMap<LogId, StoredLine> =
            found.into_iter().map(|line| (line.id, line)).collect();
        for (id, line) in &self.known {
            assert_eq!(found.get(id), Some(line), "what was known stays");
        }
        let mut unknown: Vec<StoredLine> =
            found.into_values().filter(|line| !self.known.contains_key(&line.id)).collect();
        unknown.sort_by_key(|line| line.id.number);
        // As they were sent, so that a group is whole or absent.
        for (group, goes_on) in std::mem::take(&mut self.uncertain) {
            let Some(place) = unknown.iter().position(|line| line.line == group[0]) else {
                continue;
            };
            let whole: Vec<StoredLine> = unknown.drain(place..place + group.len()).collect();
            assert!(whole.iter().zip(&group).all(|(found, sent)| found.line == *sent), "whole");
            self.durable_late += 1;
            let told = whole.iter().all(|line| self.late.remove(&line.id));
            assert!(told || !goes_on, "what is there is told");
            self.known.extend(whole.into_iter().map(|line| (line.id, line)));
        }
        assert_eq!(unknown, [], "nothing that nobody sent");
        assert!(self.late.is_empty(), "nothing is told twice");
        let Some((core, ..)) = &self.running else { return };
        assert_eq!(core.figures().lines, self.known.len() as u64);
        assert_eq!(core.damaged(), 0);
    }

    fn run(&mut self) {
        for _ in 0..STEPS {
            match self.random.below(12) {
                0..6 => self.write(),
                6..8 => self.pack(),
                8..10 => self.fail(),
                10 => self.compare(),
                _ => self.crash(),
            }
        }
        self.crash();
        self.pack();
        self.crash();
    }
}

#[test]
fn acknowledged_lines_survive_whatever_happens_to_the_disk() {
    let seeds = match std::env::var("VEDETTE_SIM_SEED") {
        Ok(seed) => {
            let seed: u64 = seed.parse().expect("a number");
            seed..seed + 1
        }
        Err(_) => 0..SEEDS,
    };
    let (mut known, mut late) = (0, 0);
    for seed in seeds {
        println!("seed {seed}");
        let mut world = World::new(seed);
        world.run();
        known += world.known.len();
        late += world.durable_late;
    }
    println!("{late} groups were durable though their commit had failed");
    assert!(known > 100, "the disk failed so much that nothing was tested");
}
