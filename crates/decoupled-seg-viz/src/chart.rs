//! Learning curves and bars.

mod axis;
mod bars;
mod svg;

use crate::theme::{CURVES, INK, MUTED, RULE};
use axis::Axis;
use svg::{Anchor, Stroke, Svg};

pub use bars::{Bar, BarChart};

/// Width and height of a chart.
const SIZE: [f64; 2] = [960.0, 600.0];
/// Height of the text.
const TEXT: f64 = 18.0;
/// From one line of text to the next.
const LINE: f64 = 26.0;
/// Free space around everything.
const MARGIN: f64 = 20.0;

/// A line of a [`Chart`].
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Its name in the legend of the chart.
    pub name: String,
    /// Points `[x, y]` in the order in which they are joined. A number that is not finite breaks the line.
    pub points: Vec<[f64; 2]>,
}

impl Curve {
    /// A line through `points`.
    pub fn new(name: impl Into<String>, points: impl Into<Vec<[f64; 2]>>) -> Self {
        Self {
            name: name.into(),
            points: points.into(),
        }
    }
}

/// Curves over a common axis, as SVG.
///
/// # Example
///
/// ```
/// use decoupled_seg_viz::{Chart, Curve};
///
/// let chart = Chart::new("Loss")
///     .with_axes("epoch", "loss")
///     .with_curve(Curve::new("train", [[1.0, 2.0], [2.0, 1.1], [3.0, 0.7]]))
///     .with_curve(Curve::new("validation", [[1.0, 2.1], [2.0, 1.4], [3.0, 1.2]]));
///
/// assert!(chart.svg().starts_with("<svg "));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    title: String,
    axes: [String; 2],
    curves: Vec<Curve>,
    y_bounds: Option<[f64; 2]>,
}

impl Chart {
    /// A chart without curves.
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            axes: Default::default(),
            curves: Vec::new(),
            y_bounds: None,
        }
    }

    /// Names the two axes, with their units.
    pub fn with_axes(mut self, x: impl Into<String>, y: impl Into<String>) -> Self {
        self.axes = [x.into(), y.into()];
        self
    }

    /// Adds a curve. Six colours that colour-blind readers can tell apart take turns; from the seventh curve on lines
    /// are dashed.
    pub fn with_curve(mut self, curve: Curve) -> Self {
        self.curves.push(curve);
        self
    }

    /// Makes the vertical axis span at least `low` to `high`; without it, the axis spans the curves.
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

    /// The chart as an SVG document of 960x600 pixels; text is left to the sans-serif font of the viewer.
    pub fn svg(&self) -> String {
        let mut svg = Svg::new(SIZE, TEXT);
        let names = self.curves.iter().map(|curve| curve.name.as_str());
        let top = write_names(&mut svg, &self.title, names);
        let finite = |point: &&[f64; 2]| point.iter().all(|value| value.is_finite());
        let points = self.curves.iter().flat_map(|curve| &curve.points);
        let points: Vec<&[f64; 2]> = points.filter(finite).collect();
        let ys = points.iter().map(|point| point[1]);
        let x = Axis::over(points.iter().map(|point| point[0]), 10);
        let y = Axis::over(ys.chain(self.y_bounds.into_iter().flatten()), 8).rounded();

        let plot = Plot::new(&self.axes, top, x, y);
        plot.write_frame(&mut svg, &self.axes);
        plot.write_columns(&mut svg);
        for (i, curve) in self.curves.iter().enumerate() {
            plot.write_curve(&mut svg, curve, &Stroke::of_curve(i));
        }
        svg.finish()
    }
}

