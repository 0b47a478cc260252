//! Which format a body has.

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

#[cfg(test)]
mod tests {
    use super::*;

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
