//! Chance in times: what would otherwise happen to many connections, or many processes, at once is spread.

use std::time::Duration;

/// `time`, less a part of it of at most `percent` that chance decides.
pub fn shortened(time: Duration, percent: u32) -> Duration {
    let mut bytes = [0; 4];
    // Without random numbers nothing is spread.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    let chance = f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX);
    time.mul_f64(1.0 - f64::from(percent) / 100.0 * chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_gets_shorter_by_at_most_its_part() {
        let hour = Duration::from_secs(3600);
        assert_eq!(shortened(hour, 0), hour);
        let times: Vec<_> = (0..100).map(|_| shortened(hour, 20)).collect();
        assert!(times.iter().all(|time| (hour.mul_f64(0.8)..=hour).contains(time)), "{times:?}");
        assert!(times.iter().any(|time| *time != times[0]), "and is another one each time");
    }
}
