//! The dashboard's files, as the binary carries them.
//!
//! Owns: which files there are, what they are, what they hash to and compress to, and the policy
//! that a browser is given for them. Never: HTTP, the disk, or what the page shows (that is in
//! `web/`). Start reading at [`ASSETS`] and [`Bundle`].

use std::io::Write as _;
use std::sync::OnceLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

/// What a browser may do on behalf of the page: only what comes from this very address, and nothing
/// that stands inside a page's text (Content Security Policy Level 3).
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self'; img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; \
     base-uri 'none'; form-action 'self'";

/// The file that every address of the page answers with.
pub const INDEX: &str = "index.html";

/// What stands for the hash of all files in paths, `/ui/@/js/app.js`.
pub const HASH_MARK: &str = "@";

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its path below `web/`.
    pub path: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

/// Files by name; one that is missing does not compile.
macro_rules! assets {
    ($($path:literal,)*) => {
        &[$(Asset { path: $path, bytes: include_bytes!(concat!("web/", $path)) },)*]
    };
}

/// Every file, sorted by path. A test finds files that are not listed.
pub const ASSETS: &[Asset] = assets![
    "css/base.css",
    "css/layout.css",
    "css/parts.css",
    "css/plots.css",
    "css/tokens.css",
    "icon.svg",
    "index.html",
    "js/acts.js",
    "js/app.js",
    "js/beats.js",
    "js/chart-paint.js",
    "js/chart.js",
    "js/check-form.js",
    "js/core.js",
    "js/dialog.js",
    "js/experiment-cards.js",
    "js/experiment-form.js",
    "js/experiment-plan.js",
    "js/feature-config.js",
    "js/figures.js",
    "js/forest.js",
    "js/format.js",
    "js/histogram.js",
    "js/keys.js",
    "js/live.js",
    "js/log-line.js",
    "js/log-lines.js",
    "js/objectives.js",
    "js/pages/check.js",
    "js/pages/checks.js",
    "js/pages/experiments.js",
    "js/pages/features.js",
    "js/pages/incident.js",
    "js/pages/incidents.js",
    "js/pages/logs.js",
    "js/pages/metrics.js",
    "js/pages/missing.js",
    "js/pages/overview.js",
    "js/pages/rules.js",
    "js/pages/settings.js",
    "js/parts.js",
    "js/picker.js",
    "js/router.js",
    "js/rule-form.js",
    "js/scale.js",
    "js/session.js",
    "js/settings-people.js",
    "js/settings-quiet.js",
    "js/settings-storage.js",
    "js/store.js",
    "js/theme.js",
    "js/vlist.js",
];

/// The content type of a file, by the end of its name.
pub fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, end)| end) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json" | "webmanifest") => "application/json",
        _ => "application/octet-stream",
    }
}

/// The hash of files by their paths and contents: 16 hexadecimal digits of SHA-256. Any change of
/// any file changes it, so that what is served under it never does.
pub fn hash_of<'f>(files: impl IntoIterator<Item = (&'f str, &'f [u8])>) -> String {
    let mut all = Sha256::new();
    for (path, bytes) in files {
        for part in [path.as_bytes(), bytes] {
            all.update((part.len() as u64).to_le_bytes());
            all.update(part);
        }
    }
    all.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Which colours somebody chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Theme {
    /// Those of the system.
    #[default]
    System,
    /// Dark on light.
    Light,
    /// Light on dark.
    Dark,
}

impl Theme {
    /// The theme that a cookie names; of anything else, the system's.
    pub fn from_name(name: &str) -> Theme {
        match name {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::System,
        }
    }

