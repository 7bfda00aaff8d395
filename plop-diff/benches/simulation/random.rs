//! Numbers that look random and are the same every time, and distributions on them.

/// SplitMix64 (Steele, Lea & Flood 2014).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x2545_f491_4f6c_dd1d))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }

    pub(crate) fn normal(&mut self) -> f64 {
        let (u, v) = (1.0 - self.unit(), self.unit());
        (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
    }

    /// At least 1, with this mean.
    pub(crate) fn geometric(&mut self, mean: f64) -> usize {
        let u = 1.0 - self.unit();
        1 + (u.ln() / (1.0 - 1.0 / mean).ln()) as usize
    }

    /// How often a coin is thrown until it shows heads: what [`Random::geometric`] draws for a mean of 2.
    pub(crate) fn throws(&mut self) -> usize {
        1 + self.next().trailing_zeros() as usize
    }

    /// Gamma of a shape from 1 on, by Marsaglia and Tsang.
    pub(crate) fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && (1.0 - self.unit()).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }
}

/// Draws one of several with given weights: the alias method of Walker and Vose.
pub(crate) struct Choice {
    /// For each place, the part of it that is its own, in 2⁻⁶⁴, and whose the rest is.
    places: Vec<(u64, u32)>,
}

impl Choice {
    pub(crate) fn of(weights: &[f64]) -> Choice {
        let count = weights.len();
        let sum: f64 = weights.iter().sum();
        let mut keep: Vec<f64> = weights
            .iter()
            .map(|weight| weight * count as f64 / sum)
            .collect();
        let mut other: Vec<u32> = (0..count as u32).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..count).partition(|n| keep[*n] < 1.0);
        while let (Some(rich), false) = (large.last().copied(), small.is_empty()) {
            let one = small.pop().expect("there is one");
            other[one] = rich as u32;
            keep[rich] -= 1.0 - keep[one];
            if keep[rich] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        for one in small.into_iter().chain(large) {
            keep[one] = 1.0;
        }
        let part = |keep: f64| (keep * 2f64.powi(64)) as u64;
        Choice {
            places: keep.into_iter().map(part).zip(other).collect(),
        }
    }

    pub(crate) fn draw(&self, random: &mut Random) -> usize {
        // The whole part of the product says which place, and the rest where in it.
        let product = u128::from(random.next()) * self.places.len() as u128;
        let (place, rest) = ((product >> 64) as usize, product as u64);
        let (own, other) = self.places[place];
        if rest < own { place } else { other as usize }
    }
}
