//! Ids of what happens: UUIDv7, in the order in which they are given.

use uuid::Uuid;

use crate::model::Timestamp;

/// Fills bytes with randomness.
pub type Randomness = Box<dyn FnMut(&mut [u8; 10]) + Send>;

/// Gives ids.
pub(super) struct Ids {
    random: Randomness,
    last_ms: u64,
    /// Counts within a millisecond, in the 12 bits that sort after the time (RFC 9562, 6.2).
    counter: u16,
}

impl Ids {
    pub(super) fn new(random: Randomness) -> Self {
        Ids { random, last_ms: 0, counter: 0 }
    }

    /// Later ids sort behind this one.
    pub(super) fn after(&mut self, id: &Uuid) {
        let [a, b, c, d, e, f, ..] = *id.as_bytes();
        let ms = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        if ms >= self.last_ms {
            (self.last_ms, self.counter) = (ms + 1, 0);
        }
    }

    /// The next one. Sorts behind all before it, also when the clock was put back.
    pub(super) fn next(&mut self, now: Timestamp) -> Uuid {
        let ms = u64::try_from(now.millis()).unwrap_or(0);
        if ms > self.last_ms {
            (self.last_ms, self.counter) = (ms, 0);
        } else if self.counter == 0xfff {
            (self.last_ms, self.counter) = (self.last_ms + 1, 0);
        } else {
            self.counter += 1;
        }
        let mut bytes = [0; 10];
        (self.random)(&mut bytes);
        bytes[..2].copy_from_slice(&self.counter.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(self.last_ms, &bytes).into_uuid()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_within_a_millisecond_and_when_the_clock_is_put_back() {
        let mut ids = Ids::new(Box::new(|bytes| *bytes = [0xff; 10]));
        let mut last = Uuid::nil();
        for place in 0..10_000 {
            let now = Timestamp::from_millis(if place < 5000 { 1000 } else { 10 });
            let id = ids.next(now);
            assert!(id > last && id.get_version_num() == 7, "{id} after {last}");
            last = id;
        }
    }
}