    /// Its name in the page; none for the system's.
    pub const fn as_str(self) -> &'static str {
        match self {
            Theme::System => "",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

/// The page as it is sent: with the place of its files, and in the chosen colours from the first
/// moment on.
pub fn render_index(text: &str, hash: &str, theme: Theme) -> String {
    text.replace("/ui/@/", &format!("/ui/{hash}/")).replacen(
        "data-theme=\"\"",
        &format!("data-theme=\"{}\"", theme.as_str()),
        1,
    )
}

/// All files with what is computed of them once.
#[derive(Debug)]
pub struct Bundle {
    hash: String,
    packed: Vec<OnceLock<Vec<u8>>>,
}

impl Default for Bundle {
    fn default() -> Self {
        let files = ASSETS.iter().map(|asset| (asset.path, asset.bytes));
        let packed = ASSETS.iter().map(|_| OnceLock::new()).collect();
        Bundle { hash: hash_of(files), packed }
    }
}

impl Bundle {
    /// The hash of all files.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The file at a path below `web/`.
    pub fn get(&self, path: &str) -> Option<Asset> {
        self.place(path).map(|place| ASSETS[place])
    }

    /// A file in gzip (RFC 1952), packed as tightly as it goes when it is first asked for. None
    /// where there is no such file.
    pub fn gzip(&self, path: &str) -> Option<&[u8]> {
        let place = self.place(path)?;
        let bytes = ASSETS[place].bytes;
        Some(self.packed[place].get_or_init(|| pack(bytes)))
    }

    /// The page's text for a theme.
    pub fn index(&self, theme: Theme) -> String {
        let text = self.get(INDEX).map_or(&[] as &[u8], |asset| asset.bytes);
        render_index(&String::from_utf8_lossy(text), &self.hash, theme)
    }

    fn place(&self, path: &str) -> Option<usize> {
        ASSETS.binary_search_by(|asset| asset.path.cmp(path)).ok()
    }
}

fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 2), Compression::best());
    // Writing into memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sorted_so_that_each_is_found() {
        assert!(ASSETS.is_sorted_by(|a, b| a.path < b.path));
        let bundle = Bundle::default();
        for asset in ASSETS {
            assert_eq!(bundle.get(asset.path).map(|a| a.bytes), Some(asset.bytes));
            assert_ne!(content_type(asset.path), "application/octet-stream", "{}", asset.path);
        }
        assert!(bundle.get("../mod.rs").is_none());
    }

    #[test]
    fn the_hash_changes_with_every_byte_and_every_name() {
        let hash = hash_of([("a.js", b"1".as_slice()), ("b.js", b"2")]);
        assert_eq!(hash.len(), 16);
        for other in [
            [("a.js", b"1".as_slice()), ("b.js", b"3")],
            [("a.js", b"1".as_slice()), ("c.js", b"2")],
            [("b.js", b"2".as_slice()), ("a.js", b"1")],
            // The same bytes in a row, cut at another place.
            [("a.js1", b"".as_slice()), ("b.js", b"2")],
        ] {
            assert_ne!(hash_of(other), hash);
        }
    }

    #[test]
    fn the_page_names_its_files_and_carries_the_theme() {
        let bundle = Bundle::default();
        for (theme, written) in [
            (Theme::System, "data-theme=\"\""),
            (Theme::Light, "data-theme=\"light\""),
            (Theme::Dark, "data-theme=\"dark\""),
        ] {
            let page = bundle.index(theme);
            assert!(page.contains(written), "{written}");
            assert!(page.contains(&format!("/ui/{}/js/app.js", bundle.hash())));
            assert!(!page.contains("/ui/@/"));
        }
        assert_eq!(Theme::from_name("\"><script>"), Theme::System);
    }

    #[test]
    fn a_packed_file_unpacks_to_itself() {
        use std::io::Read as _;
        let bundle = Bundle::default();
        let packed = bundle.gzip("js/app.js").expect("there");
        let mut text = Vec::new();
        flate2::read::GzDecoder::new(packed).read_to_end(&mut text).expect("gzip");
        assert_eq!(Some(text.as_slice()), bundle.get("js/app.js").map(|asset| asset.bytes));
        assert!(bundle.gzip("js/none.js").is_none());
    }
}
