//! RESP 2, Redis's protocol: commands as arrays of texts, and what answers them.
//!
//! See Redis's documentation, "Redis serialization protocol specification".

use serde_json::Value;

use crate::probes::cursor::readable;

/// The longest answer that is read.
pub(super) const ANSWER_BYTES_MAX: usize = 64 << 10;

/// How deep arrays may lie in arrays.
const DEPTH_MAX: usize = 8;

/// What a server answers.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Simple(String),
    /// `ERR …`, `NOAUTH …`
    Error(String),
    Integer(i64),
    Bulk(Option<Vec<u8>>),
    Array(Option<Vec<Answer>>),
}

/// A command on the wire.
pub(super) fn command<T: AsRef<[u8]>>(words: &[T]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        let word = word.as_ref();
        out.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        out.extend_from_slice(word);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// Reads an answer at the beginning of `bytes`: it and its length, or `None` while it is not whole.
///
/// # Errors
///
/// When the bytes cannot become an answer, or one longer than [`ANSWER_BYTES_MAX`].
pub(super) fn answer(bytes: &[u8]) -> Result<Option<(Answer, usize)>, String> {
    let mut reader = Reader { bytes, at: 0 };
    Ok(reader.answer(DEPTH_MAX)?.map(|answer| (answer, reader.at)))
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn answer(&mut self, depth: usize) -> Result<Option<Answer>, String> {
        let Some(line) = self.line()? else { return Ok(None) };
        let Some((kind, rest)) = line.split_first() else {
            return Err("it sent an empty line, which is not Redis's protocol".to_owned());
        };
        Ok(Some(match kind {
            b'+' => Answer::Simple(readable(rest)),
            b'-' => Answer::Error(readable(rest)),
            b':' => Answer::Integer(integer(rest)?),
            b'$' => {
                let Some(length) = self.length(rest)? else { return Ok(Some(Answer::Bulk(None))) };
                let Some(data) = self.bytes.get(self.at..self.at + length + 2) else {
                    return Ok(None);
                };
                if !data.ends_with(b"\r\n") {
                    return Err("a text of its answer does not end where it should".to_owned());
                }
                self.at += length + 2;
                Answer::Bulk(Some(data[..length].to_vec()))
            }
            b'*' => {
                let Some(count) = self.length(rest)? else {
                    return Ok(Some(Answer::Array(None)));
                };
                if depth == 0 {
                    return Err(format!("its answer has more than {DEPTH_MAX} arrays in arrays"));
                }
                let mut items = Vec::new();
                for _ in 0..count {
                    match self.answer(depth - 1)? {
                        Some(item) => items.push(item),
                        None => return Ok(None),
                    }
                }
                Answer::Array(Some(items))
            }
            other => {
                return Err(format!(
                    "its answer begins with {:?}, which is not Redis's protocol; is another \
                     service on this port?",
                    char::from(*other)
                ));
            }
        }))
    }

    fn line(&mut self) -> Result<Option<&'a [u8]>, String> {
        let rest = &self.bytes[self.at..];
        match memchr::memmem::find(rest, b"\r\n") {
            Some(end) => {
                self.at += end + 2;
                Ok(Some(&rest[..end]))
            }
            None => Ok(None),
        }
    }

    /// `None` is nothing at all: -1.
    fn length(&self, digits: &[u8]) -> Result<Option<usize>, String> {
        match integer(digits)? {
            -1 => Ok(None),
            length => match usize::try_from(length) {
                Ok(length) if length <= ANSWER_BYTES_MAX => Ok(Some(length)),
                _ => Err(format!(
                    "it announces an answer of length {length}; up to {ANSWER_BYTES_MAX} bytes \
                     are read"
                )),
            },
        }
    }
}

fn integer(digits: &[u8]) -> Result<i64, String> {
    std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| format!("{:?} in its answer is not a number", readable(digits)))
}

impl Answer {
    /// As JSON, for conditions that look into it.
    pub(super) fn json(&self) -> Value {
        match self {
            Answer::Simple(text) | Answer::Error(text) => text.as_str().into(),
            Answer::Integer(number) => (*number).into(),
            Answer::Bulk(Some(text)) => String::from_utf8_lossy(text).into_owned().into(),
            Answer::Array(Some(items)) => items.iter().map(Answer::json).collect(),
            Answer::Bulk(None) | Answer::Array(None) => Value::Null,
        }
    }

    /// As a body: a text or number as it is, an array as JSON.
    pub(super) fn body(&self) -> Vec<u8> {
        match self {
            Answer::Simple(text) | Answer::Error(text) => text.clone().into_bytes(),
            Answer::Bulk(Some(text)) => text.clone(),
            other => other.json().to_string().into_bytes(),
        }
    }

    /// The number that it is, or that its text spells.
    pub(super) fn number(&self) -> Option<f64> {
        let text = match self {
            Answer::Integer(number) => return Some(*number as f64),
            Answer::Simple(text) => text.as_str(),
            Answer::Bulk(Some(text)) => std::str::from_utf8(text).ok()?,
            _ => return None,
        };
        text.trim().parse().ok().filter(|number: &f64| number.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_command_is_an_array_of_texts() {
        assert_eq!(command(&["GET", "k"]), b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    }

    #[test]
    fn answers_of_every_kind_are_read() {
        let whole = |bytes: &[u8]| answer(bytes).expect("reads").expect("whole");
        assert_eq!(whole(b"+PONG\r\n"), (Answer::Simple("PONG".to_owned()), 7));
        assert_eq!(whole(b":42\r\nmore"), (Answer::Integer(42), 5));
        assert_eq!(whole(b"$-1\r\n"), (Answer::Bulk(None), 5));
        let (array, length) = whole(b"*2\r\n$2\r\nab\r\n*1\r\n:1\r\n");
        assert_eq!(length, 20);
        assert_eq!(array.body(), br#"["ab",[1]]"#);
        assert_eq!(whole(b"$3\r\n1.5\r\n").0.number(), Some(1.5));
    }

    #[test]
    fn a_part_of_an_answer_waits_for_more() {
        let whole = b"*2\r\n$2\r\nab\r\n:1\r\n";
        for length in 0..whole.len() {
            assert_eq!(answer(&whole[..length]), Ok(None), "{length}");
        }
    }

    #[test]
    fn other_protocols_and_impossible_lengths_are_refused() {
        for bytes in [
            &b"HTTP/1.1 400 Bad Request\r\n"[..],
            b"$99999999999\r\n",
            b"$-2\r\n",
            b"*1000000000\r\n",
            b":x\r\n",
            b"$1\r\nabc\r\n",
            b"\r\n",
        ] {
            assert!(answer(bytes).is_err(), "{bytes:?}");
        }
        assert!(answer(&b"*1\r\n".repeat(100)).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, text in "[*$:+\\-0-9\r\n]{0,60}") {
            let _ = answer(&bytes);
            let _ = answer(text.as_bytes());
        }
    }
}
