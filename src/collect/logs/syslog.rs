//! Listens for syslog: datagrams (RFC 5426) and connections (RFC 6587).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::framing::Framer;
use super::{Outlet, Stop, told_to_stop};
use crate::config::Syslog;
use crate::decode::logs::read_syslog;
use crate::model::LogLine;

/// Messages that wait to be handed over. Connections wait when there are more; datagrams are
/// dropped and counted.
const WAITING_MAX: usize = 16_384;
/// Messages that are handed over at once.
const BATCH_MAX: usize = 4096;
/// How long an address that cannot be had is left alone.
const RETRY: Duration = Duration::from_secs(10);
/// A connection on which nothing came for so long is closed: nobody may be there any more.
const IDLE_MAX: Duration = Duration::from_secs(3600);
/// The largest datagram.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// Bytes that are read of a connection at once.
const READ_BYTES: usize = 64 << 10;

/// What all listeners share.
#[derive(Clone)]
struct Reader {
    outlet: Outlet,
    settings: Arc<Syslog>,
    zone: TimeZone,
    waiting: mpsc::Sender<LogLine>,
}

impl Reader {
    fn line(&self, message: &[u8], peer: SocketAddr) -> Option<LogLine> {
        let bounds = self.outlet.bounds();
        let cut = &message[..message.len().min(self.settings.message_bytes_max)];
        let mut draft = read_syslog(cut, bounds.now, &self.zone);
        draft.environment.clone_from(&self.settings.environment);
        let metadata = &mut draft.metadata;
        metadata.entry("host").or_insert_with(|| Value::from(peer.ip().to_string()));
        self.outlet.line(draft, &bounds)
    }
}

/// Listens on all addresses until it is told to stop; what was received by then is handed over.
pub async fn run(outlet: Outlet, settings: Syslog, mut stop: Stop) {
    let zone = match settings.zone.as_str() {
        "" => TimeZone::system(),
        // The settings were checked.
        name => TimeZone::get(name).unwrap_or(TimeZone::UTC),
    };
    let (waiting, received) = mpsc::channel(WAITING_MAX);
    let handing = tokio::spawn(hand_over(outlet.clone(), received));
    let places = Arc::new(Semaphore::new(settings.connections_max));
    let (udp, tcp) = (settings.udp.clone(), settings.tcp.clone());
    let reader = Reader { outlet, settings: Arc::new(settings), zone, waiting };
    let mut listeners = JoinSet::new();
    for address in udp {
        listeners.spawn(datagrams(reader.clone(), address, stop.clone()));
    }
    for address in tcp {
        listeners.spawn(connections(reader.clone(), address, Arc::clone(&places), stop.clone()));
    }
    drop(reader);
    told_to_stop(&mut stop).await;
    while listeners.join_next().await.is_some() {}
    // Ends when nobody is left who could send.
    let _ = handing.await;
}

async fn hand_over(outlet: Outlet, mut received: mpsc::Receiver<LogLine>) {
    let mut lines = Vec::new();
    while received.recv_many(&mut lines, BATCH_MAX).await > 0 {
        if outlet.hand_over(std::mem::take(&mut lines), None).await.is_err() {
            return;
        }
    }
}

/// Says once that an address cannot be had, and tries again until it is.
async fn bind<T, F: Future<Output = std::io::Result<T>>>(
    what: &str,
    address: SocketAddr,
    mut bind: impl FnMut() -> F,
    stop: &mut Stop,
) -> Option<T> {
    let mut said = false;
    loop {
        match bind().await {
            Ok(bound) => {
                tracing::info!(%address, transport = what, "listening for syslog");
                return Some(bound);
            }
            Err(error) if !said => {
                said = true;
                tracing::error!(
                    %address, transport = what, %error,
                    "cannot listen for syslog; it is tried again: stop what holds the address, or \
                     choose another in [logs.syslog]"
                );
            }
            Err(_) => {}
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY) => {}
            () = told_to_stop(stop) => return None,
        }
    }
}

async fn datagrams(reader: Reader, address: SocketAddr, mut stop: Stop) {
    let bound = bind("udp", address, || UdpSocket::bind(address), &mut stop).await;
    let Some(socket) = bound else { return };
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut failing = false;
    loop {
        let received = tokio::select! {
            received = socket.recv_from(&mut buffer) => received,
            () = told_to_stop(&mut stop) => return,
        };
        match received {
            Ok((length, peer)) => {
                failing = false;
                let Some(line) = reader.line(&buffer[..length], peer) else { continue };
                if reader.waiting.try_send(line).is_err() {
                    reader.outlet.telemetry.log_lines_dropped.add([reader.outlet.way], 1);
                }
            }
            Err(error) => {
                if !failing {
                    tracing::warn!(%address, %error, "a syslog datagram could not be received");
                }
                failing = true;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn connections(reader: Reader, address: SocketAddr, places: Arc<Semaphore>, mut stop: Stop) {
    let bound = bind("tcp", address, || TcpListener::bind(address), &mut stop).await;
    let Some(listener) = bound else { return };
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            // Those that have ended are not kept.
            Some(_) = open.join_next() => continue,
            () = told_to_stop(&mut stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => {
                    let (reader, stop) = (reader.clone(), stop.clone());
                    open.spawn(async move {
                        connection(&reader, stream, peer, stop).await;
                        drop(place);
                    });
                }
                Err(_) => {
                    tracing::warn!(
                        %peer,
                        "a syslog connection was refused: logs.syslog.connections_max are open"
                    );
                }
            },
            Err(error) => {
                tracing::warn!(%address, %error, "a syslog connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    while open.join_next().await.is_some() {}
}

async fn connection(reader: &Reader, mut stream: TcpStream, peer: SocketAddr, mut stop: Stop) {
    let mut framer = Framer::new(reader.settings.message_bytes_max);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = tokio::select! {
            read = tokio::time::timeout(IDLE_MAX, stream.read(&mut buffer)) => read,
            () = told_to_stop(&mut stop) => break,
        };
        match read {
            Ok(Ok(length)) if length > 0 => framer.push(&buffer[..length]),
            // The end, a broken connection, or nothing for too long.
            _ => break,
        }
        while let Some(message) = framer.next() {
            if let Some(line) = reader.line(&message, peer)
                // Waits when too many wait: the sender hears of it by its own full buffer.
                && reader.waiting.send(line).await.is_err()
            {
                return;
            }
        }
    }
    while let Some(message) = framer.last() {
        if let Some(line) = reader.line(&message, peer)
            && reader.waiting.send(line).await.is_err()
        {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
