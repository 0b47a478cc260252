//! Packets of MySQL's and MariaDB's protocol: what we send, and what a server answers.
//!
//! The forms are those of MySQL's internals manual, "Client/Server Protocol", and MariaDB's
//! knowledge base, which agree on what is used here.

use crate::probes::cursor::{Cursor, readable};

/// The longest packet that is read.
pub(super) const PACKET_BYTES_MAX: usize = 1 << 20;

/// Columns of a row that are looked at.
pub(super) const COLUMNS_MAX: u64 = 256;

const LONG_PASSWORD: u32 = 1;
const CONNECT_WITH_DB: u32 = 1 << 3;
const PROTOCOL_41: u32 = 1 << 9;
const SSL: u32 = 1 << 11;
const TRANSACTIONS: u32 = 1 << 13;
const SECURE_CONNECTION: u32 = 1 << 15;
const PLUGIN_AUTH: u32 = 1 << 19;

/// `utf8mb4_general_ci`, known to every version.
const CHARACTER_SET: u8 = 45;

/// What a server says first.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    pub(super) version: String,
    capabilities: u32,
    /// What the password is mixed with: 20 bytes.
    pub(super) nonce: Vec<u8>,
    pub(super) plugin: String,
}

/// A packet that ends something, or asks for more.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Ok,
    Refusal(Refusal),
    /// Another way to authenticate, with a nonce of its own.
    Switch {
        plugin: String,
        nonce: Vec<u8>,
    },
    /// A word of the authentication plugin.
    More(Vec<u8>),
    /// Of a query: so many columns follow.
    Columns(u64),
}

/// Why the server refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) number: u16,
    pub(super) state: String,
    pub(super) message: String,
}

/// Puts length and number before a packet.
pub(super) fn frame(sequence: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(0x00ff_ffff).to_le_bytes();
    let mut packet = vec![length[0], length[1], length[2], sequence];
    packet.extend_from_slice(body);
    packet
}

/// Reads the four bytes before each packet: the length of what follows, and its number.
///
/// # Errors
///
/// When the length is beyond [`PACKET_BYTES_MAX`].
pub(super) fn header(bytes: [u8; 4]) -> Result<(usize, u8), String> {
    let [a, b, c, sequence] = bytes;
    let length = u32::from_le_bytes([a, b, c, 0]) as usize;
    if length > PACKET_BYTES_MAX {
        return Err(format!(
            "it sent a packet of {length} bytes; up to {PACKET_BYTES_MAX} are read. Is another \
             service on this port, or the query's row too long?"
        ));
    }
    Ok((length, sequence))
}

/// Reads the server's first packet.
///
/// # Errors
///
/// When it refuses at once (too many connections, a host not let in), or speaks another version.
pub(super) fn greeting(packet: &[u8]) -> Result<Greeting, String> {
    let mut cursor = Cursor::new(packet);
    match cursor.u8("protocol version")? {
        10 => {}
        0xff => return Err(refusal(&mut cursor)?.explain()),
        other => {
            return Err(format!("it speaks version {other} of the protocol; version 10 is spoken"));
        }
    }
    let version = cursor.text("server version")?;
    cursor.u32_le("connection id")?;
    let mut nonce = cursor.take(8, "nonce")?.to_vec();
    cursor.take(1, "filler")?;
    let low = cursor.u16_le("capabilities")?;
    cursor.take(3, "character set and status")?;
    let high = cursor.u16_le("capabilities")?;
    let capabilities = u32::from(low) | u32::from(high) << 16;
    if capabilities & PROTOCOL_41 == 0 || capabilities & SECURE_CONNECTION == 0 {
        return Err(format!("version {version} is older than MySQL 4.1, which is needed"));
    }
    let length = usize::from(cursor.u8("nonce's length")?);
    cursor.take(10, "reserved bytes")?;
    // The second part has at least 13 bytes, of which the last is a zero.
    let second = cursor.take(length.saturating_sub(8).max(13), "nonce's second part")?;
    nonce.extend_from_slice(second);
    nonce.truncate(20);
    let plugin = if capabilities & PLUGIN_AUTH != 0 {
        cursor.text("authentication plugin")?
    } else {
        "mysql_native_password".to_owned()
    };
    Ok(Greeting { version, capabilities, nonce, plugin })
}

