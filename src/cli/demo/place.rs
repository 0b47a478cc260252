//! Where the demo keeps its data.

use std::fs::{self, DirBuilder, File};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// How the directories of demos are called.
const PREFIX: &str = "vedette-demo-";
/// A file in each, locked while its demo runs.
const LOCK: &str = "running.lock";

/// A directory of its own, which goes when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    _lock: File,
}

impl Place {
    /// Makes one below the system's temporary directory that nobody else may read. Those of demos
    /// that were killed go.
    pub(super) fn create() -> anyhow::Result<Place> {
        Self::create_below(&std::env::temp_dir())
    }

    fn create_below(parent: &Path) -> anyhow::Result<Place> {
        remove_left(parent);
        let path = parent.join(format!("{PREFIX}{}", uuid::Uuid::now_v7().simple()));
        let made = DirBuilder::new().mode(0o700).create(&path);
        made.with_context(|| format!("cannot make {}; set TMPDIR", path.display()))?;
        let lock = lock(&path).with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Place { path, _lock: lock })
    }

    /// The directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("cannot remove {}: {error}", self.path.display());
        }
    }
}

/// The lock of a directory. It has its name only once it is held, or another demo that starts at
/// this moment would take this one for killed.
fn lock(directory: &Path) -> std::io::Result<File> {
    let unnamed = directory.join("starting.lock");
    let file = File::create(&unnamed)?;
    file.lock()?;
    fs::rename(unnamed, directory.join(LOCK))?;
    Ok(file)
}

/// Removes directories of demos that do not run any more. What cannot be looked at or removed
/// belongs to somebody else and stays.
fn remove_left(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_demo = entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX));
        // Without the file it was made a moment ago.
        let Some(lock) = is_demo.then(|| File::open(entry.path().join(LOCK)).ok()).flatten() else {
            continue;
        };
        if lock.try_lock().is_ok() && fs::remove_dir_all(entry.path()).is_ok() {
            eprintln!("removed {}, left by a demo that was killed", entry.path().display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_with_all_that_is_in_it_and_with_those_that_were_left() {
        let parent = tempfile::tempdir().expect("a directory");
        let place = Place::create_below(parent.path()).expect("made");
        let path = place.path().to_owned();
        fs::write(path.join("file"), "x").expect("written");
        let left = parent.path().join("vedette-demo-killed");
        fs::create_dir(&left).expect("made");
        fs::write(left.join(LOCK), "").expect("written");
        let other = parent.path().join("vedette-data");
        fs::create_dir(&other).expect("made");
        fs::write(other.join(LOCK), "").expect("written");
        let second = Place::create_below(parent.path()).expect("made");
        assert!(path.exists(), "that demo runs");
        assert!(!left.exists());
        assert!(other.exists(), "it is no demo's");
        drop((place, second));
        assert!(!path.exists());
    }
}
