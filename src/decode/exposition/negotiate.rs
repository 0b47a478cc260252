//! Which format a body has.

use super::Escaping;

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus text 0.0.4 (and 1.0.0, which adds quoted names): times in milliseconds.
    Text,
    /// OpenMetrics 1.0: times in seconds, exemplars, units, `# EOF` at the end.
    OpenMetrics,
}

/// What a scraper sends as `Accept`: the text formats of Prometheus 3 in its order of preference
/// (`config/config.go`, `DefaultScrapeProtocols`), with UTF-8 names allowed.
pub const ACCEPT: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,\
    application/openmetrics-text;version=0.0.1;q=0.5,\
    text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";

impl Format {
    /// The format of a body with this `Content-Type`. Anything but OpenMetrics is read as text, as
    /// many exporters send no or a wrong type.
    pub fn from_content_type(content_type: Option<&str>) -> Self {
        let media = content_type.unwrap_or("").split(';').next().unwrap_or("").trim();
        if media.eq_ignore_ascii_case("application/openmetrics-text") {
            Format::OpenMetrics
        } else {
            Format::Text
        }
    }

    /// The `Content-Type` of an exposition in this format.
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The format that a client with this `Accept` is best answered in: OpenMetrics if it asks
    /// for it with at least the weight it gives plain text.
    pub fn from_accept(accept: Option<&str>) -> Self {
        let (mut text, mut open) = (0.0, 0.0);
        for range in accept.unwrap_or("").split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or("").to_ascii_lowercase();
            let weight = parts
                .find_map(|part| part.strip_prefix("q="))
                .map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
            match media.as_str() {
                "application/openmetrics-text" => open = f64::max(open, weight),
                "text/plain" | "text/*" | "*/*" => text = f64::max(text, weight),
                _ => {}
            }
        }
        if open > 0.0 && open >= text { Format::OpenMetrics } else { Format::Text }
    }
}

/// The version of the text format that a client with this `Accept` is best answered in, `0.0.4`
/// or `1.0.0`, and how names are to be escaped (`Negotiate` in `common/expfmt/expfmt.go`, without
/// the formats that are not text).
pub fn text_for(accept: Option<&str>) -> (&'static str, Escaping) {
    let mut ranges: Vec<(f64, Vec<&str>)> = accept
        .unwrap_or("")
        .split(',')
        .map(|range| {
            let parts: Vec<&str> = range.split(';').map(str::trim).collect();
            let weight = parts.iter().find_map(|part| part.strip_prefix("q="));
            (weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)), parts)
        })
        .collect();
    ranges.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut escaping = Escaping::default();
    for (_, parts) in ranges {
        let param =
            |name: &str| parts.iter().find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
        // What comes before the text formats in the client's order counts too, as in Go.
        if let Some(asked) = param("escaping").and_then(Escaping::from_name) {
            escaping = asked;
        }
        if parts.first().is_some_and(|media| media.eq_ignore_ascii_case("text/plain")) {
            match param("version") {
                None | Some("0.0.4") => return ("0.0.4", escaping),
                Some("1.0.0") => return ("1.0.0", escaping),
                Some(_) => {}
            }
        }
    }
    ("0.0.4", escaping)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_format_and_its_escaping_are_chosen_by_the_client() {
        for (accept, chosen) in [
            (None, ("0.0.4", Escaping::Underscores)),
            (Some("*/*"), ("0.0.4", Escaping::Underscores)),
            (Some("text/plain;version=1.0.0;escaping=allow-utf-8"), ("1.0.0", Escaping::AllowUtf8)),
            (
                Some("text/plain;version=0.0.4;q=0.3,text/plain;version=1.0.0;escaping=dots;q=0.4"),
                ("1.0.0", Escaping::Dots),
            ),
            (Some("text/plain;escaping=nonsense"), ("0.0.4", Escaping::Underscores)),
            (Some(ACCEPT), ("1.0.0", Escaping::AllowUtf8)),
        ] {
            assert_eq!(text_for(accept), chosen, "{accept:?}");
        }
    }

    #[test]
    fn the_content_type_decides_and_text_is_the_fallback() {
        for (content_type, format) in [
            (
                Some("application/openmetrics-text; version=1.0.0; charset=utf-8"),
                Format::OpenMetrics,
            ),
            (Some("Application/OpenMetrics-Text"), Format::OpenMetrics),
            (Some("text/plain; version=0.0.4"), Format::Text),
            (Some("text/html"), Format::Text),
            (None, Format::Text),
        ] {
            assert_eq!(Format::from_content_type(content_type), format, "{content_type:?}");
        }
    }

    #[test]
    fn a_client_gets_openmetrics_only_if_it_prefers_it() {
        assert_eq!(Format::from_accept(Some(ACCEPT)), Format::OpenMetrics);
        assert_eq!(Format::from_accept(Some("*/*")), Format::Text);
        assert_eq!(Format::from_accept(None), Format::Text);
        let reluctant = "text/plain;version=0.0.4,application/openmetrics-text;q=0.5";
        assert_eq!(Format::from_accept(Some(reluctant)), Format::Text);
    }
}
