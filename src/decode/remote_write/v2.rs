//! `io.prometheus.write.v2.Request`, remote write 2.0
//! (`prompb/io/prometheus/write/v2/types.proto`).

use super::exemplar::ExemplarIter;
use super::histogram::HistogramIter;
use super::series::{LabelKey, MetadataEntry, SampleIter, metric_type};
use crate::decode::wire::{Cursor, WireError, WireType};
use crate::model::{METRIC_NAME, MetricType};

/// Strings in the table of one request. Prometheus sends 2,000 series a request by default;
/// the cap keeps a table of empty strings from costing eight times its body in memory.
pub const SYMBOLS_MAX: usize = 1 << 20;

/// An inflated request whose table of strings has been read.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    body: Cursor<'a>,
    symbols: Vec<&'a str>,
}

impl<'a> Request<'a> {
    /// Reads the table of strings of an inflated body, the only allocation of a request. The
    /// series may stand before the table, as protobuf leaves the order of fields open.
    pub fn read(body: &'a [u8]) -> Result<Self, WireError> {
        let body = Cursor::new(body, 0);
        let mut symbols = Vec::new();
        let mut rest = body;
        while !rest.is_empty() {
            match rest.key()? {
                (4, WireType::Bytes) if symbols.len() < SYMBOLS_MAX => symbols.push(rest.text()?),
                (4, WireType::Bytes) => return Err(rest.error("more than 1048576 symbols")),
                (5, WireType::Bytes) => drop(rest.bytes()?),
                (4 | 5, _) => return Err(rest.wrong_layout()),
                (field, wire) => rest.skip(field, wire)?,
            }
        }
        Ok(Request { body, symbols })
    }

    /// The series. Ends after the first error; a request with an error is to be refused as a
    /// whole, so nothing read from it may be stored before the end is reached.
    pub fn series(&self) -> SeriesIter<'_, 'a> {
        SeriesIter { request: self, rest: self.body }
    }

    fn symbol(&self, reference: u64) -> Option<&'a str> {
        self.symbols.get(usize::try_from(reference).ok()?).copied()
    }
}

/// Goes through the series of a request.
#[derive(Clone, Debug)]
pub struct SeriesIter<'r, 'a> {
    request: &'r Request<'a>,
    rest: Cursor<'a>,
}

impl<'r, 'a> Iterator for SeriesIter<'r, 'a> {
    type Item = Result<Series<'r, 'a>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        let series = self.read().transpose()?;
        if series.is_err() {
            self.rest.rest = &[];
        }
        Some(series)
    }
}

impl<'r, 'a> SeriesIter<'r, 'a> {
    fn read(&mut self) -> Result<Option<Series<'r, 'a>>, WireError> {
        while !self.rest.is_empty() {
            match self.rest.key()? {
                (5, WireType::Bytes) => {
                    return Series::read(self.request, self.rest.message()?).map(Some);
                }
                (field, wire) => self.rest.skip(field, wire)?,
            }
        }
        Ok(None)
    }
}

/// One series. Its fields have been found; references and samples have not been read.
#[derive(Clone, Copy, Debug)]
pub struct Series<'r, 'a> {
    request: &'r Request<'a>,
    body: Cursor<'a>,
    /// From the first `labels_refs` field to the last.
    refs: Cursor<'a>,
    samples: Cursor<'a>,
    metadata: Option<(MetricType, &'a str, &'a str)>,
    created_ms: Option<i64>,
    exemplars: u32,
    /// From the first `histograms` field to the last.
    histograms: Cursor<'a>,
    histogram_count: u32,
}

impl<'r, 'a> Series<'r, 'a> {
    fn read(request: &'r Request<'a>, body: Cursor<'a>) -> Result<Self, WireError> {
        let base = body.offset();
        let (mut refs, mut samples, mut histograms) = ((0, 0), (0, 0), (0, 0));
        let nothing = Cursor::new(&[], base);
        let mut series = Series {
            request,
            body,
            refs: nothing,
            samples: nothing,
            metadata: None,
            created_ms: None,
            exemplars: 0,
            histograms: nothing,
            histogram_count: 0,
        };
        let mut rest = body;
        while !rest.is_empty() {
            let start = rest.offset() - base;
            let (field, wire) = rest.key()?;
            match (field, wire) {
                (1, WireType::Bytes | WireType::Varint) | (2, WireType::Bytes) => {
                    rest.skip(field, wire)?;
                    let range = if field == 1 { &mut refs } else { &mut samples };
                    if range.1 == 0 {
                        range.0 = start;
                    }
                    range.1 = rest.offset() - base;
                }
                (3, WireType::Bytes) => {
                    rest.bytes()?;
                    if series.histogram_count == 0 {
                        histograms.0 = start;
                    }
                    histograms.1 = rest.offset() - base;
                    series.histogram_count += 1;
                }
                (4, WireType::Bytes) => {
                    rest.bytes()?;
                    series.exemplars += 1;
                }
                (5, WireType::Bytes) => series.read_metadata(rest.message()?)?,
                (6, WireType::Varint) => series.created_ms = Some(rest.varint()?.cast_signed()),
                (1..=6, _) => return Err(rest.wrong_layout()),
                _ => rest.skip(field, wire)?,
            }
        }
        let part = |(start, end): (usize, usize)| {
            Cursor::new(body.rest.get(start..end).unwrap_or(&[]), base + start)
        };
        series.refs = part(refs);
        series.samples = part(samples);
        series.histograms = part(histograms);
        Ok(series)
    }

