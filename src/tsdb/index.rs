//! The series that are known, and which of them have which labels.

use hashbrown::{HashMap, HashTable};
use roaring::RoaringBitmap;
use xxhash_rust::xxh3::xxh3_64;

use super::postings::Postings;
use super::symbols::Symbols;
use crate::model::{Labels, MatchOp, Matcher};

/// Series by id and by label.
#[derive(Debug, Default)]
pub(super) struct Index {
    symbols: Symbols,
    /// Name and value of every label of every series, one series after another.
    pairs: Vec<(u32, u32)>,
    /// Where each series' pairs begin and end, by id; equal for ids without a series.
    spans: Vec<(u32, u32)>,
    by_labels: HashTable<ByLabels>,
    postings: HashMap<(u32, u32), Postings>,
    /// The values of each name, in the order of their first appearance.
    values: HashMap<u32, Vec<u32>>,
    all: RoaringBitmap,
}

/// An entry keeps half of its hash: growing the table must not put every label set together anew.
#[derive(Clone, Copy, Debug)]
struct ByLabels {
    id: u32,
    hash: u32,
}

fn hash(labels: &Labels) -> u32 {
    xxh3_64(labels.as_bytes()) as u32
}

/// Spreads half a hash over all bits, as the table wants it (Fibonacci hashing, Knuth, TAOCP 3,
/// 6.4).
const fn spread(hash: u32) -> u64 {
    (hash as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Figures for `status/tsdb`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexStats {
    /// Series.
    pub series: u64,
    /// Different name–value pairs.
    pub label_pairs: u64,
    /// Series per metric name, the most first.
    pub series_by_metric: Vec<(String, u64)>,
    /// Values per label name, the most first.
    pub values_by_label: Vec<(String, u64)>,
    /// Series per name–value pair, the most first.
    pub series_by_pair: Vec<(String, u64)>,
}

impl Index {
    /// How many series there are.
    pub(super) fn len(&self) -> u64 {
        self.all.len()
    }

    /// The first id that was never given out.
    pub(super) fn next_id(&self) -> u32 {
        self.spans.len() as u32
    }

    /// All ids.
    pub(super) fn all(&self) -> &RoaringBitmap {
        &self.all
    }

    /// The id of a label set.
    pub(super) fn find(&self, labels: &Labels) -> Option<u32> {
        let hash = hash(labels);
        let same =
            |entry: &ByLabels| entry.hash == hash && self.pairs_of(entry.id).eq(labels.iter());
        self.by_labels.find(spread(hash), same).map(|entry| entry.id)
    }

    /// Adds a label set under an id that is not in use.
    pub(super) fn insert(&mut self, id: u32, labels: &Labels) {
        let start = self.pairs.len() as u32;
        for (name, value) in labels.iter() {
            let pair = (self.symbols.intern(name), self.symbols.intern(value));
            self.pairs.push(pair);
            match self.postings.entry(pair) {
                hashbrown::hash_map::Entry::Occupied(mut known) => known.get_mut().insert(id),
                hashbrown::hash_map::Entry::Vacant(fresh) => {
                    fresh.insert(Postings::One(id));
                    self.values.entry(pair.0).or_default().push(pair.1);
                }
            }
        }
        if self.spans.len() <= id as usize {
            self.spans.resize(id as usize + 1, (0, 0));
        }
        self.spans[id as usize] = (start, self.pairs.len() as u32);
        self.all.insert(id);
        let entry = ByLabels { id, hash: hash(labels) };
        self.by_labels.insert_unique(spread(entry.hash), entry, |entry| spread(entry.hash));
    }

    /// Forgets series. Their texts stay until the next start.
    pub(super) fn remove(&mut self, gone: &RoaringBitmap) {
        let mut touched: Vec<(u32, u32)> = Vec::new();
        for id in gone {
            if !self.all.contains(id) {
                continue;
            }
            let labels = self.labels(id);
            let same = |other: &ByLabels| other.id == id;
            if let Ok(found) = self.by_labels.find_entry(spread(hash(&labels)), same) {
                found.remove();
            }
            let (from, until) = std::mem::take(&mut self.spans[id as usize]);
            touched.extend_from_slice(&self.pairs[from as usize..until as usize]);
        }
        touched.sort_unstable();
        touched.dedup();
        for pair in touched {
            let left = self.postings.get_mut(&pair).is_some_and(|p| p.remove_all(gone));
            if !left {
                self.postings.remove(&pair);
                if let Some(values) = self.values.get_mut(&pair.0) {
                    values.retain(|value| *value != pair.1);
                }
            }
        }
        self.values.retain(|_, values| !values.is_empty());
        self.all -= gone;
    }

    fn pairs_of(&self, id: u32) -> impl Iterator<Item = (&str, &str)> {
        let (from, until) = self.spans.get(id as usize).copied().unwrap_or_default();
        self.pairs[from as usize..until as usize]
            .iter()
            .map(|(name, value)| (self.symbols.text(*name), self.symbols.text(*value)))
    }

    /// The labels of a series; the empty set where there is no such series.
    pub(super) fn labels(&self, id: u32) -> Labels {
        // Pairs were taken from a valid set in its order.
        Labels::from_sorted(self.pairs_of(id)).unwrap_or_default()
    }

    /// The series that satisfy all matchers.
    pub(super) fn select(&self, matchers: &[Matcher]) -> RoaringBitmap {
        let mut found: Option<RoaringBitmap> = None;
        // Those that name what must be there narrow the set; the rest then take away from it.
        let (required, allowed): (Vec<&Matcher>, Vec<&Matcher>) =
            matchers.iter().partition(|matcher| !matcher.matches(""));
        for matcher in required {
            found = Some(match found {
                Some(found) if found.is_empty() => return found,
                Some(found) => self.narrow(found, matcher),
                None => self.having(matcher),
            });
        }
        let mut found = found.unwrap_or_else(|| self.all.clone());
        for matcher in allowed {
            let Some(name) = self.symbols.find(matcher.name()) else { continue };
            for postings in self.postings_where(name, |value| !matcher.matches(value)) {
                match postings {
                    Postings::Many(ids) => found -= ids.as_ref(),
                    few => found -= &few.to_bitmap(),
                }
            }
        }
        found
    }

    fn narrow(&self, found: RoaringBitmap, matcher: &Matcher) -> RoaringBitmap {
        if matcher.op() == MatchOp::Equal {
            return match self.postings_of(matcher.name(), matcher.value()) {
                Some(postings) => postings.intersection(&found),
                None => RoaringBitmap::new(),
            };
        }
        found & self.having(matcher)
    }

    /// The series that have the label, with a value that satisfies the matcher.
    fn having(&self, matcher: &Matcher) -> RoaringBitmap {
        let mut out = RoaringBitmap::new();
        if matcher.op() == MatchOp::Equal {
            if let Some(postings) = self.postings_of(matcher.name(), matcher.value()) {
                postings.union_into(&mut out);
            }
            return out;
        }
        if let Some(literals) = literals(matcher) {
            for literal in literals {
                if let Some(postings) = self.postings_of(matcher.name(), &literal) {
                    postings.union_into(&mut out);
                }
            }
            return out;
        }
        if let Some(name) = self.symbols.find(matcher.name()) {
            for postings in self.postings_where(name, |value| matcher.matches(value)) {
                postings.union_into(&mut out);
            }
        }
        out
    }

    fn postings_of(&self, name: &str, value: &str) -> Option<&Postings> {
        self.postings.get(&(self.symbols.find(name)?, self.symbols.find(value)?))
    }

    fn postings_where(
        &self,
        name: u32,
        keep: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = &Postings> {
        let values = self.values.get(&name).map(Vec::as_slice).unwrap_or_default();
        values
            .iter()
            .filter(move |value| keep(self.symbols.text(**value)))
            .filter_map(move |value| self.postings.get(&(name, *value)))
    }

    /// The label names of some series, sorted.
    pub(super) fn names(&self, among: &RoaringBitmap) -> Vec<String> {
        let mut names: Vec<String> = self
            .values
            .keys()
            .filter(|name| {
                self.postings_where(**name, |_| true).any(|p| !p.intersection(among).is_empty())
            })
            .map(|name| self.symbols.text(*name).to_owned())
            .collect();
        names.sort_unstable();
        names
    }

    /// The values of a label among some series, sorted.
    pub(super) fn values(&self, name: &str, among: &RoaringBitmap) -> Vec<String> {
        let Some(name) = self.symbols.find(name) else { return Vec::new() };
        let values = self.values.get(&name).map(Vec::as_slice).unwrap_or_default();
        let mut found: Vec<String> = values
            .iter()
            .filter(|value| {
                self.postings
                    .get(&(name, **value))
                    .is_some_and(|p| !p.intersection(among).is_empty())
            })
            .map(|value| self.symbols.text(*value).to_owned())
            .collect();
        found.sort_unstable();
        found
    }

    /// Figures, with the `top` entries of each list.
    pub(super) fn stats(&self, top: usize) -> IndexStats {
        let mut stats = IndexStats {
            series: self.len(),
            label_pairs: self.postings.len() as u64,
            ..IndexStats::default()
        };
        let metric = self.symbols.find(crate::model::METRIC_NAME);
        for ((name, value), postings) in &self.postings {
            let (name_text, value_text) = (self.symbols.text(*name), self.symbols.text(*value));
            if Some(*name) == metric {
                stats.series_by_metric.push((value_text.to_owned(), postings.len()));
            }
            stats.series_by_pair.push((format!("{name_text}={value_text}"), postings.len()));
        }
        for (name, values) in &self.values {
            stats.values_by_label.push((self.symbols.text(*name).to_owned(), values.len() as u64));
        }
        for list in
            [&mut stats.series_by_metric, &mut stats.values_by_label, &mut stats.series_by_pair]
        {
            list.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            list.truncate(top);
        }
        stats
    }
}

/// The most literals that an expression is taken apart into.
const LITERALS_MAX: usize = 256;

/// The values that a regular expression can match, where it is only a choice of literals
/// (`a|b|c`): then they are looked up instead of trying every value.
fn literals(matcher: &Matcher) -> Option<Vec<String>> {
    if matcher.op() != MatchOp::Regex {
        return None;
    }
    let hir = regex_syntax::parse(matcher.expression()?).ok()?;
    let mut found = Vec::new();
    collect_literals(&hir, &mut found)?;
    Some(found)
}

fn collect_literals(hir: &regex_syntax::hir::Hir, out: &mut Vec<String>) -> Option<()> {
    use regex_syntax::hir::HirKind;
    match hir.kind() {
        HirKind::Literal(literal) => out.push(String::from_utf8(literal.0.to_vec()).ok()?),
        HirKind::Alternation(branches) => {
            branches.iter().try_for_each(|branch| collect_literals(branch, out))?;
        }
        HirKind::Capture(capture) => collect_literals(&capture.sub, out)?,
        // `a[12]` is parsed as a concatenation of a literal and a class.
        HirKind::Concat(parts) => {
            let mut prefixes = vec![String::new()];
            for part in parts {
                let mut options = Vec::new();
                collect_literals(part, &mut options)?;
                if prefixes.len() * options.len() > LITERALS_MAX {
                    return None;
                }
                prefixes = prefixes
                    .iter()
                    .flat_map(|prefix| options.iter().map(move |o| format!("{prefix}{o}")))
                    .collect();
            }
            out.extend(prefixes);
        }
        HirKind::Class(regex_syntax::hir::Class::Unicode(class)) => {
            for range in class.ranges() {
                let (from, until) = (range.start() as u32, range.end() as u32);
                if (until - from) as usize > LITERALS_MAX {
                    return None;
                }
                out.extend((from..=until).filter_map(char::from_u32).map(String::from));
            }
        }
        HirKind::Class(regex_syntax::hir::Class::Bytes(_))
        | HirKind::Empty
        | HirKind::Look(_)
        | HirKind::Repetition(_) => return None,
    }
    (out.len() <= LITERALS_MAX).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        Labels::from_pairs(pairs.iter().copied()).expect("valid")
    }

    fn index() -> Index {
        let mut index = Index::default();
        for (id, pairs) in [
            &[("__name__", "up"), ("job", "node"), ("zone", "a")][..],
            &[("__name__", "up"), ("job", "web")],
            &[("__name__", "down"), ("job", "node")],
        ]
        .into_iter()
        .enumerate()
        {
            index.insert(id as u32, &labels(pairs));
        }
        index
    }

    fn select(index: &Index, matchers: &[(&str, MatchOp, &str)]) -> Vec<u32> {
        let matchers: Vec<Matcher> =
            matchers.iter().map(|(n, op, v)| Matcher::new(*n, *op, *v).expect("valid")).collect();
        index.select(&matchers).into_iter().collect()
    }

    #[test]
    fn matchers_select_as_in_prometheus() {
        use MatchOp::{Equal, NotEqual, NotRegex, Regex};
        let index = index();
        assert_eq!(select(&index, &[("__name__", Equal, "up")]), [0, 1]);
        assert_eq!(select(&index, &[("__name__", Equal, "up"), ("job", NotEqual, "web")]), [0]);
        assert_eq!(select(&index, &[("job", Regex, "no.*")]), [0, 2]);
        assert_eq!(select(&index, &[("job", Regex, "node|web")]), [0, 1, 2]);
        assert_eq!(select(&index, &[("job", Regex, "(n|w)(ode|eb)")]), [0, 1, 2]);
        assert_eq!(select(&index, &[("job", NotRegex, "n.+")]), [1]);
        // An absent label is the empty value.
        assert_eq!(select(&index, &[("__name__", Equal, "up"), ("zone", Equal, "")]), [1]);
        assert_eq!(select(&index, &[("__name__", Equal, "up"), ("zone", NotEqual, "")]), [0]);
        assert_eq!(select(&index, &[("__name__", Equal, "up"), ("zone", Regex, "a|")]), [0, 1]);
        assert_eq!(select(&index, &[("zone", Regex, ".*")]), [0, 1, 2]);
        assert_eq!(select(&index, &[("nowhere", Equal, "x")]), Vec::<u32>::new());
        assert_eq!(select(&index, &[("nowhere", NotEqual, "x")]), [0, 1, 2]);
    }

    #[test]
    fn a_case_insensitive_choice_is_no_list_of_literals() {
        let mut index = index();
        index.insert(3, &labels(&[("__name__", "up"), ("job", "NODE")]));
        assert_eq!(select(&index, &[("job", MatchOp::Regex, "(?i)node")]), [0, 2, 3]);
    }

    #[test]
    fn removed_series_leave_nothing_behind() {
        let mut index = index();
        index.remove(&[0, 1].into_iter().collect());
        assert_eq!(index.find(&labels(&[("__name__", "up"), ("job", "web")])), None);
        assert_eq!(index.names(index.all()), ["__name__", "job"]);
        assert_eq!(index.values("job", index.all()), ["node"]);
        assert_eq!(index.len(), 1);
        index.insert(3, &labels(&[("__name__", "up"), ("job", "web")]));
        assert_eq!(index.find(&labels(&[("__name__", "up"), ("job", "web")])), Some(3));
        assert_eq!(index.labels(2), labels(&[("__name__", "down"), ("job", "node")]));
    }
}
