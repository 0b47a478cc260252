//! The machine that the tests run on.

use serde_json::json;
use tokio::net::UdpSocket;

use super::servers::run;
use super::{ask, refusal};

#[tokio::test]
async fn the_room_on_a_disk_is_what_df_says() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().to_str().expect("UTF-8");
    let seen = ask("host", &format!("disk:{path}"), json!({})).await;
    assert_eq!(seen.error, None);
    let printed =
        run(std::process::Command::new("df").args(["-B1", "--output=size,used,avail"]).arg(path));
    let numbers: Vec<f64> =
        printed.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [size, used, available] = numbers[..] else { panic!("{printed}") };
    assert_eq!(seen.values["TOTAL_BYTES"], size);
    // Others write meanwhile.
    let difference = seen.values["FREE_PERCENT"] - 100.0 * available / (used + available);
    assert!(difference.abs() < 2.0, "{difference}");
    assert!((seen.values["FREE_BYTES"] - available).abs() < 0.05 * size);
    assert!(seen.values.get("INODES_FREE_PERCENT").is_none_or(|share| *share <= 100.0));
    let error = ask("host", "disk:/no/such/path", json!({})).await.error.expect("no path");
    assert!(error.contains("/no/such/path"), "{error}");
}

#[tokio::test]
async fn load_and_memory_are_numbers_of_this_machine() {
    let seen = ask("host", "load", json!({})).await;
    assert!(seen.error.is_none() && seen.values["LOAD1"] >= 0.0);
    let seen = ask("host", "memory", json!({})).await;
    assert!((0.1..=100.0).contains(&seen.values["AVAILABLE_PERCENT"]), "{:?}", seen.values);
}

#[tokio::test]
async fn a_clock_of_which_nothing_is_known_is_no_error() {
    let seen = ask("host", "clock", json!({})).await;
    assert_eq!(seen.error, None);
    assert_ne!(seen.metadata.contains_key("source"), seen.unknown.is_some(), "one of both");
    assert!(seen.values.get("SYNCHRONIZED").is_none_or(|value| [0.0, 1.0].contains(value)));
}

#[tokio::test]
async fn a_time_server_that_is_ahead_is_seen_to_be() {
    let server = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let address = server.local_addr().expect("bound").to_string();
    // No time server is installed here: this one runs an hour ahead of the machine's clock.
    tokio::spawn(async move {
        let mut question = [0; 48];
        let (_, from) = server.recv_from(&mut question).await.expect("a question");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let ahead = now.expect("after 1970").as_secs() + 3600 + 2_208_988_800;
        let mut answer = [0; 48];
        answer[0] = 0x24;
        answer[1] = 2;
        answer[24..32].copy_from_slice(&question[40..]);
        for at in [32, 40] {
            answer[at..at + 4].copy_from_slice(&(ahead as u32).to_be_bytes());
        }
        server.send_to(&answer, from).await.expect("sent");
    });
    let seen = ask("host", "clock", json!({ "server": address })).await;
    assert_eq!(seen.error, None);
    let offset = seen.values["OFFSET_MS"];
    // It counts whole seconds.
    assert!((3_590_000.0..3_610_000.0).contains(&offset), "{offset}");
}

#[test]
fn parts_that_are_none_are_refused_with_the_ones_that_are() {
    for target in ["", "disk", "disk:relative", "cpu", "clock:x"] {
        let error = refusal("host", target, json!({}));
        assert!(error.starts_with("target: ") && error.contains("disk:/"), "{error}");
    }
}
