//! Results as they come: a row of the journal.
//!
//! ```text
//! version 1 | count | per result: name length, name, body length, body
//! body: time | status | present phases | phases | length of the details, details (JSON)
//! ```
//! Numbers are varints; the body's length lets a reader step over checks of no interest.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::model::{CheckResult, CheckStatus, Name, Phases, Timestamp};
use crate::tsdb::varint::{put, put_signed, take, take_signed};

const VERSION: u8 = 1;

/// What explains one result at most, in bytes of JSON.
const DETAILS_MAX: usize = 16 << 10;

/// How much of an error or condition is kept, in characters.
const TEXT_MAX: usize = 2_000;

/// What explains a result: the same in most results of a check.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Details<'a> {
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    failed_condition: Option<Cow<'a, str>>,
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(rename = "m", default, skip_serializing_if = "is_empty")]
    metadata: Cow<'a, serde_json::Map<String, serde_json::Value>>,
}

fn is_empty(map: &serde_json::Map<String, serde_json::Value>) -> bool {
    map.is_empty()
}

/// The details of a result as JSON; empty where there are none.
pub(super) fn details(result: &CheckResult) -> Vec<u8> {
    let cut = |text: &'_ Option<String>| -> Option<Cow<'_, str>> {
        let text = text.as_deref()?;
        let end = text.char_indices().nth(TEXT_MAX).map_or(text.len(), |(at, _)| at);
        Some(Cow::Owned(text[..end].to_owned()))
    };
    let mut details = Details {
        failed_condition: cut(&result.failed_condition),
        error: cut(&result.error),
        metadata: Cow::Borrowed(&result.metadata),
    };
    if details == Details::default() {
        return Vec::new();
    }
    let json = serde_json::to_vec(&details).unwrap_or_default();
    if json.len() <= DETAILS_MAX {
        return json;
    }
    let note = ("truncated".to_owned(), serde_json::Value::Bool(true));
    details.metadata = Cow::Owned([note].into_iter().collect());
    serde_json::to_vec(&details).unwrap_or_default()
}

/// Puts details back into a result.
pub(super) fn apply_details(result: &mut CheckResult, json: &[u8]) -> Option<()> {
    if json.is_empty() {
        return Some(());
    }
    let details: Details<'_> = serde_json::from_slice(json).ok()?;
    result.failed_condition = details.failed_condition.map(Cow::into_owned);
    result.error = details.error.map(Cow::into_owned);
    result.metadata = details.metadata.into_owned();
    Some(())
}

pub(super) const fn status_code(status: CheckStatus) -> u8 {
    match status {
        CheckStatus::Healthy => 0,
        CheckStatus::Degraded => 1,
        CheckStatus::Unhealthy => 2,
        CheckStatus::Unknown => 3,
        CheckStatus::Paused => 4,
    }
}

pub(super) const fn status_of(code: u8) -> Option<CheckStatus> {
    Some(match code {
        0 => CheckStatus::Healthy,
        1 => CheckStatus::Degraded,
        2 => CheckStatus::Unhealthy,
        3 => CheckStatus::Unknown,
        4 => CheckStatus::Paused,
        _ => return None,
    })
}

/// A number of microseconds as its three leading digits and the zeros after them, so that near
/// numbers have near codes: 0 to 999 stand for themselves, then 900 codes for each power of ten.
pub(super) const fn time_code(micros: u64) -> u64 {
    let mut mantissa = micros;
    let mut power = 0;
    while mantissa > 999 {
        // Rounded once, at the last digit that goes: the rest is below half of it, or not.
        mantissa = if mantissa > 9_999 { mantissa / 10 } else { (mantissa + 5) / 10 };
        power += 1;
    }
    mantissa + 900 * power
}

/// The code of `u64::MAX`: none is larger.
const TIME_CODE_MAX: u64 = time_code(u64::MAX);

/// The number that a code stands for; codes that none has are held at the largest.
pub(super) const fn time_of_code(code: u64) -> u64 {
    if code < 1_000 {
        return code;
    }
    let code = if code > TIME_CODE_MAX { TIME_CODE_MAX } else { code };
    let power = (code - 100) / 900;
    let mantissa = code - 900 * power;
    mantissa * 10u64.pow(power as u32)
}

