//! Follows systemd's journal by running `journalctl`, which knows its format and may read it.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout, Command};

use super::{Closed, Outlet, Place, Stop, told_to_stop};
use crate::config::Journald;
use crate::decode::logs::read_journal;
use crate::model::LogLine;

/// The longest entry as JSON; longer ones are left out.
const ENTRY_BYTES_MAX: usize = 1 << 20;
/// Entries that are handed over at once.
const BATCH_MAX: usize = 1000;
/// How long entries are gathered after the first.
const GATHER: Duration = Duration::from_millis(100);
/// How long to wait before the program is run again; doubles each time that nothing came of it.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(60);
/// What is shown of what the program says when it fails.
const ERROR_BYTES_SHOWN: u64 = 512;

/// The key under which the cursor is saved.
pub const SOURCE: &str = "journald";

/// Follows the journal until it is told to stop. `cursor` is the place that was saved; without one
/// only what is said from now on is taken.
pub async fn run(outlet: Outlet, settings: Journald, cursor: Option<String>, mut stop: Stop) {
    let mut follower = Follower { outlet, settings, cursor };
    let mut pause = RETRY_MIN;
    loop {
        let before = follower.cursor.clone();
        let reason = tokio::select! {
            ended = follower.follow() => match ended {
                Ok(reason) => reason,
                Err(Closed) => return,
            },
            () = told_to_stop(&mut stop) => return,
        };
        pause = if follower.cursor == before { (pause * 2).min(RETRY_MAX) } else { RETRY_MIN };
        tracing::warn!(
            command = %follower.settings.command, %reason, retry.seconds = pause.as_secs(),
            "the journal is not followed; it is tried again"
        );
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = told_to_stop(&mut stop) => return,
        }
    }
}

struct Follower {
    outlet: Outlet,
    settings: Journald,
    cursor: Option<String>,
}

