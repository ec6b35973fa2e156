//! Several pictures on one sheet.

use std::path::Path;

use image::{Rgb, RgbImage, imageops};

use crate::VizError;
use crate::canvas::frame;
use crate::legend::legend;
use crate::palette::Palette;
use crate::save::save_png;
use crate::scale::{Scaling, resize_picture};
use crate::text::{LINE_HEIGHT, TextStyle, draw_text, shorten, wrap};
use crate::theme::{INK, MUTED, PAPER, RULE};

/// A picture with its title, for a [`Panel`].
#[derive(Clone, Debug)]
pub struct Picture {
    /// Stands above the picture, on one line.
    pub title: String,
    /// Stands below the picture, on as many lines as it takes; may be empty.
    pub caption: String,
    /// The pixels.
    pub image: RgbImage,
    /// How they are brought to the size of the panel's cells.
    pub scaling: Scaling,
}

impl Picture {
    /// A picture without caption, scaled linearly.
    pub fn new(title: impl Into<String>, image: RgbImage) -> Self {
        Self {
            title: title.into(),
            caption: String::new(),
            image,
            scaling: Scaling::Bilinear,
        }
    }

    /// A picture of classes without caption: no colours are mixed when it is scaled.
    pub fn of_labels(title: impl Into<String>, image: RgbImage) -> Self {
        Self::new(title, image).with_scaling(Scaling::Nearest)
    }

    /// The same picture with a caption.
    pub fn with_caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// The same picture, scaled in another way.
    pub fn with_scaling(mut self, scaling: Scaling) -> Self {
        self.scaling = scaling;
        self
    }
}

/// A grid of titled pictures in cells of one size. A picture whose shape is far from the cell's keeps it.
///
/// ```
/// use decoupled_seg_viz::{Panel, Picture, Scaling};
/// use image::RgbImage;
///
/// let panel = Panel::new(2)
///     .with_heading("Body and edge")
///     .with_cell(120, 80)
///     .with_picture(Picture::new("image", RgbImage::new(240, 160)))
///     .with_picture(Picture::new("body", RgbImage::new(30, 20)).with_caption("first components"));
///
/// let [cell, margin] = [120, 10];
/// assert_eq!(panel.render().width(), 2 * cell + 3 * margin);
/// ```
#[derive(Clone, Debug)]
pub struct Panel {
    columns: u32,
    cell: Option<[u32; 2]>,
    text_scale: Option<u32>,
    heading: String,
    legend: Option<(Vec<String>, Palette)>,
    pictures: Vec<Picture>,
}

impl Panel {
    /// An empty panel of `columns` pictures a row.
    ///
    /// # Panics
    ///
    /// Panics if `columns` is 0.
    pub fn new(columns: u32) -> Self {
        assert!(columns > 0, "a panel needs a column, got 0");

        Self {
            columns,
            cell: None,
            text_scale: None,
            heading: String::new(),
            legend: None,
            pictures: Vec::new(),
        }
    }

    /// A line of text over the whole panel.
    pub fn with_heading(mut self, heading: impl Into<String>) -> Self {
        self.heading = heading.into();
        self
    }

    /// The size of each picture; without it the largest width and height among the pictures.
    ///
    /// # Panics
    ///
    /// Panics if a side is 0.
    pub fn with_cell(mut self, width: u32, height: u32) -> Self {
        assert!(
            width > 0 && height > 0,
            "a cell must be at least 1x1 pixels, got {width}x{height}"
        );
        self.cell = Some([width, height]);
        self
    }

    /// The scale of the text (see [`TextStyle`]); without it 2, or 1 below cells of 240 pixels' width.
    ///
    /// # Panics
    ///
    /// Panics if `scale` is 0.
    pub fn with_text_scale(mut self, scale: u32) -> Self {
        assert!(scale > 0, "a text's scale must be at least 1, got 0");
        self.text_scale = Some(scale);
        self
    }

    /// The classes' names and colours, below the pictures; left out where the panel has not 40 pixels' width for it.
    ///
    /// # Panics
    ///
    /// Panics if there is not one name per colour.
    pub fn with_legend<S: AsRef<str>>(mut self, names: &[S], palette: &Palette) -> Self {
        let names: Vec<String> = names.iter().map(|name| name.as_ref().to_owned()).collect();
        assert!(
            names.len() == palette.colors().len(),
            "a legend needs one name per colour: expected {}, got {}",
            palette.colors().len(),
            names.len()
        );
        self.legend = Some((names, palette.clone()));
        self
    }

    /// The panel with one more picture.
    pub fn with_picture(mut self, picture: Picture) -> Self {
        self.push(picture);
        self
    }

