use std::sync::OnceLock;

use image::RgbImage;
use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use super::{ensure, required};
use crate::DatasetError;

/// Random brightness, contrast, saturation and hue, in a random order.
///
/// A strength `a` of brightness, contrast or saturation draws a factor from `max(0, 1 - a)..=1 + a`. A strength `a` of
/// the hue draws a shift from `-a..=a` of a full turn. Each pixel comes out as from torchvision on Pillow images.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColorJitter {
    /// Strength of the brightness factor, from 0.
    pub brightness: f64,
    /// Strength of the contrast factor, from 0.
    pub contrast: f64,
    /// Strength of the saturation factor, from 0.
    pub saturation: f64,
    /// Largest shift of the hue, in turns, `0..=0.5`.
    pub hue: f64,
}

impl ColorJitter {
    /// The same strength for all four; the authors' code uses 0.25.
    pub const fn uniform(strength: f64) -> Self {
        Self {
            brightness: strength,
            contrast: strength,
            saturation: strength,
            hue: strength,
        }
    }

    pub(super) fn validate(&self) -> Result<(), DatasetError> {
        let strengths = [self.brightness, self.contrast, self.saturation, self.hue];
        let fine = |strength: &f64| *strength >= 0.0 && strength.is_finite();
        ensure(
            strengths.iter().all(fine),
            "color_jitter",
            || format!("{strengths:?}"),
            "strengths from 0 on",
        )?;
        ensure(
            self.hue <= 0.5,
            "color_jitter.hue",
            || self.hue.to_string(),
            "at most half a turn: 0.5",
        )
    }

    /// Changes an image.
    ///
    /// # Panics
    ///
    /// Panics if a strength is negative or the strength of the hue is over 0.5.
    pub fn apply(&self, image: &mut RgbImage, rng: &mut impl Rng) {
        required(self.validate());
        let strengths = [self.brightness, self.contrast, self.saturation, self.hue];
        let mut order = [0, 1, 2, 3];
        order.shuffle(rng);
        for which in order {
            let strength = strengths[which];
            // Draw a number even at strength 0, so that switching one change off leaves the others as they are.
            let unit: f64 = rng.random_range(-1.0..=1.0);
            if strength == 0.0 {
                continue;
            }
            let low = (1.0 - strength).max(0.0);
            let factor = (low + (unit + 1.0) / 2.0 * (1.0 + strength - low)) as f32;
            match which {
                0 => adjust_brightness(image, factor),
                1 => adjust_contrast(image, factor),
                2 => adjust_saturation(image, factor),
                _ => adjust_hue(image, unit * strength),
            }
        }
    }
}

/// `base + factor * (value - base)`, cut off to 8 bits.
fn blend(base: u8, value: u8, factor: f32) -> u8 {
    // `as` clips at both ends and cuts off the fraction.
    (f32::from(base) + factor * (f32::from(value) - f32::from(base))) as u8
}

fn grey(pixel: &[u8]) -> u8 {
    let [r, g, b] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
    ((19595 * r + 38470 * g + 7471 * b + 32768) >> 16) as u8
}

fn blend_all(image: &mut RgbImage, base: u8, factor: f32) {
    let table: [u8; 256] = std::array::from_fn(|value| blend(base, value as u8, factor));
    image
        .iter_mut()
        .for_each(|value| *value = table[usize::from(*value)]);
}

/// Blends with black: 0 is black, 1 changes nothing.
fn adjust_brightness(image: &mut RgbImage, factor: f32) {
    blend_all(image, 0, factor);
}

/// Blends with the mean grey: 0 is grey, 1 changes nothing.
fn adjust_contrast(image: &mut RgbImage, factor: f32) {
    let pixels = image.as_raw().len() / 3;
    if pixels == 0 {
        return;
    }
    let sum: u64 = image
        .as_raw()
        .chunks_exact(3)
        .map(|pixel| u64::from(grey(pixel)))
        .sum();
    let mean = (sum as f64 / pixels as f64 + 0.5) as u8;
    blend_all(image, mean, factor);
}

