//! Functions of time: when a value was, and the parts of a date (UTC).

use super::EvalError;
use super::grid::{Grid, Steps, is_none};
use super::table::Func;
use crate::domain::series::Labels;

/// Each value replaced by the moment of evaluation, in seconds.
pub(super) fn moments(mut grid: Grid, steps: Steps) -> Grid {
    let width = grid.width;
    for row in grid.values.chunks_exact_mut(width) {
        for (slot, t) in row.iter_mut().zip(steps.iter()).filter(|(v, _)| !is_none(**v)) {
            *slot = t as f64 / 1000.0;
        }
    }
    grid
}

/// The moment of evaluation as a vector of one series without labels, in whole seconds.
pub(super) fn now(steps: Steps) -> Grid {
    let mut grid = Grid::new(steps.count);
    grid.add(Labels::empty());
    for (slot, t) in grid.values.iter_mut().zip(steps.iter()) {
        *slot = (t / 1000) as f64;
    }
    grid
}

pub(super) fn is_date(func: Func) -> bool {
    matches!(
        func,
        Func::DayOfMonth
            | Func::DayOfWeek
            | Func::DayOfYear
            | Func::DaysInMonth
            | Func::Hour
            | Func::Minute
            | Func::Month
            | Func::Year
    )
}

/// Values are seconds since 1970.
pub(super) fn date(func: Func, mut grid: Grid) -> Result<Grid, EvalError> {
    for slot in grid.values.iter_mut().filter(|v| !is_none(**v)) {
        *slot = part(func, *slot);
    }
    grid.drop_name(false)
}

/// The farthest moment that has a date here, in seconds: some 30 million years. Beyond it, and
/// for no number, Prometheus shows what is left after its arithmetic overflowed.
const FAR: f64 = 1e15;

fn part(func: Func, v: f64) -> f64 {
    if v.is_nan() || v.abs() > FAR {
        return f64::NAN;
    }
    let seconds = v as i64;
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let value = match func {
        Func::Minute => of_day / 60 % 60,
        Func::Hour => of_day / 3600,
        // The first of January 1970 was a Thursday.
        Func::DayOfWeek => (days + 4).rem_euclid(7),
        Func::DayOfMonth => day,
        Func::DayOfYear => days - day_of(year, 1, 1) + 1,
        Func::DaysInMonth => {
            let (next_year, next) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
            day_of(next_year, next, 1) - day_of(year, month, 1)
        }
        Func::Month => month,
        _ => year,
    };
    value as f64
}

/// Days in 400 years, after which the calendar repeats.
const CYCLE: i64 = 146_097;

/// Days from the first of March of the year 0 to 1970. Counting years from March puts the day
/// that comes and goes at the end of a year.
const TO_EPOCH: i64 = 719_468;

/// Days since 1970 of a date.
fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let from_march = (month + 9) % 12;
    let year = if month <= 2 { year - 1 } else { year };
    let (cycle, of_cycle) = (year.div_euclid(400), year.rem_euclid(400));
    // 153 days in each five months from March on.
    let of_year = (153 * from_march + 2) / 5 + day - 1;
    cycle * CYCLE + of_cycle * 365 + of_cycle / 4 - of_cycle / 100 + of_year - TO_EPOCH
}

/// Year, month and day of a day since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let since = days + TO_EPOCH;
    let (cycle, of_cycle) = (since.div_euclid(CYCLE), since.rem_euclid(CYCLE));
    let year = (of_cycle - of_cycle / 1460 + of_cycle / 36_524 - of_cycle / 146_096) / 365;
    let of_year = of_cycle - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = cycle * 400 + year + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn dates_are_those_of_the_calendar(seconds in -60_000_000_000_i64..200_000_000_000) {
            let is = jiff::Timestamp::from_second(seconds).unwrap().to_zoned(jiff::tz::TimeZone::UTC);
            let want = [
                (Func::Year, i64::from(is.year())),
                (Func::Month, i64::from(is.month())),
                (Func::DayOfMonth, i64::from(is.day())),
                (Func::DayOfYear, i64::from(is.day_of_year())),
                (Func::DaysInMonth, i64::from(is.days_in_month())),
                (Func::DayOfWeek, i64::from(is.weekday().to_sunday_zero_offset())),
                (Func::Hour, i64::from(is.hour())),
                (Func::Minute, i64::from(is.minute())),
            ];
            for (func, want) in want {
                prop_assert_eq!(part(func, seconds as f64) as i64, want, "{} of {}", func.name(), is);
            }
        }
    }
}
