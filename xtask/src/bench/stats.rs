//! Medians, and how sure a ratio is.

/// Two-sided 95 % quantiles of Student's t distribution for 1 to 30 degrees of freedom.
const STUDENT: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// With more degrees of freedom that of 30 stays: a little too wide an interval promises no more than there is.
const STUDENT_LAST: f64 = STUDENT[STUDENT.len() - 1];

/// A ratio of two servers, from the ratios within rounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ratio {
    /// Median of the rounds' ratios: one bad round does not move it.
    pub median: f64,
    /// 95 % interval of the geometric mean; `None` with a single round.
    pub interval: Option<(f64, f64)>,
}

impl Ratio {
    /// Of ratios that are all above 0; `None` if there is none.
    ///
    /// The interval is Student's t on the logarithms: ratios multiply, so that twice as much and half as much are
    /// equally far from 1, and with three or five rounds an order statistic could not promise 95 % (the range of five
    /// values holds the median with 93.75 %).
    pub fn of(ratios: impl IntoIterator<Item = f64>) -> Option<Self> {
        let ratios: Vec<f64> = ratios.into_iter().collect();
        let median = median(ratios.iter().copied())?;
        let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
        Some(Self { median, interval: interval(&logs).map(|(low, high)| (low.exp(), high.exp())) })
    }
}

/// The middle value, or the mean of the two in the middle; `None` if there is none.
pub fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// 95 % interval of the mean; `None` with fewer than two values.
fn interval(values: &[f64]) -> Option<(f64, f64)> {
    let freedom = values.len().checked_sub(1).filter(|freedom| *freedom > 0)?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / freedom as f64;
    let quantile = STUDENT.get(freedom - 1).copied().unwrap_or(STUDENT_LAST);
    let half = quantile * (variance / values.len() as f64).sqrt();
    Some((mean - half, mean + half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([]), None);
    }

    #[test]
    fn intervals_are_those_of_the_textbook() {
        // Mean 3, deviation sqrt(2.5), four degrees of freedom: 3 -+ 2.776 * 0.7071.
        let (low, high) = interval(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert!((low - 1.037).abs() < 1e-3 && (high - 4.963).abs() < 1e-3, "{low} {high}");
        assert_eq!(interval(&[1.0]), None);
        let many: Vec<f64> = (0..100).map(|number| f64::from(number % 2)).collect();
        let (low, high) = interval(&many).unwrap();
        assert!((high - low - 2.0 * 2.042 * 0.5025 / 10.0).abs() < 1e-3);
    }

    #[test]
    fn ratios_are_symmetric() {
        let there = Ratio::of([1.1, 1.2, 1.3]).unwrap();
        let back = Ratio::of([1.0 / 1.1, 1.0 / 1.2, 1.0 / 1.3]).unwrap();
        assert!((there.median * back.median - 1.0).abs() < 1e-9);
        let ((low, high), (back_low, back_high)) = (there.interval.unwrap(), back.interval.unwrap());
        assert!((low * back_high - 1.0).abs() < 1e-9 && (high * back_low - 1.0).abs() < 1e-9);
        assert!(low < 1.2 && 1.2 < high);
        assert_eq!(Ratio::of([1.5]), Some(Ratio { median: 1.5, interval: None }));
        assert_eq!(Ratio::of([]), None);
    }

    #[test]
    fn equal_rounds_leave_no_doubt() {
        let (low, high) = Ratio::of([1.5; 3]).unwrap().interval.unwrap();
        assert!((low - 1.5).abs() < 1e-9 && (high - 1.5).abs() < 1e-9);
    }
}
