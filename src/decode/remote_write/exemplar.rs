//! Exemplars: the message `Exemplar` of both versions (`prompb/types.proto`,
//! `prompb/io/prometheus/write/v2/types.proto`), which differ in how labels are written.

use crate::decode::wire::{Cursor, WireError, WireType};
use crate::model::{Exemplar, Labels, Timestamp};

/// Goes through the exemplars of one series. Ends after the first error. `None` stands for one
/// whose labels are no set: a name that is empty or comes twice.
#[derive(Clone, Debug)]
pub struct ExemplarIter<'r, 'a> {
    /// The whole series: exemplars are few, and not worth remembering where they are.
    pub(super) cursor: Cursor<'a>,
    /// The number of the field: 3 in version 1, 4 in version 2.
    pub(super) field: u32,
    /// The strings that version 2 refers to.
    pub(super) symbols: Option<&'r [&'a str]>,
}

impl Iterator for ExemplarIter<'_, '_> {
    type Item = Result<Option<Exemplar>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = self.find();
        if found.is_err() {
            self.cursor.rest = &[];
        }
        found.transpose()
    }
}

impl<'a> ExemplarIter<'_, 'a> {
    fn find(&mut self) -> Result<Option<Option<Exemplar>>, WireError> {
        while !self.cursor.is_empty() {
            match self.cursor.key()? {
                (field, WireType::Bytes) if field == self.field => {
                    let message = self.cursor.message()?;
                    return self.read(message).map(Some);
                }
                (field, wire) => self.cursor.skip(field, wire)?,
            }
        }
        Ok(None)
    }

    fn read(&self, mut rest: Cursor<'a>) -> Result<Option<Exemplar>, WireError> {
        let mut texts: Vec<&'a str> = Vec::new();
        let (mut value, mut at_ms) = (0.0, 0_i64);
        while !rest.is_empty() {
            match (rest.key()?, self.symbols) {
                ((1, WireType::Bytes), None) => texts.extend(label(rest.message()?)?),
                ((1, WireType::Bytes), Some(symbols)) => {
                    let mut packed = rest.message()?;
                    while !packed.is_empty() {
                        texts.push(symbol(&mut packed, symbols)?);
                    }
                }
                ((1, WireType::Varint), Some(symbols)) => texts.push(symbol(&mut rest, symbols)?),
                ((2, WireType::Fixed64), _) => value = f64::from_bits(rest.fixed64()?),
                ((3, WireType::Varint), _) => at_ms = rest.varint()?.cast_signed(),
                ((1..=3, _), _) => return Err(rest.wrong_layout()),
                ((field, wire), _) => rest.skip(field, wire)?,
            }
        }
        if !texts.len().is_multiple_of(2) {
            return Err(rest.error("an odd number of label references"));
        }
        let pairs = texts.chunks_exact(2).map(|pair| (pair[0], pair[1]));
        let at = Timestamp::from_millis(at_ms);
        // Time 0 is how a sender says that there is none.
        let exemplar = |labels| Exemplar { labels, value, at, timed: at_ms != 0 };
        Ok(Labels::from_pairs(pairs).ok().map(exemplar))
    }
}

fn label(mut rest: Cursor<'_>) -> Result<[&str; 2], WireError> {
    let (mut name, mut value) = ("", "");
    while !rest.is_empty() {
        match rest.key()? {
            (1, WireType::Bytes) => name = rest.text()?,
            (2, WireType::Bytes) => value = rest.text()?,
            (1 | 2, _) => return Err(rest.wrong_layout()),
            (field, wire) => rest.skip(field, wire)?,
        }
    }
    Ok([name, value])
}

fn symbol<'a>(rest: &mut Cursor<'_>, symbols: &[&'a str]) -> Result<&'a str, WireError> {
    let before = *rest;
    let reference = rest.varint()?;
    let found = usize::try_from(reference).ok().and_then(|reference| symbols.get(reference));
    found.copied().ok_or_else(|| before.error("a reference points beyond the symbols"))
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::super::messages::{one, two};
    use super::super::{v1, v2};
    use super::*;

    fn expected() -> Vec<Exemplar> {
        [("a", 1.5, 1000, true), ("b", -2.0, 0, false)]
            .map(|(trace, value, at_ms, timed)| Exemplar {
                labels: Labels::from_pairs([("trace_id", trace)]).expect("valid"),
                value,
                at: Timestamp::from_millis(at_ms),
                timed,
            })
            .to_vec()
    }

    #[test]
    fn both_versions_give_the_exemplars_that_prost_wrote() {
        let label =
            |name: &str, value: &str| one::Label { name: name.to_owned(), value: value.to_owned() };
        let first = |trace: &str, value, timestamp| {
            one::Exemplar { labels: vec![label("trace_id", trace)], value, timestamp }
                .encode_to_vec()
        };
        let series = one::TimeSeries {
            labels: vec![label("__name__", "x")],
            exemplars: vec![first("a", 1.5, 1000), first("b", -2.0, 0)],
            ..one::TimeSeries::default()
        };
        let body = one::WriteRequest { timeseries: vec![series], metadata: Vec::new() };
        let body = body.encode_to_vec();
        let Some(Ok(v1::Entry::Series(series))) = v1::Reader::new(&body).next() else {
            panic!("a series")
        };
        let found: Result<Vec<_>, _> = series.exemplars().collect();
        assert_eq!(found, Ok(expected().into_iter().map(Some).collect()));

        let symbols = ["", "__name__", "x", "trace_id", "a", "b"].map(str::to_owned).to_vec();
        let exemplar = |labels_refs: &[u32], value, timestamp| two::Exemplar {
            labels_refs: labels_refs.to_vec(),
            value,
            timestamp,
        };
        let body = |exemplars: Vec<two::Exemplar>| {
            let series = two::TimeSeries {
                labels_refs: vec![1, 2],
                exemplars: exemplars.iter().map(two::Exemplar::encode_to_vec).collect(),
                ..two::TimeSeries::default()
            };
            two::Request { symbols: symbols.clone(), timeseries: vec![series] }.encode_to_vec()
        };
        let read = |body: &[u8]| {
            let request = v2::Request::read(body).expect("symbols");
            let series = request.series().next().expect("one").expect("a series");
            series.exemplars().collect::<Result<Vec<_>, _>>()
        };
        let found = read(&body(vec![exemplar(&[3, 4], 1.5, 1000), exemplar(&[3, 5], -2.0, 0)]));
        assert_eq!(found, Ok(expected().into_iter().map(Some).collect()));
        assert!(read(&body(vec![exemplar(&[3, 6], 1.0, 1)])).is_err(), "beyond the symbols");
        assert!(read(&body(vec![exemplar(&[3], 1.0, 1)])).is_err(), "a name without a value");
        assert_eq!(read(&body(vec![exemplar(&[3, 4, 3, 5], 1.0, 1)])), Ok(vec![None]));
    }
}