    /// Adds a picture: along the row, then on the next one.
    ///
    /// # Panics
    ///
    /// Panics if the picture is empty.
    pub fn push(&mut self, picture: Picture) {
        assert!(
            picture.image.width() > 0 && picture.image.height() > 0,
            "picture `{}` is empty",
            picture.title
        );
        self.pictures.push(picture);
    }

    /// Draws the panel.
    ///
    /// # Panics
    ///
    /// Panics if no picture was added.
    pub fn render(&self) -> RgbImage {
        assert!(!self.pictures.is_empty(), "a panel needs a picture");
        let side = |side: fn(&RgbImage) -> u32| {
            let sides = self.pictures.iter().map(|picture| side(&picture.image));
            sides.max().expect("a picture was added")
        };
        let [width, height] = self
            .cell
            .unwrap_or_else(|| [side(RgbImage::width), side(RgbImage::height)]);
        let scale = self.text_scale.unwrap_or(if width < 240 { 1 } else { 2 });
        let margin = 10 * scale;
        let line = LINE_HEIGHT * scale;
        let columns = self.columns.min(self.pictures.len() as u32);
        let inner = columns * width + (columns - 1) * margin;

        let title_style = TextStyle::new(scale, INK);
        let caption_style = TextStyle::new(scale, MUTED);
        // A row is as high as its longest caption wants.
        let captions: Vec<Vec<String>> = self
            .pictures
            .iter()
            .map(|picture| wrap(&picture.caption, caption_style, width))
            .collect();
        let below: Vec<u32> = captions
            .chunks(columns as usize)
            .map(|row| row.iter().map(Vec::len).max().unwrap_or(0) as u32)
            .map(|lines| {
                if lines > 0 {
                    lines * line + 3 * scale
                } else {
                    0
                }
            })
            .collect();
        let legend = self
            .legend
            .as_ref()
            .filter(|_| inner >= 40 * scale)
            .map(|(names, palette)| legend(names, palette, inner, scale));
        let heading = if self.heading.is_empty() {
            0
        } else {
            line + 6 * scale
        };
        let rows: u32 = below
            .iter()
            .map(|below| line + height + below + margin)
            .sum();
        let strip = legend
            .as_ref()
            .map_or(0, |legend| legend.height() + margin / 2);
        let total = margin + heading + rows + strip;
        let mut sheet = RgbImage::from_pixel(inner + 2 * margin, total, Rgb(PAPER));

        if heading > 0 {
            let style = title_style.bold();
            let text = shorten(&self.heading, style, inner);
            draw_text(&mut sheet, [margin as i32; 2], &text, style);
        }
        let mut top = margin + heading;
        let rows = self.pictures.chunks(columns as usize);
        for ((pictures, captions), below) in rows.zip(captions.chunks(columns as usize)).zip(below)
        {
            let mut left = margin;
            for (picture, caption) in pictures.iter().zip(captions) {
                draw_text(
                    &mut sheet,
                    [left as i32, top as i32],
                    &shorten(&picture.title, title_style, width),
                    title_style,
                );
                let corner = [left, top + line];
                let [w, h] = fitted(&picture.image, [width, height]);
                let image = resize_picture(&picture.image, w, h, picture.scaling);
                let [x, y] = [corner[0] + (width - w) / 2, corner[1] + (height - h) / 2];
                imageops::replace(&mut sheet, &image, x.into(), y.into());
                // Around the picture, not over it.
                frame(
                    &mut sheet,
                    corner.map(|v| v as i32 - 1),
                    [width + 2, height + 2],
                    RULE,
                );
                for (i, text) in caption.iter().enumerate() {
                    let y = corner[1] + height + 4 * scale + i as u32 * line;
                    draw_text(&mut sheet, [left as i32, y as i32], text, caption_style);
                }
                left += width + margin;
            }
            top += line + height + below + margin;
        }
        if let Some(legend) = legend {
            imageops::replace(&mut sheet, &legend, margin.into(), top.into());
        }
        sheet
    }

    /// Draws the panel into a PNG file; see [`save_png`].
    ///
    /// # Errors
    ///
    /// As [`save_png`].
    ///
    /// # Panics
    ///
    /// Panics if no picture was added.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), VizError> {
        save_png(&self.render(), path)
    }
}

