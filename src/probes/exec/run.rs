//! Running a command in a process group of its own, and leaving nothing of it behind.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

/// So much of what a command says is kept; the rest is read and dropped, so that it can go on.
pub(super) const OUTPUT_BYTES_MAX: usize = 64 << 10;
/// And so much of what it complains about.
const ERROR_BYTES_MAX: usize = 4 << 10;
/// How long output is awaited after the command itself has ended: a process that it left behind
/// may hold the pipe open for good.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Variables that a command has of us. Others may hold secrets that are none of its business.
const INHERITED: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];

/// A command that runs. Dropping it kills it and all that it started.
pub(super) struct Running {
    child: Child,
    group: Option<Pid>,
}

/// How a command ended.
pub(super) struct Ended {
    /// Its exit code, unless a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) signal: Option<i32>,
    /// What it wrote to standard error.
    pub(super) errors: Vec<u8>,
    pub(super) first_byte_us: Option<u64>,
    /// Whether it said more than is kept.
    pub(super) cut: bool,
}

impl Running {
    /// Starts a command: no shell, no input.
    pub(super) fn start(
        words: &[String],
        env: &[(&str, String)],
        directory: Option<&Path>,
    ) -> Result<Running, String> {
        let Some((program, arguments)) = words.split_first() else {
            return Err("there is no command".to_owned());
        };
        let mut command = Command::new(program);
        command.args(arguments).env_clear();
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command.envs(env.iter().map(|(name, value)| (name, value)));
        if let Some(directory) = directory {
            command.current_dir(directory);
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, whose number is that of the process.
            .process_group(0)
            .kill_on_drop(true);
        let child = command.spawn().map_err(|error| trouble(program, directory, &error))?;
        let group = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(Running { child, group })
    }

    /// Waits until it ends. What it says is appended to `output` as it comes.
    pub(super) async fn finish(
        &mut self,
        output: &mut Vec<u8>,
        elapsed_us: impl Fn() -> u64,
    ) -> Result<Ended, String> {
        let mut stdout = self.child.stdout.take();
        let mut stderr = self.child.stderr.take();
        let mut errors = Vec::new();
        let mut first_byte_us = None;
        let mut cut = false;
        let status = {
            let read = async {
                let said = drain(stdout.as_mut(), output, OUTPUT_BYTES_MAX, || {
                    first_byte_us.get_or_insert_with(&elapsed_us);
                });
                let complained = drain(stderr.as_mut(), &mut errors, ERROR_BYTES_MAX, || {});
                (cut, _) = tokio::join!(said, complained);
            };
            tokio::pin!(read);
            let mut all_read = false;
            let status = loop {
                tokio::select! {
                    status = self.child.wait() => break status,
                    () = &mut read, if !all_read => all_read = true,
                }
            };
            // What it left behind in its group is not waited for.
            kill(&mut self.group);
            if !all_read {
                // Late output of a process that left the group is given up.
                let _ = tokio::time::timeout(LAST_WORDS, read).await;
            }
            status
        };
        let status = status.map_err(|error| format!("cannot wait for the command: {error}"))?;
        Ok(Ended { code: status.code(), signal: status.signal(), errors, first_byte_us, cut })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The process itself is then waited for by the runtime, so that none stays as a zombie;
        // what it started is waited for by the machine's first process.
        kill(&mut self.group);
    }
}

/// Kills a group once. There is nobody to kill if all of it has ended.
fn kill(group: &mut Option<Pid>) {
    if let Some(group) = group.take() {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Reads to the end, keeping the first `bytes_max`. Says whether there was more.
async fn drain<R: AsyncRead + Unpin>(
    from: Option<&mut R>,
    into: &mut Vec<u8>,
    bytes_max: usize,
    mut on_bytes: impl FnMut(),
) -> bool {
    let Some(from) = from else { return false };
    let mut buffer = [0; 8 << 10];
    let mut cut = false;
    loop {
        match from.read(&mut buffer).await {
            Ok(0) | Err(_) => return cut,
            Ok(length) => {
                on_bytes();
                let room = bytes_max.saturating_sub(into.len());
                cut |= length > room;
                into.extend_from_slice(&buffer[..length.min(room)]);
            }
        }
    }
}

fn trouble(program: &str, directory: Option<&Path>, error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::NotFound if directory.is_some_and(|directory| !directory.is_dir()) => {
            "settings.directory is no directory"
        }
        io::ErrorKind::NotFound => {
            "there is no such program; the first word of settings.command is its path"
        }
        io::ErrorKind::PermissionDenied => {
            "the user that vedette runs as may not run it; is it executable?"
        }
        _ => "is the machine out of memory or processes?",
    };
    format!("cannot start {program}: {error}: {hint}")
}
