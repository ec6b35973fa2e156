//! Smooth lines and shapes on a picture.

use image::{Rgb, RgbImage};

/// How much of each pixel is painted, `0..=1`.
#[derive(Clone, Debug)]
pub(crate) struct Mask {
    pub width: u32,
    pub height: u32,
    pub coverage: Vec<f32>,
}

impl Mask {
    pub fn new(width: u32, height: u32) -> Self {
        Self {
            width,
            height,
            coverage: vec![0.0; width as usize * height as usize],
        }
    }

    /// Puts `other`, of the same height, at column `x`.
    pub fn stamp(&mut self, other: &Mask, x: u32) {
        let width = other.width.min(self.width.saturating_sub(x)) as usize;
        for y in 0..self.height.min(other.height) as usize {
            let from = y * other.width as usize;
            let to = y * self.width as usize + x as usize;
            let row = &other.coverage[from..from + width];
            for (to, from) in self.coverage[to..to + width].iter_mut().zip(row) {
                *to = to.max(*from);
            }
        }
    }

    /// Turned a quarter to the left, so that text reads from the bottom up.
    pub fn turned(&self) -> Self {
        let mut turned = Self::new(self.height, self.width);
        for y in 0..self.height {
            for x in 0..self.width {
                let to = (self.width - 1 - x) * self.height + y;
                turned.coverage[to as usize] = self.coverage[(y * self.width + x) as usize];
            }
        }
        turned
    }

    /// Paints `color` through the mask with its upper left corner at `(x, y)`.
    pub fn draw(&self, image: &mut RgbImage, x: i32, y: i32, color: [u8; 3]) {
        for row in 0..self.height {
            for column in 0..self.width {
                let coverage = self.coverage[(row * self.width + column) as usize];
                blend(image, x + column as i32, y + row as i32, color, coverage);
            }
        }
    }
}

/// Mixes `color` into a pixel; outside the picture nothing happens.
pub(crate) fn blend(image: &mut RgbImage, x: i32, y: i32, color: [u8; 3], coverage: f32) {
    if coverage <= 0.0 || x < 0 || y < 0 || x as u32 >= image.width() || y as u32 >= image.height()
    {
        return;
    }
    let pixel = image.get_pixel_mut(x as u32, y as u32);
    for (below, above) in pixel.0.iter_mut().zip(color) {
        let value = f32::from(*below) + coverage * (f32::from(above) - f32::from(*below));
        *below = value.round() as u8;
    }
}

/// Fills `width x height` pixels from `(x, y)` on.
pub(crate) fn fill_rect(
    image: &mut RgbImage,
    [x, y]: [i32; 2],
    [width, height]: [u32; 2],
    color: [u8; 3],
) {
    let clip = |from: i32, length: u32, side: u32| {
        let end = (i64::from(from) + i64::from(length)).clamp(0, i64::from(side));
        (i64::from(from).clamp(0, i64::from(side)) as u32, end as u32)
    };
    let (left, right) = clip(x, width, image.width());
    let (top, bottom) = clip(y, height, image.height());
    for y in top..bottom {
        for x in left..right {
            image.put_pixel(x, y, Rgb(color));
        }
    }
}

/// A frame one pixel wide, just inside `width x height` pixels from `(x, y)` on.
pub(crate) fn frame(
    image: &mut RgbImage,
    [x, y]: [i32; 2],
    [width, height]: [u32; 2],
    color: [u8; 3],
) {
    fill_rect(image, [x, y], [width, 1], color);
    fill_rect(image, [x, y + height as i32 - 1], [width, 1], color);
    fill_rect(image, [x, y], [1, height], color);
    fill_rect(image, [x + width as i32 - 1, y], [1, height], color);
}

/// Lines drawn as one shape: where they cross or join, nothing is painted twice.
pub(crate) struct Strokes<'a> {
    pub image: &'a mut RgbImage,
    /// In pixels.
    pub thickness: f32,
    pub color: [u8; 3],
    /// How much of the colour is laid on, `0..=1`.
    pub opacity: f32,
}

impl Strokes<'_> {
    /// Draws the segments with round ends; pixel centres lie at whole coordinates. A segment with a coordinate that
    /// is not finite is left out.
    pub fn draw(self, segments: &[[[f32; 2]; 2]]) {
        let reach = self.thickness / 2.0 + 0.5;
        let (width, height) = self.image.dimensions();
        // The rows and columns that a segment can touch, first and one after the last.
        let span = |a: f32, b: f32, side: u32| {
            let first = (a.min(b) - reach).floor().clamp(0.0, side as f32);
            let end = (a.max(b) + reach).ceil().clamp(-1.0, side as f32 - 1.0) + 1.0;
            (first as u32, end as u32)
        };
        let boxes: Vec<_> = segments
            .iter()
            .filter(|segment| segment.as_flattened().iter().all(|v| v.is_finite()))
            .map(|&segment| {
                let [from, to] = segment;
                (
                    segment,
                    span(from[0], to[0], width),
                    span(from[1], to[1], height),
                )
            })
            .filter(|(_, columns, rows)| columns.0 < columns.1 && rows.0 < rows.1)
            .collect();
        let bound = |ends: fn((u32, u32)) -> u32, pick: fn(u32, u32) -> u32, start: u32| {
            boxes.iter().fold([start; 2], |[x, y], (_, columns, rows)| {
                [pick(x, ends(*columns)), pick(y, ends(*rows))]
            })
        };
        let [left, top] = bound(|span| span.0, u32::min, u32::MAX);
        let [right, bottom] = bound(|span| span.1, u32::max, 0);
        if boxes.is_empty() {
            return;
        }

        let mut mask = Mask::new(right - left, bottom - top);
        for (segment, columns, rows) in &boxes {
            for y in rows.0..rows.1 {
                let start = (y - top) * mask.width;
                for x in columns.0..columns.1 {
                    let away = distance([x as f32, y as f32], *segment);
                    let coverage = (reach - away).clamp(0.0, 1.0);
                    let pixel = &mut mask.coverage[(start + x - left) as usize];
                    *pixel = pixel.max(coverage);
                }
            }
        }
        mask.coverage
            .iter_mut()
            .for_each(|coverage| *coverage *= self.opacity);
        mask.draw(self.image, left as i32, top as i32, self.color);
    }
}