impl Greeting {
    /// Whether it can speak TLS.
    pub(super) fn offers_tls(&self) -> bool {
        self.capabilities & SSL != 0
    }
}

fn login_head(tls: bool, database: bool) -> Vec<u8> {
    let mut flags = LONG_PASSWORD | PROTOCOL_41 | TRANSACTIONS | SECURE_CONNECTION | PLUGIN_AUTH;
    if tls {
        flags |= SSL;
    }
    if database {
        flags |= CONNECT_WITH_DB;
    }
    let mut body = flags.to_le_bytes().to_vec();
    body.extend_from_slice(&(PACKET_BYTES_MAX as u32).to_le_bytes());
    body.push(CHARACTER_SET);
    body.extend_from_slice(&[0; 23]);
    body
}

/// Asks for TLS: the beginning of the login, after which TLS begins.
pub(super) fn tls_request(database: &str) -> Vec<u8> {
    login_head(true, !database.is_empty())
}

/// The login. `proof` is what the plugin makes of password and nonce, at most 250 bytes.
pub(super) fn login(tls: bool, user: &str, proof: &[u8], database: &str, plugin: &str) -> Vec<u8> {
    let mut body = login_head(tls, !database.is_empty());
    body.extend_from_slice(user.as_bytes());
    body.push(0);
    body.push(u8::try_from(proof.len()).unwrap_or(0));
    body.extend_from_slice(proof);
    if !database.is_empty() {
        body.extend_from_slice(database.as_bytes());
        body.push(0);
    }
    body.extend_from_slice(plugin.as_bytes());
    body.push(0);
    body
}

/// `COM_PING`.
pub(super) const PING: &[u8] = &[0x0e];
/// `COM_QUIT`.
pub(super) const QUIT: &[u8] = &[0x01];

/// `COM_QUERY`.
pub(super) fn query(sql: &str) -> Vec<u8> {
    [&[0x03], sql.as_bytes()].concat()
}

/// Reads what answers a login or its further steps.
///
/// # Errors
///
/// When it has no known form.
pub(super) fn login_answer(packet: &[u8]) -> Result<Answer, String> {
    let mut cursor = Cursor::new(packet);
    Ok(match cursor.u8("answer")? {
        0x00 => Answer::Ok,
        0xff => Answer::Refusal(refusal(&mut cursor)?),
        0x01 => Answer::More(cursor.rest().to_vec()),
        0xfe if cursor.rest().is_empty() => {
            return Err("it asks for the passwords of MySQL 4.0, which are not safe".into());
        }
        0xfe => {
            let plugin = cursor.text("authentication plugin")?;
            let nonce = cursor.rest();
            let nonce = nonce.strip_suffix(&[0]).unwrap_or(nonce).to_vec();
            Answer::Switch { plugin, nonce }
        }
        other => return Err(format!("it answers the login with a packet of kind {other:#04x}")),
    })
}

/// Reads what answers a command.
///
/// # Errors
///
/// When it has no known form, or asks for a file of ours.
pub(super) fn command_answer(packet: &[u8]) -> Result<Answer, String> {
    let mut cursor = Cursor::new(packet);
    Ok(match packet.first() {
        Some(0x00) => Answer::Ok,
        Some(0xff) => {
            cursor.u8("answer")?;
            Answer::Refusal(refusal(&mut cursor)?)
        }
        Some(0xfb) => return Err("it asks for a file of this machine (LOAD DATA LOCAL)".into()),
        _ => match number(&mut cursor)? {
            Some(columns) if columns > 0 => Answer::Columns(columns),
            _ => return Err("its answer has no columns".into()),
        },
    })
}

