//! sshd, as it is.

use serde_json::{Value, json};

use super::servers::sshd;
use super::{ask, refusal};

#[tokio::test]
async fn sshd_says_who_it_is_and_shows_its_key() {
    let (mut server, fingerprint) = sshd("");
    let target = server.address();
    let seen = server.ready("ssh", &target, json!({})).await;
    let name = String::from_utf8(seen.body.clone()).expect("UTF-8");
    assert!(name.starts_with("SSH-2.0-OpenSSH_"), "{name}");
    assert_eq!(seen.metadata["server_version"], name.as_str());
    assert_eq!(seen.metadata["host_key_type"], "ssh-ed25519");
    assert_eq!(seen.metadata["host_key_sha256"], fingerprint.as_str());
    let offers = |list: &str, name: &str| {
        seen.metadata[list].as_array().expect("a list").contains(&Value::from(name))
    };
    assert!(offers("host_key_algorithms", "rsa-sha2-512"));
    assert!(offers("key_exchanges", "curve25519-sha256"));

    let expected = json!({ "host_key_sha256": fingerprint });
    assert_eq!(ask("ssh", &target, expected).await.error, None);
    // The same server, by its other key.
    let other = json!({ "host_key_sha256": fingerprint, "host_key_algorithms": ["rsa-sha2-256"] });
    let error = ask("ssh", &target, other).await.error.expect("another key");
    assert!(error.contains("it shows another host key than expected: ssh-rsa SHA256:"), "{error}");
}

#[tokio::test]
async fn an_sshd_without_our_key_exchange_still_answers() {
    let (mut server, fingerprint) = sshd("KexAlgorithms diffie-hellman-group14-sha256");
    let target = server.address();
    let seen = server.ready("ssh", &target, json!({})).await;
    assert!(seen.metadata["host_key"].as_str().expect("a note").contains("curve25519"));
    let error = ask("ssh", &target, json!({ "host_key_sha256": fingerprint })).await.error;
    assert!(error.expect("nothing to compare").contains("its host key cannot be compared"));
}

#[test]
fn a_fingerprint_that_can_be_none_is_refused() {
    let error = refusal("ssh", "a.example", json!({ "host_key_sha256": "MD5:12:34" }));
    assert!(error.starts_with("host_key_sha256: ") && error.contains("ssh-keygen -l"), "{error}");
}
