use decoupled_seg_datasets::{IGNORE_LABEL, LabelMap};
use decoupled_seg_types::Size;
use image::RgbImage;

pub(super) type Color = [f32; 3];

/// An unfinished picture: the light of each pixel, in `0..=255` but not clipped, and the label of the visible object.
pub(super) struct Canvas {
    pub width: i32,
    pub height: i32,
    light: Vec<Color>,
    labels: Vec<u8>,
}

impl Canvas {
    pub(super) fn new(size: Size) -> Self {
        Self {
            width: size.width as i32,
            height: size.height as i32,
            light: vec![[0.0; 3]; size.pixels()],
            labels: vec![IGNORE_LABEL; size.pixels()],
        }
    }

    fn at(&self, x: i32, y: i32) -> Option<usize> {
        let inside = (0..self.width).contains(&x) && (0..self.height).contains(&y);
        inside.then(|| y as usize * self.width as usize + x as usize)
    }

    /// Covers a pixel. Pixels outside the picture are left out.
    pub(super) fn paint(&mut self, x: i32, y: i32, label: u8, color: Color) {
        if let Some(at) = self.at(x, y) {
            self.light[at] = color;
            self.labels[at] = label;
        }
    }

    /// Covers a pixel with a colour that lets a share of the background through.
    pub(super) fn glaze(&mut self, x: i32, y: i32, label: u8, color: Color, through: f32) {
        if let Some(at) = self.at(x, y) {
            let behind = self.light[at];
            self.light[at] = std::array::from_fn(|i| color[i] + through * (behind[i] - color[i]));
            self.labels[at] = label;
        }
    }

    /// Darkens a pixel; its label stays.
    pub(super) fn shade(&mut self, x: i32, y: i32, factor: f32) {
        if let Some(at) = self.at(x, y) {
            self.light[at] = self.light[at].map(|value| value * factor);
        }
    }

    pub(super) fn label(&self, x: i32, y: i32) -> Option<u8> {
        self.at(x, y).map(|at| self.labels[at])
    }

    /// Calls `inside` with the centre of every pixel that has its centre in a box.
    pub(super) fn each_in(
        &mut self,
        [left, top, right, bottom]: [f32; 4],
        mut inside: impl FnMut(&mut Self, i32, i32, f32, f32),
    ) {
        let range = |from: f32, to: f32, length: i32| {
            let first = (from - 0.5).ceil().clamp(0.0, length as f32) as i32;
            first..((to - 0.5).ceil().clamp(0.0, length as f32) as i32)
        };
        let columns = range(left, right, self.width);
        for y in range(top, bottom, self.height) {
            for x in columns.clone() {
                inside(self, x, y, x as f32 + 0.5, y as f32 + 0.5);
            }
        }
    }

    /// Returns the labels, and the picture under a light: a factor for each channel and pixel.
    pub(super) fn finish(
        self,
        mut lit: impl FnMut(i32, i32, Color) -> Color,
    ) -> (RgbImage, LabelMap) {
        let (width, height) = (self.width as usize, self.height as usize);
        let mut bytes = Vec::with_capacity(3 * width * height);
        for (at, &light) in self.light.iter().enumerate() {
            let color = lit((at % width) as i32, (at / width) as i32, light);
            // `as` clips to `0..=255`.
            bytes.extend(color.map(|value| (value + 0.5) as u8));
        }
        let image = RgbImage::from_raw(self.width as u32, self.height as u32, bytes);
        (
            image.expect("three bytes a pixel"),
            LabelMap::new(Size::new(height, width), self.labels),
        )
    }
}