/// Whether a packet ends a list of columns or rows.
pub(super) fn is_end(packet: &[u8]) -> bool {
    packet.first() == Some(&0xfe) && packet.len() < 9
}

/// Reads a refusal within a list.
pub(super) fn as_refusal(packet: &[u8]) -> Option<Refusal> {
    let mut cursor = Cursor::new(packet);
    (cursor.u8("answer") == Ok(0xff)).then(|| refusal(&mut cursor).unwrap_or_default())
}

/// A column's name, and whether its values are numbers.
pub(super) fn column(packet: &[u8]) -> Result<(String, bool), String> {
    let mut cursor = Cursor::new(packet);
    for field in ["catalog", "schema", "table", "original table"] {
        text(&mut cursor, field)?;
    }
    let name = readable(text(&mut cursor, "column's name")?.unwrap_or_default());
    text(&mut cursor, "column's original name")?;
    number(&mut cursor)?;
    cursor.take(6, "column's character set and length")?;
    let kind = cursor.u8("column's type")?;
    // DECIMAL to DOUBLE, LONGLONG and INT24, YEAR, NEWDECIMAL.
    let numeric = matches!(kind, 0x00..=0x05 | 0x08 | 0x09 | 0x0d | 0xf6);
    Ok((name, numeric))
}

/// The values of a row; `None` is NULL.
pub(super) fn row(packet: &[u8], columns: usize) -> Result<Vec<Option<Vec<u8>>>, String> {
    let mut cursor = Cursor::new(packet);
    (0..columns).map(|_| Ok(text(&mut cursor, "value")?.map(<[u8]>::to_vec))).collect()
}

/// A length-encoded text.
fn text<'a>(cursor: &mut Cursor<'a>, field: &str) -> Result<Option<&'a [u8]>, String> {
    match number(cursor)? {
        None => Ok(None),
        Some(length) => {
            let length = usize::try_from(length).map_err(|_| format!("the {field} is too long"))?;
            cursor.take(length, field).map(Some)
        }
    }
}

/// A length-encoded integer; `None` is NULL.
fn number(cursor: &mut Cursor<'_>) -> Result<Option<u64>, String> {
    let more = match cursor.u8("length")? {
        0xfb => return Ok(None),
        0xfc => 2,
        0xfd => 3,
        0xfe => 8,
        0xff => return Err("a length begins with 255".to_owned()),
        small => return Ok(Some(u64::from(small))),
    };
    let mut bytes = [0; 8];
    bytes[..more].copy_from_slice(cursor.take(more, "length")?);
    Ok(Some(u64::from_le_bytes(bytes)))
}

fn refusal(cursor: &mut Cursor<'_>) -> Result<Refusal, String> {
    let number = cursor.u16_le("error's number")?;
    let state = if cursor.rest().first() == Some(&b'#') {
        readable(&cursor.take(6, "error's state")?[1..])
    } else {
        String::new()
    };
    Ok(Refusal { number, state, message: readable(cursor.rest()) })
}

