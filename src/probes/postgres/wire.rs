//! Messages of PostgreSQL's protocol 3.0: what we send, and what a server answers.
//!
//! The forms are those of PostgreSQL's documentation, "Message Formats".

use crate::probes::cursor::{Cursor, readable};

/// The longest message that is read; a row beyond that is an error and not swallowed.
pub(super) const MESSAGE_BYTES_MAX: usize = 1 << 20;

/// Columns of a row that are looked at.
const COLUMNS_MAX: usize = 256;

/// Asks for TLS: answered by one byte, `S` or `N`.
pub(super) fn ssl_request() -> Vec<u8> {
    [8u32.to_be_bytes(), 80_877_103u32.to_be_bytes()].concat()
}

/// The first message: version 3.0 and who wants what.
pub(super) fn startup(user: &str, database: &str) -> Vec<u8> {
    let mut body = 196_608u32.to_be_bytes().to_vec();
    for (name, value) in [("user", user), ("database", database), ("application_name", "vedette")] {
        for text in [name, value] {
            body.extend_from_slice(text.as_bytes());
            body.push(0);
        }
    }
    body.push(0);
    let mut message = length_of(&body).to_vec();
    message.extend_from_slice(&body);
    message
}

/// A password, or any other answer to an authentication request.
pub(super) fn password(text: &[u8]) -> Vec<u8> {
    frame(b'p', &[text, &[0]].concat())
}

/// The first step of SASL.
pub(super) fn sasl_initial(mechanism: &str, data: &[u8]) -> Vec<u8> {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes();
    frame(b'p', &[mechanism.as_bytes(), &[0], &length, data].concat())
}

/// A further step of SASL.
pub(super) fn sasl_response(data: &[u8]) -> Vec<u8> {
    frame(b'p', data)
}

/// A simple query.
pub(super) fn query(sql: &str) -> Vec<u8> {
    frame(b'Q', &[sql.as_bytes(), &[0]].concat())
}

/// The polite end.
pub(super) fn terminate() -> Vec<u8> {
    frame(b'X', &[])
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend_from_slice(&length_of(body));
    message.extend_from_slice(body);
    message
}

/// The length counts itself, and not the kind before it.
fn length_of(body: &[u8]) -> [u8; 4] {
    u32::try_from(body.len() + 4).unwrap_or(u32::MAX).to_be_bytes()
}

/// Reads the five bytes before each message: its kind and the length of what follows.
///
/// # Errors
///
/// When the length is impossible, or beyond [`MESSAGE_BYTES_MAX`].
pub(super) fn header(bytes: [u8; 5]) -> Result<(u8, usize), String> {
    let [kind, a, b, c, d] = bytes;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    match length.checked_sub(4) {
        Some(body) if body <= MESSAGE_BYTES_MAX => Ok((kind, body)),
        _ => Err(format!(
            "it sent a message of kind {:?} and length {length}, which is none of PostgreSQL's; \
             is another service on this port?",
            char::from(kind)
        )),
    }
}

/// What the server wants to know us by.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    Ok,
    Cleartext,
    Md5([u8; 4]),
    Sasl(Vec<String>),
    SaslContinue(Vec<u8>),
    SaslFinal(Vec<u8>),
    /// Kerberos, GSSAPI, SSPI…
    Other(i32),
}

/// A column of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    /// The type's object id in `pg_type`.
    pub(super) type_id: u32,
}

/// Why the server refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// SQLSTATE, five characters.
    pub(super) code: String,
    pub(super) message: String,
    pub(super) detail: String,
}

/// A message of the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Message {
    Authentication(Authentication),
    Parameter(String, String),
    Ready,
    Columns(Vec<Column>),
    Row(Vec<Option<Vec<u8>>>),
    /// A statement is complete, or was empty.
    Complete(String),
    Refusal(Refusal),
    /// Notices, keys to cancel with, and the like.
    Other(u8),
}

/// Reads one message.
///
/// # Errors
///
/// When it does not keep to the form of its kind.
pub(super) fn message(kind: u8, body: &[u8]) -> Result<Message, String> {
    let mut cursor = Cursor::new(body);
    Ok(match kind {
        b'R' => Message::Authentication(authentication(&mut cursor)?),
        b'S' => Message::Parameter(cursor.text("parameter")?, cursor.text("parameter's value")?),
        b'Z' => Message::Ready,
        b'T' => Message::Columns(columns(&mut cursor)?),
        b'D' => Message::Row(row(&mut cursor)?),
        b'C' => Message::Complete(cursor.text("command tag")?),
        b'I' => Message::Complete(String::new()),
        b'E' => Message::Refusal(refusal(&mut cursor)?),
        other => Message::Other(other),
    })
}

fn authentication(cursor: &mut Cursor<'_>) -> Result<Authentication, String> {
    Ok(match cursor.i32_be("authentication request")? {
        0 => Authentication::Ok,
        3 => Authentication::Cleartext,
        5 => {
            let mut salt = [0; 4];
            salt.copy_from_slice(cursor.take(4, "salt")?);
            Authentication::Md5(salt)
        }
        10 => {
            let mut mechanisms = Vec::new();
            // The list ends with an empty name; the message itself bounds the loop.
            while cursor.rest().first().is_some_and(|byte| *byte != 0) {
                mechanisms.push(cursor.text("mechanism")?);
            }
            Authentication::Sasl(mechanisms)
        }
        11 => Authentication::SaslContinue(cursor.rest().to_vec()),
        12 => Authentication::SaslFinal(cursor.rest().to_vec()),
        other => Authentication::Other(other),
    })
}

