//! The medium: where the bytes of the database are.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use redb::StorageBackend;

/// The name of the database inside the data directory.
pub const DATABASE_FILE: &str = "vedette.redb";

/// Gives redb access to the bytes: a file, or the simulated disk of the tests.
pub trait Medium: Send + Sync {
    /// A fresh view of the bytes for one redb handle.
    fn backend(&self) -> io::Result<Box<dyn StorageBackend>>;

    /// Where the bytes are, for people.
    fn place(&self) -> String;

    /// How many bytes there are.
    fn file_bytes(&self) -> io::Result<u64>;

    /// Free and total bytes of the file system, where that is known.
    fn disk_space(&self) -> Option<(u64, u64)>;
}

/// One file, locked against other processes for as long as this value lives. The lock belongs
/// to the medium and not to the redb handle, so that a handle can be replaced without ever
/// letting another process in between.
pub struct DiskMedium {
    file: Arc<File>,
    path: PathBuf,
}

impl DiskMedium {
    /// Opens or creates the database file `path` and its directory, and locks it.
    pub fn open(path: &Path) -> io::Result<DiskMedium> {
        if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
            std::fs::create_dir_all(directory)?;
        }
        if !path.exists() {
            create(path)?;
        }
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(DiskMedium { file: Arc::new(file), path: path.to_owned() }),
            Err(TryLockError::WouldBlock) => Err(io::Error::new(
                io::ErrorKind::ResourceBusy,
                "another process holds it; stop that process or use another data directory",
            )),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Medium for DiskMedium {
    fn backend(&self) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(DiskBackend(Arc::clone(&self.file))))
    }

    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn file_bytes(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn disk_space(&self) -> Option<(u64, u64)> {
        let stat = rustix::fs::fstatvfs(&self.file).ok()?;
        Some((
            stat.f_bavail.saturating_mul(stat.f_frsize),
            stat.f_blocks.saturating_mul(stat.f_frsize),
        ))
    }
}

/// Creates an empty database beside `path` and moves it there once it is complete: power that
/// goes in the middle must not leave a file that nothing can open.
fn create(path: &Path) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".new");
    let partial = Path::new(&partial);
    match std::fs::remove_file(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Channels' passwords are inside: nobody else may read it, whatever the umask says.
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(partial)?;
    drop(redb::Database::create(partial).map_err(io::Error::other)?);
    File::open(partial)?.sync_all()?;
    std::fs::rename(partial, path)?;
    sync_directory_of(path)
}

/// A new name is durable only once its directory is.
pub(super) fn sync_directory_of(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
}

struct DiskBackend(Arc<File>);

impl fmt::Debug for DiskBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DiskBackend")
    }
}

impl StorageBackend for DiskBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}

/// Lets redb take a backend that is chosen at run time. Once it is closed, nothing goes through it:
/// views of a handle that was replaced must not see pages that the next one uses anew.
#[derive(Debug)]
pub(super) struct AnyBackend {
    inner: Box<dyn StorageBackend>,
    closed: AtomicBool,
}

impl AnyBackend {
    pub(super) fn new(inner: Box<dyn StorageBackend>) -> Self {
        AnyBackend { inner, closed: AtomicBool::new(false) }
    }

    fn open(&self) -> io::Result<&dyn StorageBackend> {
        match self.closed.load(Ordering::Acquire) {
            false => Ok(&*self.inner),
            true => Err(io::Error::other("the database was opened anew after a failed write")),
        }
    }
}

impl StorageBackend for AnyBackend {
    fn len(&self) -> io::Result<u64> {
        self.open()?.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.open()?.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.open()?.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.open()?.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.open()?.write(offset, data)
    }

    fn close(&self) -> io::Result<()> {
        let result = self.inner.close();
        self.closed.store(true, Ordering::Release);
        result
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_kept_is_for_the_owner_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(DATABASE_FILE);
        drop(DiskMedium::open(&path).expect("opens"));
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