impl Refusal {
    /// In words, with what to do about the usual ones.
    ///
    /// The numbers are those of MySQL's server error reference.
    pub(super) fn explain(&self) -> String {
        let meaning = match self.number {
            1040 | 1203 => "all of its connections are taken",
            1044 => "the user may not use this database",
            1045 | 1698 => "the user or password is wrong",
            1046 => "no database is chosen; name one in the target",
            1049 => "there is no such database",
            1053 => "it is shutting down",
            1054 => "there is no such column",
            1064 => "the query cannot be parsed",
            1129 => "it blocks this host after many failed connections; see FLUSH HOSTS",
            1130 => "it does not let this host in",
            1142 | 1143 | 1227 => "the user may not do that",
            1146 => "there is no such table",
            1290 => "it is started with an option that forbids that, such as read_only",
            3159 => "it wants TLS; set sslmode to require",
            _ => "it refuses",
        };
        let state = if self.state.is_empty() {
            String::new()
        } else {
            format!(", SQLSTATE {}", self.state)
        };
        format!("{meaning} (error {}{state}: {})", self.number, self.message)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As MySQL's documentation draws `Protocol::HandshakeV10`, with MariaDB's version prefix.
    fn greeting_packet() -> Vec<u8> {
        let mut packet = vec![10];
        packet.extend_from_slice(b"5.5.5-10.11.6-MariaDB\0");
        packet.extend_from_slice(&[1, 0, 0, 0]);
        packet.extend_from_slice(b"12345678\0");
        packet.extend_from_slice(&[0xfe, 0xf7, 0x2d, 2, 0, 0xff, 0x81, 21]);
        packet.extend_from_slice(&[0; 10]);
        packet.extend_from_slice(b"abcdefghijkl\0");
        packet.extend_from_slice(b"mysql_native_password\0");
        packet
    }

    #[test]
    fn a_greeting_is_read() {
        let greeting = greeting(&greeting_packet()).expect("reads");
        assert_eq!(greeting.version, "5.5.5-10.11.6-MariaDB");
        assert_eq!(greeting.nonce, b"12345678abcdefghijkl");
        assert_eq!(greeting.plugin, "mysql_native_password");
    }

    #[test]
    fn every_truncated_greeting_is_an_error() {
        let whole = greeting_packet();
        for length in 0..whole.len() {
            assert!(greeting(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_words_with_its_numbers() {
        let packet = b"\xff\x15\x04#28000Access denied for user 'u'@'localhost'";
        let Ok(Answer::Refusal(refusal)) = login_answer(packet) else { panic!("a refusal") };
        assert_eq!(
            refusal.explain(),
            "the user or password is wrong (error 1045, SQLSTATE 28000: Access denied for user \
             'u'@'localhost')"
        );
        // Before anybody has said who they are: without a state.
        let error = greeting(b"\xff\x10\x04Too many connections").expect_err("a refusal");
        assert_eq!(error, "all of its connections are taken (error 1040: Too many connections)");
    }

    #[test]
    fn a_login_has_the_bytes_of_the_documentation() {
        let body = login(false, "u", &[7, 8], "d", "mysql_native_password");
        assert_eq!(&body[..4], &0x0008_a209u32.to_le_bytes());
        assert_eq!(&body[32..], b"u\0\x02\x07\x08d\0mysql_native_password\0");
        assert_eq!(tls_request("").len(), 32);
        assert_eq!(frame(1, PING), [1, 0, 0, 1, 0x0e]);
    }

    #[test]
    fn rows_and_columns_are_read() {
        let column_packet = b"\x03def\0\0\0\x01n\0\x0c\x3f\0\x01\0\0\0\x03\x81\0\0\0\0";
        assert_eq!(column(column_packet), Ok(("n".to_owned(), true)));
        assert_eq!(row(b"\x011\xfb", 2), Ok(vec![Some(b"1".to_vec()), None]));
        assert!(row(b"\xfe\xff\xff\xff\xff\xff\xff\xff\xff", 1).is_err());
        assert!(is_end(&[0xfe, 0, 0, 2, 0]));
    }

    #[test]
    fn a_server_that_asks_for_a_file_is_refused() {
        assert!(command_answer(b"\xfb/etc/passwd").is_err());
    }

    #[test]
    fn a_packet_too_long_is_refused_before_it_is_read() {
        assert!(header([0xff, 0xff, 0xff, 0]).is_err());
        assert_eq!(header([5, 0, 0, 1]), Ok((5, 1)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes: Vec<u8>, columns in 0usize..20) {
            let _ = greeting(&bytes);
            let _ = greeting(&[&[10][..], &bytes].concat());
            let _ = login_answer(&bytes);
            let _ = command_answer(&bytes);
            let _ = column(&bytes);
            let _ = row(&bytes, columns);
            let _ = as_refusal(&bytes);
        }
    }
}
