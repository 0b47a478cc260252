//! Server-sent events as a streaming chat completion sends them, and what is in them.

use serde_json::Value;

/// The longest line that is kept.
const LINE_BYTES_MAX: usize = 64 << 10;

/// What one event adds to the answer.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Chunk {
    /// Text of the answer, perhaps empty.
    pub(super) text: String,
    /// Text that is thought and not said: reasoning models send it beside the answer.
    pub(super) thought: bool,
    /// Tokens of prompt and answer together, once the server says.
    pub(super) total_tokens: Option<u64>,
    /// Tokens of the answer, once the server says.
    pub(super) answer_tokens: Option<u64>,
    /// `[DONE]`: nothing follows.
    pub(super) done: bool,
}

/// Cuts a stream of bytes into events.
#[derive(Default)]
pub(super) struct Events {
    line: Vec<u8>,
    /// One JSON instead of a stream.
    whole: bool,
}

impl Events {
    /// Of a stream of events, or of one JSON.
    pub(super) fn of(stream: bool) -> Self {
        Events { line: Vec::new(), whole: !stream }
    }

    /// What the end of the bytes says: a server may leave the last line open.
    ///
    /// # Errors
    ///
    /// As [`Events::feed`].
    pub(super) fn end(&mut self) -> Result<Vec<Chunk>, String> {
        let line = std::mem::take(&mut self.line);
        match line.trim_ascii().strip_prefix(b"data:") {
            _ if self.whole => Ok(vec![chunk(line.trim_ascii())?]),
            Some(data) => Ok(vec![chunk(data.trim_ascii())?]),
            None => Ok(Vec::new()),
        }
    }

    /// Takes the next bytes, and gives what the whole lines among them say.
    ///
    /// # Errors
    ///
    /// When a line is longer than 64 KiB, is no JSON, or carries the server's error.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Chunk>, String> {
        let mut chunks = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len() + part.len() > LINE_BYTES_MAX {
                return Err(format!("a line of its answer is longer than {LINE_BYTES_MAX} bytes"));
            }
            self.line.extend_from_slice(part);
            if part.ends_with(b"\n") && !self.whole {
                let line = std::mem::take(&mut self.line);
                // Comments, names and ids of events say nothing here.
                if let Some(data) = line.trim_ascii_end().strip_prefix(b"data:") {
                    chunks.push(chunk(data.trim_ascii())?);
                }
            }
        }
        Ok(chunks)
    }
}

fn chunk(data: &[u8]) -> Result<Chunk, String> {
    if data == b"[DONE]" {
        return Ok(Chunk { done: true, ..Chunk::default() });
    }
    let value: Value = serde_json::from_slice(data)
        .map_err(|_| "an event of its answer is no JSON; does it speak OpenAI's API?".to_owned())?;
    if let Some(message) = error_message(&value) {
        return Err(format!("it fails: {message}"));
    }
    let choice = value.pointer("/choices/0");
    let delta = choice.and_then(|choice| choice.get("delta").or_else(|| choice.get("message")));
    let field = |name: &str| delta.and_then(|delta| delta.get(name)).and_then(Value::as_str);
    let tokens = |name: &str| value.get("usage").and_then(|usage| usage.get(name)?.as_u64());
    Ok(Chunk {
        text: field("content").unwrap_or_default().to_owned(),
        thought: ["reasoning_content", "reasoning"]
            .iter()
            .any(|name| field(name).is_some_and(|text| !text.is_empty())),
        total_tokens: tokens("total_tokens"),
        answer_tokens: tokens("completion_tokens"),
        done: false,
    })
}

/// The message of OpenAI's error envelope, cut.
pub(super) fn error_message(value: &Value) -> Option<String> {
    let error = value.get("error").filter(|error| !error.is_null())?;
    let text =
        error.get("message").and_then(Value::as_str).or(error.as_str()).unwrap_or("no message");
    Some(crate::probes::cursor::readable(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STREAM: &[u8] = b": hello\r\n\r\n\
        data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\r\n\r\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"po\"}}]}\n\n\
        data: {\"choices\":[{\"delta\":{\"content\":\"ng\"}}],\"usage\":null}\n\n\
        data: {\"choices\":[],\"usage\":{\"total_tokens\":12,\"completion_tokens\":2}}\n\n\
        data: [DONE]\n\n";

    #[test]
    fn a_stream_reads_the_same_however_it_is_cut() {
        let whole = Events::default().feed(STREAM).expect("reads");
        let text: String = whole.iter().map(|chunk| chunk.text.as_str()).collect();
        assert_eq!(text, "pong");
        assert_eq!(whole.iter().find_map(|chunk| chunk.total_tokens), Some(12));
        assert!(whole.last().is_some_and(|chunk| chunk.done));
        let mut events = Events::default();
        let single: Vec<Chunk> =
            STREAM.iter().flat_map(|byte| events.feed(&[*byte]).expect("reads")).collect();
        assert_eq!(single, whole);
    }

    #[test]
    fn one_json_instead_of_a_stream_is_read_at_its_end() {
        let mut events = Events::of(false);
        let json = b"{\"choices\":[{\"message\":{\"content\":\"pong\"}}],\n\"usage\":{\"total_tokens\":9}}";
        assert_eq!(events.feed(json), Ok(Vec::new()));
        let chunks = events.end().expect("reads");
        assert_eq!((chunks[0].text.as_str(), chunks[0].total_tokens), ("pong", Some(9)));
        assert!(Events::of(false).end().is_err());
        assert_eq!(Events::of(true).end(), Ok(Vec::new()));
    }

    #[test]
    fn an_error_within_the_stream_is_told() {
        let error = Events::default()
            .feed(b"data: {\"error\":{\"message\":\"overloaded\",\"type\":\"x\"}}\n")
            .expect_err("fails");
        assert_eq!(error, "it fails: overloaded");
    }

    #[test]
    fn garbage_and_endless_lines_are_refused() {
        assert!(Events::default().feed(b"data: <html>\n").is_err());
        let mut events = Events::default();
        let fed: Result<Vec<_>, _> = (0..100).map(|_| events.feed(&[b'x'; 1000])).collect();
        assert!(fed.is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes: Vec<u8>, json in "[\\[\\]{}\":a-z0-9,\n ]{0,60}") {
            let _ = Events::default().feed(&bytes);
            let _ = Events::default().feed(format!("data: {json}\n").as_bytes());
        }
    }
}
