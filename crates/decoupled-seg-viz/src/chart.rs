//! Learning curves.

mod axis;
mod draw;
mod raster;

use std::path::Path;

use image::{Rgb, RgbImage};
use plotters::prelude::{IntoDrawingArea, SVGBackend};

use crate::VizError;
use crate::palette::{Palette, lightness};
use crate::save::{save_png, write_atomically};
use crate::theme::PAPER;
use draw::UNIT;
use raster::Raster;

/// A line of a [`Chart`].
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name in the chart's legend.
    pub name: String,
    /// Points `[x, y]` in the order in which they are joined. Where a number is not finite the line is broken.
    pub points: Vec<[f64; 2]>,
    /// Weight of the past in the running mean that is drawn over the pale raw line; `None` draws the raw line only.
    pub smoothing: Option<f64>,
}

impl Curve {
    /// A line through `points`.
    pub fn new(name: impl Into<String>, points: impl Into<Vec<[f64; 2]>>) -> Self {
        Self {
            name: name.into(),
            points: points.into(),
            smoothing: None,
        }
    }

    /// A line through `values` at 0, 1, 2 and so on.
    pub fn of_values(name: impl Into<String>, values: impl IntoIterator<Item = f64>) -> Self {
        let points = values.into_iter().enumerate();
        let points: Vec<_> = points.map(|(i, value)| [i as f64, value]).collect();
        Self::new(name, points)
    }

    /// The same line with its exponential running mean, corrected for the start as Adam does.
    ///
    /// # Panics
    ///
    /// Panics if `weight` is not in `0..1`.
    pub fn with_smoothing(mut self, weight: f64) -> Self {
        assert!(
            (0.0..1.0).contains(&weight),
            "the weight of the past must be in 0..1, got {weight}"
        );
        self.smoothing = Some(weight);
        self
    }
}

/// Curves over a common axis, as SVG or as pixels.
///
/// ```
/// use decoupled_seg_viz::{Chart, Curve};
///
/// let chart = Chart::new("Loss")
///     .with_axes("epoch", "loss")
///     .with_size(640, 400)
///     .with_curve(Curve::of_values("train", [2.0, 1.1, 0.7]))
///     .with_curve(Curve::of_values("validation", [2.1, 1.4, 1.2]));
///
/// assert!(chart.svg().starts_with("<svg width=\"640\" height=\"400\""));
/// assert_eq!(chart.render().dimensions(), (640, 400));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    title: String,
    axes: [String; 2],
    curves: Vec<Curve>,
    size: [u32; 2],
    y_bounds: Option<[f64; 2]>,
}

