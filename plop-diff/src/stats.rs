//! The normal distribution, and the likelihood ratio of two shares.

/// The probability that a standard normal variable is above `z`.
///
/// ```
/// assert!((plop_diff::stats::upper_tail(1.959964) - 0.025).abs() < 1e-7);
/// ```
pub fn upper_tail(z: f64) -> f64 {
    0.5 * libm::erfc(z / std::f64::consts::SQRT_2)
}

/// The value that a standard normal variable is above with probability `p`, found by bisection: [`upper_tail`]
/// is exact where it matters.
///
/// ```
/// assert!((plop_diff::stats::upper_quantile(0.01) - 2.326348).abs() < 1e-6);
/// ```
pub fn upper_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if upper_tail(middle) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The signed root of the likelihood ratio statistic G (twice the logarithm of the likelihood ratio) of two
/// binomial shares: `y1` of `n1` before and `y2` of `n2` after. Positive when the share grew; under equal
/// shares it is about standard normal, also for shares far from a half. Counts need not be whole.
///
/// ```
/// let z = plop_diff::stats::signed_root(100.0, 1000.0, 150.0, 1000.0);
/// assert!((z - 3.384).abs() < 0.001, "{z}");
/// ```
pub fn signed_root(y1: f64, n1: f64, y2: f64, n2: f64) -> f64 {
    let p = (y1 + y2) / (n1 + n2);
    let term = |y: f64, n: f64, p: f64| if y > 0.0 { y * (y / (n * p)).ln() } else { 0.0 };
    let g =
        term(y1, n1, p) + term(n1 - y1, n1, 1.0 - p) + term(y2, n2, p) + term(n2 - y2, n2, 1.0 - p);
    let root = (2.0 * g.max(0.0)).sqrt();
    if y2 * n1 >= y1 * n2 { root } else { -root }
}
