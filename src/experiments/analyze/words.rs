//! Numbers in sentences.

/// Four significant figures without needless zeros: `0.0123`, `1234`, `1.5e-7`.
pub(crate) fn show(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value.is_finite() { "0".to_owned() } else { "unknown".to_owned() };
    }
    let text = format!("{value:.3e}");
    // What `{:e}` wrote always reads back.
    let rounded: f64 = text.parse().unwrap_or(value);
    if (1e-4..1e9).contains(&rounded.abs()) {
        return rounded.to_string();
    }
    match text.split_once('e') {
        Some((mantissa, exponent)) if mantissa.contains('.') => {
            format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

/// The same with a sign, of differences.
pub(crate) fn signed(value: f64) -> String {
    if value > 0.0 { format!("+{}", show(value)) } else { show(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_readable() {
        let cases = [
            (0.0, "0"),
            (0.012_345_6, "0.01235"),
            (1234.56, "1235"),
            (-2.0, "-2"),
            (1.5e-7, "1.5e-7"),
            (123_456_789_012.0, "1.235e11"),
        ];
        for (value, expected) in cases {
            assert_eq!(show(value), expected);
        }
        assert_eq!(signed(0.5), "+0.5");
        assert_eq!(signed(-0.5), "-0.5");
    }
}