/// Writes the title and, in rows below it, the names with samples of their lines; returns where they end.
fn write_names<'a>(svg: &mut Svg, title: &str, names: impl Iterator<Item = &'a str>) -> f64 {
    let mut top = MARGIN;
    if !title.is_empty() {
        svg.title([MARGIN, top + TEXT], INK, title);
        top += LINE;
    }
    let mut left = MARGIN;
    for (i, name) in names.enumerate() {
        let sample = 1.5 * TEXT;
        let width = sample + 2.0 * TEXT + svg.width(name);
        if left > MARGIN && left + width > SIZE[0] - MARGIN {
            left = MARGIN;
            top += LINE;
        }
        let middle = top + 0.65 * TEXT;
        let ends = [[left, middle], [left + sample, middle]];
        svg.line(&ends, &Stroke::of_curve(i));
        let corner = [left + sample + 0.5 * TEXT, top + TEXT];
        svg.text(corner, Anchor::Start, INK, name);
        left += width;
    }
    top + LINE
}

impl Stroke {
    /// The line of curve `i`.
    fn of_curve(i: usize) -> Self {
        const DASHES: [&str; 3] = ["", "9 5", "2 4"];
        Self {
            color: CURVES[i % CURVES.len()],
            width: 2.25,
            dashes: DASHES[i / CURVES.len() % DASHES.len()],
        }
    }

    /// A line of the grid.
    const fn thin(color: [u8; 3]) -> Self {
        Self {
            color,
            width: 1.0,
            dashes: "",
        }
    }
}

/// Where the curves are drawn, and the spans of the axes.
struct Plot {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    x: Axis,
    y: Axis,
}

impl Plot {
    /// A plot in the space below `top`, minus the space for the numbers and names of the axes.
    fn new([x_name, y_name]: &[String; 2], top: f64, x: Axis, y: Axis) -> Self {
        let longest = y.ticks().map(|tick| y.label(tick).len()).max().unwrap_or(0);
        let room = |name: &str| if name.is_empty() { 0.0 } else { LINE };
        Self {
            left: MARGIN + room(y_name) + 0.6 * TEXT * (longest + 1) as f64,
            right: SIZE[0] - MARGIN - TEXT,
            top: top + 0.5 * TEXT,
            bottom: SIZE[1] - MARGIN - room(x_name) - LINE,
            x,
            y,
        }
    }

    fn column(&self, x: f64) -> f64 {
        self.left + self.x.share(x) * (self.right - self.left)
    }

    fn row(&self, y: f64) -> f64 {
        self.bottom - self.y.share(y) * (self.bottom - self.top)
    }

    /// Draws the axes with their names, and the level lines of the grid with their numbers.
    fn write_frame(&self, svg: &mut Svg, [x_name, y_name]: &[String; 2]) {
        for tick in self.y.ticks() {
            let row = self.row(tick);
            svg.line(&[[self.left, row], [self.right, row]], &Stroke::thin(RULE));
            let place = [self.left - 0.5 * TEXT, row + 0.35 * TEXT];
            svg.text(place, Anchor::End, MUTED, &self.y.label(tick));
        }
        let corner = [self.left, self.bottom];
        svg.line(&[corner, [self.right, self.bottom]], &Stroke::thin(MUTED));
        svg.line(&[corner, [self.left, self.top]], &Stroke::thin(MUTED));

        let middle = [
            (self.left + self.right) / 2.0,
            (self.top + self.bottom) / 2.0,
        ];
        svg.text([middle[0], SIZE[1] - MARGIN], Anchor::Middle, MUTED, x_name);
        svg.upwards([MARGIN + 0.8 * TEXT, middle[1]], MUTED, y_name);
    }

    /// Writes the numbers below the horizontal axis.
    fn write_columns(&self, svg: &mut Svg) {
        for tick in self.x.ticks() {
            let column = self.column(tick);
            let ends = [[column, self.bottom], [column, self.bottom + 0.35 * TEXT]];
            svg.line(&ends, &Stroke::thin(MUTED));
            let place = [column, self.bottom + 1.4 * TEXT];
            svg.text(place, Anchor::Middle, MUTED, &self.x.label(tick));
        }
    }

