//! Whether this machine's clock is right, as far as that can be seen.
//!
//! The kernel's own word (`adjtimex`) is not asked: no safe call for it exists here. What is
//! looked at instead: a time server that the check names; the file of systemd-timesyncd; chrony's
//! word. Without any of them nothing is known, and nothing is claimed.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::net::UdpSocket;
use tokio::process::Command;

use super::ntp;
use crate::probes::attempt::Attempt;
use crate::probes::connect::{IpVersion, resolve};
use crate::probes::cursor::readable;
use crate::probes::target::HostPort;

const TIMESYNC: &str = "/run/systemd/timesync";
const CHRONY: &str = "/run/chrony";

/// Fills in `SYNCHRONIZED` (1 or 0) and `OFFSET_MS` (how far others are ahead), as far as they
/// are known, and says in the metadata who said so.
pub(super) async fn ask(attempt: &mut Attempt, server: Option<&HostPort>) -> Result<(), String> {
    if let Some(server) = server {
        return ask_server(attempt, server).await;
    }
    // It makes the directory when it starts, and the file when it has set the clock.
    match synchronized_by_systemd(Path::new(TIMESYNC)) {
        Some(synchronized) => {
            note(attempt, synchronized, None, "systemd-timesyncd");
            return Ok(());
        }
        None if Path::new(CHRONY).is_dir() => {
            attempt.wait_for("chronyc to answer");
            if let Some((synchronized, offset_ms)) = chrony().await {
                note(attempt, synchronized, Some(offset_ms), "chrony");
                return Ok(());
            }
        }
        None => {}
    }
    // In a container it is the host's business.
    attempt.seen.unknown = Some(
        "nobody here says whether the clock is right; name a time server in settings.server"
            .to_owned(),
    );
    Ok(())
}

fn note(attempt: &mut Attempt, synchronized: bool, offset_ms: Option<f64>, source: &str) {
    let values = &mut attempt.seen.values;
    values.insert("SYNCHRONIZED".to_owned(), f64::from(u8::from(synchronized)));
    if let Some(offset_ms) = offset_ms {
        values.insert("OFFSET_MS".to_owned(), offset_ms);
    }
    attempt.note("source", source);
}

fn synchronized_by_systemd(directory: &Path) -> Option<bool> {
    directory.is_dir().then(|| directory.join("synchronized").exists())
}

/// `chronyc -c tracking`: fields with commas; the fifth is the offset in seconds, positive if the
/// system's clock is behind, the last the leap status.
async fn chrony() -> Option<(bool, f64)> {
    let output = Command::new("chronyc")
        .args(["-n", "-c", "tracking"])
        .kill_on_drop(true)
        .output()
        .await
        .ok()?;
    chrony_tracking(&String::from_utf8_lossy(&output.stdout))
}

fn chrony_tracking(line: &str) -> Option<(bool, f64)> {
    let fields: Vec<&str> = line.trim().split(',').collect();
    let offset: f64 = fields.get(4)?.parse().ok()?;
    let leap = fields.get(13)?;
    Some((*leap != "Not synchronised", offset * 1000.0))
}

async fn ask_server(attempt: &mut Attempt, server: &HostPort) -> Result<(), String> {
    let addresses = resolve(attempt, server, IpVersion::Auto).await?;
    let Some(address) = addresses.first().copied() else {
        return Err(format!("{server} has no address"));
    };
    attempt.wait_for(format!("the time server {server}"));
    let trouble = |error: std::io::Error| format!("cannot ask the time server {address}: {error}");
    let local = if address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
    let socket = UdpSocket::bind(local).await.map_err(trouble)?;
    socket.connect(address).await.map_err(trouble)?;
    let mut token = [0; 8];
    getrandom::fill(&mut token)
        .map_err(|error| format!("this machine gives no randomness: {error}"))?;
    let sent = now_ns();
    socket.send(&ntp::question(token)).await.map_err(trouble)?;
    let mut packet = [0; 128];
    let length = socket.recv(&mut packet).await.map_err(|error| {
        format!("cannot ask the time server {address}: {error}; nothing may listen there")
    })?;
    let received = now_ns();
    attempt.seen.ip = Some(address.ip().to_string());
    let reading = ntp::reading(&packet[..length], token, sent, received)
        .map_err(|error| format!("{server}: {}", readable(error.as_bytes())))?;
    attempt.seen.values.insert("OFFSET_MS".to_owned(), reading.offset_ms);
    attempt.seen.values.insert("DELAY_MS".to_owned(), reading.delay_ms);
    attempt.note("source", server.to_string());
    attempt.note("stratum", reading.stratum);
    if !reading.synchronized {
        return Err(format!("the time server {server} has no time itself; name another one"));
    }
    Ok(())
}

fn now_ns() -> i128 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_nanos() as i128,
        Err(before) => -(before.duration().as_nanos() as i128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timesyncd_says_by_a_file_whether_it_has_set_the_clock() {
        let directory = tempfile::tempdir().expect("a directory");
        assert_eq!(synchronized_by_systemd(&directory.path().join("none")), None);
        assert_eq!(synchronized_by_systemd(directory.path()), Some(false));
        std::fs::write(directory.path().join("synchronized"), "").expect("writes");
        assert_eq!(synchronized_by_systemd(directory.path()), Some(true));
    }

    #[test]
    fn chronys_line_is_read() {
        // `chronyc -c tracking` of chrony 4.3.
        let line = "A29FC87B,162.159.200.123,4,1690000000.123456789,0.000012345,0.000023,\
                    0.000045,-12.345,0.001,0.05,0.012,0.0005,64.5,Normal";
        let (synchronized, offset_ms) = chrony_tracking(line).expect("reads");
        assert!(synchronized);
        assert!((offset_ms - 0.012345).abs() < 1e-9);
        let line = "7F7F0101,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised";
        assert_eq!(chrony_tracking(line), Some((false, 0.0)));
        assert_eq!(chrony_tracking("506 Cannot talk to daemon"), None);
    }
}
