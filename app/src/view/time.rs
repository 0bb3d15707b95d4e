//! Moments and lengths of time, in words.

use release_manager::time::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// How long ago: `just now`, `42 s ago`, `5 min ago`, `3 h ago`, `12 d ago`, `4 mo ago`, `2 y ago`.
pub fn age(now: Timestamp, then: Timestamp) -> String {
    let seconds = whole_seconds(now.seconds_since(then));
    match seconds {
        0..5 => "just now".to_owned(),
        5..MINUTE => format!("{seconds} s ago"),
        MINUTE..HOUR => format!("{} min ago", seconds / MINUTE),
        HOUR..172_800 => format!("{} h ago", seconds / HOUR),
        172_800..5_184_000 => format!("{} d ago", seconds / DAY),
        5_184_000..63_072_000 => format!("{} mo ago", seconds / (30 * DAY)),
        _ => format!("{} y ago", seconds / (365 * DAY)),
    }
}

/// How long, in its two largest units: `42 s`, `2 min 34 s`, `3 h 12 min`, `2 d 14 h`.
pub fn duration(seconds: f64) -> String {
    let seconds = whole_seconds(seconds);
    let two = |large: u64, unit: &str, small: u64, sub: &str| {
        if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small} {sub}") }
    };
    match seconds {
        0 => "under 1 s".to_owned(),
        1..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => two(seconds / MINUTE, "min", seconds % MINUTE, "s"),
        HOUR..DAY => two(seconds / HOUR, "h", seconds % HOUR / MINUTE, "min"),
        _ => two(seconds / DAY, "d", seconds % DAY / HOUR, "h"),
    }
}

/// The moment in full: `31 Oct 2025, 10:30:00 UTC`.
pub fn absolute(moment: Timestamp) -> String {
    let text = moment.to_string();
    format!("{}, {} UTC", date(moment), text.get(11..19).unwrap_or_default())
}

/// The moment without the year: `31 Oct, 10:30`.
pub fn short(moment: Timestamp) -> String {
    let text = moment.to_string();
    format!("{}, {}", day(moment), text.get(11..16).unwrap_or_default())
}

/// The day without the year: `31 Oct`.
pub fn day(moment: Timestamp) -> String {
    let date = date(moment);
    date.rsplit_once(' ').map_or(date.clone(), |(day, _)| day.to_owned())
}

/// The day: `31 Oct 2025`.
pub fn date(moment: Timestamp) -> String {
    let text = moment.to_string();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    let month = part(5..7).parse::<usize>().ok().and_then(|number| MONTHS.get(number.wrapping_sub(1)));
    format!("{} {} {}", part(8..10).trim_start_matches('0'), month.unwrap_or(&"?"), part(0..4))
}

fn whole_seconds(seconds: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a cast saturates, and NaN becomes 0")]
    let whole = seconds as u64;
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn an_age_has_one_unit() {
        for (seconds, expected) in [
            (0, "just now"),
            (42, "42 s ago"),
            (60, "1 min ago"),
            (3599, "59 min ago"),
            (7200, "2 h ago"),
            (86_400 * 3, "3 d ago"),
            (86_400 * 90, "3 mo ago"),
            (86_400 * 800, "2 y ago"),
        ] {
            assert_eq!(age(at(1_000_000_000 + seconds), at(1_000_000_000)), expected);
        }
    }

    #[test]
    fn what_lies_ahead_is_just_now() {
        assert_eq!(age(at(5), at(500)), "just now");
    }

    #[test]
    fn a_duration_has_at_most_two_units() {
        for (seconds, expected) in [
            (0.4, "under 1 s"),
            (42.9, "42 s"),
            (154.0, "2 min 34 s"),
            (120.0, "2 min"),
            (11_520.0, "3 h 12 min"),
            (223_200.0, "2 d 14 h"),
        ] {
            assert_eq!(duration(seconds), expected);
        }
    }

    #[test]
    fn a_moment_is_written_as_people_write_dates() {
        let moment = "2025-10-01T09:05:07.250Z".parse().unwrap();
        assert_eq!(absolute(moment), "1 Oct 2025, 09:05:07 UTC");
        assert_eq!(short(moment), "1 Oct, 09:05");
        assert_eq!(day(moment), "1 Oct");
    }
}
