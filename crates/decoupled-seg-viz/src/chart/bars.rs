use super::axis::Axis;
use super::svg::{Anchor, Stroke, Svg};
use super::{Plot, SIZE, TEXT, write_names};
use crate::theme::{CURVES, INK};

/// A bar of a [`BarChart`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bar {
    /// Its height.
    pub value: f64,
    /// Half the length of the line that shows the spread; 0 draws no line.
    pub deviation: f64,
}

/// Groups of bars as SVG. Each group has one bar of each colour. The axis starts at 0.
///
/// # Example
///
/// ```
/// use decoupled_seg_viz::{Bar, BarChart};
///
/// let bar = |value, deviation| Some(Bar { value, deviation });
/// let svg = BarChart::new("Boundary F", "%", ["1 px", "3 px"])
///     .with_bars("plain", [bar(40.3, 0.8), bar(61.0, 1.1)])
///     .with_bars("body and edge", [bar(45.1, 0.5), None])
///     .svg();
/// assert!(svg.contains("body and edge"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BarChart {
    title: String,
    y_name: String,
    groups: Vec<String>,
    series: Vec<(String, Vec<Option<Bar>>)>,
}

impl BarChart {
    /// A chart without bars.
    ///
    /// # Panics
    ///
    /// Panics if there are no groups.
    pub fn new<S: Into<String>>(
        title: impl Into<String>,
        y_name: impl Into<String>,
        groups: impl IntoIterator<Item = S>,
    ) -> Self {
        let groups: Vec<String> = groups.into_iter().map(Into::into).collect();
        assert!(!groups.is_empty(), "a bar chart needs a group, got none");
        Self {
            title: title.into(),
            y_name: y_name.into(),
            groups,
            series: Vec::new(),
        }
    }

    /// Adds a bar of the next colour to each group; `None` leaves its place empty.
    ///
    /// # Panics
    ///
    /// Panics if there is not one bar for each group.
    pub fn with_bars(
        mut self,
        name: impl Into<String>,
        bars: impl IntoIterator<Item = Option<Bar>>,
    ) -> Self {
        let bars: Vec<Option<Bar>> = bars.into_iter().collect();
        assert!(
            bars.len() == self.groups.len(),
            "there must be a bar for each of {} groups, got {}",
            self.groups.len(),
            bars.len()
        );
        self.series.push((name.into(), bars));
        self
    }

    /// The chart as an SVG document of 960x600 pixels; text is left to the sans-serif font of the viewer.
    pub fn svg(&self) -> String {
        let mut svg = Svg::new(SIZE, TEXT);
        let names = self.series.iter().map(|(name, _)| name.as_str());
        let top = write_names(&mut svg, &self.title, names);
        let bars = self.series.iter().flat_map(|(_, bars)| bars).flatten();
        let heights = bars.map(|bar| bar.value + bar.deviation);
        let y = Axis::over([0.0].into_iter().chain(heights), 8).rounded();
        let x = Axis::over([0.0, self.groups.len() as f64].into_iter(), 10);
        let axes = [String::new(), self.y_name.clone()];
        let plot = Plot::new(&axes, top, x, y);
        plot.write_frame(&mut svg, &axes);
        for (i, group) in self.groups.iter().enumerate() {
            let place = [plot.column(i as f64 + 0.5), plot.bottom + 1.2 * TEXT];
            svg.text(place, Anchor::Middle, INK, group);
        }

        // A fifth of a group is left free.
        let width = 0.8 / self.series.len().max(1) as f64;
        for (series, (_, bars)) in self.series.iter().enumerate() {
            for (group, bar) in bars.iter().enumerate() {
                let start = group as f64 + 0.1 + series as f64 * width;
                if let Some(bar) = bar.filter(|bar| (bar.value + bar.deviation).is_finite()) {
                    let color = CURVES[series % CURVES.len()];
                    plot.write_bar(&mut svg, [start, start + width], bar, color);
                }
            }
        }
        svg.finish()
    }
}

impl Plot {
    /// Draws a bar that spans `columns` of the horizontal axis.
    fn write_bar(&self, svg: &mut Svg, columns: [f64; 2], bar: Bar, color: [u8; 3]) {
        let [left, right] = columns.map(|x| self.column(x));
        let [zero, top] = [0.0, bar.value].map(|y| self.row(y));
        let corner = [left + 1.0, top.min(zero)];
        let size = [(right - left - 2.0).max(1.0), (zero - top).abs()];
        svg.rectangle(corner, size, color);
        if bar.deviation > 0.0 {
            let middle = (left + right) / 2.0;
            let ends = [bar.value - bar.deviation, bar.value + bar.deviation];
            let ends = ends.map(|y| [middle, self.row(y)]);
            svg.line(&ends, &Stroke::thin(INK));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bars(values: &[f64]) -> Vec<Option<Bar>> {
        let bar = |&value: &f64| {
            Some(Bar {
                value,
                deviation: 0.5,
            })
        };
        values.iter().map(bar).collect()
    }

    #[test]
    fn heights_follow_the_values() {
        let svg = BarChart::new("F", "%", ["1 px", "2 px"])
            .with_bars("plain", bars(&[20.0, 40.0]))
            .with_bars("module", [bars(&[30.0])[0], None])
            .svg();

        let height = |line: &str| -> f64 {
            let (_, rest) = line.split_once(" height=\"").expect("a height");
            rest.split('"')
                .next()
                .expect("a number")
                .parse()
                .expect("a number")
        };
        // The first rectangle is the page.
        let lines = svg.lines().filter(|line| line.starts_with("<rect x="));
        let heights: Vec<f64> = lines.map(height).collect();
        assert_eq!(heights.len(), 3);
        assert!((heights[1] / heights[0] - 2.0).abs() < 0.01, "{heights:?}");
        assert!((heights[2] / heights[0] - 1.5).abs() < 0.01, "{heights:?}");
        for text in ["1 px", "2 px", "plain", "module"] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}");
        }
    }

    #[test]
    fn odd_bars_are_drawn_without_panic() {
        let odd = [0.0, -3.0, f64::NAN, f64::INFINITY, f64::MAX];
        let svg = BarChart::new("", "", ["a"; 5])
            .with_bars("", bars(&odd))
            .svg();
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        BarChart::new("", "", ["a"]).svg();
    }

    #[test]
    #[should_panic(expected = "a bar for each of 2 groups, got 1")]
    fn a_missing_bar_panics() {
        let _ = BarChart::new("", "", ["a", "b"]).with_bars("", [None]);
    }
}
