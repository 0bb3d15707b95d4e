//! Durations, sizes and cpus, in the grammars of the docker command.

/// Nanoseconds of a text in the syntax of Go's `time.ParseDuration`: `1h30m`, `1.5s`, `-1s`, `0`.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let refuse = || format!("`{text}` is not a duration: write for example `90s`, `1m30s` or `500ms`");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(refuse());
    }
    let mut total: i128 = 0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(refuse)?;
        let unit_end =
            rest[number..].find(|c: char| c.is_ascii_digit() || c == '.').map_or(rest.len(), |at| number + at);
        let unit = nanoseconds(&rest[number..unit_end]).ok_or_else(refuse)?;
        total += scaled(&rest[..number], unit).ok_or_else(refuse)?;
        if total > i128::from(i64::MAX) {
            return Err(refuse());
        }
        rest = &rest[unit_end..];
    }
    i64::try_from(if negative { -total } else { total }).map_err(|_| refuse())
}

fn nanoseconds(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    })
}

/// A decimal number times a unit, cut to a whole number.
fn scaled(number: &str, unit: i128) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
    // Further digits are below a nanosecond.
    let fraction = &fraction[..fraction.len().min(15)];
    let places = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    digits(whole)?.checked_mul(unit)?.checked_add(digits(fraction)? * unit / places)
}

/// Bytes of a text such as `64m`, `1.5 GiB` or `1024`; units are powers of 1024.
pub(crate) fn size(text: &str) -> Result<i64, String> {
    let refuse = || format!("`{text}` is not a size: write for example `512M` or `1.5G`");
    let unit_at = text.rfind(|c: char| c.is_ascii_digit() || c == '.').map_or(0, |at| at + 1);
    let (number, unit) = text.split_at(unit_at);
    if number.starts_with(['-', '+']) {
        return Err(refuse());
    }
    let number: f64 = number.parse().map_err(|_| refuse())?;
    let unit = unit.strip_prefix(' ').unwrap_or(unit).to_ascii_lowercase();
    let power = match unit.as_str() {
        "" | "b" => 0,
        unit => {
            let letter = unit.strip_suffix("ib").or_else(|| unit.strip_suffix('b')).unwrap_or(unit);
            1 + ["k", "m", "g", "t", "p"].iter().position(|known| *known == letter).ok_or_else(refuse)?
        }
    };
    let bytes = number * 1024_f64.powi(i32::try_from(power).map_err(|_| refuse())?);
    if !bytes.is_finite() || bytes >= 9.2e18 {
        return Err(refuse());
    }
    #[expect(clippy::cast_possible_truncation, reason = "in range, and fractions of a byte are cut off")]
    let bytes = bytes as i64;
    Ok(bytes)
}

/// Billionths of a cpu of an exact number: `0.5`, `.001`, `1e-2`, `1/4`.
pub(crate) fn nano_cpus(text: &str) -> Result<i64, String> {
    let refuse = || format!("`{text}` is not a number of cpus: write for example `0.5`");
    let (numerator, denominator) = match text.split_once('/') {
        Some((above, below)) => {
            let whole = |text: &str| text.parse::<i128>().map_err(|_| refuse());
            (whole(above)?, whole(below)?)
        }
        None => decimal(text).ok_or_else(refuse)?,
    };
    let scaled = numerator.checked_mul(1_000_000_000).ok_or_else(refuse)?;
    if denominator <= 0 {
        return Err(refuse());
    }
    if scaled % denominator != 0 {
        return Err(format!("`{text}` cpus is too precise: use at most nine decimals"));
    }
    i64::try_from(scaled / denominator).map_err(|_| refuse())
}

/// A decimal number with an optional exponent, as a fraction.
fn decimal(text: &str) -> Option<(i128, i128)> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(mantissa) => (true, mantissa),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 24 || !digits.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let value: i128 = digits.parse().ok()?;
    let value = if negative { -value } else { value };
    let places = exponent.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let scale = 10_i128.checked_pow(places.unsigned_abs())?;
    if places >= 0 { Some((value.checked_mul(scale)?, 1)) } else { Some((value, scale)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parse: fn(&str) -> Result<i64, String>, table: &[(&str, Option<i64>)]) {
        for (text, expected) in table {
            assert_eq!(parse(text).ok(), *expected, "`{text}`");
        }
    }

    #[test]
    fn a_duration_is_written_as_in_go() {
        let second = 1_000_000_000;
        check(
            duration,
            &[
                ("1h30m", Some(5400 * second)),
                ("1.5m", Some(90 * second)),
                (".5s", Some(second / 2)),
                ("1.s", Some(second)),
                ("+5s", Some(5 * second)),
                ("-1s", Some(-second)),
                ("0", Some(0)),
                ("0s", Some(0)),
                ("3us", Some(3000)),
                ("3µs", Some(3000)),
                ("", None),
                ("1", None),
                ("1d", None),
                (".s", None),
                ("1.2.3s", None),
                ("1 s", None),
                ("s", None),
                ("-", None),
                ("9999999h", None),
            ],
        );
    }

    #[test]
    fn a_size_counts_in_powers_of_1024() {
        let mebi = 1024 * 1024;
        check(
            size,
            &[
                ("1024", Some(1024)),
                ("64m", Some(64 * mebi)),
                ("64MB", Some(64 * mebi)),
                ("64MiB", Some(64 * mebi)),
                ("1.5g", Some(1536 * mebi)),
                ("16 m", Some(16 * mebi)),
                ("10b", Some(10)),
                ("0", Some(0)),
                ("", None),
                ("-1m", None),
                ("1x", None),
                ("1  m", None),
                ("m", None),
                ("1e", None),
                ("9999999p", None),
            ],
        );
    }

    #[test]
    fn cpus_are_exact() {
        check(
            nano_cpus,
            &[
                ("0.5", Some(500_000_000)),
                ("2", Some(2_000_000_000)),
                (".001", Some(1_000_000)),
                ("1e-2", Some(10_000_000)),
                ("1/4", Some(250_000_000)),
                ("0.0000000001", None),
                ("1/3", None),
                ("1/0", None),
                ("", None),
                ("half", None),
                ("1e99", None),
                (".", None),
            ],
        );
    }
}
