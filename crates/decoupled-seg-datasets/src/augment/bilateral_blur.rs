use image::RgbImage;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{ensure, required};

use decoupled_seg_types::multiversion;

/// Bilateral blur of random strength: a pixel is averaged with its neighbours, the less the more their colours differ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BilateralBlur {
    /// Smallest standard deviation in space, in pixels.
    pub min_sigma: f64,
    /// Largest standard deviation in space, in pixels.
    pub max_sigma: f64,
    /// Standard deviation in colour, black to white being 1; that of the image's values if `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigma_color: Option<f64>,
    /// How often an image is blurred at all, `0..=1`.
    pub probability: f64,
}

impl BilateralBlur {
    /// As the authors' code where it is asked for this blur: every image, sigma from 0.05 to 0.75.
    pub const fn official() -> Self {
        Self {
            min_sigma: 0.05,
            max_sigma: 0.75,
            sigma_color: None,
            probability: 1.0,
        }
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        let in_order =
            self.min_sigma > 0.0 && self.min_sigma <= self.max_sigma && self.max_sigma.is_finite();
        ensure(in_order, || format!("sigmas in order: {self:?}"))?;
        let colors = self.sigma_color.is_none_or(|sigma| sigma > 0.0);
        ensure(colors, || format!("sigmas are positive: {self:?}"))?;
        ensure((0.0..=1.0).contains(&self.probability), || {
            format!("a probability is in 0..=1: {self:?}")
        })
    }

    /// Changes an image.
    ///
    /// # Panics
    ///
    /// Panics if the probability is outside `0..=1`, the sigmas are not in order, or one is not positive.
    pub fn apply(&self, image: &mut RgbImage, rng: &mut impl Rng) {
        required(self.validate());
        let sigma = rng.random_range(self.min_sigma..=self.max_sigma);
        if rng.random_bool(self.probability) {
            *image = bilateral_blur(image, sigma, self.sigma_color);
        }
    }
}

/// Blurs an image, but not across borders between colours.
///
/// ```text
/// out(p) = sum over q of w(p, q) * in(q)  /  sum over q of w(p, q),   |q - p| <= max(2, ceil(3 * sigma)) on either axis
/// w(p, q) = exp(-|q - p|^2 / (2 * sigma^2)) * exp(-(|in(q) - in(p)| / 3)^2 / (2 * sigma_color^2))
/// ```
///
/// `|in(q) - in(p)|` is the Euclidean distance of two colours, `0..=1` a channel; the third of it is scikit-image's.
/// `sigma_color` is the standard deviation of all values of the image if `None`. The border repeats its nearest pixel;
/// values are cut off to 8 bits, as with [`gaussian_blur`](super::gaussian_blur).
///
/// Source: Tomasi and Manduchi, ICCV 1998; `denoise_bilateral` of scikit-image.
///
/// # Panics
///
/// Panics if a sigma is not positive.
// Diverges from the reference, see docs/fidelity.md: scikit-image's table of weights in space has a row more than its
// window, which moves the image by up to two pixels against its labels.
pub fn bilateral_blur(image: &RgbImage, sigma: f64, sigma_color: Option<f64>) -> RgbImage {
    let sigma_color = sigma_color.unwrap_or_else(|| deviation(image.as_raw()));
    let flat = image
        .as_raw()
        .iter()
        .all(|&value| value == image.as_raw()[0]);
    if image.is_empty() || flat {
        return image.clone();
    }
    assert!(
        sigma > 0.0 && sigma_color > 0.0,
        "sigmas are positive, got {sigma} and {sigma_color}"
    );
    let window = Window::new(sigma, sigma_color);
    if window.taps.len() == 1 {
        return image.clone();
    }
    let planes = Planes::new(image, window.radius);
    let mut out = vec![0; image.as_raw().len()];
    let stride = 3 * image.width() as usize;
    for (y, row) in out.chunks_exact_mut(stride).enumerate() {
        filter_row(row, &planes, &window, y);
    }
    RgbImage::from_raw(image.width(), image.height(), out).expect("of the image's size")
}

