//! Moments, durations and sizes as people read them: local time with its offset, and how far away it is.

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, in milliseconds since 1970-01-01T00:00:00Z.
pub(crate) fn now_unix_ms() -> i64 {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    let elapsed_ms = since_1970.unwrap_or_default().as_millis();
    i64::try_from(elapsed_ms).unwrap_or(i64::MAX)
}

/// The beginning of a day (UTC) such as `2027-11-25`, in milliseconds since 1970-01-01T00:00:00Z.
pub(crate) fn day(text: &str) -> Result<i64, String> {
    let day: Option<Date> = text.parse().ok();
    let day = day.filter(|day| day.to_string() == text);
    let day = day.ok_or("not a day: give year, month and day, such as 2027-11-25")?;
    let midnight = day
        .to_zoned(TimeZone::UTC)
        .map_err(|_| "beyond the calendar")?;
    Ok(midnight.timestamp().as_millisecond())
}

/// The day of a moment in this machine's time zone, such as `2026-12-24`.
pub(crate) fn day_of(unix_ms: i64) -> String {
    let Ok(then) = Timestamp::from_millisecond(unix_ms) else {
        return "beyond the calendar".to_owned();
    };
    let local = then.to_zoned(TimeZone::system());
    local.strftime("%Y-%m-%d").to_string()
}

/// A moment in this machine's time zone and its distance from now, such as `2026-11-25 14:03 +01:00 (in 58 min)`.
pub(crate) fn moment(unix_ms: i64) -> String {
    moment_from(unix_ms, now_unix_ms(), TimeZone::system())
}

/// The same in few columns, for tables: without the offset, and without the date while it is today's.
pub(crate) fn brief_moment(unix_ms: i64) -> String {
    brief_moment_from(unix_ms, now_unix_ms(), &TimeZone::system())
}

fn brief_moment_from(unix_ms: i64, now_unix_ms: i64, zone: &TimeZone) -> String {
    let local = |unix_ms: i64| {
        let timestamp = Timestamp::from_millisecond(unix_ms).ok()?;
        Some(timestamp.to_zoned(zone.clone()))
    };
    let (Some(then), Some(now)) = (local(unix_ms), local(now_unix_ms)) else {
        return "beyond the calendar".to_owned();
    };
    let format = if then.date() == now.date() {
        "%H:%M"
    } else {
        "%Y-%m-%d %H:%M"
    };
    let distance = distance(unix_ms.saturating_sub(now_unix_ms));
    format!("{} ({distance})", then.strftime(format))
}

fn moment_from(unix_ms: i64, now_unix_ms: i64, zone: TimeZone) -> String {
    let Ok(timestamp) = Timestamp::from_millisecond(unix_ms) else {
        return "beyond the calendar".to_owned();
    };
    let local = timestamp.to_zoned(zone).strftime("%Y-%m-%d %H:%M %:z");
    let distance = distance(unix_ms.saturating_sub(now_unix_ms));
    format!("{local} ({distance})")
}

fn distance(ms: i64) -> String {
    let rough = rough(ms.unsigned_abs() / 1000);
    if ms >= 0 {
        format!("in {rough}")
    } else {
        format!("{rough} ago")
    }
}

/// The largest unit that fits, and the next one where it still says something.
fn rough(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{minutes} min"),
        3600..86400 if minutes % 60 == 0 => format!("{hours} h"),
        3600..86400 => format!("{hours} h {} min", minutes % 60),
        86400..172_800 => "1 day".to_owned(),
        _ => format!("{days} days"),
    }
}

/// A duration of a step, such as `12.34 ms`: always two decimals, so that columns of them align.
pub(crate) fn duration(duration: Duration) -> String {
    let us = duration.as_micros();
    match us {
        0..10_000_000 => format!("{}.{:02} ms", us / 1_000, us % 1_000 / 10),
        _ => format!("{}.{:02} s", us / 1_000_000, us % 1_000_000 / 10_000),
    }
}

/// How long to wait, rounded up: nobody should come back too early.
pub(crate) fn wait(ms: u64) -> String {
    match ms.div_ceil(1000) {
        seconds @ 0..=120 => format!("{seconds} s"),
        seconds => format!("{} min", seconds.div_ceil(60)),
    }
}

/// A size, such as `12.3 kB`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{}.{} kB", bytes / 1_000, bytes % 1_000 / 100),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_local_and_say_how_far_away_they_are() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let now = 1_795_000_000_000;
        assert_eq!(
            moment_from(now + 3_480_000, now, zone),
            "2026-11-18 13:04 +01:00 (in 58 min)"
        );
        assert_eq!(
            moment_from(i64::MAX, now, TimeZone::UTC),
            "beyond the calendar"
        );
    }

    #[test]
    fn brief_moments_name_the_day_only_when_it_is_another() {
        let now = 1_795_000_000_000;
        let check = |in_ms: i64, expected: &str| {
            assert_eq!(
                brief_moment_from(now + in_ms, now, &TimeZone::UTC),
                expected
            );
        };
        check(3_480_000, "12:04 (in 58 min)");
        check(50_400_000, "2026-11-19 01:06 (in 14 h)");
        check(-86_400_000, "2026-11-17 11:06 (1 day ago)");
        check(i64::MAX - now, "beyond the calendar");
    }

    #[test]
    fn distances_use_the_unit_that_fits() {
        fn check(ms: i64, expected: &str) {
            assert_eq!(distance(ms), expected);
        }
        check(0, "in 0 s");
        check(59_999, "in 59 s");
        check(60_000, "in 1 min");
        check(3_600_000, "in 1 h");
        check(5_400_000, "in 1 h 30 min");
        check(86_400_000, "in 1 day");
        check(-200_000_000, "2 days ago");
    }

    #[test]
    fn waits_are_rounded_up() {
        fn check(ms: u64, expected: &str) {
            assert_eq!(wait(ms), expected);
        }
        check(1, "1 s");
        check(60_000, "60 s");
        check(120_001, "3 min");
    }

    #[test]
    fn durations_and_sizes_are_rounded_down() {
        fn check(us: u64, expected: &str) {
            assert_eq!(duration(Duration::from_micros(us)), expected);
        }
        check(70, "0.07 ms");
        check(870, "0.87 ms");
        check(12_345, "12.34 ms");
        check(1_234_567, "1234.56 ms");
        check(12_345_678, "12.34 s");
        assert_eq!(size(999), "999 B");
        assert_eq!(size(12_345), "12.3 kB");
        assert_eq!(size(157_286_400), "157.2 MB");
    }

    #[test]
    fn reads_days() {
        fn check(text: &str, expected: Option<i64>) {
            assert_eq!(day(text).ok(), expected, "{text}");
        }
        check("1970-01-02", Some(86_400_000));
        check("2026-11-25", Some(1_795_564_800_000));
        check("2026-02-30", None);
        check("25.11.2026", None);
        check("2026-11-25T12:00", None);
        check("tomorrow", None);
        check("", None);
    }
}
