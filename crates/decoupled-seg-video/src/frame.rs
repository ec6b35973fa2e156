use decoupled_seg_types::Size;

use crate::{Chroma, Range, VideoHeader};

/// One picture: a plane of brightness and two planes of colour.
///
/// Colours are those of the header's [`matrix`](VideoHeader::matrix) and [`range`](VideoHeader::range), both ways.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    planes: [Vec<u8>; 3],
}

/// Scale of brightness and of colour, and the brightness of black.
struct Levels {
    luma: f32,
    chroma: f32,
    black: f32,
}

impl Levels {
    const fn of(range: Range) -> Self {
        match range {
            Range::Limited => Self {
                luma: 219.0 / 255.0,
                chroma: 224.0 / 255.0,
                black: 16.0,
            },
            Range::Full => Self {
                luma: 1.0,
                chroma: 1.0,
                black: 0.0,
            },
        }
    }
}

impl Frame {
    /// A frame for streams of this header, all bytes 0.
    pub fn new(header: &VideoHeader) -> Self {
        let mut frame = Self::default();
        frame.resize(header);
        frame
    }

    /// Brightness and the two planes of colour (Cb, Cr), row by row.
    pub fn planes(&self) -> [&[u8]; 3] {
        self.planes.each_ref().map(Vec::as_slice)
    }

    pub(crate) fn planes_mut(&mut self) -> &mut [Vec<u8>; 3] {
        &mut self.planes
    }

    pub(crate) fn resize(&mut self, header: &VideoHeader) {
        let colour = header.chroma.plane(header.size).pixels();
        for (plane, bytes) in self
            .planes
            .iter_mut()
            .zip([header.size.pixels(), colour, colour])
        {
            plane.resize(bytes, 0);
        }
    }

    pub(crate) fn fits(&self, header: &VideoHeader) -> bool {
        let colour = header.chroma.plane(header.size).pixels();
        self.planes.each_ref().map(Vec::len) == [header.size.pixels(), colour, colour]
    }

    /// Writes the picture into `rgb`, three bytes a pixel, row by row. The vector's memory is reused. Pixels that share
    /// a colour sample get the same one.
    ///
    /// # Panics
    ///
    /// Panics if the frame is not of the header's size and chroma.
    pub fn to_rgb(&self, header: &VideoHeader, rgb: &mut Vec<u8>) {
        assert!(self.fits(header), "a frame must fit its header");
        let Size { height, width } = header.size;
        let colours = header.chroma.plane(header.size);
        let levels = Levels::of(header.range);
        let ([red, green, blue], spans) = (header.matrix.luma(), header.matrix.spans());
        let [luma, cb, cr] = self.planes();
        rgb.clear();
        rgb.reserve(3 * height * width);
        for row in 0..height {
            for column in 0..width {
                let y = (f32::from(luma[row * width + column]) - levels.black) / levels.luma;
                let (b_y, r_y) = if header.chroma == Chroma::Mono {
                    (0.0, 0.0)
                } else {
                    let at = colour_row(row, height, colours) * colours.width
                        + colour_column(column, width, colours);
                    let colour = |plane: &[u8]| (f32::from(plane[at]) - 128.0) / levels.chroma;
                    (spans[0] * colour(cb), spans[1] * colour(cr))
                };
                let g_y = -(red * r_y + blue * b_y) / green;
                rgb.extend([y + r_y, y + g_y, y + b_y].map(byte));
            }
        }
    }

    /// Takes the picture from `rgb`. Pixels that share a colour sample get the mean of their colours.
    ///
    /// # Panics
    ///
    /// Panics if `rgb` is not three bytes a pixel of the header's size.
    pub fn fill_from_rgb(&mut self, header: &VideoHeader, rgb: &[u8]) {
        let Size { height, width } = header.size;
        assert!(
            rgb.len() == 3 * header.size.pixels(),
            "rgb must be 3 bytes a pixel of {}, got {} bytes",
            header.size,
            rgb.len()
        );
        self.resize(header);
        let levels = Levels::of(header.range);
        let (shares, spans) = (header.matrix.luma(), header.matrix.spans());
        let brightness = |pixel: &[u8]| {
            let weighted = |band: usize| shares[band] * f32::from(pixel[band]);
            weighted(0) + weighted(1) + weighted(2)
        };
        for (luma, pixel) in self.planes[0].iter_mut().zip(rgb.chunks_exact(3)) {
            *luma = byte(levels.black + levels.luma * brightness(pixel));
        }
        let colours = header.chroma.plane(header.size);
        for row in 0..colours.height {
            for column in 0..colours.width {
                let [mut b_y, mut r_y, mut count] = [0.0; 3];
                for y in shared(row, height, colours.height) {
                    for x in shared(column, width, colours.width) {
                        let pixel = &rgb[3 * (y * width + x)..][..3];
                        let luma = brightness(pixel);
                        b_y += f32::from(pixel[2]) - luma;
                        r_y += f32::from(pixel[0]) - luma;
                        count += 1.0;
                    }
                }
                let at = row * colours.width + column;
                self.planes[1][at] = byte(128.0 + levels.chroma * b_y / count / spans[0]);
                self.planes[2][at] = byte(128.0 + levels.chroma * r_y / count / spans[1]);
            }
        }
    }
}

