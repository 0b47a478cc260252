//! What is known of a block without looking into it.
//!
//! ```text
//! version u8 = 1 | count varint | first, last time signed varint | first, last number varint
//! | lines of each of 5 levels varint | packed at signed varint | bytes of the other parts varint
//! | flags u8: 1 traces, 2 traces or users, 4 metadata
//! | 3 × names: whether these are all u8, count varint, then length varint and bytes of each
//! ```

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::model::{LogId, LogLevel, LogLevels, Timestamp, varint};

use super::LogFilter;
use super::columns::{Columns, Dictionary};

const VERSION: u8 = 1;
/// Names of a kind that a header lists: with more, blocks are looked into instead.
const NAMES_MAX: usize = 64;
/// Bytes of a name in a header.
const NAME_BYTES_MAX: usize = 256;

/// Names of the lines of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// In the order of the alphabet.
    pub list: Vec<Arc<str>>,
    /// Whether these are all.
    pub is_complete: bool,
}

impl Names {
    fn of(dictionary: &Dictionary) -> Names {
        let all: BTreeSet<&Arc<str>> = dictionary.names.iter().collect();
        let short = |name: &&&Arc<str>| name.len() <= NAME_BYTES_MAX;
        let list: Vec<Arc<str>> =
            all.iter().filter(short).take(NAMES_MAX).map(|name| Arc::clone(name)).collect();
        let is_complete = list.len() == all.len();
        Names { list, is_complete }
    }

    /// Whether a line may have one of these names; none stand for all.
    fn may_have(&self, wanted: &[String]) -> bool {
        wanted.is_empty()
            || !self.is_complete
            || self.list.iter().any(|name| wanted.iter().any(|one| **one == **name))
    }

    /// Whether every line has one of these names.
    fn all_are(&self, wanted: &[String]) -> bool {
        wanted.is_empty()
            || (self.is_complete
                && self.list.iter().all(|name| wanted.iter().any(|one| **one == **name)))
    }
}

/// What is known of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// How many lines it has.
    pub count: u64,
    /// The first and the last time, in milliseconds since 1970.
    pub times: (i64, i64),
    /// The lowest and the highest number.
    pub numbers: (u64, u64),
    /// Lines of each level.
    pub levels: [u64; 5],
    /// When it was packed, in milliseconds since 1970.
    pub packed_at: i64,
    /// Bytes of its other parts.
    pub bytes: u64,
    /// Whether any line is part of a trace.
    pub has_traces: bool,
    /// Whether any line has a trace or a user.
    pub has_subjects: bool,
    /// Whether any line has metadata.
    pub has_metadata: bool,
    /// Sources.
    pub sources: Names,
    /// Features.
    pub features: Names,
    /// Environments.
    pub environments: Names,
}

impl Header {
    /// The header of columns, which have lines.
    pub fn of(columns: &Columns, packed_at: Timestamp) -> Header {
        let rows = &columns.rows;
        let mut levels = [0; 5];
        for row in 0..columns.len() {
            levels[rows.level(row) as usize] += 1;
        }
        let range = |all: &[i64]| {
            (all.iter().copied().min().unwrap_or(0), all.iter().copied().max().unwrap_or(0))
        };
        let numbers = &rows.numbers;
        Header {
            count: columns.len() as u64,
            times: range(&rows.times),
            numbers: (
                numbers.iter().copied().min().unwrap_or(0),
                numbers.iter().copied().max().unwrap_or(0),
            ),
            levels,
            packed_at: packed_at.millis(),
            bytes: 0,
            has_traces: has_names(&columns.subjects.traces),
            has_subjects: has_names(&columns.subjects.traces) || has_names(&columns.subjects.users),
            has_metadata: !columns.metadata.bytes.is_empty(),
            sources: Names::of(&rows.sources),
            features: Names::of(&rows.features),
            environments: Names::of(&rows.environments),
        }
    }

