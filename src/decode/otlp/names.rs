//! Names of OpenTelemetry as names of Prometheus (`metric_namer.go`, `label_namer.go` and
//! `unit_namer.go` of `prometheus/otlptranslator`).

use crate::config::TranslationStrategy;

/// What a metric is, as far as its name depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gauge,
    MonotonicSum,
    Other,
}

/// Units in UCUM's notation, and the words that they become.
const UNITS: [(&str, &str); 26] = [
    ("d", "days"),
    ("h", "hours"),
    ("min", "minutes"),
    ("s", "seconds"),
    ("ms", "milliseconds"),
    ("us", "microseconds"),
    ("ns", "nanoseconds"),
    ("By", "bytes"),
    ("KiBy", "kibibytes"),
    ("MiBy", "mebibytes"),
    ("GiBy", "gibibytes"),
    ("TiBy", "tibibytes"),
    ("KBy", "kilobytes"),
    ("MBy", "megabytes"),
    ("GBy", "gigabytes"),
    ("TBy", "terabytes"),
    ("m", "meters"),
    ("V", "volts"),
    ("A", "amperes"),
    ("J", "joules"),
    ("W", "watts"),
    ("g", "grams"),
    ("Cel", "celsius"),
    ("Hz", "hertz"),
    ("1", ""),
    ("%", "percent"),
];

/// Units behind a slash.
const PER_UNITS: [(&str, &str); 7] = [
    ("s", "second"),
    ("m", "minute"),
    ("h", "hour"),
    ("d", "day"),
    ("w", "week"),
    ("mo", "month"),
    ("y", "year"),
];

fn word<'a>(table: &[(&str, &'a str)], unit: &'a str) -> &'a str {
    table.iter().find(|(known, _)| *known == unit).map_or(unit, |(_, word)| word)
}

/// The words of a unit: what is measured, and `per_…`. An annotation (`{requests}`) is none.
fn unit_words(unit: &str) -> (String, String) {
    let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
    let plain = |part: &str| !part.is_empty() && !part.contains(['{', '}']);
    let (main, per) = (main.trim(), per.trim());
    let main = if plain(main) { word(&UNITS, main).to_owned() } else { String::new() };
    let per = if plain(per) { word(&PER_UNITS, per) } else { "" };
    let per = if per.is_empty() { String::new() } else { format!("per_{per}") };
    (main, per)
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == ':'
}

/// Brings a unit's word to classic characters: anything else is an underscore, runs of them are
/// one, and none is in front.
fn clean_unit(word: &str) -> String {
    let mut out = String::with_capacity(word.len());
    for c in word.chars() {
        if is_name_char(c) {
            out.push(c);
        } else if !out.ends_with('_') {
            out.push('_');
        }
    }
    out.strip_prefix('_').map(str::to_owned).unwrap_or(out)
}

/// The unit of a metric family, for its metadata: `By/s` is `bytes_per_second`.
pub(super) fn unit_name(unit: &str) -> String {
    let (main, per) = unit_words(unit);
    let (main, per) = (clean_unit(&main), clean_unit(&per));
    let whole = match (main.is_empty(), per.is_empty()) {
        (false, false) => format!("{main}_{per}"),
        (false, true) => main,
        _ => per,
    };
    let whole = whole.strip_prefix('_').unwrap_or(&whole);
    whole.strip_suffix('_').unwrap_or(whole).to_owned()
}

