//! When GitHub may be asked again. Going on while it refuses can get a whole account locked out.

use std::time::{Duration, Instant, SystemTime};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};

/// The longest wait that an answer can impose: the window of the primary limit, and a little.
const LONGEST: Duration = Duration::from_mins(65);

/// What is waited at least where GitHub does not say how long.
const UNTOLD: Duration = Duration::from_mins(1);

/// The longest of those.
const LONGEST_UNTOLD: Duration = Duration::from_mins(15);

/// After so many refusals in a row the token is not shown again for a while.
const REFUSALS: u32 = 3;

/// How long that is.
const LOCKED: Duration = Duration::from_mins(15);

/// What is known of GitHub's patience.
#[derive(Debug, Default)]
pub(super) struct Limits {
    closed: Option<Closed>,
    untold: u32,
    refusals: u32,
}

/// No request is to be sent before then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Closed {
    until: Instant,
    /// Whether it was the token that GitHub did not like, and not the number of requests.
    pub(super) refused: bool,
}

impl Closed {
    /// What is left of it, rounded up to seconds.
    pub(super) fn left(self, now: Instant) -> Duration {
        let left = self.until.saturating_duration_since(now);
        Duration::from_secs(left.as_secs() + u64::from(left.subsec_nanos() > 0))
    }
}

impl Limits {
    /// Whether a request may be sent.
    pub(super) fn closed(&self, now: Instant) -> Option<Closed> {
        self.closed.filter(|closed| closed.until > now)
    }

    /// Takes note of an answer. `jitter` spreads those who wait for the same moment: a number from 0 to 1.
    /// Says whether this answer itself was the refusal of one request too many.
    pub(super) fn note(&mut self, answer: &Seen<'_>, now: Instant, jitter: f64) -> Option<Closed> {
        if answer.status == StatusCode::UNAUTHORIZED {
            self.refusals += 1;
            if self.refusals >= REFUSALS {
                self.closed = Some(Closed { until: now + LOCKED, refused: true });
            }
            return None;
        }
        self.refusals = 0;
        let Some(wait) = self.wait(answer) else {
            if !answer.status.is_server_error() {
                self.untold = 0;
            }
            return None;
        };
        let spread = (wait / 10).min(Duration::from_secs(10)).mul_f64(jitter.clamp(0.0, 1.0));
        self.closed = Some(Closed { until: now + wait + spread, refused: false });
        self.closed
    }

    fn wait(&mut self, answer: &Seen<'_>) -> Option<Duration> {
        if !matches!(answer.status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS) {
            return None;
        }
        if let Some(wait) = answer.retry_after() {
            return Some(wait.clamp(Duration::from_secs(1), LONGEST));
        }
        if answer.number("x-ratelimit-remaining") == Some(0)
            && let Some(wait) = answer.until_reset()
        {
            return Some(wait.min(LONGEST));
        }
        let is_limit = answer.status == StatusCode::TOO_MANY_REQUESTS
            || answer.number("x-ratelimit-remaining") == Some(0)
            || answer.speaks_of_a_limit();
        is_limit.then(|| {
            let wait = UNTOLD * 2_u32.pow(self.untold.min(4));
            self.untold += 1;
            wait.min(LONGEST_UNTOLD)
        })
    }
}

/// The parts of an answer that speak of limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) status: StatusCode,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

