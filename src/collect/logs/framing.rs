//! Where messages begin and end in a stream of syslog (RFC 6587): counted octets (3.4.1), or one
//! message per line (3.4.2), told apart message by message.

/// Digits of a count; more are none.
const COUNT_DIGITS_MAX: usize = 7;

/// Takes bytes as they come, gives messages.
pub(super) struct Framer {
    buffer: Vec<u8>,
    /// Up to here the buffer was given out.
    begin: usize,
    /// The longest message; of a longer one the rest is left out.
    message_bytes_max: usize,
    skipping: Skipping,
}

/// What is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Skipping {
    Nothing,
    /// So many bytes of a counted message.
    Bytes(usize),
    /// Up to the end of the line.
    Line,
}

/// What comes next.
enum Next {
    Message { begin: usize, end: usize, then: usize, skip: Skipping },
    More,
}

impl Framer {
    pub(super) fn new(message_bytes_max: usize) -> Self {
        Framer { buffer: Vec::new(), begin: 0, message_bytes_max, skipping: Skipping::Nothing }
    }

    /// Takes bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.begin);
        self.begin = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message; `None` until more bytes come. Holds no more than a message and
    /// what was pushed last.
    pub(super) fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            self.skip();
            match self.look() {
                Next::More => return None,
                Next::Message { begin, end, then, skip } => {
                    let message = self.buffer[begin..end].to_vec();
                    self.begin = then;
                    self.skipping = skip;
                    if !message.is_empty() {
                        return Some(message);
                    }
                }
            }
        }
    }

    /// What stands there when the stream has ended: the last line may lack its end, and a counted
    /// message may be cut off.
    pub(super) fn last(&mut self) -> Option<Vec<u8>> {
        if let Some(message) = self.next() {
            return Some(message);
        }
        let rest = std::mem::take(&mut self.buffer).split_off(self.begin);
        self.begin = 0;
        let rest = match count(&rest) {
            Some((_, digits)) if self.skipping == Skipping::Nothing => rest[digits + 1..].to_vec(),
            _ if self.skipping == Skipping::Nothing => rest,
            _ => Vec::new(),
        };
        Some(rest).filter(|rest| !rest.is_empty())
    }

    fn skip(&mut self) {
        let left = &self.buffer[self.begin..];
        match self.skipping {
            Skipping::Nothing => {}
            Skipping::Bytes(count) => {
                let now = count.min(left.len());
                self.begin += now;
                self.skipping =
                    if now == count { Skipping::Nothing } else { Skipping::Bytes(count - now) };
            }
            Skipping::Line => match left.iter().position(|byte| is_end(*byte)) {
                Some(end) => {
                    self.begin += end + 1;
                    self.skipping = Skipping::Nothing;
                }
                None => self.begin = self.buffer.len(),
            },
        }
    }

    fn look(&self) -> Next {
        let left = &self.buffer[self.begin..];
        if self.skipping != Skipping::Nothing || left.is_empty() {
            return Next::More;
        }
        if let Some((count, digits)) = count(left) {
            let begin = self.begin + digits + 1;
            let taken = count.min(self.message_bytes_max);
            if self.buffer.len() < begin + taken {
                return Next::More;
            }
            let end = begin + taken;
            let skip =
                if count > taken { Skipping::Bytes(count - taken) } else { Skipping::Nothing };
            return Next::Message { begin, end, then: end, skip };
        }
        let all_digits = left.iter().take(COUNT_DIGITS_MAX).all(u8::is_ascii_digit);
        if all_digits && left.len() < COUNT_DIGITS_MAX {
            // A count that is still coming, or a line of digits.
            return Next::More;
        }
        let end = left.iter().position(|byte| is_end(*byte));
        match end {
            Some(end) if end <= self.message_bytes_max => Next::Message {
                begin: self.begin,
                end: self.begin + end,
                then: self.begin + end + 1,
                skip: Skipping::Nothing,
            },
            None if left.len() < self.message_bytes_max => Next::More,
            _ => {
                let end = self.begin + self.message_bytes_max;
                Next::Message { begin: self.begin, end, then: end, skip: Skipping::Line }
            }
        }
    }
}

/// Lines end with LF, and with NUL where the program is older (3.4.2).
fn is_end(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\0')
}

/// `123 <`: a count, a space and the beginning of a priority. Gives the count and its digits.
fn count(bytes: &[u8]) -> Option<(usize, usize)> {
    let digits = bytes.iter().take(COUNT_DIGITS_MAX).take_while(|b| b.is_ascii_digit()).count();
    let counted = digits > 0
        && bytes[0] != b'0'
        && bytes.get(digits) == Some(&b' ')
        && bytes.get(digits + 1).is_none_or(|byte| *byte == b'<');
    if !counted {
        return None;
    }
    let count = std::str::from_utf8(&bytes[..digits]).ok()?.parse().ok()?;
    Some((count, digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All messages of a stream that arrives in pieces of a size.
    fn messages(stream: &[u8], piece: usize, bytes_max: usize) -> Vec<String> {
        let mut framer = Framer::new(bytes_max);
        let mut messages = Vec::new();
        for part in stream.chunks(piece) {
            framer.push(part);
            while let Some(message) = framer.next() {
                messages.push(message);
            }
        }
        while let Some(message) = framer.last() {
            messages.push(message);
        }
        messages.iter().map(|message| String::from_utf8_lossy(message).into_owned()).collect()
    }

    #[test]
    fn both_framings_are_read_however_the_stream_is_cut() {
        for piece in [1, 2, 3, 7, 1000] {
            let stream = b"<13>a\n<13>b b\r\n\n7 <13>c\nd6 <13>ef<13>g\0 12 x\n<13>h";
            let expected = ["<13>a", "<13>b b\r", "<13>c\nd", "<13>ef", "<13>g", " 12 x", "<13>h"];
            assert_eq!(messages(stream, piece, 100), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_cut_and_the_next_one_is_whole() {
        for piece in [1, 4, 1000] {
            let stream = b"<13>abcdefgh\n<13>x\n15 <13>abcdefghijk6 <13>yz";
            let expected = ["<13>abcd", "<13>x", "<13>abcd", "<13>yz"];
            assert_eq!(messages(stream, piece, 8), expected, "pieces of {piece}");
        }
    }

    #[test]
    fn what_was_cut_off_is_given_at_the_end() {
        assert_eq!(messages(b"20 <13>abc", 100, 100), ["<13>abc"]);
        assert_eq!(messages(b"12", 100, 100), ["12"]);
        assert_eq!(messages(b"12345678 no count\n", 3, 100), ["12345678 no count"]);
        assert_eq!(messages(b"", 1, 100), [""; 0]);
    }

    #[test]
    fn no_more_is_held_than_a_message_and_what_came_last() {
        let mut framer = Framer::new(100);
        for _ in 0..1000 {
            framer.push(&[b'x'; 512]);
            while framer.next().is_some() {}
        }
        assert!(framer.buffer.len() <= 1024, "{}", framer.buffer.len());
    }
}
