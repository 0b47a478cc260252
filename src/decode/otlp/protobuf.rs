//! The protobuf form, read with [`Cursor`]. Field numbers are those of
//! `opentelemetry/proto/{collector/metrics,metrics,common,resource}/v1/*.proto`; what has another
//! wire type than declared is skipped like an unknown field, as Go's reader does.

use super::message::{
    DenseBuckets, Exemplar, ExponentialHistogram, ExponentialPoint, Gauge, Histogram,
    HistogramPoint, KeyValue, Metric, NumberPoint, QuantileValue, Request, Resource,
    ResourceMetrics, Scope, ScopeMetrics, Sum, Summary, SummaryPoint, Temporality,
};
use super::value::AnyValue;
use super::{OtlpError, PARTS_MAX};
use crate::decode::wire::{
    Cursor,
    WireType::{Bytes, Fixed64, Varint},
};

/// How deep arrays and maps may be nested in an attribute.
const VALUE_DEPTH_MAX: u32 = 64;

type Read<T> = Result<T, OtlpError>;

pub(super) fn read(body: &[u8]) -> Read<Request> {
    let mut reader = Reader { parts_left: PARTS_MAX };
    let mut request = Request::default();
    let mut rest = Cursor::new(body, 0);
    while !rest.is_empty() {
        match rest.key()? {
            (1, Bytes) => request.resource_metrics.push(reader.resource_metrics(&mut rest)?),
            (field, wire) => rest.skip(field, wire)?,
        }
    }
    Ok(request)
}

/// Counts the parts that may still come.
struct Reader {
    parts_left: usize,
}

fn double(rest: &mut Cursor<'_>) -> Read<f64> {
    Ok(f64::from_bits(rest.fixed64()?))
}