    /// The stored form.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![VERSION];
        varint::put(&mut out, self.count);
        varint::put_signed(&mut out, self.times.0);
        varint::put_signed(&mut out, self.times.1);
        varint::put(&mut out, self.numbers.0);
        varint::put(&mut out, self.numbers.1);
        for count in self.levels {
            varint::put(&mut out, count);
        }
        varint::put_signed(&mut out, self.packed_at);
        varint::put(&mut out, self.bytes);
        let flags = [self.has_traces, self.has_subjects, self.has_metadata];
        let bits = (0..).zip(flags).map(|(place, flag)| u8::from(flag) << place);
        out.push(bits.fold(0, |all, bit| all | bit));
        for names in [&self.sources, &self.features, &self.environments] {
            out.push(u8::from(names.is_complete));
            varint::put(&mut out, names.list.len() as u64);
            for name in &names.list {
                varint::put(&mut out, name.len() as u64);
                out.extend_from_slice(name.as_bytes());
            }
        }
        out
    }

    /// From the stored form; `None` where it is none. Names that `known` has already are shared
    /// with it.
    pub fn decode(bytes: &[u8], known: &mut BTreeSet<Arc<str>>) -> Option<Header> {
        let (version, mut rest) = bytes.split_first()?;
        if *version != VERSION {
            return None;
        }
        let rest = &mut rest;
        let count = varint::take(rest)?;
        let times = (varint::take_signed(rest)?, varint::take_signed(rest)?);
        let numbers = (varint::take(rest)?, varint::take(rest)?);
        let mut levels = [0; 5];
        for level in &mut levels {
            *level = varint::take(rest)?;
        }
        let packed_at = varint::take_signed(rest)?;
        let bytes = varint::take(rest)?;
        let flags = varint::take_bytes(rest, 1)?[0];
        let mut names = || {
            let is_complete = varint::take_bytes(rest, 1)?[0] != 0;
            let len = usize::try_from(varint::take(rest)?).ok().filter(|len| *len <= NAMES_MAX)?;
            let mut list = Vec::with_capacity(len);
            for _ in 0..len {
                let len = usize::try_from(varint::take(rest)?).ok()?;
                let name = std::str::from_utf8(varint::take_bytes(rest, len)?).ok()?;
                list.push(shared(name, known));
            }
            Some(Names { list, is_complete })
        };
        let (sources, features, environments) = (names()?, names()?, names()?);
        let header = Header {
            count,
            times,
            numbers,
            levels,
            packed_at,
            bytes,
            has_traces: flags & 1 != 0,
            has_subjects: flags & 2 != 0,
            has_metadata: flags & 4 != 0,
            sources,
            features,
            environments,
        };
        let is_sound = times.0 <= times.1 && numbers.0 <= numbers.1 && rest.is_empty();
        is_sound.then_some(header)
    }

    /// The first id that a line of it may have.
    pub fn first(&self) -> LogId {
        LogId { time: Timestamp::from_millis(self.times.0), number: 0 }
    }

    /// The last.
    pub fn last(&self) -> LogId {
        LogId { time: Timestamp::from_millis(self.times.1), number: u64::MAX }
    }

    /// The time that counts for its age: that of its last line, but no later than it was packed,
    /// so that what claims to be of the future does not stay for ever.
    pub fn age_from(&self) -> i64 {
        self.times.1.min(self.packed_at)
    }

    /// The levels that it has.
    fn level_set(&self) -> LogLevels {
        let has = |level: &LogLevel| self.levels[*level as usize] > 0;
        LogLevel::ALL.into_iter().filter(has).fold(LogLevels::NONE, LogLevels::with)
    }

    /// Whether a line of it may pass.
    pub fn may_match(&self, filter: &LogFilter) -> bool {
        filter.from.is_none_or(|from| self.times.1 >= from.millis())
            && filter.until.is_none_or(|until| self.times.0 < until.millis())
            && filter.levels.intersects(self.level_set())
            && self.sources.may_have(&filter.sources)
            && self.features.may_have(&filter.features)
            && self.environments.may_have(&filter.environments)
            && (self.has_traces || filter.trace_id.as_ref().is_none_or(String::is_empty))
    }

    /// Whether every line of it passes, traces, users and texts aside.
    pub(super) fn all_pass(&self, filter: &LogFilter) -> bool {
        let levels = self.level_set();
        let within = |time| filter.contains_time(Timestamp::from_millis(time));
        within(self.times.0)
            && within(self.times.1)
            && levels.bits() & filter.levels.bits() == levels.bits()
            && self.sources.all_are(&filter.sources)
            && self.features.all_are(&filter.features)
            && self.environments.all_are(&filter.environments)
    }
}

fn has_names(dictionary: &Dictionary) -> bool {
    dictionary.names.iter().any(|name| !name.is_empty())
}

fn shared(name: &str, known: &mut BTreeSet<Arc<str>>) -> Arc<str> {
    if let Some(name) = known.get(name) {
        return Arc::clone(name);
    }
    let name: Arc<str> = name.into();
    known.insert(Arc::clone(&name));
    name
}
