//! The layout of a chart, the same for SVG and pixels.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::{Chart, Curve};
use crate::theme::{AXIS, INK, MUTED, PAPER, RULE};

/// Positions to a pixel. plotters places things on whole numbers only, which would leave curves jagged.
pub(super) const UNIT: i32 = 4;

type Drawn<DB> = Result<(), DrawingAreaErrorKind<<DB as DrawingBackend>::ErrorType>>;

/// Sizes that follow the chart's width, in positions.
struct Sizes {
    text: i32,
    line: i32,
    margin: i32,
}

impl Chart {
    /// Draws title, legend, axes and curves.
    pub(super) fn draw<DB: DrawingBackend>(&self, root: &DrawingArea<DB, Shift>) -> Drawn<DB> {
        let [text, line, margin] = if self.size[0] < 640 {
            [11, 14, 10]
        } else {
            [18, 24, 20]
        }
        .map(|pixels| pixels * UNIT);
        let sizes = Sizes { text, line, margin };

        root.fill(&rgb(PAPER))?;
        let mut top = margin;
        if !self.title.is_empty() {
            let font = ("sans-serif", text, FontStyle::Bold).into_font();
            root.draw_text(&self.title, &style(font.color(&rgb(INK))), (margin, top))?;
            top += line;
        }
        let top = self.draw_legend(root, &sizes, top)?;
        self.draw_plot(root, &sizes, top)?;
        root.present()
    }

    /// Draws the names of the curves in rows from `top` on; returns where they end.
    fn draw_legend<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, Shift>,
        sizes: &Sizes,
        mut top: i32,
    ) -> Result<i32, DrawingAreaErrorKind<DB::ErrorType>> {
        let Sizes { text, line, margin } = *sizes;
        let named = |curve: &Curve| !curve.name.is_empty();
        if !self.curves.iter().any(named) {
            return Ok(top);
        }
        let font = style(("sans-serif", text).into_font().color(&rgb(INK)));
        let right = self.size[0] as i32 * UNIT - margin;
        let (sample, gap) = (text * 5 / 4, text / 2);
        let mut left = margin;
        let entries = self.curves.iter().zip(self.colors());
        for (curve, color) in entries.filter(|(curve, _)| named(curve)) {
            let width = root.estimate_text_size(&curve.name, &font)?.0 as i32;
            // In an SVG the width is a guess; a wider font must not run into the next entry.
            let entry = sample + gap + width + width / 8;
            if left > margin && left + entry > right {
                left = margin;
                top += line;
            }
            let middle = top + text / 3;
            let ends = vec![(left, middle), (left + sample, middle)];
            root.draw(&PathElement::new(ends, stroke(color, 1.0, 12)))?;
            root.draw_text(&curve.name, &font, (left + sample + gap, top))?;
            left += entry + text;
        }
        Ok(top + line)
    }

    /// Draws axes and curves below `top`.
    fn draw_plot<DB: DrawingBackend>(
        &self,
        root: &DrawingArea<DB, Shift>,
        sizes: &Sizes,
        top: i32,
    ) -> Drawn<DB> {
        let Sizes { text, line, margin } = *sizes;
        let [width, height] = self.size.map(|side| side as i32 * UNIT);
        let most = |length: i32, room: i32| (length / room).clamp(2, 10) as usize;
        let points = || {
            let points = self.curves.iter().flat_map(|curve| &curve.points);
            points.filter(|point| point.iter().all(|v| v.is_finite()))
        };
        let bounds = self.y_bounds.into_iter().flatten();
        let x_axis = Axis::over(points().map(|p| p[0]), most(width, 5 * text), false);
        let y_axis = Axis::over(
            points().map(|p| p[1]).chain(bounds),
            most(height - top, 3 * text),
            true,
        );

        let muted = style(("sans-serif", text).into_font().color(&rgb(MUTED)));
        let mut widest = 0;
        for tick in &y_axis.ticks {
            let size = root.estimate_text_size(&y_axis.label(*tick), &muted)?;
            widest = widest.max(size.0 as i32);
        }
        let [x_name, y_name] = &self.axes;
        let named = |name: &String| if name.is_empty() { 0 } else { line };
        let tick = text / 3;
        let left = margin + named(y_name) + widest + 2 * tick;
        let bottom = height - margin - named(x_name) - line;
        // Room for half of the last number.
        let right = width - margin - text;
        let top = top + text / 2;

        let place = |share: f64, from: i32, to: i32| {
            (f64::from(from) + share * f64::from(to - from)).round() as i32
        };
        let place_y = |value: f64| place(y_axis.share(value), bottom, top);
        let place_x = |value: f64| place(x_axis.share(value), left, right);
        for value in &y_axis.ticks {
            let y = place_y(*value);
            let ends = vec![(left, y), (right, y)];
            root.draw(&PathElement::new(ends, stroke(RULE, 1.0, 4)))?;
            let held = muted.pos(Pos::new(HPos::Right, VPos::Center));
            root.draw_text(&y_axis.label(*value), &held, (left - 2 * tick, y))?;
        }
        for value in &x_axis.ticks {
            let x = place_x(*value);
            let ends = vec![(x, bottom), (x, bottom + tick)];
            root.draw(&PathElement::new(ends, stroke(AXIS, 1.0, 4)))?;
            let held = muted.pos(Pos::new(HPos::Center, VPos::Top));
            root.draw_text(&x_axis.label(*value), &held, (x, bottom + 2 * tick))?;
        }
        for ends in [
            vec![(left, bottom), (right, bottom)],
            vec![(left, top), (left, bottom)],
        ] {
            root.draw(&PathElement::new(ends, stroke(AXIS, 1.0, 4)))?;
        }
        let held = muted.pos(Pos::new(HPos::Center, VPos::Bottom));
        root.draw_text(x_name, &held, ((left + right) / 2, height - margin))?;
        let turned = muted
            .transform(FontTransform::Rotate270)
            .pos(Pos::new(HPos::Center, VPos::Top));
        root.draw_text(y_name, &turned, (margin, (top + bottom) / 2))?;

        let plot = root
            .clone()
            .shrink((left, top), (right - left, bottom - top));
        // In shares of the axes: plotters' own arithmetic overflows on extreme values.
        let mut plot = ChartBuilder::on(&plot).build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        let columns = ((right - left) / UNIT) as usize;
        for (curve, color) in self.curves.iter().zip(self.colors()) {
            let mut draw = |points: &[[f64; 2]], opacity: f64, thickness: u32| {
                for run in points.split(|point| !point.iter().all(|v| v.is_finite())) {
                    let run = run.iter().map(|&[x, y]| (x_axis.share(x), y_axis.share(y)));
                    let run = thin(run.collect(), columns);
                    let style = stroke(color, opacity, thickness);
                    if let [point] = run[..] {
                        let dot = Circle::new(point, 10, rgb(color).filled());
                        plot.draw_series([dot])?;
                    } else {
                        plot.draw_series(LineSeries::new(run, style))?;
                    }
                }
                Ok(())
            };
            match curve.smoothing {
                None => draw(&curve.points, 1.0, 9)?,
                Some(weight) => {
                    draw(&curve.points, 0.25, 5)?;
                    draw(&smoothed(&curve.points, weight), 1.0, 9)?;
                }
            }
        }
        Ok(())
    }
}

