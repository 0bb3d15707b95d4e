//! Scalars: which type a plain word has, and how numbers are printed.

use time::{Date, Month, Time, UtcOffset};

use super::Yaml;

/// Finds the type of a scalar. `tag` is the short name of a tag of the core schema.
pub(crate) fn resolve(text: &str, plain: bool, tag: Option<&str>) -> Result<Yaml, String> {
    let mismatch = |tag: &str| Err(format!("the value is not of the type that its tag `!!{tag}` says"));
    let implicit = |text: &str| if text.is_empty() { Yaml::Null } else { resolve_plain(text) };
    let resolved = match tag {
        None if plain => implicit(text),
        None | Some("str") => Yaml::Text(text.to_owned()),
        Some(_) => implicit(text),
    };
    match (tag, resolved) {
        (Some("null"), _) if text.is_empty() => Ok(Yaml::Null),
        (Some("float"), Yaml::Int(value)) => {
            #[expect(clippy::cast_precision_loss, reason = "the tag asks for it")]
            let value = value as f64;
            Ok(Yaml::Float(value))
        }
        (None | Some("str"), resolved)
        | (Some("int"), resolved @ Yaml::Int(_))
        | (Some("float"), resolved @ Yaml::Float(_))
        | (Some("bool"), resolved @ Yaml::Bool(_))
        | (Some("null"), resolved @ Yaml::Null)
        | (Some("timestamp"), resolved @ Yaml::Time(_)) => Ok(resolved),
        (Some(tag), _) => mismatch(tag),
    }
}

fn resolve_plain(text: &str) -> Yaml {
    match text {
        "~" | "null" | "Null" | "NULL" => return Yaml::Null,
        "true" | "True" | "TRUE" => return Yaml::Bool(true),
        "false" | "False" | "FALSE" => return Yaml::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Yaml::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Yaml::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Yaml::Float(f64::NEG_INFINITY),
        _ => (),
    }
    let starts_as_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if !starts_as_number {
        return Yaml::Text(text.to_owned());
    }
    if let Some(time) = timestamp(text) {
        return Yaml::Time(time);
    }
    let digits = text.replace('_', "");
    if !text.starts_with('.')
        && let Some(value) = integer(&digits)
    {
        return Yaml::Int(value);
    }
    let number = if text.starts_with('.') { text } else { &digits };
    if is_float(number)
        && let Some(value) = parse_float(number)
    {
        return Yaml::Float(value);
    }
    Yaml::Text(text.to_owned())
}

/// An integer of 64 bits in base 10, 16 (`0x`), 2 (`0b`) or 8 (`0o` or a leading zero).
fn integer(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.get(..2) {
        Some("0x") => (16, &lower[2..]),
        Some("0b") => (2, &lower[2..]),
        Some("0o") => (8, &lower[2..]),
        _ if lower.len() > 1 && lower.starts_with('0') => (8, &lower[1..]),
        _ => (10, lower.as_str()),
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -value } else { value };
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa && exponent.is_none_or(|exponent| digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)))
}

/// A finite number; one that is too large for 64 bits is none.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|value| value.is_finite())
}

/// Prints a number as Go's `%v` does: the shortest digits that read back, with an exponent below -4 and from 6 on.
pub(crate) fn format_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let power: i32 = exponent.parse().unwrap_or(0);
    if value != 0.0 && !(-4..6).contains(&power) {
        let sign = if power < 0 { '-' } else { '+' };
        return format!("{mantissa}e{sign}{:02}", power.abs());
    }
    format!("{value}")
}

/// A date or time in one of the forms that YAML 1.1 knows, printed as Go prints a time. `None` for anything else.
fn timestamp(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || !bytes[..4].iter().all(u8::is_ascii_digit) || bytes[4] != b'-' {
        return None;
    }
    let (date, clock) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], Some((bytes[at] == b' ', &text[at + 1..]))),
        None => (text, None),
    };
    let mut parts = date.split('-');
    let year: i32 = parts.next()?.parse().ok()?;
    let (month, day) = (short_number(parts.next()?)?, short_number(parts.next()?)?);
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    if parts.next().is_some() {
        return None;
    }
    let day = format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day());
    match clock {
        None => Some(format!("{day} 00:00:00 +0000 UTC")),
        Some((true, clock)) => Some(format!("{day} {} +0000 UTC", clock_time(clock)?)),
        Some((false, clock)) => {
            let at = clock.find(['Z', '+', '-'])?;
            Some(format!("{day} {} {}", clock_time(&clock[..at])?, zone(&clock[at..])?))
        }
    }
}

/// One or two digits.
fn short_number(text: &str) -> Option<u8> {
    (matches!(text.len(), 1 | 2) && text.chars().all(|c| c.is_ascii_digit())).then(|| text.parse().ok())?
}

fn clock_time(text: &str) -> Option<String> {
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(whole, fraction)| (whole, Some(fraction)));
    let mut parts = whole.split(':');
    let (hour, minute, second) =
        (short_number(parts.next()?)?, short_number(parts.next()?)?, short_number(parts.next()?)?);
    if parts.next().is_some() {
        return None;
    }
    Time::from_hms(hour, minute, second).ok()?;
    let mut printed = format!("{hour:02}:{minute:02}:{second:02}");
    if let Some(fraction) = fraction {
        if fraction.is_empty() || !fraction.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let digits = fraction[..fraction.len().min(9)].trim_end_matches('0');
        if !digits.is_empty() {
            printed = format!("{printed}.{digits}");
        }
    }
    Some(printed)
}

fn zone(text: &str) -> Option<String> {
    if text == "Z" {
        return Some("+0000 UTC".to_owned());
    }
    let (hours, minutes) = text[1..].split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (short_number(hours)?, short_number(minutes)?);
    UtcOffset::from_hms(i8::try_from(hours).ok()?, i8::try_from(minutes).ok()?, 0).ok()?;
    if hours == 0 && minutes == 0 {
        return Some("+0000 UTC".to_owned());
    }
    let sign = &text[..1];
    Some(format!("{sign}{hours:02}{minutes:02} {sign}{hours:02}{minutes:02}"))
}
