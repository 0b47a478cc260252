//! Who the targets of a group are: those that the settings list and those that files list.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::config::{ScrapeConfig, StaticConfig};

/// A discovery file is read up to here.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Files that one pattern may match.
const FILES_MAX: usize = 1_000;
/// The label that names the file a target came from.
const FILE_PATH: &str = "__meta_filepath";

/// What files last said.
#[derive(Debug, Default)]
pub(super) struct Files {
    read: BTreeMap<PathBuf, Vec<StaticConfig>>,
}

impl Files {
    /// All targets of a group: addresses with the labels that come with them. A file that cannot
    /// be read keeps the targets it had. Reads files: call it on a blocking thread.
    pub(super) fn targets(
        &mut self,
        config: &ScrapeConfig,
    ) -> Vec<(String, BTreeMap<String, String>)> {
        let mut found = Vec::new();
        let mut add = |group: &StaticConfig, file: Option<&Path>| {
            for address in &group.targets {
                let mut labels = group.labels.clone();
                if let Some(file) = file {
                    labels.insert(FILE_PATH.to_owned(), file.display().to_string());
                }
                found.push((address.clone(), labels));
            }
        };
        for group in &config.static_configs {
            add(group, None);
        }
        let patterns = config.file_sd_configs.iter().flat_map(|files| &files.files);
        let paths: Vec<PathBuf> = patterns.flat_map(|pattern| matching(pattern)).collect();
        self.read.retain(|known, _| paths.contains(known));
        for path in paths {
            match read(&path) {
                Ok(groups) => {
                    self.read.insert(path.clone(), groups);
                }
                Err(error) => {
                    let file = path.display();
                    tracing::warn!(%file, "cannot read targets; those it had stay: {error}");
                }
            }
            for group in self.read.get(&path).into_iter().flatten() {
                add(group, Some(&path));
            }
        }
        found
    }
}

fn read(path: &Path) -> Result<Vec<StaticConfig>, String> {
    let file = std::fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut text).map_err(|error| error.to_string())?;
    serde_json::from_slice(&text).map_err(|error| error.to_string())
}

/// The files that a pattern means: itself, or with `*` in its last part whatever fits, by name.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let path = Path::new(pattern);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    if !name.contains('*') {
        return vec![path.to_owned()];
    }
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| fits(&name, &entry.file_name().to_string_lossy()))
        .map(|entry| entry.path())
        .take(FILES_MAX)
        .collect();
    found.sort_unstable();
    found
}

/// Whether a name fits a pattern in which `*` stands for anything.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or("");
    let Some(mut rest) = name.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::FileSdConfig;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, name, expected) in [
            ("*.json", "a.json", true),
            ("*.json", "a.yml", false),
            ("a*b*.json", "a1b2.json", true),
            ("a*b*.json", "a1.json", false),
            ("a*a.json", "a.json", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_read_again_and_a_broken_one_keeps_its_targets() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("a.json");
        let text = r#"[{"targets":["h:1","h:2"],"labels":{"zone":"1"}}]"#;
        std::fs::write(&file, text).expect("written");
        let config = ScrapeConfig {
            static_configs: vec![StaticConfig {
                targets: vec!["s:1".to_owned()],
                labels: BTreeMap::new(),
            }],
            file_sd_configs: vec![FileSdConfig {
                files: vec![dir.path().join("*.json").display().to_string()],
                ..FileSdConfig::default()
            }],
            ..ScrapeConfig::default()
        };
        let mut files = Files::default();
        let mut addresses = || -> Vec<String> {
            files.targets(&config).into_iter().map(|(address, _)| address).collect()
        };
        assert_eq!(addresses(), ["s:1", "h:1", "h:2"]);
        std::fs::write(&file, "[{\"targets\":").expect("written");
        assert_eq!(addresses(), ["s:1", "h:1", "h:2"]);
        std::fs::write(&file, "[]").expect("written");
        assert_eq!(addresses(), ["s:1"]);
        std::fs::write(&file, text).expect("written");
        let labels = Files::default().targets(&config).remove(1).1;
        assert_eq!(labels["zone"], "1");
        assert_eq!(labels["__meta_filepath"], file.display().to_string());
    }
}
