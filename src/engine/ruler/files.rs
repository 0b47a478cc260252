//! Finds and reads rule files.

use std::io::Read as _;
use std::path::{Component, Path, PathBuf};

use crate::rules::RuleFile;

/// A rule file is read up to here.
const FILE_BYTES_MAX: u64 = 16 << 20;
/// Files that all patterns together may match.
const FILES_MAX: usize = 10_000;

/// Reads every file that the patterns match, each once, by name. A pattern that matches nothing
/// is no fault, as in Prometheus; a name without `*`, `?` and `[` must exist.
///
/// # Errors
///
/// Everything that is wrong, one fault per line: `FILE:LINE:COLUMN: …`.
pub fn read_rule_files(patterns: &[String]) -> Result<Vec<RuleFile>, String> {
    let mut paths = Vec::new();
    for pattern in patterns {
        paths.extend(matching(Path::new(pattern)));
        if paths.len() > FILES_MAX {
            return Err(format!("rules.files matches more than {FILES_MAX} files"));
        }
    }
    paths.sort_unstable();
    paths.dedup();
    let mut files = Vec::new();
    let mut faults = Vec::new();
    for path in paths {
        match read_rule_file(&path) {
            Ok(file) => files.push(file),
            Err(found) => faults.extend(found),
        }
    }
    if faults.is_empty() { Ok(files) } else { Err(faults.join("\n")) }
}

/// Reads one rule file.
///
/// # Errors
///
/// Everything that is wrong with it, each with its place.
pub fn read_rule_file(path: &Path) -> Result<RuleFile, Vec<String>> {
    let name = path.display().to_string();
    let text = read_text(path).map_err(|error| vec![error])?;
    RuleFile::parse(&name, &text)
        .map_err(|faults| faults.into_iter().map(|fault| format!("{name}:{fault}")).collect())
}

/// Reads a file of rules or of their tests, within bounds.
///
/// # Errors
///
/// The file cannot be read, is too large, or is not UTF-8.
pub fn read_text(path: &Path) -> Result<String, String> {
    let name = path.display();
    let cannot = |error: std::io::Error| {
        format!("cannot read {name}: {error}; check the path and its permissions")
    };
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(cannot)?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{name} has more than {FILE_BYTES_MAX} bytes; split it"));
    }
    String::from_utf8(text).map_err(|_| format!("{name} is not UTF-8"))
}

/// The paths that a pattern means, by name (Go's `filepath.Glob`): in every part of it `*` stands
/// for anything, `?` for one character, `[a-z]` for one of several.
pub fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let name = part.as_os_str().to_string_lossy();
        let is_pattern = matches!(part, Component::Normal(_)) && name.contains(['*', '?', '[']);
        if !is_pattern {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let parts: Vec<char> = name.chars().collect();
        let mut next = Vec::new();
        for directory in &found {
            let place =
                if directory.as_os_str().is_empty() { Path::new(".") } else { directory.as_path() };
            let Ok(entries) = std::fs::read_dir(place) else { continue };
            let names = entries.flatten().map(|entry| entry.file_name());
            let fitting = names.filter(|entry| {
                let entry: Vec<char> = entry.to_string_lossy().chars().collect();
                fits(&parts, &entry)
            });
            next.extend(fitting.take(FILES_MAX).map(|entry| directory.join(entry)));
        }
        next.truncate(FILES_MAX);
        found = next;
    }
    let is_pattern = pattern.to_string_lossy().contains(['*', '?', '[']);
    found.retain(|path| !is_pattern || path.exists());
    found.sort_unstable();
    found
}

/// Whether a name fits a pattern. Goes back to the last star only, so that it never takes more
/// steps than the product of both lengths.
fn fits(pattern: &[char], name: &[char]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        if pattern.get(at) == Some(&'*') {
            star = Some((at, seen));
            at += 1;
        } else if let Some(used) = one_fits(&pattern[at..], name[seen]) {
            at += used;
            seen += 1;
        } else if let Some((star_at, covered)) = star {
            star = Some((star_at, covered + 1));
            at = star_at + 1;
            seen = covered + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|c| *c == '*')
}

/// How much of the pattern one character uses up, if it fits.
fn one_fits(pattern: &[char], c: char) -> Option<usize> {
    match pattern.first()? {
        '?' => Some(1),
        '[' => {
            let end = pattern.iter().skip(2).position(|c| *c == ']')? + 2;
            let (negated, set) = match &pattern[1..end] {
                ['^', rest @ ..] => (true, rest),
                set => (false, set),
            };
            let mut inside = false;
            let mut place = 0;
            while place < set.len() {
                if set.len() - place > 2 && set[place + 1] == '-' {
                    inside |= (set[place]..=set[place + 2]).contains(&c);
                    place += 3;
                } else {
                    inside |= set[place] == c;
                    place += 1;
                }
            }
            (inside != negated).then_some(end + 1)
        }
        literal => (*literal == c).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        for (pattern, name, expected) in [
            ("*.yml", "a.yml", true),
            ("*.yml", "a.yaml", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("[a-c]*.y*ml", "b1.yaml", true),
            ("[a-c]x", "dx", false),
            ("[^a]x", "bx", true),
            ("*a*b", "aab", true),
            ("", "", true),
        ] {
            let chars = |text: &str| text.chars().collect::<Vec<char>>();
            assert_eq!(fits(&chars(pattern), &chars(name)), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn files_are_found_in_every_directory_that_fits_and_faults_are_all_told() {
        let directory = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            std::fs::write(path, text).expect("written");
        };
        write("a/x.yml", "groups: []\n");
        write("b/y.yml", "groups: []\n");
        write("b/z.txt", "-");
        let pattern = directory.path().join("*/*.yml").display().to_string();
        let files = read_rule_files(&[pattern.clone(), pattern.clone()]).expect("valid");
        assert_eq!(files.len(), 2);
        write("a/x.yml", "groups:\n- name: ''\n");
        write("b/y.yml", "group: []\n");
        let error = read_rule_files(&[pattern]).expect_err("both are wrong");
        assert!(error.contains("x.yml:2:3: Groupname must not be empty"), "{error}");
        assert!(error.contains("y.yml:1:1: field group not found"), "{error}");
        let missing = directory.path().join("missing.yml").display().to_string();
        assert!(read_rule_files(&[missing]).is_err());
    }
}
