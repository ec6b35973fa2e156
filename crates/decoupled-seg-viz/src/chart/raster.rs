//! Charts as pixels.

use std::convert::Infallible;

use image::RgbImage;
use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    FontStyle, FontTransform,
};

use crate::canvas::{Strokes, blend, disc};
use crate::text::{CAP_HEIGHT, TextStyle, mask};

/// Draws for plotters on a picture, with smooth lines and the built-in font.
pub(super) struct Raster<'a> {
    image: &'a mut RgbImage,
    unit: i32,
}

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

impl<'a> Raster<'a> {
    /// `unit` is how many of plotters' whole-numbered positions make a pixel.
    pub fn new(image: &'a mut RgbImage, unit: i32) -> Self {
        Self { image, unit }
    }

    /// The built-in font with capitals about as high as those of a sans-serif font of that style.
    fn text_style<S: BackendTextStyle>(&self, style: &S) -> TextStyle {
        let scale = (style.size() / f64::from(self.unit) / 9.0).round().max(1.0);
        TextStyle {
            scale: scale as u32,
            color: style.color().rgb.into(),
            bold: matches!(style.style(), FontStyle::Bold),
        }
    }

    /// The pixel that holds a position.
    fn pixel(&self, position: i32) -> i32 {
        position.div_euclid(self.unit)
    }

    /// A position in pixels, whose centres lie at whole numbers.
    fn exact(&self, (x, y): BackendCoord) -> [f32; 2] {
        [x, y].map(|v| v as f32 / self.unit as f32 - 0.5)
    }
}

impl DrawingBackend for Raster<'_> {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        let (width, height) = self.image.dimensions();
        (width * self.unit as u32, height * self.unit as u32)
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        let (x, y) = (self.pixel(x), self.pixel(y));
        blend(self.image, x, y, color.rgb.into(), color.alpha as f32);
        Ok(())
    }

    fn draw_line<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
    ) -> Drawn {
        self.draw_path([from, to], style)
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        (left, top): BackendCoord,
        (right, bottom): BackendCoord,
        style: &S,
        fill: bool,
    ) -> Drawn {
        if !fill {
            let corners = [
                (left, top),
                (right, top),
                (right, bottom),
                (left, bottom),
                (left, top),
            ];
            return self.draw_path(corners, style);
        }
        let color = style.color();
        for y in self.pixel(top)..=self.pixel(bottom) {
            for x in self.pixel(left)..=self.pixel(right) {
                blend(self.image, x, y, color.rgb.into(), color.alpha as f32);
            }
        }
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Drawn {
        let path: Vec<BackendCoord> = path.into_iter().collect();
        let mut segments: Vec<_> = path
            .windows(2)
            .map(|pair| [self.exact(pair[0]), self.exact(pair[1])])
            .collect();
        // Level and upright lines are laid on whole pixels, so that a thin one is not smeared over two.
        if let ([(x0, y0), (x1, y1)], [segment]) = (&path[..], &mut segments[..]) {
            for (i, positions) in [[x0, x1], [y0, y1]].into_iter().enumerate() {
                if positions[0] == positions[1] {
                    let whole = self.pixel(*positions[0]) as f32;
                    segment.iter_mut().for_each(|end| end[i] = whole);
                }
            }
        }
        let color = style.color();
        Strokes {
            image: self.image,
            thickness: style.stroke_width() as f32 / self.unit as f32,
            color: color.rgb.into(),
            opacity: color.alpha as f32,
        }
        .draw(&segments);
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        _fill: bool,
    ) -> Drawn {
        let radius = radius as f32 / self.unit as f32;
        let center = self.exact(center);
        disc(self.image, center, radius, style.color().rgb.into());
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        (x, y): BackendCoord,
    ) -> Drawn {
        let font = self.text_style(style);
        let mut mask = mask(text, font);
        let size = [mask.width, CAP_HEIGHT * font.scale].map(|v| v as i32);
        let anchor = style.anchor();
        let mut held = [
            match anchor.h_pos {
                HPos::Left => 0,
                HPos::Center => size[0] / 2,
                HPos::Right => size[0],
            },
            match anchor.v_pos {
                VPos::Top => 0,
                VPos::Center => size[1] / 2,
                VPos::Bottom => size[1],
            },
        ];
        let turns = match style.transform() {
            FontTransform::None => 0,
            FontTransform::Rotate270 => 1,
            FontTransform::Rotate180 => 2,
            FontTransform::Rotate90 => 3,
        };
        for _ in 0..turns {
            held = [held[1], mask.width as i32 - held[0]];
            mask = mask.turned();
        }
        let corner = [self.pixel(x) - held[0], self.pixel(y) - held[1]];
        mask.draw(self.image, corner[0], corner[1], font.color);
        Ok(())
    }

    fn estimate_text_size<S: BackendTextStyle>(
        &self,
        text: &str,
        style: &S,
    ) -> Result<(u32, u32), DrawingErrorKind<Infallible>> {
        let font = self.text_style(style);
        let unit = self.unit as u32;
        Ok((font.size(text)[0] * unit, CAP_HEIGHT * font.scale * unit))
    }
}
