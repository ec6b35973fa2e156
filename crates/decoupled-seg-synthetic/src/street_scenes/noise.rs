/// Smooth random fields over the plane. A seed gives the same fields on every machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noise {
    seed: u32,
}

impl Noise {
    pub(super) fn new(seed: u32) -> Self {
        Self { seed }
    }

    /// Another field of the same scene.
    pub(super) fn layer(self, layer: u32) -> Self {
        Self {
            seed: mix(self.seed ^ layer.wrapping_mul(0x9E37_79B9)),
        }
    }

    /// White noise in `0..1` at a lattice point.
    pub(super) fn white(self, x: i32, y: i32) -> f32 {
        let lattice = (x as u32)
            .wrapping_mul(0x85EB_CA6B)
            .wrapping_add((y as u32).wrapping_mul(0xC2B2_AE35));
        let hash = mix(self.seed.wrapping_add(lattice));
        (hash >> 8) as f32 / (1 << 24) as f32
    }

    /// A field in `0..1` that changes over a length of 1.
    pub(super) fn smooth(self, x: f32, y: f32) -> f32 {
        let (left, top) = (floor(x), floor(y));
        let ease = |t: f32| t * t * (3.0 - 2.0 * t);
        let (u, v) = (ease(x - left as f32), ease(y - top as f32));
        let row = |y| {
            let (a, b) = (self.white(left, y), self.white(left.wrapping_add(1), y));
            a + u * (b - a)
        };
        let (a, b) = (row(top), row(top.wrapping_add(1)));
        a + v * (b - a)
    }

    /// Two octaves of [`smooth`](Self::smooth), around 0, mostly within `-0.5..0.5`.
    pub(super) fn texture(self, x: f32, y: f32) -> f32 {
        0.65 * self.smooth(x, y) + 0.35 * self.layer(1).smooth(2.7 * x, 2.7 * y) - 0.5
    }
}

/// `f32::floor` is a function call on processors without SSE4.
fn floor(x: f32) -> i32 {
    let whole = x as i32;
    whole - i32::from(x < whole as f32)
}

/// Mixes 32 bits: a bijection without visible pattern.
fn mix(mut x: u32) -> u32 {
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^ (x >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_uniform_smooth_and_independent() {
        let noise = Noise::new(3);
        let values: Vec<f32> = (0..10_000).map(|i| noise.white(i % 100, i / 100)).collect();
        let mean = values.iter().sum::<f32>() / 1e4;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        for i in 0..500 {
            let x = i as f32 * 0.37 - 80.0;
            assert!((noise.smooth(x, 1.3) - noise.smooth(x + 0.01, 1.3)).abs() < 0.04);
        }
        assert_eq!(noise.smooth(4.0, -2.0), noise.white(4, -2));
        assert_ne!(noise.white(0, 0), noise.layer(1).white(0, 0));
    }
}
