//! The hash that decides who gets what: FNV-1a with 32 bits, as GrowthBook's SDKs have it, so
//! that an application that assigns by itself comes to the same.
//!
//! Source: `hash` in `packages/sdk-js/src/util.ts` of growthbook/growthbook, versions 1 and 2. It
//! walks JavaScript strings, so a step is a UTF-16 code unit and not a byte.

/// FNV's offset basis for 32 bits.
const BASIS: u32 = 0x811c_9dc5;
/// FNV's prime for 32 bits.
const PRIME: u32 = 0x0100_0193;

/// A hash under way: what came before is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fnv(u32);

impl Fnv {
    /// Nothing yet.
    pub(crate) const fn new() -> Self {
        Fnv(BASIS)
    }

    /// With a text behind what came before.
    pub(crate) fn text(mut self, text: &str) -> Self {
        if text.is_ascii() {
            for byte in text.bytes() {
                self.step(byte.into());
            }
        } else {
            for unit in text.encode_utf16() {
                self.step(unit);
            }
        }
        self
    }

    fn step(&mut self, unit: u16) {
        self.0 = (self.0 ^ u32::from(unit)).wrapping_mul(PRIME);
    }

    /// The place of version 2, in 10,000ths: the hash of the hash's decimal digits.
    pub(crate) fn place_2(self) -> f64 {
        let mut digits = [0u8; 10];
        let mut at = digits.len();
        let mut rest = self.0;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        let mut twice = Fnv::new();
        for digit in &digits[at..] {
            twice.step(u16::from(*digit));
        }
        f64::from(twice.0 % 10_000) / 10_000.0
    }
}

/// The place of a value from 0 to below 1, in 1000ths (version 1, used for namespaces) or
/// 10,000ths (version 2). `None` for a version that does not exist.
pub fn place(seed: &str, value: &str, version: u32) -> Option<f64> {
    match version {
        1 => Some(f64::from(Fnv::new().text(value).text(seed).0 % 1000) / 1000.0),
        2 => Some(Fnv::new().text(seed).text(value).place_2()),
        _ => None,
    }
}