fn columns(cursor: &mut Cursor<'_>) -> Result<Vec<Column>, String> {
    let count = usize::from(cursor.u16_be("number of columns")?);
    let mut columns = Vec::new();
    for _ in 0..count.min(COLUMNS_MAX) {
        let name = cursor.text("column's name")?;
        cursor.take(6, "column's table")?;
        let type_id = cursor.u32_be("column's type")?;
        cursor.take(8, "column's format")?;
        columns.push(Column { name, type_id });
    }
    Ok(columns)
}

fn row(cursor: &mut Cursor<'_>) -> Result<Vec<Option<Vec<u8>>>, String> {
    let count = usize::from(cursor.u16_be("number of values")?);
    let mut values = Vec::new();
    for _ in 0..count.min(COLUMNS_MAX) {
        let length = cursor.i32_be("value's length")?;
        values.push(match usize::try_from(length) {
            Ok(length) => Some(cursor.take(length, "value")?.to_vec()),
            // -1 is NULL.
            Err(_) => None,
        });
    }
    Ok(values)
}

fn refusal(cursor: &mut Cursor<'_>) -> Result<Refusal, String> {
    let mut refusal = Refusal::default();
    loop {
        let field = cursor.u8("error's field")?;
        if field == 0 {
            return Ok(refusal);
        }
        let text = cursor.text("error's text")?;
        match field {
            b'C' => refusal.code = text,
            b'M' => refusal.message = text,
            b'D' => refusal.detail = text,
            _ => {}
        }
    }
}

impl Refusal {
    /// In words, with what to do about the usual ones.
    ///
    /// The codes are those of PostgreSQL's documentation, appendix A.
    pub(super) fn explain(&self) -> String {
        let meaning = match self.code.as_str() {
            "28P01" => "the user or password is wrong",
            "28000" => "the server lets this user not in from here; see its pg_hba.conf",
            "3D000" => "there is no such database",
            "53300" => "all of its connections are taken",
            "57P01" | "57P02" => "it is shutting down",
            "57P03" => "it is starting up or shutting down",
            "57014" => "the query was cancelled",
            "42501" => "the user may not do that",
            "42601" => "the query cannot be parsed",
            "42P01" => "there is no such table",
            "42703" => "there is no such column",
            "25006" => "it is read-only",
            code => match code.get(..2) {
                Some("08") => "the connection failed",
                Some("28") => "the user was not let in",
                Some("42") => "the query is wrong",
                Some("53") => "it has run out of something",
                Some("57") => "an operator intervened",
                Some("58") | Some("XX") => "it has failed within",
                _ => "it refuses",
            },
        };
        let mut text =
            format!("{meaning} (SQLSTATE {}: {}", readable(self.code.as_bytes()), self.message);
        if !self.detail.is_empty() {
            text.push_str("; ");
            text.push_str(&self.detail);
        }
        text.push(')');
        text
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_have_the_bytes_of_the_documentation() {
        assert_eq!(ssl_request(), [0, 0, 0, 8, 4, 210, 22, 47]);
        assert_eq!(query("SELECT 1"), b"Q\0\0\0\x0dSELECT 1\0");
        assert_eq!(terminate(), b"X\0\0\0\x04");
        assert_eq!(password(b"pw"), b"p\0\0\0\x07pw\0");
        let startup = startup("u", "d");
        assert_eq!(startup.len(), usize::from(startup[3]));
        assert_eq!(&startup[4..], b"\0\x03\0\0user\0u\0database\0d\0application_name\0vedette\0\0");
    }

    #[test]
    fn the_servers_messages_are_read() {
        assert_eq!(
            message(b'R', &[0, 0, 0, 5, 1, 2, 3, 4]),
            Ok(Message::Authentication(Authentication::Md5([1, 2, 3, 4])))
        );
        assert_eq!(
            message(b'R', b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0"),
            Ok(Message::Authentication(Authentication::Sasl(vec![
                "SCRAM-SHA-256-PLUS".to_owned(),
                "SCRAM-SHA-256".to_owned()
            ])))
        );
        assert_eq!(
            message(b'D', b"\0\x02\0\0\0\x011\xff\xff\xff\xff"),
            Ok(Message::Row(vec![Some(b"1".to_vec()), None]))
        );
        let columns = b"\0\x01?column?\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0";
        assert_eq!(
            message(b'T', columns),
            Ok(Message::Columns(vec![Column { name: "?column?".to_owned(), type_id: 23 }]))
        );
    }

    #[test]
    fn a_refusal_is_told_in_words_with_its_sqlstate() {
        let body = b"SFATAL\0C28P01\0Mpassword authentication failed for user \"u\"\0\0";
        let Ok(Message::Refusal(refusal)) = message(b'E', body) else { panic!("a refusal") };
        assert_eq!(
            refusal.explain(),
            "the user or password is wrong (SQLSTATE 28P01: password authentication failed for \
             user \"u\")"
        );
    }

    #[test]
    fn an_impossible_length_is_refused_before_anything_is_read() {
        assert!(header([b'R', 0, 0, 0, 3]).is_err());
        assert!(header([b'R', 0xff, 0xff, 0xff, 0xff]).is_err());
        // What an HTTP server answers.
        assert!(header(*b"HTTP/").is_err());
        assert_eq!(header([b'R', 0, 0, 0, 8]), Ok((b'R', 4)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(kind: u8, body: Vec<u8>, head: [u8; 5]) {
            let _ = message(kind, &body);
            let _ = header(head);
            for kind in *b"RSZTDCIE" {
                let _ = message(kind, &body);
            }
        }
    }
}
