//! One question of SNTP (RFC 4330): how far is our clock from a server's?

/// Bytes of a packet without extensions.
pub(super) const PACKET_BYTES: usize = 48;

/// Seconds from 1900 to 1970.
const TO_UNIX: u64 = 2_208_988_800;

/// What a server says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Reading {
    /// How far it is ahead of us, in milliseconds.
    pub(super) offset_ms: f64,
    /// How long question and answer took, in milliseconds.
    pub(super) delay_ms: f64,
    /// Whether it is synchronised itself.
    pub(super) synchronized: bool,
    pub(super) stratum: u8,
}

/// The question. `token` comes back, and tells our answer from others; as RFC 4330 lets it, it
/// says nothing of our clock.
pub(super) fn question(token: [u8; 8]) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    // No warning, version 4, client.
    packet[0] = 0b00_100_011;
    packet[40..].copy_from_slice(&token);
    packet
}

/// Reads an answer; `sent_ns` and `received_ns` count from 1970 by our clock.
pub(super) fn reading(
    packet: &[u8],
    token: [u8; 8],
    sent_ns: i128,
    received_ns: i128,
) -> Result<Reading, String> {
    let Some(packet) = packet.first_chunk::<PACKET_BYTES>() else {
        return Err(format!("its answer has {} bytes, and not {PACKET_BYTES}", packet.len()));
    };
    if packet[0] & 0b111 != 4 || packet[24..32] != token {
        return Err("its answer is not one to our question".to_owned());
    }
    let stratum = packet[1];
    if stratum == 0 {
        let code = String::from_utf8_lossy(&packet[12..16]).into_owned();
        return Err(format!("it wants to be left alone (kiss of death {code:?}): ask less often"));
    }
    let (came, went) = (stamp_ns(&packet[32..40]), stamp_ns(&packet[40..48]));
    let ms = |ns: i128| ns as f64 / 1e6;
    Ok(Reading {
        offset_ms: ms((came - sent_ns) + (went - received_ns)) / 2.0,
        delay_ms: ms((received_ns - sent_ns) - (went - came)),
        synchronized: packet[0] >> 6 != 3 && stratum < 16,
        stratum,
    })
}

/// Nanoseconds since 1970. Numbers of the first half of the count are of the era that begins in
/// 2036 (RFC 4330, 3).
fn stamp_ns(bytes: &[u8]) -> i128 {
    let mut whole = [0; 8];
    whole.copy_from_slice(&bytes[..8]);
    let number = u64::from_be_bytes(whole);
    let mut seconds = number >> 32;
    if seconds < 1 << 31 {
        seconds += 1 << 32;
    }
    let nanos = ((number & 0xffff_ffff) * 1_000_000_000) >> 32;
    (i128::from(seconds) - i128::from(TO_UNIX)) * 1_000_000_000 + i128::from(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(first: u8, stratum: u8, token: [u8; 8], seconds: u32) -> Vec<u8> {
        let mut packet = vec![0; PACKET_BYTES];
        packet[0] = first;
        packet[1] = stratum;
        packet[24..32].copy_from_slice(&token);
        for at in [32, 40] {
            packet[at..at + 4].copy_from_slice(&seconds.to_be_bytes());
        }
        packet
    }

    #[test]
    fn an_offset_is_the_mean_of_both_ways() {
        // 3,913,056,000 is 2024-01-01T00:00:00Z in NTP's count, 1,704,067,200 in Unix's.
        let packet = answer(0x24, 2, [7; 8], 3_913_056_000);
        let now: i128 = 1_704_067_200_000_000_000;
        let read = reading(&packet, [7; 8], now - 1_000_000_000, now).expect("reads");
        assert_eq!((read.offset_ms, read.delay_ms), (500.0, 1000.0));
        assert!(read.synchronized);
    }

    #[test]
    fn the_era_of_2036_is_read() {
        let packet = answer(0x24, 2, [7; 8], 0);
        // 2^32 seconds after 1900.
        let now: i128 = (4_294_967_296 - 2_208_988_800) * 1_000_000_000;
        assert_eq!(reading(&packet, [7; 8], now, now).map(|read| read.offset_ms), Ok(0.0));
    }

    #[test]
    fn answers_to_others_and_refusals_are_told() {
        let now = 0;
        assert!(reading(&answer(0x24, 2, [8; 8], 1), [7; 8], now, now).is_err());
        assert!(reading(&answer(0x24, 0, [7; 8], 1), [7; 8], now, now).is_err());
        assert!(reading(&[0; 47], [7; 8], now, now).is_err());
        let unsynchronized = reading(&answer(0xe4, 16, [7; 8], 1), [7; 8], now, now);
        assert_eq!(unsynchronized.map(|read| read.synchronized), Ok(false));
    }
}
