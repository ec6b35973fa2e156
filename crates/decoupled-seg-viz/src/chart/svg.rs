//! The few elements of SVG that a chart needs.

use crate::theme::PAPER;

/// An SVG document that is being written.
pub(super) struct Svg {
    text: String,
    font_size: f64,
}

/// Which point of a text stands at the given place.
#[derive(Clone, Copy)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stroke {
    pub color: [u8; 3],
    pub width: f64,
    /// Lengths of dashes and gaps in turn; empty for an unbroken line.
    pub dashes: &'static str,
}

impl Svg {
    /// A blank page, with text of `font_size` pixels.
    pub fn new([width, height]: [f64; 2], font_size: f64) -> Self {
        let paper = hex(PAPER);
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"{font_size}\" \
             fill=\"none\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"{paper}\"/>\n"
        );
        Self { text, font_size }
    }

    /// Estimates the width of `text`: the viewer's font is not known here.
    pub fn width(&self, text: &str) -> f64 {
        0.6 * self.font_size * text.chars().count() as f64
    }

    /// Text whose base line is at `y`.
    pub fn text(&mut self, [x, y]: [f64; 2], anchor: Anchor, color: [u8; 3], text: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let place = format!("x=\"{x:.2}\" y=\"{y:.2}\" text-anchor=\"{anchor}\"");
        self.write_text(&place, color, text);
    }

    /// Bold text whose base line is at `y`.
    pub fn title(&mut self, [x, y]: [f64; 2], color: [u8; 3], text: &str) {
        let place = format!("x=\"{x:.2}\" y=\"{y:.2}\" font-weight=\"bold\"");
        self.write_text(&place, color, text);
    }

    /// Text that reads upwards, its middle at `y`, its base line at `x`.
    pub fn upwards(&mut self, [x, y]: [f64; 2], color: [u8; 3], text: &str) {
        let place =
            format!("transform=\"translate({x:.2} {y:.2}) rotate(-90)\" text-anchor=\"middle\"");
        self.write_text(&place, color, text);
    }

    fn write_text(&mut self, place: &str, color: [u8; 3], text: &str) {
        let (color, text) = (hex(color), escape(text));
        self.text += &format!("<text {place} fill=\"{color}\">{text}</text>\n");
    }

    /// A line through `points`.
    pub fn line(&mut self, points: &[[f64; 2]], stroke: &Stroke) {
        let points: Vec<String> = points
            .iter()
            .map(|[x, y]| format!("{x:.2},{y:.2}"))
            .collect();
        let dashes = match stroke.dashes {
            "" => String::new(),
            dashes => format!(" stroke-dasharray=\"{dashes}\""),
        };
        self.text += &format!(
            "<polyline points=\"{}\" stroke=\"{}\" stroke-width=\"{}\"{dashes}/>\n",
            points.join(" "),
            hex(stroke.color),
            stroke.width
        );
    }

    /// A filled rectangle from its upper left corner on.
    pub fn rectangle(&mut self, [x, y]: [f64; 2], [width, height]: [f64; 2], color: [u8; 3]) {
        self.text += &format!(
            "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{width:.2}\" height=\"{height:.2}\" fill=\"{}\"/>\n",
            hex(color)
        );
    }

    /// A dot somewhat thicker than the line.
    pub fn dot(&mut self, [x, y]: [f64; 2], stroke: &Stroke) {
        let (radius, color) = (1.3 * stroke.width, hex(stroke.color));
        self.text +=
            &format!("<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius}\" fill=\"{color}\"/>\n");
    }

    /// The whole document.
    pub fn finish(mut self) -> String {
        self.text += "</svg>\n";
        self.text
    }
}

/// A colour as `#rrggbb`.
pub(super) fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