/// The running mean of the finite points; the others stay and break the line.
fn smoothed(points: &[[f64; 2]], weight: f64) -> Vec<[f64; 2]> {
    let (mut mean, mut sum) = (0.0, 0.0);
    points
        .iter()
        .map(|&[x, y]| {
            if !y.is_finite() {
                return [x, y];
            }
            mean = weight * mean + (1.0 - weight) * y;
            sum = weight * sum + (1.0 - weight);
            [x, mean / sum]
        })
        .collect()
}

/// At most four points a column: the first, the lowest, the highest and the last show what all of them would.
fn thin(points: Vec<(f64, f64)>, columns: usize) -> Vec<(f64, f64)> {
    if points.len() <= 4 * columns {
        return points;
    }
    let column = |point: &(f64, f64)| (point.0 * columns as f64) as usize;
    let mut kept = Vec::with_capacity(4 * columns);
    for group in points.chunk_by(|a, b| column(a) == column(b)) {
        let by_height = |&a: &usize, &b: &usize| f64::total_cmp(&group[a].1, &group[b].1);
        let lowest = (0..group.len()).min_by(by_height).unwrap_or(0);
        let highest = (0..group.len()).max_by(by_height).unwrap_or(0);
        let mut chosen = vec![0, lowest, highest, group.len() - 1];
        chosen.sort_unstable();
        chosen.dedup();
        kept.extend(chosen.into_iter().map(|i| group[i]));
    }
    kept
}

fn rgb([r, g, b]: [u8; 3]) -> RGBColor {
    RGBColor(r, g, b)
}

fn style(style: TextStyle<'_>) -> TextStyle<'_> {
    style.pos(Pos::new(HPos::Left, VPos::Top))
}

fn stroke(color: [u8; 3], opacity: f64, thickness: u32) -> ShapeStyle {
    rgb(color).mix(opacity).stroke_width(thickness)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_mean_starts_at_the_first_value() {
        let points = [[0.0, 4.0], [1.0, f64::NAN], [2.0, 8.0]];

        let smooth = smoothed(&points, 0.5);

        assert_eq!(smooth[0], [0.0, 4.0]);
        assert!(smooth[1][1].is_nan());
        // (4 / 4 + 8 / 2) / (1 / 4 + 1 / 2)
        assert!((smooth[2][1] - 20.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn thinning_keeps_peaks() {
        let mut points: Vec<(f64, f64)> =
            (0..10_000).map(|i| (f64::from(i) / 9999.0, 0.5)).collect();
        points[4321].1 = 1.0;
        points[4322].1 = 0.0;
        let (high, low) = (points[4321], points[4322]);

        let thin = thin(points, 100);

        assert!(thin.len() <= 404, "{}", thin.len());
        assert!(thin.contains(&high) && thin.contains(&low));
        assert_eq!((thin[0].0, thin[thin.len() - 1].0), (0.0, 1.0));
        assert!(thin.is_sorted_by(|a, b| a.0 < b.0));
    }
}
