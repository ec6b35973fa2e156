use std::path::Path;

use decoupled_seg_types::Size;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use crate::canvas::frame;
use crate::check::size_of;
use crate::legend::legend;
use crate::text::TextStyle;
use crate::theme::{INK, MUTED, PAPER, RULE};
use crate::{Palette, VizError, save_png};

/// How a picture is resized to its cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scaling {
    /// Each pixel takes the colour of the nearest source pixel. For pictures of classes, in which mixed colours would
    /// mean nothing.
    Nearest,
    /// Linear interpolation between pixels; the mean over the covered pixels where the picture shrinks.
    Bilinear,
}

/// A picture with its title, for a [`Panel`].
#[derive(Clone, Debug)]
pub struct Picture {
    /// Stands above the picture, on one line.
    pub title: String,
    /// Stands below the picture, on as many lines as it takes; may be empty.
    pub caption: String,
    /// The pixels.
    pub image: RgbImage,
    /// How the picture is resized to the panel's cells.
    pub scaling: Scaling,
}

impl Picture {
    /// A photograph, a feature map or a heat map: scaled linearly, without caption.
    pub fn new(title: impl Into<String>, image: RgbImage) -> Self {
        Self {
            title: title.into(),
            caption: String::new(),
            image,
            scaling: Scaling::Bilinear,
        }
    }

    /// A picture of classes: scaled without mixing colours, without caption.
    pub fn of_labels(title: impl Into<String>, image: RgbImage) -> Self {
        Self {
            scaling: Scaling::Nearest,
            ..Self::new(title, image)
        }
    }

    /// Sets the caption.
    pub fn with_caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }
}

/// A grid of titled pictures in cells of one size.
///
/// # Example
///
/// ```
/// use decoupled_seg_types::Size;
/// use decoupled_seg_viz::{Panel, Picture};
/// use image::RgbImage;
///
/// let panel = Panel::new(2)
///     .with_heading("Body and edge")
///     .with_cell(Size::new(80, 120))
///     .with_picture(Picture::new("image", RgbImage::new(240, 160)))
///     .with_picture(Picture::new("body", RgbImage::new(30, 20)).with_caption("main components"));
///
/// let [cell, margin] = [120, 8];
/// assert_eq!(panel.render().width(), 2 * cell + 3 * margin);
/// ```
#[derive(Clone, Debug)]
pub struct Panel {
    columns: u32,
    cell: Option<Size>,
    heading: String,
    legend: Option<(Vec<String>, Palette)>,
    pictures: Vec<Picture>,
}

impl Panel {
    /// An empty panel with `columns` pictures a row.
    ///
    /// # Panics
    ///
    /// Panics if `columns` is 0.
    pub fn new(columns: u32) -> Self {
        assert!(columns > 0, "a panel needs a column, got 0");

        Self {
            columns,
            cell: None,
            heading: String::new(),
            legend: None,
            pictures: Vec::new(),
        }
    }

    /// Sets the line of text over the whole panel.
    pub fn with_heading(mut self, heading: impl Into<String>) -> Self {
        self.heading = heading.into();
        self
    }

    /// Sets the size of the cells. The default is the largest height and width among the pictures. A picture whose
    /// shape differs much from the cell's keeps its shape. Cells narrower than 240 pixels have small text.
    ///
    /// # Panics
    ///
    /// Panics if a side is 0.
    pub fn with_cell(mut self, cell: Size) -> Self {
        assert!(cell.pixels() > 0, "a cell must have a pixel, got {cell}");
        self.cell = Some(cell);
        self
    }

    /// Puts the names and colours of the classes below the pictures.
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

    /// Adds a picture: along the row, then on the next one.
    ///
    /// # Panics
    ///
    /// Panics if the picture is empty.
    pub fn with_picture(mut self, picture: Picture) -> Self {
        assert!(
            size_of(&picture.image).pixels() > 0,
            "picture `{}` is empty",
            picture.title
        );
        self.pictures.push(picture);
        self
    }

