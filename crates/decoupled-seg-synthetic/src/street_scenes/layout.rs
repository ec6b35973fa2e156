use rand::{Rng, RngExt};

use super::canvas::Color;

/// A scene in metres, independent of resolution. `x` points to the right of the camera, `depth` forwards.
pub(super) struct Layout {
    /// Where the horizon lies, as a share of the height.
    pub horizon: f32,
    /// Where the road vanishes, as a share of the width.
    pub vanishing: f32,
    /// Height of the camera.
    pub camera: f32,
    pub road: [f32; 2],
    /// Outer borders of the sidewalks.
    pub sidewalk: [f32; 2],
    /// Where the facades stand.
    pub facade: [f32; 2],
    pub lanes: Vec<f32>,
    pub colors: GroundColors,
    /// The strip between sidewalk and facade, left and right: grass or pavement.
    pub grass: [bool; 2],
    pub blocks: [Vec<Block>; 2],
    pub fences: [Option<Fence>; 2],
    pub objects: Vec<Object>,
    pub sky: Sky,
    pub light: Light,
    pub skyline: f32,
    /// Share of the height that the camera's own car covers at the bottom; `None` for scenes without it.
    pub hood: Option<f32>,
    pub noise: u32,
}

pub(super) struct GroundColors {
    pub road: Color,
    pub sidewalk: Color,
    pub grass: Color,
    pub marking: Color,
}

pub(super) struct Sky {
    pub top: Color,
    pub bottom: Color,
    pub clouds: f32,
}

pub(super) struct Light {
    pub gain: Color,
    pub vignette: f32,
    pub grain: f32,
    pub blur: f64,
    /// The shadow on the ground: its side (-1 or 1), its reach in metres from that side's facade, and its darkness.
    pub shadow: (f32, f32, f32),
}

/// A house front along the road.
pub(super) struct Block {
    pub depth: [f32; 2],
    pub height: f32,
    pub wall: Color,
    pub window: Color,
    /// Distance between windows, along the front and upwards.
    pub pitch: [f32; 2],
}

pub(super) struct Fence {
    pub depth: [f32; 2],
    pub height: f32,
    pub pitch: f32,
    pub color: Color,
}

pub(super) struct Object {
    pub x: f32,
    pub depth: f32,
    pub kind: Kind,
    pub color: Color,
}

pub(super) enum Kind {
    Tree {
        height: f32,
        crown: f32,
        trunk: f32,
    },
    Bush {
        height: f32,
        width: f32,
    },
    Pole {
        height: f32,
        width: f32,
        arm: f32,
        sign: Option<Sign>,
    },
    Car {
        length: f32,
        width: f32,
        height: f32,
    },
    Person {
        height: f32,
        stride: f32,
        trousers: Color,
    },
}

#[derive(Clone, Copy)]
pub(super) struct Sign {
    pub shape: Shape,
    pub size: f32,
    pub height: f32,
    pub rim: Color,
    pub face: Color,
}

#[derive(Clone, Copy)]
pub(super) enum Shape {
    Round,
    Square,
    Triangle,
    /// A traffic light.
    Light,
}