/// The name of a metric family. The error says why there is none.
pub(super) fn metric_name(
    strategy: TranslationStrategy,
    name: &str,
    unit: &str,
    kind: Kind,
) -> Result<String, String> {
    if !strategy.escapes() {
        let built =
            if strategy.adds_suffixes() { suffixed(name, unit, kind) } else { name.to_owned() };
        return if built.is_empty() { Err("its name is empty".to_owned()) } else { Ok(built) };
    }
    let built = if strategy.adds_suffixes() {
        normalized(name, unit, kind)
    } else {
        let is_kept = |c: char| is_name_char(c) || c == '_';
        let parts: Vec<&str> = name.split(|c| !is_kept(c)).filter(|p| !p.is_empty()).collect();
        not_a_digit_first(parts.join("_"))
    };
    if built != name && built.bytes().all(|byte| byte == b'_') {
        return Err(format!("nothing is left of its name {name:?} in classic characters"));
    }
    if built.is_empty() { Err("its name is empty".to_owned()) } else { Ok(built) }
}

fn not_a_digit_first(name: String) -> String {
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("_{name}") } else { name }
}

/// Words joined by underscores; the unit's words, `total` and `ratio` are put at the end, unless
/// the name has the unit already.
fn normalized(name: &str, unit: &str, kind: Kind) -> String {
    let mut words: Vec<&str> =
        name.split(|c| !is_name_char(c)).filter(|word| !word.is_empty()).collect();
    let (main, per) = unit_words(unit);
    let (main, per) = (clean_unit(&main), clean_unit(&per));
    let per = if per == "per_" { "" } else { per.strip_suffix('_').unwrap_or(&per) };
    let per = if words.contains(&per) { "" } else { per };
    let mut main = if words.contains(&main.as_str()) { "" } else { main.as_str() };
    if !per.is_empty() {
        main = main.strip_suffix('_').unwrap_or(main);
    }
    words.extend([main, per].into_iter().filter(|word| !word.is_empty()));
    let last = match kind {
        Kind::MonotonicSum => Some("total"),
        // A counter of things often has unit 1 although it is no ratio.
        Kind::Gauge if unit == "1" => Some("ratio"),
        _ => None,
    };
    if let Some(last) = last {
        words.retain(|word| *word != last);
        words.push(last);
    }
    not_a_digit_first(words.join("_"))
}

/// The name as it is, with unit, `ratio` and `total` at its end, each once.
fn suffixed(name: &str, unit: &str, kind: Kind) -> String {
    let mut name = name;
    let mut last = String::new();
    if unit == "1" && kind == Kind::Gauge {
        name = without_suffix(name, "ratio");
        last = "_ratio".to_owned();
    }
    if kind == Kind::MonotonicSum {
        name = without_suffix(name, "total");
        last = "_total".to_owned();
    }
    let (main, per) = unit_words(unit);
    if !per.is_empty() {
        name = without_suffix(name, &per);
        last.insert_str(0, &format!("_{per}"));
    }
    if main.is_empty() || name.ends_with(&main) {
        format!("{name}{last}")
    } else {
        format!("{name}_{main}{last}")
    }
}

/// Cuts a suffix off, with the one character before it, whatever that is.
fn without_suffix<'a>(name: &'a str, suffix: &str) -> &'a str {
    match name.strip_suffix(suffix) {
        Some(rest) if rest.len() > 1 => {
            let mut chars = rest.chars();
            chars.next_back();
            chars.as_str()
        }
        _ => name,
    }
}

/// The name of a label. The error says why there is none.
pub(super) fn label_name(strategy: TranslationStrategy, name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Err("an attribute has an empty name".to_owned());
    }
    if !strategy.escapes() {
        return Ok(name.to_owned());
    }
    let mut built: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect();
    if built.starts_with(|c: char| c.is_ascii_digit()) {
        built.insert_str(0, "key_");
    } else if built.starts_with('_') && !built.starts_with("__") {
        built.insert_str(0, "key");
    }
    if built != name && built.bytes().all(|byte| byte == b'_') {
        return Err(format!("nothing is left of attribute {name:?} in classic characters"));
    }
    Ok(built)
}

#[cfg(test)]
mod tests {
    use super::TranslationStrategy::{
        NoTranslation, NoUTF8EscapingWithSuffixes as Utf8, UnderscoreEscapingWithSuffixes as Full,
        UnderscoreEscapingWithoutSuffixes as Plain,
    };
    use super::*;

