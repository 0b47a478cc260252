//! The machine's own metrics, named and labelled as node_exporter 1.5 names them, so that its
//! dashboards and rules work.
//!
//! Owns: reading `/proc` and `/sys`. Never: failing. What a kernel or a container does not show is
//! left out. Start reading at [`HostCollector::collect`].

mod disk;
mod filesystem;
mod hwmon;
mod memory;
mod network;
mod stat;
mod system;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::model::{INSTANCE_LABEL, JOB_LABEL, Timestamp};
use crate::telemetry::{Collected, RowSink};

/// Where the kernel's files are mounted. A container that watches its host mounts them elsewhere.
#[derive(Clone, Debug)]
pub struct HostRoots {
    /// Usually `/proc`.
    pub proc: PathBuf,
    /// Usually `/sys`.
    pub sys: PathBuf,
    /// What mount points are relative to, usually `/`.
    pub root: PathBuf,
    /// Where udev keeps what it knows of devices, usually `/run/udev/data`.
    pub udev: PathBuf,
}

impl Default for HostRoots {
    fn default() -> Self {
        HostRoots {
            proc: "/proc".into(),
            sys: "/sys".into(),
            root: "/".into(),
            udev: "/run/udev/data".into(),
        }
    }
}

/// Collects the host's metrics. Blocks for some milliseconds: call it on a blocking thread.
#[derive(Debug)]
pub struct HostCollector {
    files: Files,
    sink: RowSink,
    cpus: stat::CpuTimes,
    disks: disk::DiskInfo,
    mounts: filesystem::Mounts,
}

impl HostCollector {
    /// A collector whose series carry `job="node"` and this instance.
    pub fn new(roots: HostRoots, instance: &str) -> Self {
        HostCollector {
            files: Files { roots, buffer: Vec::with_capacity(16 << 10) },
            sink: RowSink::new(&[(JOB_LABEL, "node"), (INSTANCE_LABEL, instance)]),
            cpus: stat::CpuTimes::default(),
            disks: disk::DiskInfo::default(),
            mounts: filesystem::Mounts::default(),
        }
    }

    /// Everything as it is now. A source that is missing is left out; a device that went away is
    /// ended with staleness markers.
    pub fn collect(&mut self, now: Timestamp) -> Collected {
        let HostCollector { files, sink, cpus, disks, mounts } = self;
        sink.begin(now);
        cpus.collect(files, sink);
        memory::collect(files, sink);
        disks.collect(files, sink);
        mounts.collect(files, sink);
        network::collect(files, sink);
        system::collect(files, sink, now);
        hwmon::collect(files, sink);
        sink.finish()
    }

    /// Ends all series, when the collector is switched off.
    pub fn end(&mut self, now: Timestamp) -> Collected {
        self.sink.end(now)
    }
}

/// No file of the kernel that is read here is larger in practice; reading stops there.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Reads files into one buffer.
#[derive(Debug)]
struct Files {
    roots: HostRoots,
    buffer: Vec<u8>,
}

impl Files {
    fn read(&mut self, path: &Path) -> Option<&str> {
        self.buffer.clear();
        let file = File::open(path).ok()?;
        file.take(FILE_BYTES_MAX).read_to_end(&mut self.buffer).ok()?;
        std::str::from_utf8(&self.buffer).ok()
    }

    fn proc(&mut self, name: &str) -> Option<&str> {
        let path = self.roots.proc.join(name);
        self.read(&path)
    }

    fn sys(&mut self, name: &str) -> Option<&str> {
        let path = self.roots.sys.join(name);
        self.read(&path)
    }
}

/// The numbers of a line, which a kernel may lengthen at the end; `None` beyond the last.
fn numbers(text: &str) -> impl Iterator<Item = f64> {
    text.split_ascii_whitespace().map_while(|word| word.parse().ok())
}

#[cfg(test)]
mod tests;
