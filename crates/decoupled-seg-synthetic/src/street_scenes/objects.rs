use super::canvas::{Canvas, Color};
use super::dataset::label;
use super::layout::{Kind, Object, Shape, Sign};
use super::stage::Stage;

/// Paints an object and the shadow under it.
pub(super) fn paint(stage: &Stage<'_>, canvas: &mut Canvas, object: &Object, number: u32) {
    let scale = stage.scale(object.depth);
    let spot = Spot {
        stage,
        scale,
        x: stage.center + object.x * scale,
        ground: stage.ground(scale),
        number,
    };
    let color = object.color;
    match object.kind {
        Kind::Tree {
            height,
            crown,
            trunk,
        } => {
            spot.shadow(canvas, crown, 0.75);
            spot.bar(
                canvas,
                [0.0, 0.0, height - crown, trunk],
                label::VEGETATION,
                [75.0, 62.0, 52.0],
            );
            spot.leaves(canvas, [0.0, height - crown], [crown, 1.15 * crown], color);
            spot.leaves(
                canvas,
                [0.45 * crown, height - 1.5 * crown],
                [0.7 * crown, 0.7 * crown],
                color,
            );
        }
        Kind::Bush { height, width } => {
            spot.shadow(canvas, 0.6 * width, 0.7);
            spot.leaves(
                canvas,
                [0.0, 0.4 * height],
                [0.5 * width, 0.6 * height],
                color,
            );
        }
        Kind::Pole {
            height,
            width,
            arm,
            sign,
        } => {
            // Distant bars are still a pixel wide.
            let width = width.max(1.0 / scale);
            spot.bar(canvas, [0.0, 0.0, height, width], label::POLE, color);
            if arm != 0.0 {
                spot.bar(
                    canvas,
                    [0.5 * arm, height - width, height, arm.abs()],
                    label::POLE,
                    color,
                );
            }
            if let Some(sign) = sign {
                spot.sign(canvas, sign);
            }
        }
        Kind::Car {
            length,
            width,
            height,
        } => spot.car(canvas, length, width, height, color),
        Kind::Person {
            height,
            stride,
            trousers,
        } => spot.person(canvas, height, stride, color, trousers),
    }
}

/// The place of an object in the picture.
struct Spot<'a> {
    stage: &'a Stage<'a>,
    /// Pixels per metre.
    scale: f32,
    x: f32,
    ground: f32,
    number: u32,
}

