//! SSH's transport up to the server's host key (RFC 4253, RFC 5656, RFC 8731).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::probes::cursor::{Cursor, readable};

/// The longest packet that is read: what RFC 4253, 6.1 demands, and not more.
pub(super) const PACKET_BYTES_MAX: usize = 35_000;
/// The longest line before the packets begin (RFC 4253, 4.2).
pub(super) const LINE_BYTES_MAX: usize = 255;
/// Lines that a server may send before its identification.
pub(super) const LINES_MAX: usize = 32;

/// What we are called.
pub(super) const IDENTIFICATION: &[u8] = b"SSH-2.0-vedette\r\n";

/// The one key exchange that is spoken, by both of its names.
pub(super) const KEY_EXCHANGES: [&str; 2] = ["curve25519-sha256", "curve25519-sha256@libssh.org"];

/// Host keys that are taken unless a check names others, the best first.
pub(super) const HOST_KEYS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// Numbers of messages.
pub(super) const DISCONNECT: u8 = 1;
pub(super) const KEXINIT: u8 = 20;
pub(super) const ECDH_REPLY: u8 = 31;

/// Whether a line is the server's identification: `SSH-2.0-OpenSSH_9.2 comment`.
///
/// # Errors
///
/// When it is one of a version that is not spoken.
pub(super) fn identification(line: &[u8]) -> Result<Option<String>, String> {
    if !line.starts_with(b"SSH-") {
        return Ok(None);
    }
    // 1.99 is a server that speaks 2.0 and older ones (RFC 4253, 5.1).
    if line.starts_with(b"SSH-2.0-") || line.starts_with(b"SSH-1.99-") {
        return Ok(Some(readable(line)));
    }
    Err(format!("it calls itself {:?}; SSH 2.0 is spoken", readable(line)))
}

/// Puts a payload into a packet: no encryption, blocks of 8 bytes.
pub(super) fn packet(payload: &[u8]) -> Vec<u8> {
    // At least 4 bytes of padding.
    let mut padding = 8 - (5 + payload.len()) % 8;
    if padding < 4 {
        padding += 8;
    }
    let length = u32::try_from(1 + payload.len() + padding).unwrap_or(u32::MAX);
    let mut out = length.to_be_bytes().to_vec();
    out.push(padding as u8);
    out.extend_from_slice(payload);
    out.resize(out.len() + padding, 0);
    out
}

/// Reads a packet's length.
///
/// # Errors
///
/// When it is impossible or beyond [`PACKET_BYTES_MAX`].
pub(super) fn packet_length(bytes: [u8; 4]) -> Result<usize, String> {
    let length = u32::from_be_bytes(bytes) as usize;
    if !(5..=PACKET_BYTES_MAX).contains(&length) {
        return Err(format!("it sent a packet of length {length}, which is none of SSH's"));
    }
    Ok(length)
}

/// What a packet carries.
///
/// # Errors
///
/// When its padding is longer than it.
pub(super) fn payload(packet: &[u8]) -> Result<&[u8], String> {
    let mut cursor = Cursor::new(packet);
    let padding = usize::from(cursor.u8("padding's length")?);
    let rest = cursor.rest();
    match rest.len().checked_sub(padding) {
        Some(length) if length > 0 => Ok(&rest[..length]),
        _ => Err("its packet has more padding than room".to_owned()),
    }
}

/// What a server can: `SSH_MSG_KEXINIT` (RFC 4253, 7.1).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) key_exchanges: Vec<String>,
    pub(super) host_keys: Vec<String>,
    pub(super) ciphers: Vec<String>,
    pub(super) macs: Vec<String>,
    /// Whether it sends the first packet of the exchange that it guesses.
    pub(super) guesses: bool,
}

/// Reads the server's offer.
///
/// # Errors
///
/// When the message ends too early.
pub(super) fn offer(payload: &[u8]) -> Result<Offer, String> {
    let mut cursor = Cursor::new(payload);
    cursor.take(17, "number and cookie")?;
    let key_exchanges = names(&mut cursor, "key exchanges")?;
    let host_keys = names(&mut cursor, "host key algorithms")?;
    names(&mut cursor, "ciphers")?;
    // Those towards the client.
    let ciphers = names(&mut cursor, "ciphers")?;
    names(&mut cursor, "MACs")?;
    let macs = names(&mut cursor, "MACs")?;
    for field in ["compressions", "compressions", "languages", "languages"] {
        names(&mut cursor, field)?;
    }
    let guesses = cursor.u8("guess")? != 0;
    Ok(Offer { key_exchanges, host_keys, ciphers, macs, guesses })
}

fn names(cursor: &mut Cursor<'_>, field: &str) -> Result<Vec<String>, String> {
    const NAMES_MAX: usize = 64;
    let list = string(cursor, field)?;
    if list.is_empty() {
        return Ok(Vec::new());
    }
    Ok(list.split(|byte| *byte == b',').take(NAMES_MAX).map(readable).collect())
}

fn string<'a>(cursor: &mut Cursor<'a>, field: &str) -> Result<&'a [u8], String> {
    let length = cursor.u32_be(field)? as usize;
    cursor.take(length, field)
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(text);
}