impl Seen<'_> {
    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// How many requests are left in this hour.
    pub(super) fn left(&self) -> Option<u64> {
        self.number("x-ratelimit-remaining")
    }

    /// GitHub's clock as it answered: ours may be wrong.
    fn date(&self) -> SystemTime {
        self.text(DATE.as_str()).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or_else(SystemTime::now)
    }

    fn retry_after(&self) -> Option<Duration> {
        let text = self.text(RETRY_AFTER.as_str())?;
        if let Ok(seconds) = text.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let moment = httpdate::parse_http_date(text).ok()?;
        Some(moment.duration_since(self.date()).unwrap_or_default())
    }

    /// `None` where the moment is over already: an answer that contradicts itself tells nothing.
    fn until_reset(&self) -> Option<Duration> {
        let reset = Duration::from_secs(self.number("x-ratelimit-reset")?);
        let date = self.date().duration_since(SystemTime::UNIX_EPOCH).ok()?;
        // Both are whole seconds: one more, so that it is not asked a moment too early.
        reset.checked_sub(date).filter(|wait| !wait.is_zero()).map(|wait| wait.saturating_add(Duration::from_secs(1)))
    }

    fn speaks_of_a_limit(&self) -> bool {
        let text = String::from_utf8_lossy(self.body).to_ascii_lowercase();
        text.contains("rate limit") || text.contains("abuse detection")
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    /// The seconds that are waited after answers with this status and these headers, given one after the other.
    #[track_caller]
    fn check(answers: &[(u16, &str, &str)], expected: Option<u64>) {
        let mut limits = Limits::default();
        let now = Instant::now();
        for (status, headers, body) in answers {
            let headers: HeaderMap = headers
                .split('|')
                .filter_map(|header| header.split_once(": "))
                .map(|(name, value)| {
                    (name.trim().parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap())
                })
                .collect();
            let status = StatusCode::from_u16(*status).unwrap();
            limits.note(&Seen { status, headers: &headers, body: body.as_bytes() }, now, 0.0);
        }
        let closed = limits.closed(now).map(|closed| closed.left(now).as_secs());
        assert_eq!(closed, expected, "after {answers:?}");
    }

    const DATE: &str = "date: Sun, 06 Nov 1994 08:49:37 GMT";

    #[test]
    fn the_primary_limit_ends_by_the_clock_of_the_host() {
        for status in [403, 429] {
            // 784111777 is the moment of the date.
            let headers = format!("{DATE}|x-ratelimit-remaining: 0|x-ratelimit-reset: 784111782");
            check(&[(status, &headers, "")], Some(6));
        }
    }

    #[test]
    fn a_reset_that_makes_no_sense_is_a_minute_or_at_most_an_hour_and_five_minutes() {
        for (reset, expected) in [("784111000", 60), ("4070908800", 3900), ("soon", 60), ("18446744073709551615", 3900)]
        {
            let headers = format!("{DATE}|x-ratelimit-remaining: 0|x-ratelimit-reset: {reset}");
            check(&[(403, &headers, "")], Some(expected));
        }
    }

    #[test]
    fn retry_after_is_obeyed_in_both_forms() {
        check(&[(429, "retry-after: 7", "")], Some(7));
        check(&[(403, "retry-after: 0", "")], Some(1));
        check(&[(403, "retry-after: 999999", "")], Some(3900));
        check(&[(429, &format!("{DATE}|retry-after: Sun, 06 Nov 1994 08:50:07 GMT"), "")], Some(30));
    }

    #[test]
    fn a_secondary_limit_without_a_time_doubles_from_a_minute_to_a_quarter_of_an_hour() {
        let limited = (403, "", "You have exceeded a secondary rate limit");
        for (times, expected) in [(1, 60), (2, 120), (3, 240), (4, 480), (5, 900), (9, 900)] {
            check(&vec![limited; times], Some(expected));
        }
        check(&[limited, limited, (200, "", ""), limited], Some(60));
        check(&[limited, limited, (502, "", ""), limited], Some(240));
    }

    #[test]
    fn a_refusal_is_no_limit() {
        check(&[(403, "x-ratelimit-remaining: 59", "Resource not accessible by personal access token")], None);
        check(&[(200, "x-ratelimit-remaining: 0", ""), (404, "", ""), (500, "", "")], None);
    }

    #[test]
    fn a_token_that_was_refused_three_times_is_not_shown_for_a_quarter_of_an_hour() {
        let refused = (401, "", "Bad credentials");
        check(&[refused, refused], None);
        check(&[refused, refused, (200, "", ""), refused], None);
        check(&[refused, refused, refused], Some(900));
    }
}