/// The distance of a point from a segment.
fn distance(point: [f32; 2], [from, to]: [[f32; 2]; 2]) -> f32 {
    // In f64: a stray flow vector may end millions of pixels outside.
    let minus = |a: [f32; 2], b: [f32; 2]| {
        [
            f64::from(a[0]) - f64::from(b[0]),
            f64::from(a[1]) - f64::from(b[1]),
        ]
    };
    let dot = |a: [f64; 2], b: [f64; 2]| a[0] * b[0] + a[1] * b[1];
    let along = minus(to, from);
    let offset = minus(point, from);
    let length = dot(along, along);
    let t = if length > 0.0 {
        (dot(offset, along) / length).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let away = [offset[0] - t * along[0], offset[1] - t * along[1]];
    dot(away, away).sqrt() as f32
}

/// A filled disc around `center`.
pub(crate) fn disc(image: &mut RgbImage, center: [f32; 2], radius: f32, color: [u8; 3]) {
    Strokes {
        image,
        thickness: 2.0 * radius,
        color,
        opacity: 1.0,
    }
    .draw(&[[center, center]]);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn white(width: u32, height: u32) -> RgbImage {
        RgbImage::from_pixel(width, height, Rgb([255; 3]))
    }

    fn strokes(image: &mut RgbImage, thickness: f32) -> Strokes<'_> {
        Strokes {
            image,
            thickness,
            color: [0; 3],
            opacity: 1.0,
        }
    }

    fn painted(image: &RgbImage) -> f32 {
        image
            .pixels()
            .map(|pixel| 1.0 - f32::from(pixel.0[0]) / 255.0)
            .sum()
    }

    #[test]
    fn a_level_line_is_sharp() {
        let mut image = white(7, 5);

        strokes(&mut image, 1.0).draw(&[[[1.0, 2.0], [5.0, 2.0]]]);

        let dark: Vec<(u32, u32)> = image
            .enumerate_pixels()
            .filter(|(_, _, pixel)| pixel.0 != [255; 3])
            .map(|(x, y, _)| (x, y))
            .collect();
        assert_eq!(dark, [(1, 2), (2, 2), (3, 2), (4, 2), (5, 2)]);
        assert_eq!(painted(&image), 5.0);
    }

    #[test]
    fn a_slanted_line_covers_its_area() {
        let mut image = white(40, 30);

        strokes(&mut image, 3.0).draw(&[[[5.0, 5.0], [33.0, 21.0]]]);

        // Length times thickness and the two round ends.
        let expected = 28.0_f32.hypot(16.0) * 3.0 + std::f32::consts::PI * 1.5 * 1.5;
        assert!((painted(&image) / expected - 1.0).abs() < 0.05);
    }

    #[test]
    fn the_same_line_twice_is_the_line() {
        let (mut once, mut twice) = (white(20, 9), white(20, 9));
        let line = [[2.0, 2.0], [17.0, 6.5]];

        strokes(&mut once, 1.5).draw(&[line]);
        strokes(&mut twice, 1.5).draw(&[line, line]);

        assert_eq!(once, twice);
    }

    #[test]
    fn what_leaves_the_picture_is_cut() {
        let mut image = white(8, 6);

        strokes(&mut image, 2.0).draw(&[
            [[-1e9, 3.0], [1e9, 3.0]],
            [[f32::NAN, 1.0], [3.0, 1.0]],
            [[50.0, 50.0], [60.0, 60.0]],
            [[-9.0, -9.0], [-5.0, -9.0]],
        ]);
        fill_rect(&mut image, [-5, 5], [100, 100], [0; 3]);
        blend(&mut image, 8, 0, [0; 3], 1.0);

        assert!((0..8).all(|x| image.get_pixel(x, 3).0 == [0; 3]));
        assert!((0..8).all(|x| image.get_pixel(x, 5).0 == [0; 3]));
        assert!((0..8).all(|x| image.get_pixel(x, 0).0 == [255; 3]));
    }

    #[test]
    fn turning_reads_upwards() {
        let mut mask = Mask::new(3, 2);
        mask.coverage = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

        let turned = mask.turned();

        assert_eq!((turned.width, turned.height), (2, 3));
        assert_eq!(turned.coverage, [3.0, 6.0, 2.0, 5.0, 1.0, 4.0]);
    }
}
