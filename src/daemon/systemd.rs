//! What systemd is told (sd_notify(3)). Without systemd all of it does nothing.

use std::time::Duration;

use sd_notify::NotifyState;

/// Everything works.
pub(super) fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The settings are being read again; [`ready`] must follow. `Type=notify-reload` wants to know
/// when by the monotonic clock.
pub(super) fn reloading() {
    let Ok(now) = NotifyState::monotonic_usec_now() else { return };
    send(&[NotifyState::Reloading, now]);
}

/// The end has begun.
pub(super) fn stopping() {
    send(&[NotifyState::Stopping, NotifyState::Status("stopping")]);
}

/// The database is being opened: asks for more time as long as there is progress.
pub(super) fn recovering(status: &str) {
    const MORE_TIME_US: u32 = 60_000_000;
    send(&[NotifyState::Status(status), NotifyState::ExtendTimeoutUsec(MORE_TIME_US)]);
}

/// Shows that the daemon lives, for as long as it runs; twice as often as systemd asks.
pub(super) async fn watchdog() {
    let Some(every) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    let mut ticks = tokio::time::interval((every / 2).max(Duration::from_millis(100)));
    loop {
        ticks.tick().await;
        send(&[NotifyState::Watchdog]);
    }
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "systemd was not told");
    }
}
