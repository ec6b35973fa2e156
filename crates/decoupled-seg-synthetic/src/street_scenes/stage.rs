use decoupled_seg_types::Size;

use super::canvas::{Canvas, Color};
use super::dataset::label;
use super::layout::{Block, Fence, Layout};
use super::noise::Noise;

/// A layout seen through a pinhole camera.
pub(super) struct Stage<'a> {
    pub layout: &'a Layout,
    pub noise: Noise,
    /// Column of the vanishing point.
    pub center: f32,
    /// Row of the horizon.
    pub horizon: f32,
    /// Pixels that a metre spans at a depth of a metre.
    pub focal: f32,
}

impl<'a> Stage<'a> {
    pub(super) fn new(layout: &'a Layout, size: Size) -> Self {
        Self {
            layout,
            noise: Noise::new(layout.noise),
            center: layout.vanishing * size.width as f32,
            horizon: layout.horizon * size.height as f32,
            focal: 1.1 * size.height as f32,
        }
    }

    /// Pixels per metre at a depth.
    pub(super) fn scale(&self, depth: f32) -> f32 {
        self.focal / depth
    }

    /// Row of the ground at the depth where a metre has `scale` pixels.
    pub(super) fn ground(&self, scale: f32) -> f32 {
        self.horizon + self.layout.camera * scale
    }

    /// Paints the scene without its objects, from far to near.
    pub(super) fn paint(&self, canvas: &mut Canvas) {
        self.paint_sky(canvas);
        self.paint_skyline(canvas);
        self.paint_ground(canvas);
        for side in 0..2 {
            self.paint_facades(canvas, side);
            if let Some(fence) = &self.layout.fences[side] {
                self.paint_fence(canvas, side, fence);
            }
        }
    }

    fn paint_sky(&self, canvas: &mut Canvas) {
        let sky = &self.layout.sky;
        let noise = self.noise.layer(2);
        for y in 0..(self.horizon.ceil() as i32).min(canvas.height) {
            let share = y as f32 / self.horizon;
            for x in 0..canvas.width {
                let (u, v) = ((x as f32 - self.center) / self.focal, y as f32 / self.focal);
                let cloud = sky.clouds * noise.texture(7.0 * u, 18.0 * v);
                let color = std::array::from_fn(|i| {
                    sky.top[i] + share * (sky.bottom[i] - sky.top[i]) + cloud
                });
                canvas.paint(x, y, label::SKY, color);
            }
        }
    }

    /// Paints distant houses and trees, which nearer blocks hide later.
    fn paint_skyline(&self, canvas: &mut Canvas) {
        let (noise, grain) = (self.noise.layer(3), self.noise.layer(4));
        let base = self.ground(self.scale(90.0)).ceil() as i32;
        for x in 0..canvas.width {
            let u = (x as f32 - self.center) / self.focal;
            let house = noise.smooth(14.0 * u, 0.5) > 0.5;
            let ragged = if house {
                noise.white((u * 25.0).floor() as i32, 1)
            } else {
                noise.smooth(60.0 * u, 9.0)
            };
            let height = self.layout.skyline * self.focal * (0.3 + 0.7 * ragged);
            for y in ((self.horizon - height) as i32).max(0)..base {
                let v = y as f32 / self.focal;
                let texture = 40.0 * grain.texture(90.0 * u, 90.0 * v);
                let (label, color): (u8, Color) = if house {
                    (
                        label::BUILDING,
                        [135.0 + texture, 130.0 + texture, 128.0 + texture],
                    )
                } else {
                    (
                        label::VEGETATION,
                        [88.0 + texture, 108.0 + texture, 85.0 + texture],
                    )
                };
                canvas.paint(x, y, label, color);
            }
        }
    }