    /// Draws a curve; a point between two gaps becomes a dot.
    fn write_curve(&self, svg: &mut Svg, curve: &Curve, stroke: &Stroke) {
        let broken = |point: &[f64; 2]| point.iter().any(|value| !value.is_finite());
        for run in curve.points.split(broken) {
            let run: Vec<_> = run
                .iter()
                .map(|&[x, y]| [self.column(x), self.row(y)])
                .collect();
            match run[..] {
                [] => {}
                [point] => svg.dot(point, stroke),
                _ => svg.line(&run, stroke),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(name: &str, values: &[f64]) -> Curve {
        let points = values.iter().enumerate();
        let points: Vec<_> = points.map(|(i, &value)| [i as f64, value]).collect();
        Curve::new(name, points)
    }

    /// The points of the lines that are drawn in the colour of curve `i`, without the sample in the legend.
    fn lines(svg: &str, i: usize) -> Vec<Vec<[f64; 2]>> {
        let color = Stroke::of_curve(i).color;
        let color = format!("stroke=\"{}\"", svg::hex(color));
        let lines = svg.lines().filter(|line| line.contains(&color)).skip(1);
        let number = |text: &str| text.parse().expect("a number");
        let point = |text: &str| {
            let (x, y) = text.split_once(',').expect("two numbers");
            [number(x), number(y)]
        };
        lines
            .map(|line| {
                let points = line.split('"').nth(1).expect("the points come first");
                points.split(' ').map(point).collect()
            })
            .collect()
    }

    #[test]
    fn everything_is_named_and_escaped() {
        let svg = Chart::new("Loss of both nets")
            .with_axes("epoch", "mean loss")
            .with_curve(curve("plain", &[2.0, 1.0, 0.5, 0.4]))
            .with_curve(curve("with <body> & edge", &[2.0, 0.9, 0.3]))
            .svg();

        assert!(svg.trim_end().ends_with("</svg>"));
        for text in [
            "Loss of both nets",
            "epoch",
            "mean loss",
            "plain",
            "with &lt;body&gt; &amp; edge",
        ] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}");
        }
    }

    #[test]
    fn a_fall_is_drawn_falling_and_gaps_stay_open() {
        let values = [1.0, 0.5, f64::NAN, 0.25, 0.0];
        let svg = Chart::new("").with_curve(curve("a", &values)).svg();

        let lines = lines(&svg, 0);

        let [first, second] = &lines[..] else {
            panic!("{lines:?}");
        };
        let all: Vec<[f64; 2]> = [&first[..], &second[..]].concat();
        assert_eq!(all.len(), 4);
        assert!(all.is_sorted_by(|a, b| a[0] < b[0] && a[1] < b[1]));
        // From the top of the plot to its bottom.
        assert!(all[0][1] < 100.0 && all[3][1] > 500.0, "{all:?}");
    }

    #[test]
    fn bounds_widen_the_axis() {
        let chart = Chart::new("").with_curve(curve("a", &[50.0, 51.0]));
        let rise = |chart: &Chart| {
            let line = &lines(&chart.svg(), 0)[0];
            line[0][1] - line[1][1]
        };

        let free = rise(&chart);
        let bounded = rise(&chart.with_y_bounds(0.0, 100.0));

        assert!(free > 400.0 && bounded < 6.0, "{free} {bounded}");
    }

    #[test]
    fn many_curves_stay_apart() {
        let strokes: Vec<Stroke> = (0..18).map(Stroke::of_curve).collect();

        for (i, stroke) in strokes.iter().enumerate() {
            assert!(!strokes[..i].contains(stroke), "{i}");
        }
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
            let svg = Chart::new("t").with_curve(curve("odd", values)).svg();
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{values:?}");
        }
        assert!(Chart::new("no curve").svg().contains("no curve"));
    }

    #[test]
    #[should_panic(expected = "bounds must rise, got 1..=0")]
    fn falling_bounds_panic() {
        let _ = Chart::new("").with_y_bounds(1.0, 0.0);
    }
}