impl Layout {
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        let road = [-between(rng, 3.0, 6.5), between(rng, 3.0, 6.5)];
        let sidewalk = [
            road[0] - between(rng, 1.5, 3.5),
            road[1] + between(rng, 1.5, 3.5),
        ];
        let facade = [
            sidewalk[0] - between(rng, 0.2, 5.0),
            sidewalk[1] + between(rng, 0.2, 5.0),
        ];
        let mut layout = Self {
            horizon: between(rng, 0.36, 0.5),
            vanishing: between(rng, 0.3, 0.7),
            camera: between(rng, 1.3, 1.9),
            road,
            sidewalk,
            facade,
            lanes: lanes(rng, road),
            colors: ground_colors(rng),
            grass: [rng.random_bool(0.5), rng.random_bool(0.5)],
            blocks: [blocks(rng), blocks(rng)],
            fences: [fence(rng), fence(rng)],
            objects: Vec::new(),
            sky: sky(rng),
            light: light(rng),
            skyline: between(rng, 0.02, 0.14),
            hood: rng.random_bool(0.4).then(|| between(rng, 0.03, 0.09)),
            noise: rng.random(),
        };
        layout.place_objects(rng);
        layout
    }

    fn place_objects(&mut self, rng: &mut impl Rng) {
        for _ in 0..rng.random_range(2..7) {
            let x = self.beside(rng, 0.15, 0.6);
            let depth = far(rng, 4.0, 60.0);
            let kind = Kind::Pole {
                height: between(rng, 2.6, 7.0),
                width: between(rng, 0.09, 0.2),
                arm: if rng.random_bool(0.3) {
                    -x.signum() * between(rng, 0.8, 2.0)
                } else {
                    0.0
                },
                sign: rng.random_bool(0.65).then(|| sign(rng)),
            };
            self.add(x, depth, kind, grey(rng, 45.0, 175.0));
        }
        for _ in 0..rng.random_range(0..6) {
            let x = self.beside(rng, 0.7, 4.0);
            let depth = far(rng, 6.0, 60.0);
            let kind = if rng.random_bool(0.7) {
                Kind::Tree {
                    height: between(rng, 3.5, 8.0),
                    crown: between(rng, 1.0, 2.4),
                    trunk: between(rng, 0.2, 0.45),
                }
            } else {
                Kind::Bush {
                    height: between(rng, 0.6, 1.6),
                    width: between(rng, 0.8, 3.0),
                }
            };
            self.add(x, depth, kind, leaves(rng));
        }
        for _ in 0..rng.random_range(1..6) {
            let depth = far(rng, 5.0, 60.0);
            let crossing = rng.random_bool(0.2);
            let parked = rng.random_bool(0.5);
            let length = if crossing {
                between(rng, 3.6, 4.8)
            } else {
                0.0
            };
            let x = match (crossing, parked) {
                (true, _) => between(rng, self.road[0], self.road[1]),
                (_, true) => self.road[rng.random_range(0..2)] * between(rng, 0.7, 0.85),
                _ => between(rng, 0.6 * self.road[0], 0.6 * self.road[1]),
            };
            let kind = Kind::Car {
                length,
                width: between(rng, 1.65, 2.0),
                height: between(rng, 1.3, 1.9),
            };
            let color = paint(rng);
            self.add(x, depth, kind, color);
        }
        for _ in 0..rng.random_range(0..7) {
            let x = if rng.random_bool(0.7) {
                self.beside(rng, 0.3, 2.5)
            } else {
                between(rng, self.road[0], self.road[1])
            };
            let depth = far(rng, 4.0, 35.0);
            let trousers = paint(rng);
            let kind = Kind::Person {
                height: between(rng, 1.2, 1.95),
                stride: between(rng, 0.0, 0.5),
                trousers,
            };
            let color = paint(rng);
            self.add(x, depth, kind, color);
        }
        // Painted from far to near.
        self.objects.sort_by(|a, b| b.depth.total_cmp(&a.depth));
    }

    fn add(&mut self, x: f32, depth: f32, kind: Kind, color: Color) {
        self.objects.push(Object {
            x,
            depth,
            kind,
            color,
        });
    }

    /// A place beside the road, `near` to `far` from its kerb.
    fn beside(&self, rng: &mut impl Rng, near: f32, far: f32) -> f32 {
        let distance = between(rng, near, far);
        if rng.random_bool(0.5) {
            self.road[0] - distance
        } else {
            self.road[1] + distance
        }
    }
}

pub(super) fn between(rng: &mut impl Rng, low: f32, high: f32) -> f32 {
    rng.random_range(low..high)
}

/// Draws a depth so that the sizes of objects in the picture are spread about evenly.
fn far(rng: &mut impl Rng, near: f32, far: f32) -> f32 {
    near * (far / near).powf(between(rng, 0.0, 1.0))
}

fn grey(rng: &mut impl Rng, low: f32, high: f32) -> Color {
    let level = between(rng, low, high);
    std::array::from_fn(|_| level + between(rng, -8.0, 8.0))
}

/// Draws a colour for clothes or cars. Half of the colours are greys, as on walls and roads.
fn paint(rng: &mut impl Rng) -> Color {
    if rng.random_bool(0.5) {
        return grey(rng, 20.0, 230.0);
    }
    std::array::from_fn(|_| between(rng, 20.0, 210.0))
}