impl Chart {
    /// A chart of 960x600 pixels without curves.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            axes: Default::default(),
            curves: Vec::new(),
            size: [960, 600],
            y_bounds: None,
        }
    }

    /// Names of the two axes, with their units.
    pub fn with_axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.axes = [x.into(), y.into()];
        self
    }

    /// The chart with one more curve. Each takes the next of a row of colours that stay apart for colour-blind readers.
    pub fn with_curve(mut self, curve: Curve) -> Self {
        self.curves.push(curve);
        self
    }

    /// Width and height in pixels; below a width of 640 the text is small.
    ///
    /// # Panics
    ///
    /// Panics below 200x150 and above 10000 pixels a side.
    pub fn with_size(mut self, width: u32, height: u32) -> Self {
        assert!(
            (200..=10_000).contains(&width) && (150..=10_000).contains(&height),
            "a chart must have 200x150 to 10000x10000 pixels, got {width}x{height}"
        );
        self.size = [width, height];
        self
    }

    /// Makes the vertical axis span at least `low` to `high`; without it, it spans the curves.
    ///
    /// # Panics
    ///
    /// Panics if the two do not rise or are not finite.
    pub fn with_y_bounds(mut self, low: f64, high: f64) -> Self {
        assert!(
            low < high && (high - low).is_finite(),
            "bounds must rise, got {low}..={high}"
        );
        self.y_bounds = Some([low, high]);
        self
    }

    /// The chart as an SVG document; text is left to the viewer's sans-serif font.
    pub fn svg(&self) -> String {
        let [width, height] = self.size.map(|side| side * UNIT as u32);
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
            self.draw(&root).expect("drawing into a string cannot fail");
        }
        // Positions are in fractions of a pixel (see `UNIT`); the size is told in pixels.
        let [w, h] = self.size;
        svg.replacen(
            &format!("width=\"{width}\" height=\"{height}\""),
            &format!("width=\"{w}\" height=\"{h}\" stroke-linejoin=\"round\""),
            1,
        )
    }

    /// The chart as pixels, with text in the built-in font.
    pub fn render(&self) -> RgbImage {
        let [width, height] = self.size;
        let mut image = RgbImage::from_pixel(width, height, Rgb(PAPER));
        {
            let root = Raster::new(&mut image, UNIT).into_drawing_area();
            self.draw(&root).expect("drawing into memory cannot fail");
        }
        image
    }

    /// Writes [`svg`](Self::svg) to a file, by way of a temporary file in the same folder.
    ///
    /// # Errors
    ///
    /// [`VizError::Io`], naming `path`.
    pub fn save_svg(&self, path: impl AsRef<Path>) -> Result<(), VizError> {
        write_atomically(path.as_ref(), self.svg().as_bytes())
    }

    /// Writes [`render`](Self::render) to a PNG file; see [`save_png`].
    ///
    /// # Errors
    ///
    /// As [`save_png`].
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<(), VizError> {
        save_png(&self.render(), path)
    }

    /// A colour per curve; those too pale for lines on white are passed over.
    fn colors(&self) -> Vec<[u8; 3]> {
        let dark: Vec<_> = Palette::distinct(48)
            .colors()
            .iter()
            .copied()
            .filter(|color| lightness(*color) < 75.0)
            .collect();
        dark.iter()
            .copied()
            .cycle()
            .take(self.curves.len())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        Chart::new("Loss of both nets")
            .with_axes("epoch", "loss")
            .with_size(500, 300)
            .with_curve(Curve::of_values("plain", [2.0, 1.0, 0.5, 0.4]))
            .with_curve(Curve::of_values(
                "with <body> & edge",
                [2.0, 0.9, f64::NAN, 0.3],
            ))
    }

    fn pixels_of(image: &RgbImage, color: [u8; 3]) -> usize {
        image.pixels().filter(|pixel| pixel.0 == color).count()
    }

    #[test]
    fn svg_names_everything_and_knows_its_size() {
        let svg = chart().svg();

        assert!(svg.starts_with("<svg width=\"500\" height=\"300\" stroke-linejoin"));
        assert!(svg.contains("viewBox=\"0 0 2000 1200\""));
        assert!(svg.trim_end().ends_with("</svg>"));
        for text in [
            "Loss of both nets",
            "epoch",
            "loss",
            "plain",
            "with &lt;body&gt; &amp; edge",
        ] {
            assert!(svg.contains(text), "{text}");
        }
    }

    #[test]
    fn pixels_show_each_curve_in_its_colour() {
        let chart = chart();

        let image = chart.render();

        assert_eq!(image.dimensions(), (500, 300));
        for color in chart.colors() {
            assert!(pixels_of(&image, color) > 50, "{color:?}");
        }
    }

    #[test]
    fn a_fall_is_drawn_falling() {
        let chart = Chart::new("")
            .with_size(400, 200)
            .with_curve(Curve::of_values("", [1.0, 0.0]));
        let image = chart.render();

        let color = chart.colors()[0];
        let ys: Vec<u32> = (100..360)
            .filter_map(|x| (40..200).find(|&y| image.get_pixel(x, y).0 == color))
            .collect();
        assert!(ys.len() > 200 && ys.is_sorted(), "{ys:?}");
    }

    #[test]
    fn smoothing_adds_a_line_and_pales_the_raw_one() {
        let values = (0..50).map(|i| f64::from(i % 2));
        let raw = Chart::new("").with_curve(Curve::of_values("a", values.clone()));
        let smooth = Chart::new("").with_curve(Curve::of_values("a", values).with_smoothing(0.9));

        let color = raw.colors()[0];
        let (raw, smooth) = (raw.render(), smooth.render());
        assert!(pixels_of(&raw, color) > 2 * pixels_of(&smooth, color));
        assert!(pixels_of(&smooth, color) > 500);
    }

    #[test]
    fn odd_curves_are_drawn_without_panic() {
        let odd: [&[f64]; 7] = [
            &[],
            &[1.0],
            &[f64::NAN, f64::INFINITY],
            &[3.0, 3.0, 3.0],
            &[f64::MAX, f64::MIN],
            &[1e-300, 2e-300],
            &[1e18, 1e18 + 256.0],
        ];
        for values in odd {
            let curve = Curve::of_values("odd", values.iter().copied());
            let chart = Chart::new("t").with_curve(curve).with_size(200, 150);
            assert_eq!(chart.render().dimensions(), (200, 150));
            assert!(chart.svg().contains("odd"));
        }
        assert_eq!(Chart::new("no curve").render().dimensions(), (960, 600));
    }

    #[test]
    fn a_long_curve_makes_a_short_file() {
        let values = (0..200_000).map(|i| f64::from(i).sin());

        let svg = Chart::new("")
            .with_curve(Curve::of_values("a", values))
            .svg();

        assert!(svg.len() < 100_000, "{} bytes", svg.len());
    }

    #[test]
    fn both_files_are_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [svg, png] = ["a.svg", "a.png"].map(|name| folder.path().join(name));

        chart().save_svg(&svg).expect("the folder is writable");
        chart().save_png(&png).expect("the folder is writable");

        let read = std::fs::read_to_string(svg).expect("just written");
        assert_eq!(read, chart().svg());
        let read = image::open(png).expect("just written").to_rgb8();
        assert_eq!(read, chart().render());
    }

    #[test]
    #[should_panic(expected = "the weight of the past must be in 0..1, got 1")]
    fn smoothing_without_the_present_panics() {
        Curve::of_values("a", []).with_smoothing(1.0);
    }

    #[test]
    #[should_panic(expected = "200x150 to 10000x10000 pixels, got 100x500")]
    fn a_tiny_chart_panics() {
        Chart::new("").with_size(100, 500);
    }

    #[test]
    #[should_panic(expected = "bounds must rise, got 1..=0")]
    fn falling_bounds_panic() {
        Chart::new("").with_y_bounds(1.0, 0.0);
    }
}
