//! Follows files as they grow: over rotation by renaming or truncating, and over restarts.
//!
//! A file is known by its number and its beginning, not by its name. What is read of it is whole
//! lines; where they end is saved once they are durable. Nothing is lost and nothing comes twice
//! while the files are there; when the machine fails between a commit of lines and that of the
//! place behind them, those of that one round come twice.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use serde_json::Value;

use super::saved_files::{FileId, Head, SavedFile, SavedFiles, expand, open};
use super::{Outlet, Place, Stop, told_to_stop};
use crate::config::LogFile;
use crate::decode::logs::{LINE_BYTES_MAX, LogBounds, read_text};
use crate::model::{LogLine, Timestamp};

/// How often files are looked at.
const EVERY: Duration = Duration::from_secs(1);
/// Files of one pattern that are followed at once.
const FILES_MAX: usize = 512;
/// Bytes that are read of one file before the others have their turn.
const READ_BYTES: usize = 1 << 20;
/// Bytes of all files of a pattern that are handed over at once.
const ROUND_BYTES_MAX: usize = 4 << 20;
/// A file that was renamed out of the pattern or removed is followed for so long after its last
/// line: programs go on writing to it until they open the new one.
const GONE_MS_MAX: i64 = 60_000;

/// The key under which the places of a pattern are saved.
pub fn source_of(pattern: &str) -> String {
    format!("file:{pattern}")
}

/// Follows the files of a pattern until it is told to stop. `saved` is the place that was saved;
/// without one the files that are there are read from their ends.
pub async fn run(outlet: Outlet, settings: LogFile, saved: Option<String>, mut stop: Stop) {
    let mut tail = Tail::new(settings, saved.as_deref());
    loop {
        let reader = outlet.clone();
        // Reading may block on a slow disk.
        let read = tokio::task::spawn_blocking(move || {
            let round = tail.round(reader.clock.now());
            let lines = tail.lines(&round.texts, &reader);
            (tail, round.more, lines)
        });
        let Ok((back, more, lines)) = read.await else {
            tracing::error!("reading log files panicked; they are no longer followed");
            return;
        };
        tail = back;
        let place = tail.moved();
        if (!lines.is_empty() || place.is_some()) && outlet.hand_over(lines, place).await.is_err() {
            return;
        }
        if *stop.borrow() {
            return;
        }
        if more {
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = told_to_stop(&mut stop) => return,
        }
    }
}

struct Followed {
    path: PathBuf,
    file: File,
    id: FileId,
    head: Head,
    /// Everything before this was handed over.
    offset: u64,
    /// Its size when it was last looked at.
    size: u64,
    /// The rest of a line that was too long.
    skipping: bool,
    /// Since when it has been out of the pattern without growing.
    gone_since: Option<Timestamp>,
}

/// The files of one pattern.
struct Tail {
    settings: LogFile,
    zone: TimeZone,
    files: Vec<Followed>,
    /// Nothing was ever saved: what is there now is not news.
    is_first: bool,
    /// What cannot be read was said once.
    failing: BTreeSet<PathBuf>,
    saved: SavedFiles,
    /// Whose turn it is first.
    turn: usize,
}

/// What a look at the files gave.
#[derive(Debug, Default)]
struct Round {
    /// Whole lines with the files that they are from.
    texts: Vec<(PathBuf, String)>,
    bytes: usize,
    /// There is more to read at once.
    more: bool,
}

impl Tail {
    fn new(settings: LogFile, saved: Option<&str>) -> Self {
        let read = saved.map(serde_json::from_str::<SavedFiles>);
        let is_first = !matches!(read, Some(Ok(_)));
        let saved: SavedFiles = read.and_then(Result::ok).unwrap_or_default();
        let mut tail = Tail {
            settings,
            zone: TimeZone::system(),
            files: Vec::new(),
            is_first,
            failing: BTreeSet::new(),
            saved: SavedFiles::default(),
            turn: 0,
        };
        for known in &saved.files {
            if let Some((path, file)) = known.open() {
                let SavedFile { id, head, offset, .. } = *known;
                let size = offset;
                let (skipping, gone_since) = (false, None);
                tail.files.push(Followed {
                    path,
                    file,
                    id,
                    head,
                    offset,
                    size,
                    skipping,
                    gone_since,
                });
            } else {
                tracing::info!(path = %known.path.display(), "a log file is gone");
            }
        }
        tail.saved = saved;
        tail
    }