/// Standard deviation of the values, black to white being 1.
fn deviation(values: &[u8]) -> f64 {
    let count = values.len() as f64;
    let sum: u64 = values.iter().map(|&value| u64::from(value)).sum();
    let squares: u64 = values.iter().map(|&value| u64::from(value).pow(2)).sum();
    let mean = sum as f64 / count;
    (squares as f64 / count - mean * mean).max(0.0).sqrt() / 255.0
}

/// Neighbours of a smaller weight in space are left out: all together they move a value by a fortieth of a grey level.
const NEGLIGIBLE: f64 = 4e-6;

struct Window {
    radius: usize,
    /// Column and row in the window, and weight in space.
    taps: Vec<([usize; 2], f32)>,
    /// What squared distances of colours of 8 bits are multiplied by in the exponent of 2.
    falloff: f32,
}

impl Window {
    fn new(sigma: f64, sigma_color: f64) -> Self {
        let radius = ((3.0 * sigma).ceil() as usize).max(2);
        let side = 2 * radius + 1;
        let tap = |at: usize| {
            let place = [at % side, at / side];
            let [x, y] = place.map(|at| at as f64 - radius as f64);
            let weight = (-(x * x + y * y) / (2.0 * sigma * sigma)).exp();
            (weight >= NEGLIGIBLE).then_some((place, weight as f32))
        };
        let thirds = 3.0 * 255.0 * sigma_color;
        Self {
            radius,
            taps: (0..side * side).filter_map(tap).collect(),
            falloff: (-std::f64::consts::LOG2_E / (2.0 * thirds * thirds)) as f32,
        }
    }
}

/// Pixels that are worked on together.
const LANES: usize = 8;

/// The channels apart, with a border of the nearest pixel, rows rounded up to [`LANES`].
struct Planes {
    stride: usize,
    channels: [Vec<f32>; 3],
}

impl Planes {
    fn new(image: &RgbImage, radius: usize) -> Self {
        let [width, height] = [image.width() as usize, image.height() as usize];
        let stride = width.next_multiple_of(LANES) + 2 * radius;
        let inside = |at: usize, length: usize| at.saturating_sub(radius).min(length - 1);
        let channels = [0, 1, 2].map(|channel| {
            let mut plane = Vec::with_capacity(stride * (height + 2 * radius));
            for y in 0..height + 2 * radius {
                let row = &image.as_raw()[3 * width * inside(y, height)..][..3 * width];
                let value = |x: usize| f32::from(row[3 * inside(x, width) + channel]);
                plane.extend((0..stride).map(value));
            }
            plane
        });
        Self { stride, channels }
    }

    fn at(&self, x: usize, y: usize) -> [[f32; LANES]; 3] {
        let start = y * self.stride + x;
        self.channels.each_ref().map(|plane| {
            let lanes = &plane[start..start + LANES];
            lanes.try_into().expect("so many lanes")
        })
    }
}

/// What rounding leaves short of a whole grey level.
const SLACK: f32 = 1.0 / 256.0;

multiversion! {
    fn filter_row[](out: &mut [u8], planes: &Planes, window: &Window, y: usize) {
        for (block, out) in out.chunks_mut(3 * LANES).enumerate() {
            let left = block * LANES;
            let center = planes.at(left + window.radius, y + window.radius);
            let mut total = [0.0_f32; LANES];
            let mut sums = [[0.0_f32; LANES]; 3];
            for &([column, row], weight) in &window.taps {
                let colors = planes.at(left + column, y + row);
                for lane in 0..LANES {
                    let apart = |channel: usize| colors[channel][lane] - center[channel][lane];
                    let [r, g, b] = [apart(0), apart(1), apart(2)];
                    let weight = weight * exp2((r * r + g * g + b * b) * window.falloff);
                    total[lane] += weight;
                    for channel in 0..3 {
                        sums[channel][lane] += weight * colors[channel][lane];
                    }
                }
            }
            for (lane, pixel) in out.chunks_exact_mut(3).enumerate() {
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = (sums[channel][lane] / total[lane] + SLACK) as u8;
                }
            }
        }
    }
}