fn byte(value: f32) -> u8 {
    // The cast stops at 0 and 255.
    value.round() as u8
}

fn colour_row(row: usize, height: usize, colours: Size) -> usize {
    if colours.height == height {
        row
    } else {
        row / 2
    }
}

fn colour_column(column: usize, width: usize, colours: Size) -> usize {
    if colours.width == width {
        column
    } else {
        column / 2
    }
}

/// The pixels along one side that share colour sample `at`.
fn shared(at: usize, pixels: usize, colours: usize) -> std::ops::Range<usize> {
    if colours == pixels {
        at..at + 1
    } else {
        2 * at..(2 * at + 2).min(pixels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Matrix;

    fn header(size: Size, chroma: Chroma, range: Range) -> VideoHeader {
        VideoHeader {
            chroma,
            range,
            ..VideoHeader::new(size, 25)
        }
    }

    #[test]
    fn colours_are_those_of_the_recommendation() {
        // BT.601: 100 % bars, and grey.
        let header = header(Size::new(1, 1), Chroma::C444, Range::Limited);
        for (rgb, yuv) in [
            ([0, 0, 0], [16, 128, 128]),
            ([255, 255, 255], [235, 128, 128]),
            ([255, 0, 0], [81, 90, 240]),
            ([0, 255, 0], [145, 54, 34]),
            ([0, 0, 255], [41, 240, 110]),
            ([128, 128, 128], [126, 128, 128]),
        ] {
            let mut frame = Frame::default();
            frame.fill_from_rgb(&header, &rgb);
            assert_eq!(frame.planes().concat(), yuv, "{rgb:?}");
            let mut back = Vec::new();
            frame.to_rgb(&header, &mut back);
            for (back, there) in back.iter().zip(rgb) {
                // One step of brightness is 1.16, one of blue 2.02; half a step may be lost.
                assert!(
                    back.abs_diff(there) <= 2,
                    "{back}, expected {there} of {rgb:?}"
                );
            }
        }
    }

    /// Numbers of the definition in [`Matrix`], with the constants of BT.709-6, worked out by hand: green is Y = 0.7152,
    /// Cb = -0.7152 / 1.8556, Cr = -0.7152 / 1.5748.
    #[test]
    fn colours_of_high_definition_are_those_of_their_recommendation() {
        let limited = [
            ([0, 0, 0], [16, 128, 128]),
            ([255, 255, 255], [235, 128, 128]),
            ([255, 0, 0], [63, 102, 240]),
            ([0, 255, 0], [173, 42, 26]),
            ([0, 0, 255], [32, 240, 118]),
            ([200, 40, 40], [80, 112, 198]),
        ];
        let full = [
            ([255, 255, 255], [255, 128, 128]),
            ([0, 255, 0], [182, 30, 12]),
        ];
        let cases = limited.map(|case| (Range::Limited, case)).into_iter();
        for (range, (rgb, yuv)) in cases.chain(full.map(|case| (Range::Full, case))) {
            let header = VideoHeader {
                matrix: Matrix::Bt709,
                ..header(Size::new(1, 1), Chroma::C444, range)
            };
            let mut frame = Frame::default();
            frame.fill_from_rgb(&header, &rgb);
            assert_eq!(frame.planes().concat(), yuv, "{rgb:?}");
        }
        // Back: Y = 74.52, Cr = 70 and Cb = -16 steps of 224.
        let header = header(Size::new(720, 2), Chroma::C444, Range::Limited);
        let mut frame = Frame::new(&header);
        for (plane, value) in frame.planes_mut().iter_mut().zip([80, 112, 198]) {
            plane.fill(value);
        }
        let mut rgb = Vec::new();
        frame.to_rgb(&header, &mut rgb);
        assert_eq!(rgb[..3], [200, 41, 41]);
    }

    #[test]
    fn full_range_keeps_black_and_white() {
        let header = header(Size::new(1, 2), Chroma::Mono, Range::Full);
        let mut frame = Frame::default();
        frame.fill_from_rgb(&header, &[0, 0, 0, 255, 255, 255]);
        assert_eq!(frame.planes(), [&[0, 255][..], &[], &[]]);
    }

    #[test]
    fn odd_sides_round_up() {
        for chroma in Chroma::ALL {
            let header = header(Size::new(3, 5), chroma, Range::Limited);
            let rgb: Vec<u8> = [200, 100, 50].repeat(15);
            let mut frame = Frame::default();
            frame.fill_from_rgb(&header, &rgb);
            let mut back = Vec::new();
            frame.to_rgb(&header, &mut back);
            assert_eq!(back.len(), rgb.len());
            if chroma != Chroma::Mono {
                assert!(
                    back.iter()
                        .zip(&rgb)
                        .all(|(back, there)| back.abs_diff(*there) <= 2),
                    "{chroma:?}"
                );
            }
        }
    }
}
