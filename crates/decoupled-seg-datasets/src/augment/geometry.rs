use decoupled_seg_types::Size;
use image::RgbImage;

use super::resize::{ResizeFilter, Window, nearest_indices, resize_bands_window, resize_window};
use crate::bands::spread;
use crate::{BandImage, IGNORE_LABEL, LabelMap, Point, Sample};

/// The geometry of an augmentation: scale, pad, crop and mirror, in that order.
///
/// The same `Geometry` moves image and labels, so they cannot drift apart. Only the pixels inside the crop are
/// computed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Geometry {
    /// Size after scaling.
    pub scaled: Size,
    /// Pixels added above and below (`height`), and to the left and right (`width`).
    pub padding: Size,
    /// Upper left pixel of the crop, in the padded image.
    pub origin: Point,
    /// Size of the crop.
    pub size: Size,
    /// Whether the crop is mirrored left to right.
    pub flip: bool,
    /// How the image is scaled; labels take the nearest value.
    pub filter: ResizeFilter,
}

/// A [`Geometry`] along one axis, in pixels.
struct Axis {
    scaled: usize,
    padding: usize,
    origin: usize,
    size: usize,
}

/// The part of the crop that shows the image instead of padding.
struct Visible {
    /// Its upper left pixel in the crop.
    at: Point,
    /// The part of the scaled image that it shows.
    window: Window,
}

impl Geometry {
    /// The geometry that changes nothing in an image of this size.
    pub fn identity(size: Size) -> Self {
        Self {
            scaled: size,
            padding: Size::new(0, 0),
            origin: Point::ORIGIN,
            size,
            flip: false,
            filter: ResizeFilter::default(),
        }
    }

    /// Applies the geometry to a sample. The padding is `fill` (red, green, blue, and over again in further bands) in the
    /// image and [`IGNORE_LABEL`] in the labels.
    ///
    /// # Panics
    ///
    /// Panics if the crop is not inside the padded image.
    pub fn apply(&self, sample: &Sample, fill: [u8; 3]) -> Sample {
        let inside = self.rows().is_inside() && self.columns().is_inside();
        assert!(inside, "the crop lies in the padded image: {self:?}");
        let (name, labels) = (sample.name.clone(), self.labels(&sample.labels));
        match &sample.bands {
            Some(bands) => Sample::of_bands(name, self.bands(bands, fill), labels),
            None => Sample::new(name, self.image(&sample.image, fill), labels),
        }
    }

    fn bands(&self, image: &BandImage, fill: [u8; 3]) -> BandImage {
        let Size { height, width } = self.size;
        let bands = image.bands();
        let Visible { at, window } = self.visible();
        let mut part = vec![0; bands * window.size.pixels()];
        resize_bands_window(image, self.scaled, window, self.filter, &mut part);
        let padding = (0..bands).map(|band| spread(fill[band % 3]));
        let padding: Vec<u16> = padding.collect();
        let mut out = padding.repeat(width * height);
        let rows = part.chunks_exact((bands * window.size.width).max(1));
        for (row, part) in rows.enumerate() {
            let start = bands * ((at.y + row) * width + at.x);
            out[start..start + part.len()].copy_from_slice(part);
        }
        if self.flip {
            for row in out.chunks_exact_mut((bands * width).max(1)) {
                row.reverse();
                row.chunks_exact_mut(bands).for_each(<[u16]>::reverse);
            }
        }
        BandImage::new(self.size, bands, out)
    }

    fn rows(&self) -> Axis {
        Axis {
            scaled: self.scaled.height,
            padding: self.padding.height,
            origin: self.origin.y,
            size: self.size.height,
        }
    }

    fn columns(&self) -> Axis {
        Axis {
            scaled: self.scaled.width,
            padding: self.padding.width,
            origin: self.origin.x,
            size: self.size.width,
        }
    }

    fn visible(&self) -> Visible {
        let (y, top, height) = self.rows().overlap();
        let (x, left, width) = self.columns().overlap();
        Visible {
            at: Point { y, x },
            window: Window {
                origin: Point { y: top, x: left },
                size: Size::new(height, width),
            },
        }
    }

    fn image(&self, image: &RgbImage, fill: [u8; 3]) -> RgbImage {
        let Size { height, width } = self.size;
        let Visible { at, window } = self.visible();
        let mut out = vec![0; 3 * width * height];
        if window.size == self.size {
            resize_window(image, self.scaled, window, self.filter, &mut out);
        } else {
            out.chunks_exact_mut(3)
                .for_each(|pixel| pixel.copy_from_slice(&fill));
            let mut part = vec![0; 3 * window.size.pixels()];
            resize_window(image, self.scaled, window, self.filter, &mut part);
            let rows = part.chunks_exact(3 * window.size.width.max(1));
            for (row, part) in rows.enumerate() {
                let start = 3 * ((at.y + row) * width + at.x);
                out[start..start + part.len()].copy_from_slice(part);
            }
        }
        if self.flip {
            for row in out.chunks_exact_mut(3 * width.max(1)) {
                // Reversing the row reverses the channels too; reversing each pixel puts them right.
                row.reverse();
                row.chunks_exact_mut(3).for_each(<[u8]>::reverse);
            }
        }
        RgbImage::from_raw(width as u32, height as u32, out).expect("three bytes a pixel")
    }

    fn labels(&self, labels: &LabelMap) -> LabelMap {
        let Visible { at, window } = self.visible();
        let Window { origin, size } = window;
        let mut out = LabelMap::filled(self.size, IGNORE_LABEL);
        let columns = nearest_indices(labels.width, self.scaled.width);
        let columns = &columns[origin.x..origin.x + size.width];
        let rows = nearest_indices(labels.height, self.scaled.height);
        for (row, &source) in rows[origin.y..origin.y + size.height].iter().enumerate() {
            let source = labels.row(source);
            let start = (at.y + row) * self.size.width + at.x;
            let target = &mut out.data[start..start + size.width];
            target
                .iter_mut()
                .zip(columns)
                .for_each(|(label, &column)| *label = source[column]);
        }
        if self.flip { out.flipped() } else { out }
    }
}