/// `sint32`: zig-zag.
fn signed32(rest: &mut Cursor<'_>) -> Read<i32> {
    let number = rest.varint()? as u32;
    Ok((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
}

fn text(rest: &mut Cursor<'_>) -> Read<String> {
    Ok(rest.text()?.to_owned())
}

fn hexadecimal(rest: &mut Cursor<'_>) -> Read<String> {
    let bytes = rest.bytes()?;
    // Identifiers have 8 or 16 bytes; what is much longer is none.
    Ok(bytes.iter().take(64).map(|byte| format!("{byte:02x}")).collect())
}

/// Packed 64-bit numbers, appended to `out`.
fn packed64(rest: &mut Cursor<'_>, mut take: impl FnMut(u64)) -> Read<()> {
    let mut packed = rest.message()?;
    while !packed.is_empty() {
        take(packed.fixed64()?);
    }
    Ok(())
}

/// Goes through the fields of the message that comes next.
macro_rules! message {
    ($reader:expr, $rest:expr, $into:ident: $kind:ty, $field:ident { $($pattern:pat => $action:expr,)* }) => {{
        let mut $field = $reader.part($rest)?;
        let mut $into = <$kind>::default();
        while !$field.is_empty() {
            match $field.key()? {
                $($pattern => $action,)*
                (number, wire) => $field.skip(number, wire)?,
            }
        }
        Ok($into)
    }};
}

pub(super) mod log_records;

impl Reader {
    fn part<'a>(&mut self, rest: &mut Cursor<'a>) -> Read<Cursor<'a>> {
        self.parts_left =
            self.parts_left.checked_sub(1).ok_or(OtlpError::TooManyParts { max: PARTS_MAX })?;
        Ok(rest.message()?)
    }

    fn resource_metrics(&mut self, rest: &mut Cursor<'_>) -> Read<ResourceMetrics> {
        message!(self, rest, out: ResourceMetrics, field {
            (1, Bytes) => out.resource.attributes.append(&mut self.resource(&mut field)?.attributes),
            (2, Bytes) => out.scope_metrics.push(self.scope_metrics(&mut field)?),
        })
    }

    fn resource(&mut self, rest: &mut Cursor<'_>) -> Read<Resource> {
        message!(self, rest, out: Resource, field {
            (1, Bytes) => out.attributes.push(self.key_value(&mut field, VALUE_DEPTH_MAX)?),
        })
    }

    fn scope_metrics(&mut self, rest: &mut Cursor<'_>) -> Read<ScopeMetrics> {
        message!(self, rest, out: ScopeMetrics, field {
            (1, Bytes) => out.scope = self.scope(&mut field)?,
            (2, Bytes) => out.metrics.push(self.metric(&mut field)?),
            (3, Bytes) => out.schema_url = text(&mut field)?,
        })
    }

    fn scope(&mut self, rest: &mut Cursor<'_>) -> Read<Scope> {
        message!(self, rest, out: Scope, field {
            (1, Bytes) => out.name = text(&mut field)?,
            (2, Bytes) => out.version = text(&mut field)?,
            (3, Bytes) => out.attributes.push(self.key_value(&mut field, VALUE_DEPTH_MAX)?),
        })
    }

    fn metric(&mut self, rest: &mut Cursor<'_>) -> Read<Metric> {
        message!(self, rest, out: Metric, field {
            (1, Bytes) => out.name = text(&mut field)?,
            (2, Bytes) => out.description = text(&mut field)?,
            (3, Bytes) => out.unit = text(&mut field)?,
            (5, Bytes) => out.gauge = Some(self.gauge(&mut field)?),
            (7, Bytes) => out.sum = Some(self.sum(&mut field)?),
            (9, Bytes) => out.histogram = Some(self.histogram(&mut field)?),
            (10, Bytes) => {
                out.exponential_histogram = Some(self.exponential_histogram(&mut field)?);
            },
            (11, Bytes) => out.summary = Some(self.summary(&mut field)?),
        })
    }

    fn gauge(&mut self, rest: &mut Cursor<'_>) -> Read<Gauge> {
        message!(self, rest, out: Gauge, field {
            (1, Bytes) => out.data_points.push(self.number_point(&mut field)?),
        })
    }

    fn sum(&mut self, rest: &mut Cursor<'_>) -> Read<Sum> {
        message!(self, rest, out: Sum, field {
            (1, Bytes) => out.data_points.push(self.number_point(&mut field)?),
            (2, Varint) => out.aggregation_temporality = Temporality::from_number(field.varint()?),
            (3, Varint) => out.is_monotonic = field.varint()? != 0,
        })
    }

    fn histogram(&mut self, rest: &mut Cursor<'_>) -> Read<Histogram> {
        message!(self, rest, out: Histogram, field {
            (1, Bytes) => out.data_points.push(self.histogram_point(&mut field)?),
            (2, Varint) => out.aggregation_temporality = Temporality::from_number(field.varint()?),
        })
    }

    fn exponential_histogram(&mut self, rest: &mut Cursor<'_>) -> Read<ExponentialHistogram> {
        message!(self, rest, out: ExponentialHistogram, field {
            (1, Bytes) => out.data_points.push(self.exponential_point(&mut field)?),
            (2, Varint) => out.aggregation_temporality = Temporality::from_number(field.varint()?),
        })
    }

    fn summary(&mut self, rest: &mut Cursor<'_>) -> Read<Summary> {
        message!(self, rest, out: Summary, field {
            (1, Bytes) => out.data_points.push(self.summary_point(&mut field)?),
        })
    }

    fn number_point(&mut self, rest: &mut Cursor<'_>) -> Read<NumberPoint> {
        message!(self, rest, out: NumberPoint, field {
            (3, Fixed64) => out.time_unix_nano = field.fixed64()?,
            // One of the two: the later one counts.
            (4, Fixed64) => (out.as_double, out.as_int) = (Some(double(&mut field)?), None),
            (6, Fixed64) => {
                (out.as_double, out.as_int) = (None, Some(field.fixed64()?.cast_signed()));
            },
            (5, Bytes) => out.exemplars.push(self.exemplar(&mut field)?),
            (7, Bytes) => out.attributes.push(self.key_value(&mut field, VALUE_DEPTH_MAX)?),
            (8, Varint) => out.flags = field.varint()? as u32,
        })
    }

    fn histogram_point(&mut self, rest: &mut Cursor<'_>) -> Read<HistogramPoint> {
        message!(self, rest, out: HistogramPoint, field {
            (3, Fixed64) => out.time_unix_nano = field.fixed64()?,
            (4, Fixed64) => out.count = field.fixed64()?,
            (5, Fixed64) => out.sum = Some(double(&mut field)?),
            (6, Bytes) => packed64(&mut field, |n| out.bucket_counts.push(n))?,
            (6, Fixed64) => out.bucket_counts.push(field.fixed64()?),
            (7, Bytes) => packed64(&mut field, |n| out.explicit_bounds.push(f64::from_bits(n)))?,
            (7, Fixed64) => out.explicit_bounds.push(double(&mut field)?),
            (8, Bytes) => out.exemplars.push(self.exemplar(&mut field)?),
            (9, Bytes) => out.attributes.push(self.key_value(&mut field, VALUE_DEPTH_MAX)?),
            (10, Varint) => out.flags = field.varint()? as u32,
        })
    }

    fn exponential_point(&mut self, rest: &mut Cursor<'_>) -> Read<ExponentialPoint> {
        message!(self, rest, out: ExponentialPoint, field {
            (1, Bytes) => out.attributes.push(self.key_value(&mut field, VALUE_DEPTH_MAX)?),
            (3, Fixed64) => out.time_unix_nano = field.fixed64()?,
            (4, Fixed64) => out.count = field.fixed64()?,
            (5, Fixed64) => out.sum = Some(double(&mut field)?),
            (6, Varint) => out.scale = signed32(&mut field)?,
            (7, Fixed64) => out.zero_count = field.fixed64()?,
            (8, Bytes) => out.positive = self.dense_buckets(&mut field)?,
            (9, Bytes) => out.negative = self.dense_buckets(&mut field)?,
            (10, Varint) => out.flags = field.varint()? as u32,
            (11, Bytes) => out.exemplars.push(self.exemplar(&mut field)?),
            (14, Fixed64) => out.zero_threshold = double(&mut field)?,
        })
    }

    fn dense_buckets(&mut self, rest: &mut Cursor<'_>) -> Read<DenseBuckets> {
        message!(self, rest, out: DenseBuckets, field {
            (1, Varint) => out.offset = signed32(&mut field)?,
            (2, Bytes) => {
                let mut packed = field.message()?;
                while !packed.is_empty() {
                    out.bucket_counts.push(packed.varint()?);
                }
            },
            (2, Varint) => out.bucket_counts.push(field.varint()?),
        })
    }

    fn summary_point(&mut self, rest: &mut Cursor<'_>) -> Read<SummaryPoint> {
        message!(self, rest, out: SummaryPoint, field {
            (3, Fixed64) => out.time_unix_nano = field.fixed64()?,
            (4, Fixed64) => out.count = field.fixed64()?,
            (5, Fixed64) => out.sum = double(&mut field)?,
            (6, Bytes) => out.quantile_values.push(self.quantile_value(&mut field)?),
            (7, Bytes) => out.attributes.push(self.key_value(&mut field, VALUE_DEPTH_MAX)?),
            (8, Varint) => out.flags = field.varint()? as u32,
        })
    }

    fn quantile_value(&mut self, rest: &mut Cursor<'_>) -> Read<QuantileValue> {
        message!(self, rest, out: QuantileValue, field {
            (1, Fixed64) => out.quantile = double(&mut field)?,
            (2, Fixed64) => out.value = double(&mut field)?,
        })
    }

    fn exemplar(&mut self, rest: &mut Cursor<'_>) -> Read<Exemplar> {
        message!(self, rest, out: Exemplar, field {
            (2, Fixed64) => out.time_unix_nano = field.fixed64()?,
            (3, Fixed64) => (out.as_double, out.as_int) = (Some(double(&mut field)?), None),
            (6, Fixed64) => {
                (out.as_double, out.as_int) = (None, Some(field.fixed64()?.cast_signed()));
            },
            (4, Bytes) => out.span_id = hexadecimal(&mut field)?,
            (5, Bytes) => out.trace_id = hexadecimal(&mut field)?,
            (7, Bytes) => {
                out.filtered_attributes.push(self.key_value(&mut field, VALUE_DEPTH_MAX)?);
            },
        })
    }

    fn key_value(&mut self, rest: &mut Cursor<'_>, depth: u32) -> Read<KeyValue> {
        message!(self, rest, out: KeyValue, field {
            (1, Bytes) => out.key = text(&mut field)?,
            (2, Bytes) => out.value = self.any_value(&mut field, depth)?,
        })
    }

    fn any_value(&mut self, rest: &mut Cursor<'_>, depth: u32) -> Read<AnyValue> {
        if depth == 0 {
            return Err(rest.error("an attribute is nested too deeply").into());
        }
        message!(self, rest, out: AnyValue, field {
            (1, Bytes) => out = AnyValue::Text(text(&mut field)?),
            (2, Varint) => out = AnyValue::Bool(field.varint()? != 0),
            (3, Varint) => out = AnyValue::Integer(field.varint()?.cast_signed()),
            (4, Fixed64) => out = AnyValue::Double(double(&mut field)?),
            (5, Bytes) => out = AnyValue::Array(self.array(&mut field, depth - 1)?),
            (6, Bytes) => out = AnyValue::Map(self.map(&mut field, depth - 1)?),
            (7, Bytes) => out = AnyValue::Bytes(field.bytes()?.to_vec()),
        })
    }

    fn array(&mut self, rest: &mut Cursor<'_>, depth: u32) -> Read<Vec<AnyValue>> {
        message!(self, rest, out: Vec<AnyValue>, field {
            (1, Bytes) => out.push(self.any_value(&mut field, depth)?),
        })
    }

    fn map(&mut self, rest: &mut Cursor<'_>, depth: u32) -> Read<Vec<KeyValue>> {
        message!(self, rest, out: Vec<KeyValue>, field {
            (1, Bytes) => out.push(self.key_value(&mut field, depth)?),
        })
    }
}
