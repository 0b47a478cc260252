//! Room on a file system.

/// What a file system has left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Space {
    /// Blocks that exist, are free, and are free for those who are not root.
    blocks: u64,
    free: u64,
    available: u64,
    block_bytes: u64,
    inodes: u64,
    inodes_free: u64,
}

/// Asks the kernel.
pub(super) fn space(path: &str) -> Result<Space, String> {
    let found = rustix::fs::statvfs(path).map_err(|error| {
        format!("cannot look at {path}: {error}; does it exist, and may vedette see it?")
    })?;
    Ok(Space {
        blocks: found.f_blocks,
        free: found.f_bfree,
        available: found.f_bavail,
        block_bytes: found.f_frsize,
        inodes: found.f_files,
        inodes_free: found.f_favail,
    })
}

impl Space {
    /// The places of conditions. As `df` has it: what root keeps for itself is neither free nor
    /// counted. A file system without a number of inodes (btrfs) has no share of them.
    pub(super) fn values(self) -> Vec<(String, f64)> {
        let percent = |part: u64, whole: u64| 100.0 * part as f64 / whole as f64;
        let used = self.blocks.saturating_sub(self.free);
        let mut out = vec![
            ("FREE_BYTES".to_owned(), self.available as f64 * self.block_bytes as f64),
            ("TOTAL_BYTES".to_owned(), self.blocks as f64 * self.block_bytes as f64),
        ];
        if used + self.available > 0 {
            out.push(("FREE_PERCENT".to_owned(), percent(self.available, used + self.available)));
        }
        if self.inodes > 0 {
            out.push(("INODES_FREE_PERCENT".to_owned(), percent(self.inodes_free, self.inodes)));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_root_keeps_is_neither_free_nor_counted() {
        let space = Space {
            blocks: 1000,
            free: 300,
            available: 233,
            block_bytes: 4096,
            inodes: 0,
            inodes_free: 0,
        };
        let values = space.values();
        let value = |name: &str| values.iter().find(|(found, _)| found == name).map(|(_, v)| *v);
        // 700 used and 233 available: 233 / 933.
        assert_eq!(value("FREE_PERCENT").map(f64::round), Some(25.0));
        assert_eq!(value("FREE_BYTES"), Some(233.0 * 4096.0));
        assert_eq!(value("INODES_FREE_PERCENT"), None);
    }

    #[test]
    fn a_path_that_is_not_there_is_named() {
        let error = space("/no/such/path").expect_err("nothing there");
        assert!(error.starts_with("cannot look at /no/such/path: "), "{error}");
    }
}