/// Blends each pixel with its grey: 0 is grey, 1 changes nothing.
fn adjust_saturation(image: &mut RgbImage, factor: f32) {
    for pixel in image.chunks_exact_mut(3) {
        let grey = grey(pixel);
        pixel
            .iter_mut()
            .for_each(|value| *value = blend(grey, *value, factor));
    }
}

/// Turns the hue by `shift` of a full turn, through 8-bit HSV as Pillow has it.
fn adjust_hue(image: &mut RgbImage, shift: f64) {
    // The cast cuts off towards zero and then takes the value modulo 256.
    let shift = (255.0 * shift) as i32 as u8;
    let (tables, hues) = (HsvTables::get(), Hues::new());
    for pixel in image.chunks_exact_mut(3) {
        let [h, s, v] = tables.to_hsv([pixel[0], pixel[1], pixel[2]]);
        pixel.copy_from_slice(&hues.to_rgb([h.wrapping_add(shift), s, v]));
    }
}

/// The three divisions of [`to_hsv`], made in advance. Two of its quotients are always 0 and 1, so the hue depends only
/// on the order of the channels, their range, and the distance of the middle channel from the largest.
struct HsvTables {
    /// Indexed by order, range and distance.
    hue: Vec<u8>,
    /// Indexed by range and largest channel.
    saturation: Vec<u8>,
}

impl HsvTables {
    fn get() -> &'static Self {
        static TABLES: OnceLock<HsvTables> = OnceLock::new();
        TABLES.get_or_init(|| {
            let mut tables = Self {
                hue: vec![0; 6 << 16],
                saturation: vec![0; 1 << 16],
            };
            for range in 1..=255_u8 {
                for distance in 0..=range {
                    let [max, mid, min] = [255, 255 - distance, 255 - range];
                    let orders = [
                        [max, mid, min],
                        [max, min, mid],
                        [mid, max, min],
                        [min, max, mid],
                        [mid, min, max],
                        [min, mid, max],
                    ];
                    for (order, pixel) in orders.into_iter().enumerate() {
                        tables.hue[Self::at(order, range, distance)] = to_hsv(pixel)[0];
                    }
                }
                for max in range..=255 {
                    tables.saturation[Self::at(0, range, max)] = to_hsv([max, max, max - range])[1];
                }
            }
            tables
        })
    }

    fn at(order: usize, range: u8, other: u8) -> usize {
        order << 16 | usize::from(range) << 8 | usize::from(other)
    }

    fn to_hsv(&self, [r, g, b]: [u8; 3]) -> [u8; 3] {
        let (max, min) = (r.max(g).max(b), r.min(g).min(b));
        let range = max - min;
        if range == 0 {
            return [0, 0, max];
        }
        let (order, mid) = match (r == max, g == max) {
            (true, _) if g >= b => (0, g),
            (true, _) => (1, b),
            (_, true) if r >= b => (2, r),
            (_, true) => (3, b),
            _ if r >= g => (4, r),
            _ => (5, g),
        };
        [
            self.hue[Self::at(order, range, max - mid)],
            self.saturation[Self::at(0, range, max)],
            max,
        ]
    }
}