    /// Looks for files and reads what is new.
    fn round(&mut self, now: Timestamp) -> Round {
        self.look(now);
        let mut round = Round::default();
        let count = self.files.len();
        let first = self.turn;
        self.turn += 1;
        for place in 0..count {
            let place = (first + place) % count;
            if round.bytes >= ROUND_BYTES_MAX {
                round.more = true;
                break;
            }
            if let Err(error) = self.files[place].read(now, &mut round) {
                let path = self.files[place].path.clone();
                self.complain(path, &error);
            }
        }
        self.let_go(now, &mut round);
        round
    }

    fn complain(&mut self, path: PathBuf, error: &io::Error) {
        if self.failing.len() < FILES_MAX && self.failing.insert(path.clone()) {
            tracing::warn!(
                path = %path.display(), %error,
                "a log file cannot be read; it is tried again: check its permissions"
            );
        }
    }

    /// Opens what is new in the pattern, and notes what is no longer there.
    fn look(&mut self, now: Timestamp) {
        let paths = expand(&self.settings.path, FILES_MAX);
        let mut seen = Vec::with_capacity(paths.len());
        for path in paths {
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            let id = FileId::of(&metadata);
            seen.push(id);
            if let Some(known) = self.files.iter_mut().find(|file| file.id == id) {
                known.path = path;
                known.gone_since = None;
                continue;
            }
            if self.files.len() >= FILES_MAX {
                self.complain(path, &io::Error::other("too many files match"));
                continue;
            }
            match self.open(&path) {
                Ok(followed) => {
                    self.failing.remove(&path);
                    self.files.push(followed);
                }
                Err(error) => self.complain(path, &error),
            }
        }
        for file in &mut self.files {
            if !seen.contains(&file.id) {
                file.gone_since.get_or_insert(now);
            }
        }
        self.is_first = false;
    }

    fn open(&self, path: &Path) -> io::Result<Followed> {
        let file = open(path)?;
        let metadata = file.metadata()?;
        let from_end = self.is_first && !self.settings.from_start;
        let offset = if from_end { begin_of_last_line(&file, metadata.len())? } else { 0 };
        let mut head = Head::default();
        head.grow(&file, offset)?;
        Ok(Followed {
            path: path.to_owned(),
            file,
            id: FileId::of(&metadata),
            head,
            offset,
            size: offset,
            skipping: false,
            gone_since: None,
        })
    }

    /// Lets go of files that are gone for good; what they ended with counts as a line.
    fn let_go(&mut self, now: Timestamp, round: &mut Round) {
        let more = round.more;
        self.files.retain_mut(|file| {
            let gone = file.gone_since.is_some_and(|since| now.since(since) >= GONE_MS_MAX);
            if !gone || more {
                return true;
            }
            file.read_last(round);
            false
        });
    }

    /// Where all files stand, if that has changed since it was last asked.
    fn moved(&mut self) -> Option<Place> {
        let files = self.files.iter().map(|file| SavedFile {
            path: file.path.clone(),
            id: file.id,
            head: file.head,
            offset: file.offset,
        });
        let now = SavedFiles { files: files.collect() };
        if now == self.saved {
            return None;
        }
        // Numbers, texts and paths that were UTF-8 in the settings; other paths are not saved.
        let at = serde_json::to_string(&now).ok()?;
        self.saved = now;
        Some(Place { source: source_of(&self.settings.path), at })
    }

    fn lines(&self, texts: &[(PathBuf, String)], outlet: &Outlet) -> Vec<LogLine> {
        let bounds = outlet.bounds();
        let lines = texts.iter().filter(|(_, text)| !text.trim().is_empty());
        lines.filter_map(|(path, text)| self.line(path, text, &bounds, outlet)).collect()
    }

