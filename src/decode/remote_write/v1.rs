//! `prometheus.WriteRequest`, remote write 1.0 (`prompb/remote.proto`, `prompb/types.proto`).

use super::exemplar::ExemplarIter;
use super::histogram::HistogramIter;
use super::series::{LabelKey, MetadataEntry, SampleIter, metric_type};
use crate::decode::wire::{Cursor, WireError, WireType};

/// Goes through an inflated request. Ends after the first error; a request with an error is to
/// be refused as a whole, so nothing read from it may be stored before the end is reached.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    cursor: Cursor<'a>,
}

/// One thing in a request.
#[derive(Clone, Copy, Debug)]
pub enum Entry<'a> {
    /// A series with samples.
    Series(Series<'a>),
    /// A statement about a metric family.
    Metadata(MetadataEntry<'a>),
}

impl<'a> Reader<'a> {
    /// Reads an inflated body.
    pub fn new(body: &'a [u8]) -> Self {
        Reader { cursor: Cursor::new(body, 0) }
    }
}

impl<'a> Iterator for Reader<'a> {
    type Item = Result<Entry<'a>, WireError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let entry = read_entry(&mut self.cursor).transpose()?;
        if entry.is_err() {
            self.cursor.rest = &[];
        }
        Some(entry)
    }
}

#[inline]
fn read_entry<'a>(cursor: &mut Cursor<'a>) -> Result<Option<Entry<'a>>, WireError> {
    while !cursor.is_empty() {
        match cursor.key()? {
            (1, WireType::Bytes) => {
                return Ok(Some(Entry::Series(Series::read(cursor.message()?)?)));
            }
            (3, WireType::Bytes) => {
                return Ok(Some(Entry::Metadata(read_metadata(cursor.message()?)?)));
            }
            (1 | 3, _) => return Err(cursor.wrong_layout()),
            (field, wire) => cursor.skip(field, wire)?,
        }
    }
    Ok(None)
}

/// One series. Its fields have been found, but neither labels nor samples been read.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// The whole message.
    body: Cursor<'a>,
    /// From the first label field to the last.
    labels: Cursor<'a>,
    labels_contiguous: bool,
    /// From the first sample field to the last.
    samples: Cursor<'a>,
    exemplars: u32,
    /// From the first histogram field to the last.
    histograms: Cursor<'a>,
    histogram_count: u32,
}

/// The key of a `labels` field.
const LABELS_KEY: u8 = 0x0A;

impl<'a> Series<'a> {
    #[inline]
    fn read(body: Cursor<'a>) -> Result<Self, WireError> {
        let mut rest = body;
        // Every sender known writes the labels first and each in less than 128 bytes: walk over
        // such a run without looking at anything but key and length.
        while let [LABELS_KEY, len @ 0..=127, tail @ ..] = rest.rest
            && let Some(tail) = tail.get(usize::from(*len)..)
        {
            rest.rest = tail;
        }
        let base = body.offset();
        let run = rest.offset() - base;
        let mut found = Found { labels: (0, run), contiguous: true, ..Found::default() };
        while !rest.is_empty() {
            found.field(&mut rest, base)?;
        }
        let part = |(start, end): (usize, usize)| {
            Cursor::new(body.rest.get(start..end).unwrap_or(&[]), base + start)
        };
        Ok(Series {
            body,
            labels: part(found.labels),
            labels_contiguous: found.contiguous,
            samples: part(found.samples),
            exemplars: found.exemplars,
            histograms: part(found.histograms),
            histogram_count: found.histogram_count,
        })
    }

    /// The labels as a key for a cache. `scratch` is only written to when the label fields do not
    /// stand side by side, which no sender known does.
    #[inline]
    pub fn label_key<'s>(&self, scratch: &'s mut Vec<u8>) -> LabelKey<'s>
    where
        'a: 's,
    {
        if self.labels_contiguous {
            return LabelKey { bytes: self.labels.rest, base: self.labels.offset() };
        }
        scratch.clear();
        let mut rest = self.labels;
        while !rest.is_empty() {
            let start = rest.rest;
            // Read once already by `read`: an error cannot come up any more, and would end this.
            let Ok((field, wire)) = rest.key() else { break };
            if rest.skip(field, wire).is_err() {
                break;
            }
            if field == 1 {
                scratch.extend_from_slice(&start[..start.len() - rest.rest.len()]);
            }
        }
        LabelKey { bytes: scratch, base: self.body.offset() }
    }

    /// The samples in the order in which they came.
    #[inline]
    pub fn samples(&self) -> SampleIter<'a> {
        SampleIter { cursor: self.samples }
    }

    /// How many exemplars there are.
    #[inline]
    pub fn exemplar_count(&self) -> u32 {
        self.exemplars
    }

    /// The exemplars in the order in which they came.
    pub fn exemplars(&self) -> ExemplarIter<'a, 'a> {
        ExemplarIter { cursor: self.body, field: 3, symbols: None }
    }

    /// How many native histograms there are.
    #[inline]
    pub fn histogram_count(&self) -> u32 {
        self.histogram_count
    }

    /// The native histograms in the order in which they came; those of more than `buckets_max`
    /// buckets are refused.
    pub fn histograms(&self, buckets_max: usize) -> HistogramIter<'a> {
        HistogramIter { cursor: self.histograms, field: 4, buckets_max }
    }

    /// Where the series begins in the body.
    pub fn offset(&self) -> usize {
        self.body.offset()
    }
}

/// What is known of a series while its fields are gone through. Ranges are relative to it.
#[derive(Default)]
struct Found {
    labels: (usize, usize),
    contiguous: bool,
    samples: (usize, usize),
    exemplars: u32,
    histograms: (usize, usize),
    histogram_count: u32,
}

impl Found {
    #[inline]
    fn field(&mut self, rest: &mut Cursor<'_>, base: usize) -> Result<(), WireError> {
        let start = rest.offset() - base;
        match rest.key()? {
            (2, WireType::Bytes) => {
                rest.bytes()?;
                if self.samples.1 == 0 {
                    self.samples.0 = start;
                }
                self.samples.1 = rest.offset() - base;
            }
            (1, WireType::Bytes) => {
                rest.bytes()?;
                if self.labels.1 == 0 {
                    self.labels.0 = start;
                } else if self.labels.1 != start {
                    self.contiguous = false;
                }
                self.labels.1 = rest.offset() - base;
            }
            (3, WireType::Bytes) => {
                rest.bytes()?;
                self.exemplars += 1;
            }
            (4, WireType::Bytes) => {
                rest.bytes()?;
                if self.histogram_count == 0 {
                    self.histograms.0 = start;
                }
                self.histograms.1 = rest.offset() - base;
                self.histogram_count += 1;
            }
            (1..=4, _) => return Err(rest.wrong_layout()),
            (field, wire) => rest.skip(field, wire)?,
        }
        Ok(())
    }
}

fn read_metadata(mut rest: Cursor<'_>) -> Result<MetadataEntry<'_>, WireError> {
    let mut entry = MetadataEntry { family: "", kind: metric_type(0), help: "", unit: "" };
    while !rest.is_empty() {
        match rest.key()? {
            (1, WireType::Varint) => entry.kind = metric_type(rest.varint()?),
            (2, WireType::Bytes) => entry.family = rest.text()?,
            (4, WireType::Bytes) => entry.help = rest.text()?,
            (5, WireType::Bytes) => entry.unit = rest.text()?,
            (1 | 2 | 4 | 5, _) => return Err(rest.wrong_layout()),
            (field, wire) => rest.skip(field, wire)?,
        }
    }
    Ok(entry)
}