    /// Draws the panel.
    ///
    /// # Panics
    ///
    /// Panics if no picture was added.
    pub fn render(&self) -> RgbImage {
        let layout = Layout::new(self);
        let legend = self
            .legend
            .as_ref()
            .map(|(names, palette)| legend(names, palette, layout.inner(), layout.title.size));
        let below = legend
            .as_ref()
            .map_or(0, |strip| strip.height() + layout.margin);
        let [width, height] = [layout.inner() + 2 * layout.margin, layout.bottom() + below];
        let mut sheet = RgbImage::from_pixel(width, height, Rgb(PAPER));

        if !self.heading.is_empty() {
            let text = layout.heading.shorten(&self.heading, layout.inner());
            layout.heading.draw(&mut sheet, [layout.margin; 2], &text);
        }
        for (i, picture) in self.pictures.iter().enumerate() {
            layout.draw_picture(&mut sheet, i, picture);
        }
        if let Some(strip) = legend {
            let top = layout.bottom();
            imageops::replace(&mut sheet, &strip, layout.margin.into(), top.into());
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

/// The place of each part on a panel.
struct Layout {
    /// Width and height of a picture.
    cell: [u32; 2],
    margin: u32,
    columns: usize,
    heading: TextStyle,
    title: TextStyle,
    caption: TextStyle,
    /// The lines below each picture.
    captions: Vec<Vec<String>>,
    /// Top of each row of pictures, and where the last row ends.
    tops: Vec<u32>,
}

impl Layout {
    fn new(panel: &Panel) -> Self {
        let sizes = || panel.pictures.iter().map(|picture| size_of(&picture.image));
        let largest =
            sizes().reduce(|a, b| Size::new(a.height.max(b.height), a.width.max(b.width)));
        let cell = panel.cell.or(largest).expect("a panel needs a picture");
        let cell = [cell.width, cell.height].map(|side| side as u32);
        let [text, margin] = if cell[0] < 240 { [13, 8] } else { [19, 14] };
        let columns = panel.pictures.len().min(panel.columns as usize);
        let heading = TextStyle::new(text * 5 / 4, INK);
        let title = TextStyle::new(text, INK);
        let caption = TextStyle::new(text, MUTED);
        let captions: Vec<Vec<String>> = panel
            .pictures
            .iter()
            .map(|picture| caption.wrap(&picture.caption, cell[0]))
            .collect();

        let mut top = margin;
        if !panel.heading.is_empty() {
            top += heading.line() + margin / 2;
        }
        let mut tops = vec![top];
        for row in captions.chunks(columns) {
            // The longest caption determines the height of a row.
            let lines = row.iter().map(Vec::len).max().unwrap_or(0) as u32;
            top += title.line() + cell[1] + lines * caption.line() + margin;
            tops.push(top);
        }
        Self {
            cell,
            margin,
            columns,
            heading,
            title,
            caption,
            captions,
            tops,
        }
    }

    /// Columns of pixels between the two outer margins.
    fn inner(&self) -> u32 {
        let columns = self.columns as u32;
        columns * self.cell[0] + (columns - 1) * self.margin
    }

    /// The first row of pixels below the pictures.
    fn bottom(&self) -> u32 {
        self.tops[self.tops.len() - 1]
    }

    /// Draws picture `i` with its title and caption.
    fn draw_picture(&self, sheet: &mut RgbImage, i: usize, picture: &Picture) {
        let [width, height] = self.cell;
        let column = (i % self.columns) as u32;
        let left = self.margin + column * (width + self.margin);
        let top = self.tops[i / self.columns];
        let title = self.title.shorten(&picture.title, width);
        self.title.draw(sheet, [left, top], &title);

        let top = top + self.title.line();
        let [w, h] = fitted(&picture.image, self.cell);
        let filter = match picture.scaling {
            Scaling::Nearest => FilterType::Nearest,
            Scaling::Bilinear => FilterType::Triangle,
        };
        let image = imageops::resize(&picture.image, w, h, filter);
        let [x, y] = [left + (width - w) / 2, top + (height - h) / 2];
        imageops::replace(sheet, &image, x.into(), y.into());
        // The frame lies around the picture and covers none of it.
        frame(sheet, [left - 1, top - 1], [width + 2, height + 2], RULE);

        for (line, text) in (0..).zip(&self.captions[i]) {
            let y = top + height + line * self.caption.line() + self.margin / 4;
            self.caption.draw(sheet, [left, y], text);
        }
    }
}

/// The width and height of `image` in its cell. The picture fills the cell, unless that distorts it visibly; then it
/// keeps its shape. Small distortions are allowed because a feature map of few pixels seldom has exactly the shape of
/// its image, and should cover the same area.
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

    const RED: [u8; 3] = [200, 0, 0];

    fn plain(width: u32, height: u32, color: [u8; 3]) -> RgbImage {
        RgbImage::from_pixel(width, height, Rgb(color))
    }

    fn count(image: &RgbImage, color: [u8; 3]) -> usize {
        image.pixels().filter(|pixel| pixel.0 == color).count()
    }

    #[test]
    fn pictures_share_a_size() {
        let (green, blue) = ([0, 200, 0], [0, 0, 200]);
        let panel = Panel::new(2)
            .with_picture(Picture::new("large", plain(60, 40, RED)))
            .with_picture(Picture::of_labels("small", plain(6, 4, green)))
            .with_picture(Picture::new("next row", plain(7, 4, blue)));

        let sheet = panel.render();

        // Margins of 8, titles of 15.
        assert_eq!(sheet.dimensions(), (2 * 60 + 24, 8 + 2 * (15 + 40 + 8)));
        for (color, x, y) in [(RED, 8, 23), (green, 76, 23), (blue, 8, 86)] {
            assert_eq!(count(&sheet, color), 60 * 40);
            assert_eq!(sheet.get_pixel(x, y).0, color);
        }
        assert_eq!(sheet.get_pixel(7, 23).0, RULE);
        let titles = sheet.rows().take(22).flatten();
        assert!(titles.filter(|pixel| pixel.0[0] < 100).count() > 30);
    }

    #[test]
    fn colours_of_classes_are_not_mixed() {
        let halves = RgbImage::from_fn(2, 1, |x, _| Rgb([255 * x as u8; 3]));
        let colors = |picture: Picture| {
            let panel = Panel::new(1).with_cell(Size::new(30, 60));
            let sheet = panel.with_picture(picture).render();
            count(&sheet, [0; 3])
        };

        assert_eq!(colors(Picture::of_labels("", halves.clone())), 30 * 30);
        assert!(colors(Picture::new("", halves)) < 25 * 30);
    }

    #[test]
    fn another_shape_is_kept_and_centred() {
        let cell = |width, height| fitted(&RgbImage::new(width, height), [160, 100]);
        assert_eq!(cell(13, 9), [160, 100], "a coarse map covers its image");
        assert_eq!(cell(50, 50), [100, 100]);
        assert_eq!(cell(1000, 100), [160, 16]);
        assert_eq!(cell(1, 10_000), [1, 100]);

        let sheet = Panel::new(1)
            .with_cell(Size::new(100, 160))
            .with_picture(Picture::new("", plain(5, 5, RED)))
            .render();
        assert_eq!(count(&sheet, RED), 100 * 100);
        assert_eq!(sheet.get_pixel(8 + 29, 50).0, PAPER);
        assert_eq!(sheet.get_pixel(8 + 30, 50).0, RED);
    }

    #[test]
    fn captions_headings_and_legends_take_room() {
        let picture = || Picture::new("a", plain(200, 30, RED));
        let bare = Panel::new(3).with_picture(picture());
        let height = |panel: &Panel| panel.render().height();
        let base = height(&bare);

        let caption = "a caption that needs two lines of this narrow cell";
        let captioned = Panel::new(3).with_picture(picture().with_caption(caption));
        assert_eq!(height(&captioned), base + 2 * 15);
        assert_eq!(height(&bare.clone().with_heading("Heading")), base + 23);
        let palette = Palette::new([[1, 2, 3], [0, 200, 0], [0, 0, 200]]);
        let legend = bare.with_legend(&["road", "sky", "car"], &palette).render();
        assert_eq!(legend.height(), base + 15 + 8);
        for color in palette.colors() {
            assert!(count(&legend, *color) > 50);
        }
    }

    #[test]
    fn a_panel_is_saved() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("panel.png");
        let panel = Panel::new(1).with_picture(Picture::new("a", plain(20, 10, RED)));

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
        let _ = Panel::new(2).with_picture(Picture::new("none", RgbImage::new(0, 5)));
    }

    #[test]
    #[should_panic(expected = "a panel needs a column, got 0")]
    fn no_column_panics() {
        Panel::new(0);
    }
}
