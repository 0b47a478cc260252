//! Whatever is written is read back, and damage is refused.

use proptest::prelude::*;

use super::*;
use crate::model::Phases;

fn name(text: &str) -> Name {
    Name::new(text).expect("a name")
}

fn any_result() -> impl Strategy<Value = CheckResult> {
    let phase = || proptest::option::of(prop_oneof![0u64..2000, any::<u64>()]);
    let text = || proptest::option::of("\\PC{0,8}");
    (
        -(1i64 << 41)..(1i64 << 41),
        0u8..5,
        (phase(), phase(), phase(), phase(), any::<u64>()),
        (text(), text(), proptest::option::of("[a-z]{1,3}")),
    )
        .prop_map(
            |(at, status, (dns, connect, tls, first, total), (condition, error, key))| {
                let phases = Phases {
                    dns_us: dns,
                    connect_us: connect,
                    tls_us: tls,
                    first_byte_us: first,
                    total_us: total,
                };
                CheckResult {
                    check: name("a"),
                    at: Timestamp::from_millis(at),
                    status: result_row::status_of(status).expect("a status"),
                    // As they are kept: to three digits.
                    phases: result_row::phases_of(result_row::phase_codes(&phases)),
                    failed_condition: condition,
                    error,
                    metadata: key.into_iter().map(|key| (key, 1.5.into())).collect(),
                }
            },
        )
}

proptest! {
    #[test]
    fn rows_and_chunks_give_back_what_they_hold(
        mut results in proptest::collection::vec(any_result(), 1..40),
    ) {
        let mut rows = Vec::new();
        result_row::decode_row(&result_row::encode_row(&results), None, &mut rows).expect("decodes");
        prop_assert_eq!(&rows, &results);
        let mut none = Vec::new();
        result_row::decode_row(&result_row::encode_row(&results), Some("b"), &mut none)
            .expect("decodes");
        prop_assert_eq!(none, vec![]);
        results.sort_by_key(|result| result.at);
        let packed = chunk::encode(&results).expect("packs");
        prop_assert_eq!(chunk::decode(&name("a"), &packed), Some(results));
    }

    #[test]
    fn damaged_bytes_are_refused_and_never_panic(
        results in proptest::collection::vec(any_result(), 1..10),
        noise in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8),
        cut in any::<usize>(),
    ) {
        let damage = |mut bytes: Vec<u8>| {
            for (at, byte) in &noise {
                let length = bytes.len();
                bytes[at % length] = *byte;
            }
            bytes.truncate(cut % (bytes.len() + 1));
            bytes
        };
        let _ = chunk::decode(&name("a"), &damage(chunk::encode(&results).expect("packs")));
        let _ = result_row::decode_row(&damage(result_row::encode_row(&results)), None, &mut vec![]);
        let mut rollup = Rollup::new(Timestamp::default());
        results.iter().for_each(|result| rollup.add(result));
        let again = Rollup::decode(Timestamp::default(), &rollup.encode()).expect("decodes");
        prop_assert_eq!(again.encode(), rollup.encode());
        let _ = Rollup::decode(Timestamp::default(), &damage(rollup.encode()));
    }
}