    /// Expected names follow the rules of the OpenTelemetry specification ("Prometheus and
    /// OpenMetrics Compatibility") and the documentation of `otlptranslator`.
    #[test]
    fn metric_names_take_unit_and_type() {
        for (name, unit, kind, expected) in [
            ("http.server.duration", "s", Kind::Other, "http_server_duration_seconds"),
            ("requests.count", "1", Kind::MonotonicSum, "requests_count_total"),
            ("memory.usage", "By", Kind::Gauge, "memory_usage_bytes"),
            ("system.cpu.utilization", "1", Kind::Gauge, "system_cpu_utilization_ratio"),
            ("network.io", "By/s", Kind::Gauge, "network_io_bytes_per_second"),
            ("speed", "m/s", Kind::Gauge, "speed_meters_per_second"),
            ("things", "{things}", Kind::MonotonicSum, "things_total"),
            ("total.errors", "", Kind::MonotonicSum, "errors_total"),
            ("disk_bytes", "By", Kind::Gauge, "disk_bytes"),
            ("a  b..c", "", Kind::Other, "a_b_c"),
            ("5xx", "", Kind::Other, "_5xx"),
            ("odd", "foo bar", Kind::Gauge, "odd_foo_bar"),
            ("ms.by", "ms/By", Kind::Gauge, "ms_by_milliseconds_per_By"),
            ("ns:x", "", Kind::Gauge, "ns:x"),
        ] {
            assert_eq!(metric_name(Full, name, unit, kind).as_deref(), Ok(expected), "{name}");
        }
        assert!(metric_name(Full, "☺", "", Kind::Gauge).is_err());
        assert!(metric_name(Full, "", "", Kind::Gauge).is_err());
    }

    #[test]
    fn the_other_strategies_leave_more_as_it_is() {
        for (strategy, name, unit, kind, expected) in [
            (Plain, "http.server.duration", "s", Kind::Other, "http_server_duration"),
            (Plain, "a__b", "", Kind::MonotonicSum, "a__b"),
            (
                NoTranslation,
                "http.server.duration",
                "s",
                Kind::MonotonicSum,
                "http.server.duration",
            ),
            (Utf8, "http.server.duration", "s", Kind::Other, "http.server.duration_seconds"),
            (Utf8, "requests", "", Kind::MonotonicSum, "requests_total"),
            (Utf8, "requests.total", "", Kind::MonotonicSum, "requests_total"),
            (Utf8, "io", "By/s", Kind::MonotonicSum, "io_bytes_per_second_total"),
            (Utf8, "used", "1", Kind::Gauge, "used_ratio"),
            (Utf8, "in.seconds", "s", Kind::Gauge, "in.seconds"),
        ] {
            assert_eq!(metric_name(strategy, name, unit, kind).as_deref(), Ok(expected), "{name}");
        }
    }

    #[test]
    fn label_names_are_made_classic_or_left() {
        for (name, expected) in [
            ("http.method", "http_method"),
            ("123", "key_123"),
            ("_private", "key_private"),
            ("__reserved__", "__reserved__"),
            ("a..b", "a__b"),
            ("größe", "gr__e"),
        ] {
            assert_eq!(label_name(Full, name).as_deref(), Ok(expected), "{name}");
            assert_eq!(label_name(NoTranslation, name).as_deref(), Ok(name));
        }
        assert!(label_name(Full, "☺☺").is_err());
        assert!(label_name(NoTranslation, "").is_err());
    }

    #[test]
    fn units_of_metadata_are_words() {
        for (unit, expected) in [
            ("s", "seconds"),
            ("By/s", "bytes_per_second"),
            ("1", ""),
            ("{requests}/s", "per_second"),
            ("%", "percent"),
            ("parsec", "parsec"),
        ] {
            assert_eq!(unit_name(unit), expected, "{unit}");
        }
    }
}
