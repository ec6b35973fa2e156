use decoupled_seg_types::Size;
use image::{DynamicImage, RgbImage};

/// Largest number of bands of a data set's images: more than any camera has.
pub const MAX_BANDS: usize = 1024;

/// An image of any number of bands, 16 bits each: grey, RGB with a fourth band, or the bands of a satellite.
///
/// Values of 8 bits are spread over the 16, so that the largest is the largest: `value * 257`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BandImage {
    size: Size,
    bands: usize,
    data: Vec<u16>,
}

impl BandImage {
    /// An image of its values, `[height, width, bands]`.
    ///
    /// # Panics
    ///
    /// Panics if there is no band, or the values are not as many as size and bands say.
    pub fn new(size: Size, bands: usize, data: Vec<u16>) -> Self {
        assert!(bands > 0, "an image has a band");
        assert_eq!(
            data.len(),
            size.pixels() * bands,
            "values of an image of {size} (height x width), {bands} bands"
        );
        Self { size, bands, data }
    }

    /// Height and width.
    pub fn size(&self) -> Size {
        self.size
    }

    /// Number of bands.
    pub fn bands(&self) -> usize {
        self.bands
    }

    /// The values, `[height, width, bands]`.
    pub fn data(&self) -> &[u16] {
        &self.data
    }

    /// The values of a pixel.
    ///
    /// # Panics
    ///
    /// Panics beyond the image.
    pub fn pixel(&self, x: usize, y: usize) -> &[u16] {
        assert!(x < self.size.width, "column {x} of {}", self.size.width);
        let start = (y * self.size.width + x) * self.bands;
        &self.data[start..start + self.bands]
    }

    /// The image to look at, 8 bits a channel: its first three bands as red, green and blue, or its first as grey.
    pub fn preview(&self) -> RgbImage {
        let pixels = self.data.chunks_exact(self.bands);
        let rgb = pixels.flat_map(|pixel| match pixel {
            [red, green, blue, ..] => [*red, *green, *blue].map(byte),
            [grey, ..] => [byte(*grey); 3],
            [] => unreachable!("an image has a band"),
        });
        let Size { height, width } = self.size;
        RgbImage::from_raw(width as u32, height as u32, rgb.collect()).expect("three bytes a pixel")
    }

    /// The values in 8 bits, `[height, width, bands]`.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.data.iter().map(|&value| byte(value)).collect()
    }

    /// The image turned as an orientation tag says.
    pub(crate) fn turned(self, orientation: image::metadata::Orientation) -> Self {
        use image::metadata::Orientation as O;
        let Size { height, width } = self.size;
        let (bottom, right) = (height.saturating_sub(1), width.saturating_sub(1));
        let lying = orientation.to_exif() >= 5;
        let size = match lying {
            true => Size::new(width, height),
            false => self.size,
        };
        let from = |x: usize, y: usize| match orientation {
            O::NoTransforms => (x, y),
            O::FlipHorizontal => (right - x, y),
            O::Rotate180 => (right - x, bottom - y),
            O::FlipVertical => (x, bottom - y),
            O::Rotate90FlipH => (y, x),
            O::Rotate90 => (y, bottom - x),
            O::Rotate270FlipH => (right - y, bottom - x),
            O::Rotate270 => (right - y, x),
        };
        let mut data = Vec::with_capacity(self.data.len());
        for y in 0..size.height {
            for x in 0..size.width {
                let (x, y) = from(x, y);
                data.extend_from_slice(self.pixel(x, y));
            }
        }
        Self::new(size, self.bands, data)
    }
}

/// The image in three bands.
impl From<&RgbImage> for BandImage {
    fn from(image: &RgbImage) -> Self {
        let size = Size::new(image.height() as usize, image.width() as usize);
        let data = image.as_raw().iter().map(|&value| spread(value));
        Self::new(size, 3, data.collect())
    }
}

/// The bands that the file has: colours and transparency. Numbers with a fraction have no 16 bits.
impl TryFrom<DynamicImage> for BandImage {
    type Error = DynamicImage;

    fn try_from(image: DynamicImage) -> Result<Self, DynamicImage> {
        use DynamicImage as D;
        let size = Size::new(image.height() as usize, image.width() as usize);
        let bytes = |bands, data: Vec<u8>| {
            let data = data.into_iter().map(spread);
            Ok(Self::new(size, bands, data.collect()))
        };
        match image {
            D::ImageLuma8(image) => bytes(1, image.into_raw()),
            D::ImageLumaA8(image) => bytes(2, image.into_raw()),
            D::ImageRgb8(image) => bytes(3, image.into_raw()),
            D::ImageRgba8(image) => bytes(4, image.into_raw()),
            D::ImageLuma16(image) => Ok(Self::new(size, 1, image.into_raw())),
            D::ImageLumaA16(image) => Ok(Self::new(size, 2, image.into_raw())),
            D::ImageRgb16(image) => Ok(Self::new(size, 3, image.into_raw())),
            D::ImageRgba16(image) => Ok(Self::new(size, 4, image.into_raw())),
            other => Err(other),
        }
    }
}

/// A value of 16 bits in 8, rounded; undoes [`spread`] exactly.
fn byte(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// A value of 8 bits in 16: 255 is 65535.
pub(crate) fn spread(value: u8) -> u16 {
    u16::from(value) * 257
}

#[cfg(test)]
mod tests {
    use image::metadata::Orientation;

    use super::*;

    #[test]
    fn eight_bits_survive_sixteen() {
        let image = RgbImage::from_fn(256, 1, |x, _| image::Rgb([x as u8, 255 - x as u8, 7]));
        let bands = BandImage::from(&image);
        assert_eq!(bands.pixel(255, 0), [65535, 0, 7 * 257]);
        assert_eq!(bands.preview(), image);
    }

    #[test]
    fn few_bands_are_looked_at_as_grey_and_many_by_their_first() {
        let preview = |bands: usize, values: &[u16]| {
            let image = BandImage::new(Size::square(1), bands, values.to_vec());
            image.preview().get_pixel(0, 0).0
        };
        assert_eq!(preview(1, &[65535]), [255; 3]);
        assert_eq!(preview(2, &[257, 65535]), [1; 3]);
        assert_eq!(preview(4, &[257, 514, 771, 65535]), [1, 2, 3]);
    }

    #[test]
    fn bands_are_turned_as_pictures_are() {
        let image = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 9]));
        for tag in 1..=8 {
            let orientation = Orientation::from_exif(tag).expect("a tag");
            let mut expected = DynamicImage::from(image.clone());
            expected.apply_orientation(orientation);
            let turned = BandImage::from(&image).turned(orientation);
            assert_eq!(turned.preview(), expected.into_rgb8(), "tag {tag}");
        }
    }
}
