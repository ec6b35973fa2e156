//! Flow fields as arrows.

use image::RgbImage;

use crate::canvas::{Strokes, disc};
use crate::check::assert_planes;
use crate::flow::known;

/// How a vector is drawn by [`FlowArrows`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrowForm {
    /// An arrow from the displaced point to the grid point: the way a warp carries the feature.
    Arrow,
    /// A line to the displaced point with a dot on the grid point.
    Point,
}

/// Draws a flow field as arrows on a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowArrows {
    /// Arrow or line with a dot.
    pub form: ArrowForm,
    /// Pixels of the picture between grid points; the first lies at half of it.
    pub step: u32,
    /// Pixels of the picture that one unit of flow is drawn long.
    pub scale: f32,
    /// Colour of the lines.
    pub color: [u8; 3],
    /// Thickness of the lines in pixels.
    pub thickness: f32,
    /// Length of the arrow's tip as a fraction of its length.
    pub tip: f32,
}

impl Default for FlowArrows {
    /// The reference's arrows: blue, 2 pixels thick, every 32 pixels, one pixel long per unit of flow.
    fn default() -> Self {
        Self {
            form: ArrowForm::Arrow,
            step: 32,
            scale: 1.0,
            color: [0, 0, 255],
            thickness: 2.0,
            tip: 0.2,
        }
    }
}

impl FlowArrows {
    /// The reference's other form: green lines with dots, not scaled.
    pub fn points() -> Self {
        Self {
            form: ArrowForm::Point,
            color: [0, 255, 0],
            ..Self::default()
        }
    }

    /// Draws `flow`, `[2, height, width]`, over `image`, which may have another size: each grid point takes the
    /// nearest vector. Unknown vectors (see [`flow_color_wheel`](crate::flow_color_wheel)) are left out.
    ///
    /// # Panics
    ///
    /// Panics if `flow` has another length, or the step is 0.
    pub fn draw(&self, image: &mut RgbImage, flow: &[f32], width: usize, height: usize) {
        assert_planes("flow", flow.len(), 2, width, height);
        assert!(self.step > 0, "the step must be at least 1, got 0");
        let (us, vs) = flow.split_at(width * height);
        let (columns, rows) = image.dimensions();
        let nearest = |pixel: u32, side: u32, cells: usize| {
            (2 * u64::from(pixel) + 1) * cells as u64 / (2 * u64::from(side))
        };

        let step = self.step as usize;
        for y in (self.step / 2..rows).step_by(step) {
            for x in (self.step / 2..columns).step_by(step) {
                let cell =
                    nearest(y, rows, height) as usize * width + nearest(x, columns, width) as usize;
                let Some([u, v]) = known(us[cell], vs[cell]) else {
                    continue;
                };
                let grid = [x as f32, y as f32];
                let displaced = [
                    grid[0] + self.scale * u as f32,
                    grid[1] + self.scale * v as f32,
                ];
                self.draw_vector(image, grid, displaced);
            }
        }
    }

    fn draw_vector(&self, image: &mut RgbImage, grid: [f32; 2], displaced: [f32; 2]) {
        let mut segments = vec![[displaced, grid]];
        if self.form == ArrowForm::Arrow {
            // The two strokes of the tip stand at 45 degrees on the shaft.
            let back = [displaced[0] - grid[0], displaced[1] - grid[1]]
                .map(|d| d * self.tip * std::f32::consts::FRAC_1_SQRT_2);
            let ends = [
                [back[0] - back[1], back[1] + back[0]],
                [back[0] + back[1], back[1] - back[0]],
            ];
            segments.extend(ends.map(|end| [grid, [grid[0] + end[0], grid[1] + end[1]]]));
        }
        Strokes {
            image,
            thickness: self.thickness,
            color: self.color,
            opacity: 1.0,
        }
        .draw(&segments);
        if self.form == ArrowForm::Point {
            disc(image, grid, self.thickness, self.color);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank(width: u32, height: u32) -> RgbImage {
        RgbImage::from_pixel(width, height, image::Rgb([255; 3]))
    }

    fn painted(image: &RgbImage) -> Vec<(u32, u32)> {
        image
            .enumerate_pixels()
            .filter(|(_, _, pixel)| pixel.0 != [255; 3])
            .map(|(x, y, _)| (x, y))
            .collect()
    }

    #[test]
    fn arrows_stand_on_the_grid() {
        let mut image = blank(96, 64);
        // One cell of the map per 32 pixels; only the middle of the upper row moves.
        let mut flow = [0.0; 12];
        flow[1] = 10.0;

        FlowArrows::default().draw(&mut image, &flow, 3, 2);

        assert_eq!(image.get_pixel(48, 16).0, [0, 0, 255]);
        assert_eq!(image.get_pixel(58, 16).0, [0, 0, 255], "ends 10 right");
        assert_eq!(image.get_pixel(38, 16).0, [255; 3]);
        assert_eq!(image.get_pixel(16, 48).0, [0, 0, 255], "zero is a dot");
        // The tip is at the grid point: more is painted left of the middle.
        let arrow: Vec<_> = painted(&image)
            .into_iter()
            .filter(|&(x, y)| (40..64).contains(&x) && y < 32)
            .collect();
        let left = arrow.iter().filter(|&&(x, _)| x < 53).count();
        assert!(2 * left > arrow.len(), "{left} of {}", arrow.len());
    }

    #[test]
    fn points_and_wild_vectors() {
        let mut image = blank(64, 32);
        FlowArrows::points().draw(&mut image, &[0.0, f32::NAN, 0.0, 0.0], 2, 1);
        assert_eq!(image.get_pixel(16, 16).0, [0, 255, 0]);
        assert!(painted(&image).iter().all(|&(x, _)| x < 32));

        let arrows = FlowArrows {
            scale: f32::MAX,
            ..FlowArrows::default()
        };
        arrows.draw(&mut image, &[1e6, 1.0, 1.0, 1e6], 2, 1);
    }
}
