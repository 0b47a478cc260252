//! The number by which Prometheus and Alertmanager know a set of labels.

use super::Labels;

/// FNV-1a in 64 bits over each name and value, with a byte 0xFF after each (`model.Fingerprint`
/// of `prometheus/common`, `model/signature.go`, `labelSetToFingerprint`). Alertmanager shows it as
/// 16 hexadecimal digits. It is not collision-proof; ours is [`super::AlertKey`].
pub fn fingerprint(labels: &Labels) -> u64 {
    const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let add = |sum: u64, byte: u8| (sum ^ u64::from(byte)).wrapping_mul(PRIME);
    let text = |sum, text: &str| add(text.bytes().fold(sum, add), 0xff);
    labels.iter().fold(OFFSET, |sum, (name, value)| text(text(sum, name), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from `model/labels_test.go` and `model/metric_test.go` of
    /// `prometheus/common`.
    #[test]
    fn fingerprints_are_those_of_prometheus() {
        assert_eq!(fingerprint(&Labels::empty()), 14_695_981_039_346_656_037);
        let labels =
            Labels::from_pairs([("name", "garland, briggs"), ("fear", "love is not enough")])
                .expect("valid");
        assert_eq!(fingerprint(&labels), 5_799_056_148_416_392_346);
    }
}