/// `2^x` for `x <= 0`, to 3 in a million, without a branch.
#[inline(always)]
fn exp2(x: f32) -> f32 {
    // Adding and subtracting it rounds to a whole number, which the low bits of the sum hold.
    const ROUND: f32 = 12_582_912.0;
    // The series of `2^x`: powers of ln 2 over factorials.
    const SERIES: [f32; 5] = [
        std::f32::consts::LN_2,
        0.240_226_5,
        0.055_504_11,
        0.009_618_13,
        0.001_333_36,
    ];
    let power = x.max(-126.0);
    let shifted = power + ROUND;
    let whole = shifted.to_bits().wrapping_sub(ROUND.to_bits());
    let x = power - (shifted - ROUND);
    let [a, b, c, d, e] = SERIES;
    let series = 1.0 + x * (a + x * (b + x * (c + x * (d + x * e))));
    f32::from_bits(series.to_bits().wrapping_add(whole << 23))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn picture(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let channels = [y * 37 + x * 91, y * 113 + x * 29, y * y * 17 + x * 53];
            image::Rgb(channels.map(|value| (value % 256) as u8))
        })
    }

    /// The formula of the documentation, word by word.
    fn by_definition(image: &RgbImage, sigma: f64, sigma_color: f64) -> Vec<f64> {
        let radius = (3.0 * sigma).ceil().max(2.0) as i64;
        let [width, height] = [i64::from(image.width()), i64::from(image.height())];
        let color = |x: i64, y: i64| {
            let [x, y] = [x.clamp(0, width - 1), y.clamp(0, height - 1)];
            let pixel = image.get_pixel(x as u32, y as u32).0;
            pixel.map(|value| f64::from(value) / 255.0)
        };
        let mut out = Vec::new();
        for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            let center = color(x, y);
            let (mut sums, mut total) = ([0.0; 3], 0.0);
            for (dx, dy) in
                (-radius..=radius).flat_map(|dy| (-radius..=radius).map(move |dx| (dx, dy)))
            {
                let other = color(x + dx, y + dy);
                let apart = (0..3)
                    .map(|i| (other[i] - center[i]).powi(2))
                    .sum::<f64>()
                    .sqrt()
                    / 3.0;
                let near = -((dx * dx + dy * dy) as f64) / (2.0 * sigma * sigma);
                let weight =
                    near.exp() * (-apart * apart / (2.0 * sigma_color * sigma_color)).exp();
                total += weight;
                (0..3).for_each(|i| sums[i] += weight * other[i]);
            }
            out.extend(sums.map(|sum| 255.0 * sum / total));
        }
        out
    }

    #[rstest]
    #[case(0.05, None, 5, 4)]
    #[case(0.4, None, 23, 9)]
    #[case(0.75, None, 16, 16)]
    #[case(0.75, Some(0.05), 9, 30)]
    #[case(2.0, Some(0.3), 7, 3)]
    fn follows_the_definition(
        #[case] sigma: f64,
        #[case] sigma_color: Option<f64>,
        #[case] width: u32,
        #[case] height: u32,
    ) {
        let image = picture(width, height);
        let values = image.as_raw();
        let count = values.len() as f64;
        let mean = values.iter().map(|&v| f64::from(v) / 255.0).sum::<f64>() / count;
        let spread = values
            .iter()
            .map(|&v| (f64::from(v) / 255.0 - mean).powi(2))
            .sum::<f64>();
        let exact = by_definition(
            &image,
            sigma,
            sigma_color.unwrap_or((spread / count).sqrt()),
        );
        let blurred = bilateral_blur(&image, sigma, sigma_color);
        for (&value, exact) in blurred.as_raw().iter().zip(exact) {
            // The slack before values are cut off, the neighbours left out, and the rounding of 32 bits.
            let short = exact - f64::from(value);
            assert!((-0.03..1.03).contains(&short), "{value}, exact {exact}");
        }
    }

    /// scikit-image 0.26 with the border of the nearest pixel and its table of weights in space put right.
    #[test]
    fn golden_values() {
        #[rustfmt::skip]
        let golden = [
            27.28, 29.85, 15.28, 95.01, 52.94, 57.09, 136.42, 80.26, 108.31, 75.52, 108.26, 161.22, 110.86, 127.58,
            168.14, 188.86, 121.21, 44.68, 56.28, 114.77, 36.46, 116.09, 130.27, 78.37, 143.4, 134.86, 124.84, 94.39,
            147.15, 170.01, 125.31, 158.72, 168.08, 187.83, 66.8, 49.24, 91.75, 178.8, 82.25, 130.32, 180.05, 112.1,
            73.26, 98.61, 144.32, 97.7, 106.62, 158.65, 142.75, 121.39, 92.47, 80.99, 125.08, 87.41, 127.59, 138.36,
            118.74, 153.95, 150.73, 135.88, 87.4, 146.64, 83.8, 119.24, 136.34, 99.85, 142.69, 151.85, 108.95, 74.62,
            170.98, 119.84, 157.76, 183.8, 51.28, 180.35, 202.53, 82.76, 113.79, 197.37, 107.01, 121.58, 86.89, 153.89,
            63.15, 79.33, 170.59, 80.57, 104.84, 72.75,
        ];
        let blurred = bilateral_blur(&picture(6, 5), 0.75, None);
        for (&value, golden) in blurred.as_raw().iter().zip(golden) {
            // Its weights come from a table of 10,000 steps: a hundredth of a grey level.
            let short = golden - f64::from(value);
            assert!((-0.04..1.04).contains(&short), "{value}, golden {golden}");
        }
    }

    #[test]
    fn borders_stay_and_areas_do_not() {
        let image = RgbImage::from_fn(20, 6, |x, y| {
            let grain = ((x * 7 + y * 5) % 8) as u8;
            image::Rgb([if x < 10 { grain } else { 248 + grain / 2 }; 3])
        });
        let blurred = bilateral_blur(&image, 1.0, Some(0.05));
        let spread = |image: &RgbImage, columns: std::ops::Range<u32>| {
            let values = columns.flat_map(|x| (0..6).map(move |y| (x, y)));
            let values: Vec<u8> = values.map(|(x, y)| image.get_pixel(x, y).0[0]).collect();
            values.iter().max().expect("pixels") - values.iter().min().expect("pixels")
        };
        assert!(spread(&blurred, 0..10) < 6 && spread(&image, 0..10) == 7);
        assert!(blurred.get_pixel(9, 3).0[0] < 8 && blurred.get_pixel(10, 3).0[0] > 246);
        for value in [0, 77, 255] {
            let flat = RgbImage::from_pixel(7, 5, image::Rgb([value; 3]));
            assert_eq!(bilateral_blur(&flat, 0.75, None), flat);
        }
    }

    #[test]
    fn powers_are_close() {
        for step in 0..2000 {
            let x = -f64::from(step) * 0.04;
            let error = f64::from(exp2(x as f32)) / x.exp2() - 1.0;
            assert!(error.abs() < 1e-5, "2^{x}: off by {error}");
        }
        assert!(exp2(-1e6) < 1e-37);
    }

    #[test]
    #[should_panic(expected = "sigmas are positive, got 0 and 0.1")]
    fn refuses_a_sigma_of_zero() {
        bilateral_blur(&picture(4, 4), 0.0, Some(0.1));
    }
}