fn leaves(rng: &mut impl Rng) -> Color {
    let green = between(rng, 60.0, 130.0);
    [
        green * between(rng, 0.5, 1.1),
        green,
        green * between(rng, 0.35, 0.75),
    ]
}

fn ground_colors(rng: &mut impl Rng) -> GroundColors {
    GroundColors {
        road: grey(rng, 60.0, 135.0),
        sidewalk: grey(rng, 75.0, 170.0),
        grass: leaves(rng),
        marking: grey(rng, 170.0, 235.0),
    }
}

fn lanes(rng: &mut impl Rng, road: [f32; 2]) -> Vec<f32> {
    let count = rng.random_range(0..3);
    (1..=count)
        .map(|lane| road[0] + (road[1] - road[0]) * lane as f32 / (count + 1) as f32)
        .collect()
}

fn blocks(rng: &mut impl Rng) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut depth = between(rng, 1.0, 6.0);
    while depth < 90.0 {
        let end = depth + between(rng, 6.0, 22.0);
        let warm = between(rng, 0.0, 45.0);
        let level = between(rng, 65.0, 185.0);
        let dark = between(rng, 25.0, 90.0);
        blocks.push(Block {
            depth: [depth, end],
            height: between(rng, 3.5, 17.0),
            wall: [level + warm, level + 0.4 * warm, level - 0.5 * warm],
            window: [dark, dark + 10.0, dark + between(rng, 5.0, 40.0)],
            pitch: [between(rng, 1.6, 3.5), between(rng, 2.6, 3.6)],
        });
        depth = end
            + if rng.random_bool(0.35) {
                between(rng, 2.0, 12.0)
            } else {
                0.0
            };
    }
    blocks
}

fn fence(rng: &mut impl Rng) -> Option<Fence> {
    let start = between(rng, 3.0, 20.0);
    let fence = Fence {
        depth: [start, start + between(rng, 6.0, 40.0)],
        height: between(rng, 0.8, 1.8),
        pitch: between(rng, 0.25, 0.6),
        color: grey(rng, 50.0, 190.0),
    };
    rng.random_bool(0.4).then_some(fence)
}

fn sky(rng: &mut impl Rng) -> Sky {
    if rng.random_bool(0.45) {
        let level = between(rng, 120.0, 225.0);
        return Sky {
            top: [level - 12.0; 3],
            bottom: [level + 10.0; 3],
            clouds: between(rng, 5.0, 25.0),
        };
    }
    let blue = between(rng, 170.0, 240.0);
    Sky {
        top: [0.45 * blue, 0.65 * blue, blue],
        bottom: [0.8 * blue, 0.9 * blue, blue],
        clouds: between(rng, 0.0, 60.0),
    }
}

fn light(rng: &mut impl Rng) -> Light {
    let level = between(rng, 0.7, 1.15);
    let warm = between(rng, -0.08, 0.08);
    Light {
        gain: [level * (1.0 + warm), level, level * (1.0 - warm)],
        vignette: between(rng, 0.0, 0.35),
        grain: between(rng, 4.0, 16.0),
        blur: f64::from(between(rng, 0.2, 0.6)),
        shadow: (
            if rng.random_bool(0.5) { 1.0 } else { -1.0 },
            if rng.random_bool(0.7) {
                between(rng, 1.0, 9.0)
            } else {
                0.0
            },
            between(rng, 0.45, 0.75),
        ),
    }
}

fn sign(rng: &mut impl Rng) -> Sign {
    const FACES: [[Color; 2]; 5] = [
        [[190.0, 30.0, 35.0], [230.0, 230.0, 225.0]],
        [[30.0, 60.0, 160.0], [40.0, 80.0, 185.0]],
        [[40.0, 40.0, 40.0], [225.0, 190.0, 40.0]],
        // The back of a sign.
        [[110.0, 112.0, 115.0], [130.0, 132.0, 135.0]],
        [[20.0, 90.0, 50.0], [35.0, 120.0, 70.0]],
    ];
    let [rim, face] = FACES[rng.random_range(0..FACES.len())];
    let shape = match rng.random_range(0..4) {
        0 => Shape::Round,
        1 => Shape::Square,
        2 => Shape::Triangle,
        _ => Shape::Light,
    };
    Sign {
        shape,
        size: between(rng, 0.35, 0.6),
        height: between(rng, 2.0, 3.0),
        rim,
        face,
    }
}
