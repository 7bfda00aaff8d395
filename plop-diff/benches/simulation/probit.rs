//! At which effect the power reaches four in five: a probit line fitted to trials at several effects.

use plop_diff::stats::{upper_quantile, upper_tail};

use crate::random::Random;

/// What was tried at one effect.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Point {
    pub(crate) effect: f64,
    pub(crate) found: usize,
    pub(crate) trials: usize,
}

/// An estimate and its standard error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Estimate {
    pub(crate) value: f64,
    pub(crate) error: f64,
}

/// The effect that is found with 80 % power, and the standard error of that by the parametric bootstrap.
pub(crate) fn at_four_in_five(points: &[Point]) -> Estimate {
    let line = fit(points);
    let mut random = Random::new(0xb007);
    let again: Vec<f64> = (0..100)
        .map(|_| {
            let drawn: Vec<Point> = points
                .iter()
                .map(|point| {
                    let power = line.power(point.effect);
                    let found = (0..point.trials).filter(|_| random.unit() < power).count();
                    Point { found, ..*point }
                })
                .collect();
            fit(&drawn).at_four_in_five()
        })
        .collect();
    let mean = again.iter().sum::<f64>() / again.len() as f64;
    let squares: f64 = again.iter().map(|value| (value - mean).powi(2)).sum();
    Estimate {
        value: line.at_four_in_five(),
        error: (squares / (again.len() - 1) as f64).sqrt(),
    }
}

/// Half of the trials at `middle` find it; `width` more is one standard deviation.
#[derive(Clone, Copy)]
struct Line {
    middle: f64,
    width: f64,
}

impl Line {
    fn power(self, effect: f64) -> f64 {
        upper_tail((self.middle - effect) / self.width)
    }

    fn at_four_in_five(self) -> f64 {
        self.middle + upper_quantile(0.2) * self.width
    }
}

/// The likeliest line, by a search that closes in on it.
fn fit(points: &[Point]) -> Line {
    let largest = points.iter().map(|point| point.effect).fold(0.0, f64::max);
    let likelihood = |line: Line| -> f64 {
        points
            .iter()
            .map(|point| {
                let power = line.power(point.effect).clamp(1e-9, 1.0 - 1e-9);
                let missed = (point.trials - point.found) as f64;
                point.found as f64 * power.ln() + missed * (1.0 - power).ln()
            })
            .sum()
    };
    let mut best = Line {
        middle: 0.5 * largest,
        width: 0.2 * largest,
    };
    let (mut step, mut ratio) = (0.125 * largest, 2.0f64);
    let mut reached = likelihood(best);
    while step > 1e-5 * largest {
        let middles = [best.middle - step, best.middle, best.middle + step];
        let widths = [best.width / ratio, best.width, best.width * ratio];
        let mut next = (best, reached);
        for middle in middles {
            for width in widths.map(|width| width.clamp(0.02 * largest, 2.0 * largest)) {
                let line = Line { middle, width };
                let value = likelihood(line);
                if value > next.1 {
                    next = (line, value);
                }
            }
        }
        if next.1 > reached {
            (best, reached) = next;
        } else {
            step *= 0.5;
            ratio = ratio.sqrt();
        }
    }
    best
}