fn to_hsv([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (max, min) = (r.max(g).max(b), r.min(g).min(b));
    if max == min {
        return [0, 0, max];
    }
    let range = f32::from(max - min);
    let [rc, gc, bc] = [r, g, b].map(|value| f32::from(max - value) / range);
    let h = if r == max {
        bc - gc
    } else if g == max {
        2.0 + rc - bc
    } else {
        4.0 + gc - rc
    };
    let turns = f64::from(h) / 6.0 + 1.0;
    let h = (turns - f64::from(turns as u8)) as f32;
    let s = range / f32::from(max);
    [
        (f64::from(h) * 255.0) as u8,
        (f64::from(s) * 255.0) as u8,
        max,
    ]
}

/// For each hue, its sector and its place in the sector.
struct Hues([(u8, f32); 256]);

impl Hues {
    fn new() -> Self {
        Self(std::array::from_fn(|h| {
            let position = h as f32 * 6.0 / 255.0;
            let sector = position as u8;
            (sector % 6, position - f32::from(sector))
        }))
    }

    fn to_rgb(&self, [h, s, v]: [u8; 3]) -> [u8; 3] {
        if s == 0 {
            return [v; 3];
        }
        let (sector, f) = self.0[usize::from(h)];
        let (s, value) = (f32::from(s) / 255.0, f32::from(v));
        let level = |share: f32| nearest(value * share);
        let (p, q, t) = (
            level(1.0 - s),
            level(1.0 - s * f),
            level(1.0 - s * (1.0 - f)),
        );
        match sector {
            0 => [v, t, p],
            1 => [q, v, p],
            2 => [p, v, t],
            3 => [p, q, v],
            4 => [t, p, v],
            _ => [v, p, q],
        }
    }
}

/// Rounds half up. `f32::round` gives the same here, but costs a function call.
fn nearest(value: f32) -> u8 {
    let whole = value as u8;
    whole + u8::from(value - f32::from(whole) >= 0.5)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::augment::sample_rng;

    fn one(pixel: [u8; 3]) -> RgbImage {
        RgbImage::from_pixel(1, 1, image::Rgb(pixel))
    }

    #[rstest]
    #[case([200, 30, 60], -0.2, [134, 31, 200])]
    #[case([200, 30, 60], 0.15, [200, 146, 31])]
    #[case([12, 240, 100], -0.2, [200, 240, 12])]
    fn golden_hue(#[case] pixel: [u8; 3], #[case] shift: f64, #[case] golden: [u8; 3]) {
        let mut image = one(pixel);
        adjust_hue(&mut image, shift);
        assert_eq!(image.get_pixel(0, 0).0, golden);
    }

    #[test]
    fn the_tables_equal_the_formula() {
        let tables = HsvTables::get();
        // Every third value of each channel, ties and extremes included.
        let values = || (0..=255_u8).step_by(3);
        for r in values() {
            for g in values() {
                for b in values() {
                    assert_eq!(
                        tables.to_hsv([r, g, b]),
                        to_hsv([r, g, b]),
                        "({r}, {g}, {b})"
                    );
                }
            }
        }
    }

    #[test]
    fn blends_are_cut_off_and_clipped() {
        let mut image = one([101, 200, 3]);
        adjust_brightness(&mut image, 1.5);
        assert_eq!(image.get_pixel(0, 0).0, [151, 255, 4]);
        // Grey of (101, 200, 3) is 148: 148 + 0.5 * (101 - 148) = 124.5.
        let mut image = one([101, 200, 3]);
        adjust_saturation(&mut image, 0.5);
        assert_eq!(image.get_pixel(0, 0).0, [124, 174, 75]);
        let mut image = one([101, 200, 3]);
        adjust_contrast(&mut image, 2.0);
        assert_eq!(image.get_pixel(0, 0).0, [54, 252, 0]);
    }

    #[test]
    fn a_factor_of_one_changes_nothing() {
        let original = RgbImage::from_fn(16, 16, |x, y| {
            image::Rgb([(x * 16) as u8, (y * 16) as u8, (x * y) as u8])
        });
        let mut image = original.clone();
        adjust_brightness(&mut image, 1.0);
        adjust_contrast(&mut image, 1.0);
        adjust_saturation(&mut image, 1.0);
        assert_eq!(image, original);
        let mut off = original.clone();
        ColorJitter::uniform(0.0).apply(&mut off, &mut sample_rng(0, 0, 0, 0));
        assert_eq!(off, original);
    }

    #[test]
    fn a_seed_fixes_the_result() {
        let original = RgbImage::from_fn(8, 8, |x, y| {
            image::Rgb([(x * 30) as u8, (y * 30) as u8, 90])
        });
        let jitter = |index| {
            let mut image = original.clone();
            ColorJitter::uniform(0.25).apply(&mut image, &mut sample_rng(1, 0, index, 0));
            image
        };
        assert_eq!(jitter(0), jitter(0));
        assert_ne!(jitter(0), jitter(1));
    }
}
