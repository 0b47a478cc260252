//! Numbers as Go's `strconv.FormatFloat` writes them.

/// Writes `value` by a Go verb (`e`, `f`, `g` or their capitals). `precision`: digits after the
/// point (`e`, `f`) or significant ones (`g`); `None` for the fewest that read back exactly.
pub(in crate::rules) fn go_float(value: f64, verb: char, precision: Option<usize>) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    match verb {
        'e' => exponential(value, precision),
        'E' => exponential(value, precision).to_uppercase(),
        'f' | 'F' => match precision {
            Some(precision) => format!("{value:.precision$}"),
            None => format!("{value}"),
        },
        'G' => general(value, precision).to_uppercase(),
        _ => general(value, precision),
    }
}

/// The exponent has a sign and at least two digits.
fn exponential(value: f64, precision: Option<usize>) -> String {
    let text = match precision {
        Some(precision) => format!("{value:.precision$e}"),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, digits) = match exponent.strip_prefix('-') {
        Some(digits) => ('-', digits),
        None => ('+', exponent),
    };
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// Digits as needed, with an exponent where the number is small or large (`%g`).
fn general(value: f64, precision: Option<usize>) -> String {
    let significant = precision.map(|precision| precision.max(1));
    let text = match significant {
        Some(digits) => format!("{value:.*e}", digits - 1),
        None => format!("{value:e}"),
    };
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let mantissa = match mantissa.contains('.') {
        true => mantissa.trim_end_matches('0').trim_end_matches('.'),
        false => mantissa,
    };
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let places = i32::try_from(digits).unwrap_or(i32::MAX);
    // Where Go writes as few digits as possible, it decides as if they were six.
    let threshold = match significant {
        None => 6,
        Some(wanted) => {
            let wanted = i32::try_from(wanted).unwrap_or(i32::MAX);
            if wanted > places && places > exponent { places } else { wanted }
        }
    };
    if exponent < -4 || exponent >= threshold {
        let (sign, size) = if exponent < 0 { ('-', -exponent) } else { ('+', exponent) };
        return format!("{mantissa}e{sign}{size:0>2}");
    }
    let after_point = usize::try_from((places - 1 - exponent).max(0)).unwrap_or(0);
    format!("{value:.after_point$}")
}
