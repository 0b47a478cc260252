//! Which part of which file was read: what is saved of a file that is followed.

use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Bytes at the beginning of a file by which it is known again, as the system gives the numbers of
/// deleted files to new ones.
const HEAD_BYTES: u64 = 256;

/// The number of a file: it stays when the file is renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    pub(super) fn of(metadata: &Metadata) -> Self {
        FileId { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// The beginning of a file, as far as it was there: its length and checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Head {
    bytes: u64,
    checksum: u32,
}

impl Head {
    /// Of a file's first bytes, at most `within`.
    fn read(file: &File, within: u64) -> io::Result<Self> {
        let mut bytes = vec![0; usize::try_from(within.min(HEAD_BYTES)).unwrap_or(0)];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], filled as u64)? {
                0 => break,
                count => filled += count,
            }
        }
        let checksum = crc32fast::hash(&bytes[..filled]);
        Ok(Head { bytes: filled as u64, checksum })
    }

    /// Whether the file still begins so.
    pub(super) fn still_holds(self, file: &File) -> io::Result<bool> {
        Ok(Head::read(file, self.bytes)? == self)
    }

    /// As much of the beginning as was read, up to the full length.
    pub(super) fn grow(&mut self, file: &File, offset: u64) -> io::Result<()> {
        if self.bytes < HEAD_BYTES && offset > self.bytes {
            *self = Head::read(file, offset)?;
        }
        Ok(())
    }
}

/// What is saved of one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedFile {
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) head: Head,
    pub(super) offset: u64,
}

/// What is saved of all files of a pattern.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SavedFiles {
    pub(super) files: Vec<SavedFile>,
}

/// Entries of a directory that are looked at.
const ENTRIES_MAX: usize = 10_000;

impl SavedFile {
    /// Opens the file again: where it was, or under another name in the same directory, as
    /// rotation leaves it. `None` where it is gone, or is another file by now.
    pub(super) fn open(&self) -> Option<(PathBuf, File)> {
        if let Some(file) = self.open_at(&self.path) {
            return Some((self.path.clone(), file));
        }
        let entries = std::fs::read_dir(self.path.parent()?).ok()?;
        entries.take(ENTRIES_MAX).filter_map(Result::ok).find_map(|entry| {
            let metadata = entry.metadata().ok()?;
            if !metadata.is_file() || FileId::of(&metadata) != self.id {
                return None;
            }
            let path = entry.path();
            self.open_at(&path).map(|file| (path, file))
        })
    }

    fn open_at(&self, path: &Path) -> Option<File> {
        let file = open(path).ok()?;
        let metadata = file.metadata().ok()?;
        let same = FileId::of(&metadata) == self.id
            && metadata.len() >= self.offset
            && self.head.still_holds(&file).unwrap_or(false);
        same.then_some(file)
    }
}

/// Opens a file for reading; a pipe or a device is none.
pub(super) fn open(path: &Path) -> io::Result<File> {
    // Looked at first, as opening a pipe would wait for somebody to write.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "is no regular file"));
    }
    File::open(path)
}

/// The paths of a pattern, sorted, at most `count_max`: `*` and `?` stand for anything within one
/// part of the path, but not for a leading dot.
pub(super) fn expand(pattern: &str, count_max: usize) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("/")];
    for part in pattern.split('/').filter(|part| !part.is_empty()) {
        if !part.contains(['*', '?']) {
            for path in &mut paths {
                path.push(part);
            }
            continue;
        }
        let mut found = Vec::new();
        for path in paths {
            let Ok(entries) = std::fs::read_dir(&path) else { continue };
            for entry in entries.take(ENTRIES_MAX).filter_map(Result::ok) {
                let name = entry.file_name();
                let Some(name) = name.to_str() else { continue };
                let hidden = name.starts_with('.') && !part.starts_with('.');
                if !hidden && fits(part.as_bytes(), name.as_bytes()) {
                    found.push(path.join(name));
                }
            }
        }
        found.sort();
        found.truncate(count_max);
        paths = found;
    }
    paths.retain(|path| path.is_file());
    paths
}

/// Whether a name fits a part with `*` and `?`. Goes back to the last `*` only, so that it never
/// takes more steps than both lengths multiplied.
fn fits(part: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match part.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    part[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_patterns_as_in_a_shell() {
        for (part, name, expected) in [
            ("*.log", "a.log", true),
            ("*.log", "a.log.1", false),
            ("a?c*", "abc", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbY", false),
            ("*", "", true),
            ("?", "", false),
        ] {
            assert_eq!(fits(part.as_bytes(), name.as_bytes()), expected, "{part} {name}");
        }
    }

    #[test]
    fn patterns_reach_into_directories() {
        let directory = tempfile::tempdir().expect("a directory");
        for name in ["a/x.log", "b/x.log", "b/.hidden.log", "b/y.txt"] {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("has one")).expect("made");
            std::fs::write(path, "x").expect("written");
        }
        let root = directory.path().display();
        let found = expand(&format!("{root}/*/*.log"), 10);
        let names: Vec<_> =
            found.iter().map(|p| p.strip_prefix(directory.path()).expect("in")).collect();
        assert_eq!(names, [Path::new("a/x.log"), Path::new("b/x.log")]);
        assert_eq!(expand(&format!("{root}/*/*.log"), 1).len(), 1);
        assert!(expand(&format!("{root}/none/*.log"), 10).is_empty());
    }
}