/// The size at which `image` stands in a cell: the cell's, or, where that would distort visibly, the largest of the
/// picture's own shape. A feature map's few pixels seldom have quite the shape of the image they came from, and are
/// meant to cover it.
fn fitted(image: &RgbImage, [width, height]: [u32; 2]) -> [u32; 2] {
    const DISTORTION: f64 = 1.2;

    let [w, h] = [image.width(), image.height()].map(f64::from);
    let shape = (w / h) / (f64::from(width) / f64::from(height));
    if (1.0 / DISTORTION..=DISTORTION).contains(&shape) {
        return [width, height];
    }
    let factor = (f64::from(width) / w).min(f64::from(height) / h);
    [(w * factor, width), (h * factor, height)]
        .map(|(side, most)| (side.round() as u32).clamp(1, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(width: u32, height: u32, color: [u8; 3]) -> RgbImage {
        RgbImage::from_pixel(width, height, Rgb(color))
    }

    fn count(image: &RgbImage, color: [u8; 3]) -> usize {
        image.pixels().filter(|pixel| pixel.0 == color).count()
    }

    #[test]
    fn pictures_share_a_size() {
        let panel = Panel::new(2)
            .with_picture(Picture::new("large", plain(60, 40, [200, 0, 0])))
            .with_picture(Picture::of_labels("small", plain(6, 4, [0, 200, 0])))
            .with_picture(Picture::new("next row", plain(7, 4, [0, 0, 200])));

        let sheet = panel.render();

        // Margins of 10, titles of 12.
        assert_eq!(sheet.dimensions(), (2 * 60 + 30, 10 + 2 * (12 + 40 + 10)));
        for color in [[200, 0, 0], [0, 200, 0], [0, 0, 200]] {
            assert_eq!(count(&sheet, color), 60 * 40);
        }
        assert_eq!(sheet.get_pixel(10, 22).0, [200, 0, 0]);
        assert_eq!(sheet.get_pixel(80, 22).0, [0, 200, 0]);
        assert_eq!(sheet.get_pixel(10, 84).0, [0, 0, 200]);
        assert_eq!(sheet.get_pixel(9, 22).0, RULE);
        assert!(count(&sheet, INK) > 20, "titles");
    }

    #[test]
    fn another_shape_is_kept_and_centred() {
        let cell = |width, height| fitted(&RgbImage::new(width, height), [160, 100]);
        assert_eq!(cell(13, 9), [160, 100], "a coarse map covers its image");
        assert_eq!(cell(50, 50), [100, 100]);
        assert_eq!(cell(1000, 100), [160, 16]);
        assert_eq!(cell(1, 10_000), [1, 100]);

        let sheet = Panel::new(1)
            .with_cell(160, 100)
            .with_picture(Picture::new("", plain(5, 5, [200, 0, 0])))
            .render();
        assert_eq!(count(&sheet, [200, 0, 0]), 100 * 100);
        assert_eq!(sheet.get_pixel(10 + 29, 50).0, PAPER);
        assert_eq!(sheet.get_pixel(10 + 30, 50).0, [200, 0, 0]);
    }

    #[test]
    fn captions_headings_and_legends_take_room() {
        let bare = Panel::new(3).with_picture(Picture::new("a", plain(200, 30, [9, 9, 9])));
        let height = |panel: &Panel| panel.render().height();
        let base = height(&bare);

        let captioned = Panel::new(3).with_picture(
            Picture::new("a", plain(200, 30, [9, 9, 9]))
                .with_caption("a caption that needs at least two lines of this narrow cell"),
        );
        assert_eq!(height(&captioned), base + 2 * 12 + 3);
        assert_eq!(height(&bare.clone().with_heading("Heading")), base + 18);
        let palette = Palette::distinct(3);
        let legend = bare.with_legend(&["road", "sky", "car"], &palette).render();
        assert_eq!(legend.height(), base + 15 + 5);
        for color in palette.colors() {
            assert!(count(&legend, *color) > 50);
        }
    }

    #[test]
    fn text_grows_with_the_cells() {
        let panel = Panel::new(1).with_picture(Picture::new("a", plain(300, 100, [9, 9, 9])));

        assert_eq!(panel.render().dimensions(), (340, 20 + 24 + 100 + 20));
        let small = panel.with_text_scale(1).render();
        assert_eq!(small.dimensions(), (320, 10 + 12 + 100 + 10));
    }

    #[test]
    fn a_panel_is_saved() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("panel.png");
        let panel = Panel::new(1).with_picture(Picture::new("a", plain(20, 10, [9, 9, 9])));

        panel.save(&path).expect("the folder is writable");

        let read = image::open(path).expect("a PNG file").to_rgb8();
        assert_eq!(read, panel.render());
    }

    #[test]
    #[should_panic(expected = "a panel needs a picture")]
    fn an_empty_panel_panics() {
        Panel::new(2).render();
    }

    #[test]
    #[should_panic(expected = "picture `none` is empty")]
    fn an_empty_picture_panics() {
        Panel::new(2).push(Picture::new("none", RgbImage::new(0, 5)));
    }

    #[test]
    #[should_panic(expected = "a panel needs a column, got 0")]
    fn no_column_panics() {
        Panel::new(0);
    }
}