impl Follower {
    fn start(&self) -> std::io::Result<Child> {
        let mut command = Command::new(&self.settings.command);
        command.args(["--output=json", "--follow", "--all", "--no-pager"]);
        match &self.cursor {
            // Without --no-tail only the last ten of what came since.
            Some(cursor) => command.arg(format!("--after-cursor={cursor}")).arg("--no-tail"),
            None => command.arg("--lines=0"),
        };
        for unit in &self.settings.units {
            command.arg(format!("--unit={unit}"));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // Also when we are stopped in the middle.
        command.kill_on_drop(true).spawn()
    }

    /// Runs the program until it ends; gives the reason.
    async fn follow(&mut self) -> Result<String, Closed> {
        let mut child = match self.start() {
            Ok(child) => child,
            Err(error) => {
                let command = &self.settings.command;
                return Ok(format!(
                    "{command} cannot be run: {error}; install it, or set logs.journald.enabled = \
                     false"
                ));
            }
        };
        let (Some(output), errors) = (child.stdout.take(), child.stderr.take()) else {
            return Ok("its output cannot be read".to_owned());
        };
        // Read to the end, as the program would wait for us otherwise.
        let said = tokio::spawn(async move {
            let Some(mut errors) = errors else { return String::new() };
            let mut shown = Vec::new();
            let _ = (&mut errors).take(ERROR_BYTES_SHOWN).read_to_end(&mut shown).await;
            let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
            String::from_utf8_lossy(&shown).trim().to_owned()
        });
        let mut reader = BufReader::with_capacity(64 << 10, output);
        let mut entry = Vec::new();
        while let Some(line) = self.next(&mut reader, &mut entry).await {
            let mut lines: Vec<LogLine> = line.into_iter().collect();
            let gathered = async {
                while lines.len() < BATCH_MAX {
                    match self.next(&mut reader, &mut entry).await {
                        Some(line) => lines.extend(line),
                        None => return,
                    }
                }
            };
            // Whatever was read of the next entry stays in the buffers.
            let _ = tokio::time::timeout(GATHER, gathered).await;
            let at = self.cursor.clone().unwrap_or_default();
            let place = Place { source: SOURCE.to_owned(), at };
            self.outlet.hand_over(lines, Some(place)).await?;
        }
        let status = child.wait().await.map_or_else(|e| e.to_string(), |status| status.to_string());
        let said = said.await.unwrap_or_default();
        Ok(if said.is_empty() { status } else { format!("{status}: {said}") })
    }

    /// The next entry: its line, if it makes one. `None` at the end. May be dropped at any time
    /// and asked again.
    async fn next(
        &mut self,
        reader: &mut BufReader<ChildStdout>,
        entry: &mut Vec<u8>,
    ) -> Option<Option<LogLine>> {
        loop {
            let part = reader.fill_buf().await.ok()?;
            if part.is_empty() {
                return None;
            }
            let end = part.iter().position(|byte| *byte == b'\n');
            let taken = end.unwrap_or(part.len());
            let room = ENTRY_BYTES_MAX.saturating_sub(entry.len());
            entry.extend_from_slice(&part[..taken.min(room)]);
            reader.consume(taken + usize::from(end.is_some()));
            if end.is_some() {
                let whole = std::mem::take(entry);
                return Some(self.line(&whole));
            }
        }
    }

    fn line(&mut self, entry: &[u8]) -> Option<LogLine> {
        match read_journal(entry) {
            Ok(entry) => {
                self.cursor = Some(entry.cursor);
                let mut draft = entry.draft;
                if draft.environment.is_empty() {
                    draft.environment.clone_from(&self.settings.environment);
                }
                self.outlet.line(draft, &self.outlet.bounds())
            }
            Err(reason) => {
                tracing::warn!(%reason, "an entry of the journal was left out");
                self.outlet.telemetry.log_lines_refused.add([self.outlet.way], 1);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::super::testing::Receiver;
    use super::*;
    use crate::model::LogLevel;

    /// A `journalctl` that writes its arguments down and shows what is after the cursor, of three
    /// entries; then it waits as the real one does, or ends.
    fn journal(directory: &tempfile::TempDir, end: &str) -> Journald {
        let path = directory.path().join("journalctl");
        let now_us = crate::clock::Clock::now(&crate::clock::SystemClock).millis() * 1000;
        let script = format!(
            r#"#!/bin/bash
echo "$@" >> "{log}"
from=1
for a in "$@"; do case "$a" in
  --after-cursor=*) from=$(( ${{a##*=}} + 1 ));;
esac; done
for n in 1 2 3; do
  if [ $n -ge $from ]; then
    echo "{{\"__CURSOR\":\"$n\",\"__REALTIME_TIMESTAMP\":\"{now_us}\",\"PRIORITY\":\"4\",\"MESSAGE\":\"m$n\",\"SYSLOG_IDENTIFIER\":\"app\"}}"
  fi
done
{end}
"#,
            log = directory.path().join("arguments").display(),
        );
        std::fs::write(&path, script).expect("written");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("set");
        Journald {
            enabled: true,
            units: vec!["a.service".to_owned()],
            command: path.display().to_string(),
            environment: "e".to_owned(),
        }
    }

    fn arguments(directory: &tempfile::TempDir) -> String {
        std::fs::read_to_string(directory.path().join("arguments")).unwrap_or_default()
    }

    #[tokio::test]
    async fn entries_become_lines_and_the_cursor_of_the_last_is_to_be_saved() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut receiver = Receiver::new("journald");
        let settings = journal(&directory, "exec sleep 600");
        let outlet = receiver.outlet.clone();
        let running = tokio::spawn(run(outlet, settings, Some("1".to_owned()), receiver.stop()));
        let (lines, place) = receiver.lines(2).await;
        let messages: Vec<&str> = lines.iter().map(|line| line.message.as_str()).collect();
        assert_eq!(messages, ["m2", "m3"]);
        assert_eq!((lines[0].level, lines[0].source.as_str()), (LogLevel::Warn, "app"));
        assert_eq!(lines[0].environment, "e");
        assert_eq!(place, Some(Place { source: SOURCE.to_owned(), at: "3".to_owned() }));
        assert_eq!(
            arguments(&directory),
            "--output=json --follow --all --no-pager --after-cursor=1 --no-tail --unit=a.service\n"
        );
        receiver.stop.send_replace(true);
        running.await.expect("ends");
    }

    #[tokio::test]
    async fn a_program_that_ends_is_run_again_from_where_it_was() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut receiver = Receiver::new("journald");
        // The second time, there is nothing new and it stays.
        let settings = journal(&directory, "[ $from -le 3 ] && exit 7; exec sleep 600");
        let running = tokio::spawn(run(receiver.outlet.clone(), settings, None, receiver.stop()));
        let (lines, place) = receiver.lines(3).await;
        assert_eq!((lines.len(), place.map(|place| place.at)), (3, Some("3".to_owned())));
        for _ in 0..500 {
            if arguments(&directory).lines().count() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let arguments = arguments(&directory);
        let mut runs = arguments.lines();
        assert!(runs.next().is_some_and(|first| first.contains("--lines=0")), "{arguments}");
        assert!(runs.next().is_some_and(|second| second.contains("--after-cursor=3")));
        assert!(receiver.taken.try_recv().is_err(), "nothing comes twice");
        receiver.stop.send_replace(true);
        running.await.expect("ends");
    }

    #[tokio::test]
    async fn the_journalctl_of_the_machine_knows_the_arguments() {
        // Whether there is a journal or not: only an argument that is not known makes it fail so.
        let output = Command::new("journalctl")
            .args(["--output=json", "--all", "--no-pager", "--no-tail", "--lines=0"])
            .args(["--unit=none.service", "--directory=/nonexistent"])
            .output()
            .await
            .expect("journalctl is installed");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!said.contains("option") && !said.contains("usage"), "{said}");
    }
}