    /// Reads into what is there already: protobuf merges a message that comes twice.
    fn read_metadata(&mut self, mut rest: Cursor<'a>) -> Result<(), WireError> {
        let (mut kind, mut help, mut unit) = self.metadata.unwrap_or((MetricType::Unknown, "", ""));
        while !rest.is_empty() {
            match rest.key()? {
                (1, WireType::Varint) => kind = metric_type(rest.varint()?),
                (3, WireType::Varint) => help = self.text(&mut rest)?,
                (4, WireType::Varint) => unit = self.text(&mut rest)?,
                (1 | 3 | 4, _) => return Err(rest.wrong_layout()),
                (field, wire) => rest.skip(field, wire)?,
            }
        }
        self.metadata = Some((kind, help, unit));
        Ok(())
    }

    fn text(&self, rest: &mut Cursor<'a>) -> Result<&'a str, WireError> {
        let before = *rest;
        let reference = rest.varint()?;
        self.request
            .symbol(reference)
            .ok_or_else(|| before.error("a reference points beyond the symbols"))
    }

    /// The labels as a key for a cache, of the same form as version 1 gives, written to `scratch`.
    /// Fails on a reference beyond the symbols and on a name without a value.
    pub fn label_key<'s>(&self, scratch: &'s mut Vec<u8>) -> Result<LabelKey<'s>, WireError> {
        scratch.clear();
        let mut name = None;
        self.for_each_symbol(|symbol| match name.take() {
            None => name = Some(symbol),
            Some(name) => push_label(scratch, name, symbol),
        })?;
        if name.is_some() {
            return Err(self.refs.error("an odd number of label references"));
        }
        Ok(LabelKey { bytes: scratch, base: self.body.offset() })
    }

    fn for_each_symbol(&self, mut each: impl FnMut(&'a str)) -> Result<(), WireError> {
        let mut rest = self.refs;
        while !rest.is_empty() {
            match rest.key()? {
                (1, WireType::Bytes) => {
                    let mut packed = rest.message()?;
                    while !packed.is_empty() {
                        each(self.text(&mut packed)?);
                    }
                }
                (1, WireType::Varint) => each(self.text(&mut rest)?),
                (field, wire) => rest.skip(field, wire)?,
            }
        }
        Ok(())
    }

    /// The samples in the order in which they came.
    #[inline]
    pub fn samples(&self) -> SampleIter<'a> {
        SampleIter { cursor: self.samples }
    }

    /// What the sender says about the metric, if it says anything. The family is the metric's
    /// name without the suffix that a histogram's or summary's series have.
    pub fn metadata(&self) -> Result<Option<MetadataEntry<'a>>, WireError> {
        let Some((kind, help, unit)) = self.metadata else { return Ok(None) };
        let mut family = "";
        let mut previous = None;
        self.for_each_symbol(|symbol| match previous.take() {
            None => previous = Some(symbol),
            Some(name) if name == METRIC_NAME => family = symbol,
            Some(_) => {}
        })?;
        Ok(Some(MetadataEntry { family: family_name(family, kind), kind, help, unit }))
    }

    /// When a counter of this series began, in Unix milliseconds, if the sender says so (field 6
    /// of the first 2.0 specification).
    pub fn created_ms(&self) -> Option<i64> {
        self.created_ms
    }

    /// How many exemplars there are.
    #[inline]
    pub fn exemplar_count(&self) -> u32 {
        self.exemplars
    }

    /// The exemplars in the order in which they came.
    pub fn exemplars(&self) -> ExemplarIter<'r, 'a> {
        ExemplarIter { cursor: self.body, field: 4, symbols: Some(&self.request.symbols) }
    }

    /// How many native histograms there are.
    pub fn histogram_count(&self) -> u32 {
        self.histogram_count
    }

    /// The native histograms in the order in which they came; those of more than `buckets_max`
    /// buckets are refused.
    pub fn histograms(&self, buckets_max: usize) -> HistogramIter<'a> {
        HistogramIter { cursor: self.histograms, field: 3, buckets_max }
    }

    /// Where the series begins in the body.
    pub fn offset(&self) -> usize {
        self.body.offset()
    }
}

/// The family that a series of this name and type belongs to.
fn family_name(name: &str, kind: MetricType) -> &str {
    let suffixes: &[&str] = match kind {
        MetricType::Histogram => &["_bucket", "_count", "_sum"],
        MetricType::GaugeHistogram => &["_bucket", "_gcount", "_gsum"],
        MetricType::Summary => &["_count", "_sum"],
        MetricType::Counter
        | MetricType::Gauge
        | MetricType::Info
        | MetricType::StateSet
        | MetricType::Unknown => &[],
    };
    suffixes.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name)
}

/// Appends a label as version 1 encodes it.
fn push_label(out: &mut Vec<u8>, name: &str, value: &str) {
    let field_len = |text: &str| 1 + varint_len(text.len()) + text.len();
    out.push(0x0A);
    push_varint(out, field_len(name) + field_len(value));
    for (key, text) in [(0x0A, name), (0x12, value)] {
        out.push(key);
        push_varint(out, text.len());
        out.extend_from_slice(text.as_bytes());
    }
}

fn varint_len(value: usize) -> usize {
    (usize::BITS - (value | 1).leading_zeros()).div_ceil(7) as usize
}

fn push_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