    fn paint_ground(&self, canvas: &mut Canvas) {
        let Layout {
            road,
            sidewalk,
            colors,
            lanes,
            grass,
            light,
            facade,
            ..
        } = self.layout;
        let (coarse, fine, edge) = (
            self.noise.layer(5),
            self.noise.layer(6),
            self.noise.layer(7),
        );
        let (side, reach, darkness) = light.shadow;
        let far = self.scale(90.0);
        for y in (self.horizon.floor() as i32).max(0)..canvas.height {
            let scale = (y as f32 + 0.5 - self.horizon) / self.layout.camera;
            if scale < far {
                continue;
            }
            let depth = self.focal / scale;
            for x in 0..canvas.width {
                let across = (x as f32 + 0.5 - self.center) / scale;
                let texture = 46.0 * coarse.texture(0.9 * across, 0.35 * depth)
                    + 24.0 * fine.texture(9.0 * across, 3.0 * depth);
                let lay = |color: Color| color.map(|value| value + texture);
                let on_road = (road[0]..road[1]).contains(&across);
                let on_sidewalk = (sidewalk[0]..sidewalk[1]).contains(&across);
                let (label, mut color) = if on_road {
                    let marked =
                        lanes.iter().any(|lane| (across - lane).abs() < 0.09) && depth % 6.0 < 3.2;
                    (
                        label::ROAD,
                        if marked {
                            lay(colors.marking)
                        } else {
                            lay(colors.road)
                        },
                    )
                } else if on_sidewalk || !grass[usize::from(across > 0.0)] {
                    let kerb = (across - road[0]).abs().min((across - road[1]).abs()) < 0.18;
                    let joint = (across / 0.9).rem_euclid(1.0) < 0.07
                        || (depth / 1.1).rem_euclid(1.0) < 0.07;
                    let shift = if kerb {
                        38.0
                    } else if joint {
                        -22.0
                    } else {
                        0.0
                    };
                    (
                        label::SIDEWALK,
                        lay(colors.sidewalk).map(|value| value + shift),
                    )
                } else {
                    let blade = 34.0 * fine.texture(25.0 * across, 9.0 * depth);
                    (
                        label::VEGETATION,
                        lay(colors.grass).map(|value| value + blade),
                    )
                };
                let from_facade = if side > 0.0 {
                    facade[1] - across
                } else {
                    across - facade[0]
                };
                if from_facade < reach + 1.5 * edge.smooth(0.4 * depth, 0.0) {
                    color = color.map(|value| value * darkness);
                }
                canvas.paint(x, y, label, color);
            }
        }
    }

    /// Calls `column` for each column of the picture that shows the vertical plane at `across`, with the pixels per
    /// metre there.
    fn each_column(
        &self,
        canvas: &mut Canvas,
        across: f32,
        mut column: impl FnMut(&mut Canvas, i32, f32),
    ) {
        for x in 0..canvas.width {
            let scale = (x as f32 + 0.5 - self.center) / across;
            if scale > 0.0 {
                column(canvas, x, scale);
            }
        }
    }

    fn paint_facades(&self, canvas: &mut Canvas, side: usize) {
        let noise = self.noise.layer(8 + side as u32);
        let sunny = (self.layout.light.shadow.0 > 0.0) == (side == 0);
        let lit = if sunny { 1.08 } else { 0.8 };
        self.each_column(canvas, self.layout.facade[side], |canvas, x, scale| {
            let depth = self.focal / scale;
            let Some(block) = self.layout.blocks[side]
                .iter()
                .find(|b| (b.depth[0]..b.depth[1]).contains(&depth))
            else {
                return;
            };
            let ground = self.ground(scale);
            let top = (ground - block.height * scale).max(0.0) as i32;
            for y in top..(ground.ceil() as i32).min(canvas.height) {
                let up = (ground - y as f32 - 0.5) / scale;
                let texture = 36.0 * noise.texture(1.3 * depth, 1.3 * up)
                    + 14.0 * noise.texture(8.0 * depth, 8.0 * up);
                let color = wall(block, depth, up).map(|value| (value + texture) * lit);
                canvas.paint(x, y, label::BUILDING, color);
            }
        });
    }

    fn paint_fence(&self, canvas: &mut Canvas, side: usize, fence: &Fence) {
        let across = self.layout.sidewalk[side] - if side == 0 { 0.1 } else { -0.1 };
        self.each_column(canvas, across, |canvas, x, scale| {
            let depth = self.focal / scale;
            if !(fence.depth[0]..fence.depth[1]).contains(&depth) {
                return;
            }
            let ground = self.ground(scale);
            let bar = (depth / fence.pitch).rem_euclid(1.0) < 0.35;
            for y in ((ground - fence.height * scale) as i32).max(0)
                ..(ground.ceil() as i32).min(canvas.height)
            {
                let up = (ground - y as f32 - 0.5) / scale / fence.height;
                let rail = !(0.12..0.88).contains(&up);
                canvas.glaze(
                    x,
                    y,
                    label::FENCE,
                    fence.color,
                    if bar || rail { 0.05 } else { 0.6 },
                );
            }
        });
    }
}

fn wall(block: &Block, depth: f32, up: f32) -> Color {
    let place = |at: f32, pitch: f32| (at / pitch).rem_euclid(1.0);
    let (along, above) = (
        place(depth - block.depth[0], block.pitch[0]),
        place(up, block.pitch[1]),
    );
    let window =
        (0.25..0.75).contains(&along) && (0.3..0.78).contains(&above) && up < block.height - 0.6;
    let ledge = above < 0.05;
    match (window, ledge) {
        (true, _) => block.window,
        (_, true) => block.wall.map(|value| value - 25.0),
        _ => block.wall,
    }
}