/// Our own offer, with a random cookie.
pub(super) fn own_offer(cookie: [u8; 16], host_keys: &str) -> Vec<u8> {
    const CIPHERS: &str = "chacha20-poly1305@openssh.com,aes256-gcm@openssh.com,\
        aes128-gcm@openssh.com,aes256-ctr,aes128-ctr";
    const MACS: &str = "hmac-sha2-256-etm@openssh.com,hmac-sha2-512-etm@openssh.com,\
        hmac-sha2-256,hmac-sha2-512";
    let key_exchanges = KEY_EXCHANGES.join(",");
    let mut out = vec![KEXINIT];
    out.extend_from_slice(&cookie);
    for list in [&key_exchanges, host_keys, CIPHERS, CIPHERS, MACS, MACS, "none", "none", "", ""] {
        put_string(&mut out, list.as_bytes());
    }
    out.extend_from_slice(&[0; 5]);
    out
}

/// Our half of the exchange (`SSH_MSG_KEX_ECDH_INIT`). Any 32 bytes are a public key of
/// Curve25519 (RFC 7748, 5); as nothing is encrypted afterwards, nobody needs the private half.
pub(super) fn exchange(public_key: [u8; 32]) -> Vec<u8> {
    let mut out = vec![30];
    put_string(&mut out, &public_key);
    out
}

/// Goodbye, before any key is in use: reason 11, "by application".
pub(super) fn goodbye() -> Vec<u8> {
    let mut out = vec![DISCONNECT, 0, 0, 0, 11];
    put_string(&mut out, b"checked");
    put_string(&mut out, b"");
    out
}

/// The key that a server shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HostKey {
    /// `ssh-ed25519`
    pub(super) kind: String,
    /// As `ssh-keygen -l` prints it, without `SHA256:`.
    pub(super) fingerprint: String,
}

/// Reads the server's half of the exchange (`SSH_MSG_KEX_ECDH_REPLY`).
///
/// # Errors
///
/// When the message ends too early.
pub(super) fn host_key(payload: &[u8]) -> Result<HostKey, String> {
    let mut cursor = Cursor::new(payload);
    cursor.u8("number")?;
    let key = string(&mut cursor, "host key")?;
    let kind = readable(string(&mut Cursor::new(key), "host key's kind")?);
    Ok(HostKey { kind, fingerprint: BASE64_STANDARD_NO_PAD.encode(Sha256::digest(key)) })
}

/// Why the server hangs up (`SSH_MSG_DISCONNECT`).
pub(super) fn disconnect_reason(payload: &[u8]) -> String {
    let mut cursor = Cursor::new(payload);
    let reason = cursor
        .take(5, "reason")
        .and_then(|_| string(&mut cursor, "description"))
        .map_or_else(|_| String::new(), readable);
    format!("it hangs up: {reason:?}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packets_are_whole_blocks_with_enough_padding() {
        for length in 0..40 {
            let packet = packet(&vec![7; length]);
            assert_eq!(packet.len() % 8, 0);
            assert!(packet[4] >= 4, "RFC 4253, 6: at least four bytes of padding");
            assert_eq!(packet_length([0, 0, 0, packet[3]]), Ok(packet.len() - 4));
            if length > 0 {
                assert_eq!(payload(&packet[4..]), Ok(&vec![7; length][..]));
            }
        }
    }

    #[test]
    fn our_own_offer_reads_back() {
        let offer = offer(&own_offer([9; 16], "ssh-ed25519,rsa-sha2-256")).expect("reads");
        assert_eq!(offer.key_exchanges, KEY_EXCHANGES);
        assert_eq!(offer.host_keys, ["ssh-ed25519", "rsa-sha2-256"]);
        assert!(!offer.guesses);
    }

    #[test]
    fn every_truncated_offer_is_an_error() {
        let whole = own_offer([9; 16], "ssh-ed25519");
        // The last four bytes are reserved and not looked at.
        for length in 0..whole.len() - 4 {
            assert!(offer(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn identifications_of_version_two_are_taken() {
        assert_eq!(identification(b"Welcome"), Ok(None));
        assert_eq!(
            identification(b"SSH-2.0-billsSSH_3.6.3q3"),
            Ok(Some("SSH-2.0-billsSSH_3.6.3q3".to_owned()))
        );
        assert!(identification(b"SSH-1.99-old").is_ok_and(|line| line.is_some()));
        assert!(identification(b"SSH-1.5-ancient").is_err());
    }

    #[test]
    fn a_fingerprint_is_the_one_of_ssh_keygen() {
        let key = BASE64_STANDARD_NO_PAD
            .decode("AAAAC3NzaC1lZDI1NTE5AAAAIC+aH6dTh0RoSptHTfXa0wDYk04XjIo9QnB9T5TM/8bk")
            .expect("base64");
        let mut reply = vec![ECDH_REPLY];
        put_string(&mut reply, &key);
        let found = host_key(&reply).expect("reads");
        assert_eq!(found.kind, "ssh-ed25519");
        assert_eq!(found.fingerprint, "3oedm10u26yDoBppNbS7igVUe7pE2qV57jJ9vLLy1JI");
    }

    #[test]
    fn impossible_lengths_are_refused() {
        assert!(packet_length([0xff; 4]).is_err());
        assert!(packet_length([0, 0, 0, 4]).is_err());
        assert!(payload(&[200, 1, 2, 3]).is_err());
        assert!(host_key(&[31, 0xff, 0xff, 0xff, 0xff, 1]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_readers_panic(bytes: Vec<u8>) {
            let _ = payload(&bytes);
            let _ = offer(&bytes);
            let _ = host_key(&bytes);
            let _ = identification(&bytes);
            let _ = disconnect_reason(&bytes);
        }
    }
}
