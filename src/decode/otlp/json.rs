//! The JSON form: protobuf's mapping (<https://protobuf.dev/programming-guides/json/>) with
//! OTLP's exceptions: identifiers in hexadecimal, enums as numbers, unknown fields ignored.
//! 64-bit numbers may be texts, and numbers may be `"NaN"`, `"Infinity"`, `"-Infinity"`.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error, Visitor};

use super::message::Temporality;
use super::{OtlpError, PARTS_MAX};

pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, OtlpError> {
    // Every value but the first has one of these before it: no more values than that, known
    // before anything is allocated. A part has two at least. Those inside texts count too, which
    // hurts nobody.
    let marks = body.iter().filter(|byte| matches!(byte, b',' | b'[' | b'{')).count();
    if marks > 2 * PARTS_MAX {
        return Err(OtlpError::TooManyParts { max: PARTS_MAX });
    }
    serde_json::from_slice(body).map_err(|error| OtlpError::Json {
        line: error.line(),
        column: error.column(),
        what: error.to_string(),
    })
}

/// `null` means the default.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// A whole number, as a number or as a text; `null` is 0.
pub(super) fn whole<'de, D: Deserializer<'de>, N: Whole + Default>(
    deserializer: D,
) -> Result<N, D::Error> {
    Ok(optional_whole(deserializer)?.unwrap_or_default())
}

/// A whole number, as a number or as a text; `null` is absent.
pub(super) fn optional_whole<'de, D: Deserializer<'de>, N: Whole>(
    deserializer: D,
) -> Result<Option<N>, D::Error> {
    Ok(Option::<Integer<N>>::deserialize(deserializer)?.map(|n| n.0))
}

/// A number, or a text that is one; `null` is 0.
pub(super) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(optional_number(deserializer)?.unwrap_or_default())
}

/// A number, or a text that is one; `null` is absent.
pub(super) fn optional_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    Ok(Option::<Number>::deserialize(deserializer)?.map(|n| n.0))
}

/// A list of whole numbers.
pub(super) fn integers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    let list: Vec<Integer<u64>> = nullable(deserializer)?;
    Ok(list.into_iter().map(|n| n.0).collect())
}

/// A list of numbers.
pub(super) fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let list: Vec<Number> = nullable(deserializer)?;
    Ok(list.into_iter().map(|n| n.0).collect())
}

/// An identifier in hexadecimal, of either case.
pub(super) fn hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let mut text: String = nullable(deserializer)?;
    if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(D::Error::custom(format!("{text:?} is not hexadecimal")));
    }
    text.make_ascii_lowercase();
    Ok(text)
}

/// The number, or the name that protobuf's own mapping would give it.
pub(super) fn temporality<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Temporality, D::Error> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Either {
        Number(u64),
        Name(String),
    }
    Ok(match Option::<Either>::deserialize(deserializer)? {
        None => Temporality::Unspecified,
        Some(Either::Number(number)) => Temporality::from_number(number),
        Some(Either::Name(name)) => match name.as_str() {
            "AGGREGATION_TEMPORALITY_DELTA" => Temporality::Delta,
            "AGGREGATION_TEMPORALITY_CUMULATIVE" => Temporality::Cumulative,
            _ => Temporality::Unspecified,
        },
    })
}

/// The kinds of whole numbers.
pub(super) trait Whole: FromStr + TryFrom<i128> {}
impl<N: FromStr + TryFrom<i128>> Whole for N {}

struct Integer<N>(N);

impl<'de, N: Whole> Deserialize<'de> for Integer<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntegerVisitor(PhantomData)).map(Integer)
    }
}

struct IntegerVisitor<N>(PhantomData<N>);

impl<N: Whole> IntegerVisitor<N> {
    fn fit<E: Error>(number: i128) -> Result<N, E> {
        N::try_from(number).map_err(|_| E::custom(format!("{number} does not fit the field")))
    }
}

impl<N: Whole> Visitor<'_> for IntegerVisitor<N> {
    type Value = N;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, or a text with one")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<N, E> {
        Self::fit(number.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<N, E> {
        Self::fit(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<N, E> {
        // 2^65: beyond this nothing fits anyway, and below the cast is exact.
        if number.fract() != 0.0 || number.abs() > 3.6e19 {
            return Err(E::custom(format!("{number} is not a whole number that fits the field")));
        }
        Self::fit(number as i128)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<N, E> {
        text.parse().map_err(|_| E::custom(format!("{text:?} is not a whole number that fits")))
    }
}

struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor).map(Number)
    }
}

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a text with one")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<f64, E> {
        Ok(number as f64)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<f64, E> {
        Ok(number)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<f64, E> {
        match text {
            "NaN" => Ok(f64::NAN),
            "Infinity" => Ok(f64::INFINITY),
            "-Infinity" => Ok(f64::NEG_INFINITY),
            // Rust would read "inf" and "nan" too; the mapping knows only the above.
            _ if text.bytes().any(|b| b.is_ascii_alphabetic() && !matches!(b, b'e' | b'E')) => {
                Err(E::custom(format!("{text:?} is not a number")))
            }
            _ => text.parse().map_err(|_| E::custom(format!("{text:?} is not a number"))),
        }
    }
}