impl Spot<'_> {
    /// Paints the pixels of a box (metres to the right and up from the spot) for which `color` returns a colour.
    fn fill(
        &self,
        canvas: &mut Canvas,
        [left, low, right, high]: [f32; 4],
        label: u8,
        color: impl Fn(f32, f32) -> Option<Color>,
    ) {
        let (x, ground, scale) = (self.x, self.ground, self.scale);
        let area = [
            x + left * scale,
            ground - high * scale,
            x + right * scale,
            ground - low * scale,
        ];
        let noise = self.stage.noise.layer(20 + self.number);
        canvas.each_in(area, |canvas, column, row, px, py| {
            let (u, v) = ((px - x) / scale, (ground - py) / scale);
            if let Some(color) = color(u, v) {
                let texture = 26.0 * noise.texture(3.0 * u, 3.0 * v);
                canvas.paint(column, row, label, color.map(|value| value + texture));
            }
        });
    }

    /// An upright bar: its middle, lower and upper end and width, in metres.
    fn bar(&self, canvas: &mut Canvas, [x, low, high, width]: [f32; 4], label: u8, color: Color) {
        // Whole pixels, so that thin bars neither break nor vanish between two columns.
        let pixels = (width * self.scale).round().max(1.0);
        let left = (self.x + x * self.scale - 0.5 * pixels).round();
        let [top, bottom] = [
            self.ground - high * self.scale,
            self.ground - low * self.scale,
        ];
        let bottom = bottom.max(top.round() + 1.0);
        canvas.each_in(
            [left, top.round(), left + pixels, bottom],
            |canvas, column, row, px, _| {
                let round = 1.0 - 0.35 * ((px - left) / pixels - 0.35).abs();
                canvas.paint(column, row, label, color.map(|value| value * round));
            },
        );
    }

    fn leaves(&self, canvas: &mut Canvas, [x, y]: [f32; 2], [rx, ry]: [f32; 2], color: Color) {
        let noise = self.stage.noise.layer(60 + self.number);
        let reach = 1.3;
        self.fill(
            canvas,
            [
                x - reach * rx,
                y - reach * ry,
                x + reach * rx,
                y + reach * ry,
            ],
            label::VEGETATION,
            |u, v| {
                let (a, b) = ((u - x) / rx, (v - y) / ry);
                let ragged = 0.5 * noise.texture(3.5 * u, 3.5 * v)
                    + 0.35 * noise.texture(11.0 * u, 11.0 * v);
                let shade = 1.0 + 0.3 * b + 1.1 * noise.layer(1).texture(6.0 * u, 6.0 * v);
                ((a * a + b * b).sqrt() + ragged < 1.0).then(|| color.map(|value| value * shade))
            },
        );
    }

    fn sign(
        &self,
        canvas: &mut Canvas,
        Sign {
            shape,
            size,
            height,
            rim,
            face,
        }: Sign,
    ) {
        let half = size.max(1.5 / self.scale);
        let area = [-half, height - half, half, height + half];
        let inner = 0.72;
        match shape {
            Shape::Light => {
                let area = [-0.45 * half, height - half, 0.45 * half, height + half];
                self.fill(canvas, area, label::SIGN, |u, v| {
                    let lamp = (v - height) / half;
                    let lit = (lamp - 0.55).abs() < 0.28 && (u / half).abs() < 0.3;
                    Some(if lit {
                        [225.0, 60.0, 45.0]
                    } else {
                        [35.0, 36.0, 38.0]
                    })
                });
            }
            _ => self.fill(canvas, area, label::SIGN, |u, v| {
                let (a, b) = ((u / half).abs(), (v - height) / half);
                let distance = match shape {
                    Shape::Round => (a * a + b * b).sqrt(),
                    Shape::Square => a.max(b.abs()),
                    // A triangle with its point at the top.
                    _ => (-b)
                        .max(2.0 * a + b)
                        .min(1.0 + (a - 0.5 * (1.0 - b)).max(0.0)),
                };
                (distance < 1.0).then_some(if distance < inner { face } else { rim })
            }),
        }
    }

    fn car(&self, canvas: &mut Canvas, length: f32, width: f32, height: f32, color: Color) {
        let side_view = length > 0.0;
        let half = 0.5 * if side_view { length } else { width };
        self.shadow(canvas, 1.1 * half, 0.5);
        let (sill, waist) = (0.22, 0.56 * height);
        let glass = [38.0, 44.0, 52.0];
        let tyre = [28.0, 28.0, 30.0];
        let radius = 0.33;
        if side_view {
            for x in [-0.6 * half, 0.6 * half] {
                self.fill(
                    canvas,
                    [x - radius, 0.0, x + radius, 2.0 * radius],
                    label::CAR,
                    |u, v| {
                        ((u - x).powi(2) + (v - radius).powi(2) < radius * radius).then_some(tyre)
                    },
                );
            }
        } else {
            for x in [-0.78 * half, 0.78 * half] {
                self.fill(
                    canvas,
                    [x - 0.12, 0.0, x + 0.12, 0.5],
                    label::CAR,
                    |_, _| Some(tyre),
                );
            }
        }
        self.fill(canvas, [-half, sill, half, waist], label::CAR, |u, v| {
            let corner = 0.2 * (v - 0.5 * (sill + waist)).abs();
            let end = u.abs() / half;
            let lamp = end > 0.72 && (0.62..0.86).contains(&(v / waist));
            let shade = 0.8 + 0.35 * v / waist;
            let body = if lamp {
                [205.0, 95.0, 70.0]
            } else {
                color.map(|value| value * shade)
            };
            (u.abs() < half - corner).then_some(body)
        });
        self.fill(canvas, [-half, waist, half, height], label::CAR, |u, v| {
            let up = (v - waist) / (height - waist);
            let edge = half * (if side_view { 0.78 } else { 0.95 } - 0.28 * up);
            let pane = u.abs() < edge - 0.1 && (0.1..0.82).contains(&up);
            let pillar = side_view && (u.abs() < 0.06);
            (u.abs() < edge).then_some(if pane && !pillar { glass } else { color })
        });
    }

    fn person(&self, canvas: &mut Canvas, height: f32, stride: f32, coat: Color, trousers: Color) {
        self.shadow(canvas, 0.35, 0.6);
        let (hip, neck) = (0.48 * height, 0.84 * height);
        let (head, shoulder) = (0.075 * height, 0.15 * height);
        self.fill(canvas, [-0.6, 0.0, 0.6, hip], label::PERSON, |u, v| {
            let spread = stride * 0.45 * (1.0 - v / hip);
            let leg = 0.055 * height;
            let on = (u - spread - 0.45 * leg).abs() < leg || (u + spread + 0.45 * leg).abs() < leg;
            on.then_some(trousers)
        });
        self.fill(
            canvas,
            [-shoulder, hip, shoulder, neck],
            label::PERSON,
            |u, v| {
                let wide = shoulder * (0.72 + 0.28 * (v - hip) / (neck - hip));
                (u.abs() < wide).then(|| coat.map(|value| value * (1.0 - 0.25 * u.abs() / wide)))
            },
        );
        let center = neck + head;
        self.fill(
            canvas,
            [-head, neck, head, height.max(neck + 2.0 * head)],
            label::PERSON,
            |u, v| {
                let hair = v > center + 0.25 * head;
                let skin = if hair {
                    [60.0, 45.0, 38.0]
                } else {
                    [186.0, 142.0, 118.0]
                };
                (u * u + (v - center).powi(2) < head * head).then_some(skin)
            },
        );
    }

    /// Darkens the ground around the spot; objects that stand there keep their light.
    fn shadow(&self, canvas: &mut Canvas, reach: f32, darkness: f32) {
        let (rx, ry) = (reach * self.scale, 0.22 * reach * self.scale);
        let area = [self.x - rx, self.ground - ry, self.x + rx, self.ground + ry];
        canvas.each_in(area, |canvas, column, row, px, py| {
            let (a, b) = ((px - self.x) / rx, (py - self.ground) / ry);
            let flat = matches!(
                canvas.label(column, row),
                Some(label::ROAD | label::SIDEWALK)
            );
            if flat && a * a + b * b < 1.0 {
                canvas.shade(column, row, darkness);
            }
        });
    }
}