impl Axis {
    /// Whether the crop is inside the padded image.
    fn is_inside(&self) -> bool {
        self.origin + self.size <= self.scaled + 2 * self.padding
    }

    /// The part of the crop that shows the image: start in the crop, start in the scaled image, and length.
    fn overlap(&self) -> (usize, usize, usize) {
        let first = self.origin.max(self.padding);
        let last = (self.origin + self.size).min(self.padding + self.scaled);
        if first >= last {
            return (0, 0, 0); // Nothing but padding.
        }
        (first - self.origin, first - self.padding, last - first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Red tells the half of the columns, green the half of the rows, and labels tell both. The edges of image and
    /// labels must stay together.
    fn quadrants(size: Size) -> Sample {
        let Size { height, width } = size;
        let side = |x: usize, y: usize| (x >= width / 2, y >= height / 2);
        let image = RgbImage::from_fn(width as u32, height as u32, |x, y| {
            let (right, low) = side(x as usize, y as usize);
            image::Rgb([if right { 200 } else { 50 }, if low { 200 } else { 50 }, 50])
        });
        let data = (0..width * height).map(|i| {
            let (right, low) = side(i % width, i / width);
            u8::from(right) + 2 * u8::from(low)
        });
        Sample::new("quadrants", image, LabelMap::new(size, data.collect()))
    }

    fn assert_together(sample: &Sample) {
        for (pixel, &label) in sample.image.pixels().zip(&sample.labels.data) {
            if label == IGNORE_LABEL {
                assert_eq!(pixel.0, [1, 2, 3], "padding in one is padding in the other");
                continue;
            }
            let nearest = u8::from(pixel.0[0] > 125) + 2 * u8::from(pixel.0[1] > 125);
            assert_eq!(nearest, label, "{pixel:?}");
        }
    }

    #[test]
    fn edges_stay_together_to_the_pixel() {
        let sample = quadrants(Size::new(32, 48));
        for (height, width) in [(64, 96), (16, 24), (48, 72), (32, 48), (8, 12)] {
            for filter in [ResizeFilter::Bicubic, ResizeFilter::Bilinear] {
                for flip in [false, true] {
                    let geometry = Geometry {
                        scaled: Size::new(height, width),
                        padding: Size::new(5, 2),
                        origin: Point { y: 2, x: 1 },
                        size: Size::new(height + 4, width - 3),
                        flip,
                        filter,
                    };
                    let moved = geometry.apply(&sample, [1, 2, 3]);
                    assert_eq!(moved.size(), geometry.size);
                    assert_together(&moved);
                }
            }
        }
    }

    #[test]
    fn crops_and_flips_are_exact() {
        let sample = quadrants(Size::new(10, 20));
        let identity = Geometry::identity(sample.size());
        assert_eq!(identity.apply(&sample, [0; 3]), sample);
        let flip = Geometry {
            flip: true,
            ..identity
        };
        let flipped = flip.apply(&sample, [0; 3]);
        assert_ne!(flipped, sample);
        assert_eq!(flip.apply(&flipped, [0; 3]), sample);
        let crop = Geometry {
            origin: Point { y: 2, x: 3 },
            size: Size::new(7, 11),
            ..identity
        }
        .apply(&sample, [0; 3]);
        for y in 0..7 {
            for x in 0..11 {
                assert_eq!(crop.labels.get(x, y), sample.labels.get(x + 3, y + 2));
                assert_eq!(
                    crop.image.get_pixel(x as u32, y as u32),
                    sample.image.get_pixel(x as u32 + 3, y as u32 + 2)
                );
            }
        }
    }

    #[test]
    fn bands_move_as_the_picture_does() {
        let size = Size::new(10, 20);
        let sample = quadrants(size);
        let bands = BandImage::from(&sample.image);
        let banded = Sample::of_bands("bands", bands, sample.labels.clone());
        for (height, width) in [(10, 20), (7, 31), (25, 9)] {
            for filter in [ResizeFilter::Bicubic, ResizeFilter::Bilinear] {
                let geometry = Geometry {
                    scaled: Size::new(height, width),
                    padding: Size::new(3, 2),
                    origin: Point { y: 1, x: 2 },
                    size: Size::new(height + 4, width),
                    flip: true,
                    filter,
                };
                let expected = geometry.apply(&sample, [1, 2, 3]);
                let moved = geometry.apply(&banded, [1, 2, 3]);
                assert_eq!(moved.labels, expected.labels);
                // Eight bits are rounded twice, in between and at the end.
                let worst = moved.image.iter().zip(expected.image.iter());
                let worst = worst.map(|(ours, theirs)| ours.abs_diff(*theirs)).max();
                assert!(
                    worst <= Some(1),
                    "{worst:?} at {height}x{width}, {filter:?}"
                );
            }
        }
        let identity = Geometry::identity(size);
        assert_eq!(identity.apply(&banded, [0; 3]), banded);
    }

    #[test]
    fn a_crop_of_padding_alone() {
        let sample = quadrants(Size::square(4));
        let geometry = Geometry {
            padding: Size::new(0, 10),
            size: Size::new(4, 5),
            ..Geometry::identity(sample.size())
        };
        let moved = geometry.apply(&sample, [1, 2, 3]);
        assert!(moved.labels.data.iter().all(|&label| label == IGNORE_LABEL));
        assert_together(&moved);
    }
}
