//! Mounted file systems.
//!
//! A network file system whose server is gone blocks whoever asks for its size, for ever. Such
//! file systems are asked on a thread of their own; one that does not answer in time shows
//! `node_filesystem_device_error` 1 until it does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError, sync_channel};
use std::time::Duration;

use super::Files;
use crate::model::MetricType::Gauge;
use crate::telemetry::{RowSink, Sink};

/// How long all remote file systems together are waited for in one round.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// Threads that may be stuck at once; file systems beyond that are shown as in error.
const STUCK_MAX: usize = 8;
/// Mounts that are looked at; a machine with more of them is one with a container per mount.
const MOUNTS_MAX: usize = 1024;

/// File systems that answer from this machine's own memory and disks.
const LOCAL: [&str; 12] = [
    "ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "ramfs", "vfat", "exfat", "f2fs", "zfs",
    "bcachefs",
];

/// node_exporter's `--collector.filesystem.fs-types-exclude` default.
const TYPES_EXCLUDED: [&str; 24] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "nsfs",
    "overlay",
    "proc",
    "procfs",
    "pstore",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "squashfs",
    "sysfs",
    "tracefs",
];

/// node_exporter's `--collector.filesystem.mount-points-exclude` default:
/// `^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)`.
fn excluded(mount: &Mount) -> bool {
    let below = |dir: &str| mount.point.strip_prefix(dir).is_some_and(|rest| rest.len() > 1);
    let at = |dir: &str| {
        mount.point.strip_prefix(dir).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    TYPES_EXCLUDED.contains(&mount.kind.as_str())
        || ["/dev", "/proc", "/sys"].iter().any(|dir| at(dir))
        || ["/run/credentials", "/var/lib/docker", "/var/lib/containers/storage"]
            .iter()
            .any(|dir| at(dir) && below(dir))
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Mount {
    device: String,
    point: String,
    kind: String,
    readonly: bool,
}

/// A line of `/proc/mounts`, where spaces are written as `\040`, tabs as `\011`, line feeds as
/// `\012` and backslashes as `\134`.
fn mount_line(line: &str) -> Option<Mount> {
    let mut words = line.split_ascii_whitespace();
    let mut word = || words.next();
    let (device, point, kind, options) = (word()?, word()?, word()?, word()?);
    let plain = |text: &str| {
        text.replace("\\040", " ")
            .replace("\\011", "\t")
            .replace("\\012", "\n")
            .replace("\\134", "\\")
    };
    Some(Mount {
        device: plain(device),
        point: plain(point),
        kind: kind.to_owned(),
        readonly: options.split(',').any(|option| option == "ro"),
    })
}

#[derive(Clone, Copy, Debug)]
struct Usage {
    size: f64,
    free: f64,
    avail: f64,
    files: f64,
    files_free: f64,
}

fn ask(path: &Path) -> Option<Usage> {
    let stat = rustix::fs::statfs(path).ok()?;
    let block = stat.f_bsize as f64;
    Some(Usage {
        size: stat.f_blocks as f64 * block,
        free: stat.f_bfree as f64 * block,
        avail: stat.f_bavail as f64 * block,
        files: stat.f_files as f64,
        files_free: stat.f_ffree as f64,
    })
}

/// The remote file systems that have not answered yet, by mount point.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    waiting: BTreeMap<String, Receiver<Option<Usage>>>,
}

impl Mounts {
    pub(super) fn collect(&mut self, files: &mut Files, sink: &mut RowSink) {
        let root = files.roots.root.clone();
        let text = match files.proc("1/mounts").map(str::to_owned) {
            Some(text) => text,
            // Process 1 hides its mounts from users without privileges on some systems.
            None => files.proc("self/mounts").unwrap_or_default().to_owned(),
        };
        let mut mounts: Vec<Mount> = text
            .lines()
            .filter_map(mount_line)
            .filter(|mount| !excluded(mount))
            .take(MOUNTS_MAX)
            .collect();
        mounts.sort_unstable();
        mounts.dedup_by(|a, b| (&a.device, &a.point, &a.kind) == (&b.device, &b.point, &b.kind));
        self.waiting.retain(|point, _| mounts.iter().any(|mount| mount.point == *point));

        let mut left = ANSWER_WITHIN;
        let usages: Vec<Option<Usage>> = mounts
            .iter()
            .map(|mount| {
                let path = below(&root, &mount.point);
                if LOCAL.contains(&mount.kind.as_str()) {
                    ask(&path)
                } else {
                    self.ask_remote(&mount.point, path, &mut left)
                }
            })
            .collect();

        type Figure = fn(&Usage) -> f64;
        let figures: [(&str, Figure, &str); 5] = [
            ("node_filesystem_size_bytes", |u| u.size, "Filesystem size in bytes."),
            ("node_filesystem_free_bytes", |u| u.free, "Filesystem free space in bytes."),
            (
                "node_filesystem_avail_bytes",
                |u| u.avail,
                "Filesystem space available to non-root users in bytes.",
            ),
            ("node_filesystem_files", |u| u.files, "Filesystem total file nodes."),
            ("node_filesystem_files_free", |u| u.files_free, "Filesystem total free file nodes."),
        ];
        for (name, figure, help) in figures {
            sink.family(name, Gauge, help);
            for (mount, usage) in mounts.iter().zip(&usages) {
                if let Some(usage) = usage {
                    sink.point("", &labels(mount), figure(usage));
                }
            }
        }
        let help = "Filesystem read-only status.";
        sink.family("node_filesystem_readonly", Gauge, help);
        for (mount, usage) in mounts.iter().zip(&usages) {
            if usage.is_some() {
                sink.point("", &labels(mount), f64::from(u8::from(mount.readonly)));
            }
        }
        let help = "Whether an error occurred while getting statistics for the given device.";
        sink.family("node_filesystem_device_error", Gauge, help);
        for (mount, usage) in mounts.iter().zip(&usages) {
            sink.point("", &labels(mount), f64::from(u8::from(usage.is_none())));
        }
    }

    /// Asks on a thread of its own, which is left behind if it does not come back in time and is
    /// listened to again in the next round.
    fn ask_remote(&mut self, point: &str, path: PathBuf, left: &mut Duration) -> Option<Usage> {
        if let Some(waiting) = self.waiting.get(point) {
            let answer = match waiting.try_recv() {
                Ok(answer) => answer,
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => None,
            };
            self.waiting.remove(point);
            return answer;
        }
        if self.waiting.len() >= STUCK_MAX {
            return None;
        }
        let (send, receive) = sync_channel(1);
        let started = std::time::Instant::now();
        let thread = std::thread::Builder::new().name("statfs".to_owned());
        // Nobody may listen any more: then the answer is for nobody.
        let answer = move || send.send(ask(&path)).unwrap_or_default();
        thread.spawn(answer).ok()?;
        let answer = receive.recv_timeout(*left);
        *left = left.saturating_sub(started.elapsed());
        match answer {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => {
                self.waiting.insert(point.to_owned(), receive);
                None
            }
        }
    }
}

fn labels(mount: &Mount) -> [(&str, &str); 3] {
    [("device", &mount.device), ("mountpoint", &mount.point), ("fstype", &mount.kind)]
}

fn below(root: &Path, point: &str) -> PathBuf {
    root.join(point.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_line_is_cut_and_unescaped() {
        let line = r"//nas/my\040files /mnt/a\011b cifs rw,relatime,ro 0 0";
        let mount = mount_line(line).expect("a mount");
        assert_eq!(mount.device, "//nas/my files");
        assert_eq!(mount.point, "/mnt/a\tb");
        assert!(mount.readonly);
        let line = "proc /proc proc rw,errors=remount-ro 0 0";
        assert!(!mount_line(line).expect("a mount").readonly);
    }

    #[test]
    fn what_node_exporter_leaves_out_is_left_out() {
        let mount = |point: &str, kind: &str| Mount {
            device: "d".to_owned(),
            point: point.to_owned(),
            kind: kind.to_owned(),
            readonly: false,
        };
        for (point, kind) in [
            ("/dev/shm", "tmpfs"),
            ("/sys", "ext4"),
            ("/var/lib/docker/overlay2/x", "ext4"),
            ("/", "overlay"),
        ] {
            assert!(excluded(&mount(point, kind)), "{point} {kind}");
        }
        for (point, kind) in [
            ("/", "ext4"),
            ("/devices", "ext4"),
            ("/var/lib/docker", "xfs"),
            ("/var/lib/dockers/x", "xfs"),
            ("/run", "tmpfs"),
        ] {
            assert!(!excluded(&mount(point, kind)), "{point} {kind}");
        }
    }
}
