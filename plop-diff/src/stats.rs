//! The normal distribution, and the likelihood ratio of two shares.

/// The normal quantile of four in five: how much more than its limit a change has to be to be found so often.
pub(crate) const FOUR_IN_FIVE: f64 = 0.8416;

/// The median of values with weights: half of the weights are at this or below. Nothing of nothing.
pub(crate) fn weighted_median(values: &mut [(f64, f64)]) -> f64 {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = 0.5 * values.iter().map(|(_, weight)| weight).sum::<f64>();
    let mut sum = 0.0;
    let middle = values.iter().find(|(_, weight)| {
        sum += weight;
        sum >= half
    });
    middle.map_or(0.0, |(value, _)| *value)
}

/// The same where none counts for more than the middle one: what changed may be most of all there is.
pub(crate) fn even_median(values: &mut [(f64, f64)]) -> f64 {
    values.sort_by(|a, b| a.1.total_cmp(&b.1));
    let usual = values.get(values.len() / 2).map_or(0.0, |value| value.1);
    for (_, weight) in &mut *values {
        *weight = weight.min(usual);
    }
    weighted_median(values)
}

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

/// The probability that a variable of Student's t with `df` degrees of freedom is above `t`.
///
/// ```
/// assert!((plop_diff::stats::t_upper_tail(2.977, 14.0) - 0.005).abs() < 1e-5);
/// ```
pub fn t_upper_tail(t: f64, df: f64) -> f64 {
    let half = 0.5 * beta_share(df / (df + t * t), 0.5 * df, 0.5);
    if t >= 0.0 { half } else { 1.0 - half }
}

/// The value that a variable of Student's t is above with probability `p`.
///
/// ```
/// assert!((plop_diff::stats::t_upper_quantile(0.005, 14.0) - 2.9768).abs() < 1e-3);
/// ```
pub fn t_upper_quantile(p: f64, df: f64) -> f64 {
    let (mut low, mut high) = (-1e6, 1e6);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if t_upper_tail(middle, df) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// The regularised incomplete beta function, by the continued fraction of Lentz's method (Numerical Recipes,
/// §6.4; DLMF 8.17.22).
fn beta_share(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    // The fraction converges fast on this side only.
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta_share(1.0 - x, b, a);
    }
    let front =
        a * x.ln() + b * (1.0 - x).ln() + libm::lgamma(a + b) - libm::lgamma(a) - libm::lgamma(b);
    let tiny = 1e-300;
    let nonzero = |value: f64| if value.abs() < tiny { tiny } else { value };
    let (mut c, mut d) = (1.0, 1.0 / nonzero(1.0 - (a + b) * x / (a + 1.0)));
    let mut fraction = d;
    for n in 1..500 {
        let m = f64::from(n);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / nonzero(1.0 + even * d);
        c = nonzero(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / nonzero(1.0 + odd * d);
        c = nonzero(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < 1e-14 {
            break;
        }
    }
    front.exp() * fraction / a
}

/// The interval of Clopper and Pearson for a share of which `found` of `all` were seen: it holds with at least
/// this confidence, however few there are.
///
/// ```
/// let [low, high] = plop_diff::stats::share_interval(1, 400, 0.95);
/// assert!((low - 0.00006).abs() < 0.00001 && (high - 0.0139).abs() < 0.0001);
/// ```
pub fn share_interval(found: usize, all: usize, confidence: f64) -> [f64; 2] {
    let (x, n) = (found as f64, all as f64);
    let tail = 0.5 * (1.0 - confidence);
    // The share at which so few, or so many, are seen with that probability.
    let solve = |a: f64, b: f64, p: f64| {
        let (mut low, mut high) = (0.0, 1.0);
        for _ in 0..100 {
            let middle = 0.5 * (low + high);
            if beta_share(middle, a, b) < p {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    };
    let low = if found == 0 {
        0.0
    } else {
        solve(x, n - x + 1.0, tail)
    };
    let high = if found >= all {
        1.0
    } else {
        solve(x + 1.0, n - x, 1.0 - tail)
    };
    [low, high]
}

/// The signed root of the likelihood ratio statistic G (twice the logarithm of the likelihood ratio) of two
/// binomial shares: `y1` of `n1` before and `y2` of `n2` after. Positive when the share grew; under equal
/// shares it is about standard normal, also for shares far from a half. Counts need not be whole.
///
/// ```
/// let z = plop_diff::stats::signed_root(100.0, 1000.0, 150.0, 1000.0);
/// assert!((z - 3.3906).abs() < 0.001, "{z}");
/// ```
pub fn signed_root(y1: f64, n1: f64, y2: f64, n2: f64) -> f64 {
    let p = (y1 + y2) / (n1 + n2);
    let term = |y: f64, n: f64, p: f64| if y > 0.0 { y * (y / (n * p)).ln() } else { 0.0 };
    let g =
        term(y1, n1, p) + term(n1 - y1, n1, 1.0 - p) + term(y2, n2, p) + term(n2 - y2, n2, 1.0 - p);
    let root = (2.0 * g.max(0.0)).sqrt();
    if y2 * n1 >= y1 * n2 { root } else { -root }
}