/// The phases as codes, the total first.
pub(super) fn phase_codes(phases: &Phases) -> [Option<u64>; 5] {
    [Some(phases.total_us), phases.dns_us, phases.connect_us, phases.tls_us, phases.first_byte_us]
        .map(|phase| phase.map(time_code))
}

pub(super) fn phases_of(codes: [Option<u64>; 5]) -> Phases {
    let [total, dns, connect, tls, first_byte] = codes.map(|code| code.map(time_of_code));
    Phases {
        dns_us: dns,
        connect_us: connect,
        tls_us: tls,
        first_byte_us: first_byte,
        total_us: total.unwrap_or(0),
    }
}

pub(super) fn encode_row(results: &[CheckResult]) -> Vec<u8> {
    let mut out = vec![VERSION];
    let mut body = Vec::new();
    put(&mut out, results.len() as u64);
    for result in results {
        body.clear();
        put_signed(&mut body, result.at.millis());
        body.push(status_code(result.status));
        let codes = phase_codes(&result.phases);
        body.push(presence(&codes));
        codes.into_iter().flatten().for_each(|code| put(&mut body, code));
        let details = details(result);
        put(&mut body, details.len() as u64);
        body.extend_from_slice(&details);
        put_bytes(&mut out, result.check.as_str().as_bytes());
        put_bytes(&mut out, &body);
    }
    out
}

pub(super) fn presence(codes: &[Option<u64>; 5]) -> u8 {
    codes.iter().enumerate().fold(0, |bits, (at, code)| bits | u8::from(code.is_some()) << at)
}

pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn take_bytes<'b>(rest: &mut &'b [u8]) -> Option<&'b [u8]> {
    let length = usize::try_from(take(rest)?).ok()?;
    let (bytes, tail) = rest.split_at_checked(length)?;
    *rest = tail;
    Some(bytes)
}

pub(super) fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    let (byte, tail) = rest.split_first()?;
    *rest = tail;
    Some(*byte)
}

/// Adds the results of a row to `out`: those of one check, or all.
pub(super) fn decode_row(
    payload: &[u8],
    only: Option<&str>,
    out: &mut Vec<CheckResult>,
) -> Option<()> {
    let mut rest = payload;
    if take_byte(&mut rest)? != VERSION {
        return None;
    }
    for _ in 0..take(&mut rest)? {
        let name = take_bytes(&mut rest)?;
        let mut body = take_bytes(&mut rest)?;
        if only.is_some_and(|only| only.as_bytes() != name) {
            continue;
        }
        let check = Name::new(std::str::from_utf8(name).ok()?).ok()?;
        let at = Timestamp::from_millis(take_signed(&mut body)?);
        let status = status_of(take_byte(&mut body)?)?;
        let present = take_byte(&mut body)?;
        let mut codes = [None; 5];
        for (place, code) in codes.iter_mut().enumerate() {
            if present >> place & 1 == 1 {
                *code = Some(take(&mut body)?);
            }
        }
        let mut result = CheckResult {
            check,
            at,
            status,
            phases: phases_of(codes),
            failed_condition: None,
            error: None,
            metadata: serde_json::Map::new(),
        };
        apply_details(&mut result, take_bytes(&mut body)?)?;
        out.push(result);
    }
    rest.is_empty().then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_three_digits_and_their_order() {
        for (micros, kept) in [
            (0, 0),
            (7, 7),
            (999, 999),
            (1_000, 1_000),
            (1_004, 1_000),
            (1_005, 1_010),
            (9_994, 9_990),
            (9_995, 10_000),
            (23_449, 23_400),
            (23_451, 23_500),
            (1_234_567, 1_230_000),
            (3_600_000_000, 3_600_000_000),
        ] {
            assert_eq!(time_of_code(time_code(micros)), kept, "{micros}");
        }
        assert!(time_of_code(time_code(u64::MAX)) > u64::MAX / 2);
        let codes: Vec<u64> = (0..200_000).map(time_code).collect();
        assert!(codes.is_sorted());
        // Coding again changes nothing.
        assert_eq!(time_of_code(u64::MAX), 18_400_000_000_000_000_000);
        for code in 0..20_000 {
            let micros = time_of_code(code);
            assert_eq!(time_of_code(time_code(micros)), micros, "code {code}");
        }
    }
}