    fn line(
        &self,
        path: &Path,
        text: &str,
        bounds: &LogBounds,
        outlet: &Outlet,
    ) -> Option<LogLine> {
        let mut draft = read_text(text, &self.zone);
        let name = || path.file_name().map(|name| name.to_string_lossy().into_owned());
        if draft.source.is_empty() {
            draft.source = match self.settings.source.as_str() {
                "" => name().unwrap_or_default(),
                source => source.to_owned(),
            };
        }
        for (place, default) in [
            (&mut draft.feature, &self.settings.feature),
            (&mut draft.environment, &self.settings.environment),
        ] {
            if place.is_empty() {
                place.clone_from(default);
            }
        }
        let path = Value::from(path.to_string_lossy());
        draft.metadata.entry("file").or_insert(path);
        outlet.line(draft, bounds)
    }
}

/// Where the line begins that stands at the end without its own end, as far as a line may reach.
fn begin_of_last_line(file: &File, size: u64) -> io::Result<u64> {
    let from = size.saturating_sub(LINE_BYTES_MAX as u64);
    let mut bytes = vec![0; usize::try_from(size - from).unwrap_or(0)];
    let filled = read_up_to(file, from, &mut bytes)?;
    let end = bytes[..filled].iter().rposition(|byte| *byte == b'\n');
    Ok(match end {
        Some(end) => from + end as u64 + 1,
        None if from == 0 => 0,
        None => size,
    })
}

/// Fills as much of `bytes` as there is.
fn read_up_to(file: &File, from: u64, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], from + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

impl Followed {
    /// Reads whole lines that are new.
    fn read(&mut self, now: Timestamp, round: &mut Round) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        if size == self.size && size == self.offset {
            return Ok(());
        }
        // Written anew in place: shorter, or with another beginning.
        if size < self.offset || (size != self.size && !self.head.still_holds(&self.file)?) {
            tracing::info!(path = %self.path.display(), "a log file was truncated");
            (self.offset, self.head, self.skipping) = (0, Head::default(), false);
        }
        if size != self.size && self.gone_since.is_some() {
            self.gone_since = Some(now);
        }
        self.size = size;
        let left = usize::try_from(size - self.offset).unwrap_or(usize::MAX);
        let mut bytes = vec![0; left.min(READ_BYTES)];
        let filled = read_up_to(&self.file, self.offset, &mut bytes)?;
        let taken = self.take_lines(&bytes[..filled], round);
        self.offset += taken as u64;
        self.head.grow(&self.file, self.offset)?;
        round.bytes += taken;
        round.more |= left > filled;
        Ok(())
    }

    /// Takes the whole lines of what was read; gives how many bytes they are.
    fn take_lines(&mut self, bytes: &[u8], round: &mut Round) -> usize {
        let mut at = 0;
        loop {
            let left = &bytes[at..];
            match left.iter().position(|byte| *byte == b'\n') {
                Some(end) => {
                    if !std::mem::take(&mut self.skipping) {
                        self.push(&left[..end.min(LINE_BYTES_MAX)], round);
                    }
                    at += end + 1;
                }
                None if self.skipping => return bytes.len(),
                // Longer than a line may be: its beginning is taken, its rest is not.
                None if left.len() >= LINE_BYTES_MAX => {
                    self.push(&left[..LINE_BYTES_MAX], round);
                    self.skipping = true;
                    return bytes.len();
                }
                None => return at,
            }
        }
    }

    /// Takes what stands at the end without an end of its own.
    fn read_last(&mut self, round: &mut Round) {
        let mut bytes = vec![0; LINE_BYTES_MAX];
        let filled = read_up_to(&self.file, self.offset, &mut bytes).unwrap_or(0);
        if filled > 0 && !self.skipping {
            self.push(&bytes[..filled], round);
        }
    }

    fn push(&self, line: &[u8], round: &mut Round) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        round.texts.push((self.path.clone(), String::from_utf8_lossy(line).into_owned()));
    }
}

#[cfg(test)]
mod tests;
