use std::f64::consts::PI;

use decoupled_seg_types::Size;
use image::RgbImage;

use crate::check::{assert_planes, picture};

/// Vectors with a component beyond this are unknown, by the convention of the Middlebury flow data.
const UNKNOWN: f32 = 1e7;

/// A field of flow vectors, one for each pixel, in any unit.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowField {
    /// `[2, height, width]`: the x components, then the y components.
    pub data: Vec<f32>,
    /// Size of the field, which may be smaller than the image.
    pub size: Size,
}

/// The length of a flow vector that is drawn in full colour.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum FlowScale {
    /// The longest vector of the field, as in the authors' pictures.
    #[default]
    PerImage,
    /// A fixed length, in the field's unit, so that several fields can be compared. Longer vectors are drawn darker.
    MaxRadius(f32),
}

impl FlowField {
    /// A field of `[2, height, width]` values.
    ///
    /// # Panics
    ///
    /// Panics if `data` has another length.
    pub fn new(data: Vec<f32>, size: Size) -> Self {
        assert_planes("flow", data.len(), 2, size);
        Self { data, size }
    }

    /// The vectors, row by row; `None` where one is unknown.
    fn vectors(&self) -> impl Iterator<Item = Option<[f64; 2]>> {
        let (us, vs) = self.data.split_at(self.size.pixels());
        // The comparison is false for NaN, so NaN is unknown too.
        let known = |u: f32, v: f32| u.abs() <= UNKNOWN && v.abs() <= UNKNOWN;
        us.iter()
            .zip(vs)
            .map(move |(&u, &v)| known(u, v).then(|| [f64::from(u), f64::from(v)]))
    }
}

/// Shows a flow field by colour: the hue is the direction, the saturation is the length. Pixels without flow are white.
/// Flow to the right is red, down yellow, to the left cyan, up violet.
///
/// Vectors that are unknown (a component beyond 1e7, or not a number) are black and do not count for
/// [`FlowScale::PerImage`].
///
/// Source: the colour coding of Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 92(1),
/// 2011.
///
/// # Panics
///
/// Panics if a fixed radius is not above 0.
///
/// # Example
///
/// ```
/// use decoupled_seg_types::Size;
/// use decoupled_seg_viz::{FlowField, FlowScale, flow_color_wheel};
///
/// let right_and_none = FlowField::new(vec![2.0, 0.0, 0.0, 0.0], Size::new(1, 2));
/// let picture = flow_color_wheel(&right_and_none, FlowScale::PerImage);
/// assert_eq!(picture.get_pixel(0, 0).0, [255, 0, 0]);
/// assert_eq!(picture.get_pixel(1, 0).0, [255, 255, 255]);
/// ```
pub fn flow_color_wheel(flow: &FlowField, scale: FlowScale) -> RgbImage {
    let max_radius = match scale {
        FlowScale::PerImage => flow
            .vectors()
            .flatten()
            .map(|[u, v]| u.hypot(v))
            .fold(0.0, f64::max),
        FlowScale::MaxRadius(radius) => {
            assert!(
                radius > 0.0 && radius.is_finite(),
                "the maximum radius must be above 0, got {radius}"
            );
            f64::from(radius)
        }
    };

    let wheel = color_wheel();
    let length = max_radius + f64::EPSILON;
    let color = |vector: Option<[f64; 2]>| {
        vector.map_or([0; 3], |vector| {
            wheel_color(&wheel, vector.map(|v| v / length))
        })
    };
    picture(flow.size, flow.vectors().map(color))
}

/// The 55 colours of the wheel, around from red over yellow, green, cyan, blue and magenta.
fn color_wheel() -> [[u8; 3]; 55] {
    // Steps of a transition; the channel that moves, whether it rises, and the channel that stays full.
    const SEGMENTS: [(usize, usize, bool, usize); 6] = [
        (15, 1, true, 0),
        (6, 0, false, 1),
        (4, 2, true, 1),
        (11, 1, false, 2),
        (13, 0, true, 2),
        (6, 2, false, 0),
    ];

    let mut wheel = [[0; 3]; 55];
    let mut next = 0;
    for (steps, moving, rises, full) in SEGMENTS {
        for i in 0..steps {
            let level = (255 * i / steps) as u8;
            wheel[next][full] = 255;
            wheel[next][moving] = if rises { level } else { 255 - level };
            next += 1;
        }
    }
    wheel
}

/// The colour of a vector; at length 1 the colour is full.
fn wheel_color(wheel: &[[u8; 3]; 55], [u, v]: [f64; 2]) -> [u8; 3] {
    let radius = u.hypot(v);
    let angle = (-v).atan2(-u) / PI;
    let position = (angle + 1.0) / 2.0 * (wheel.len() - 1) as f64;
    let first = position.floor();
    let fraction = position - first;
    let first = first as usize;
    let second = (first + 1) % wheel.len();

    std::array::from_fn(|channel| {
        let level = |i: usize| f64::from(wheel[i][channel]) / 255.0;
        let full = (1.0 - fraction) * level(first) + fraction * level(second);
        let color = if radius <= 1.0 {
            1.0 - radius * (1.0 - full)
        } else {
            0.75 * full
        };
        (255.0 * color).floor() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rustfmt::skip]
    const GOLDEN: [([f32; 2], [u8; 3]); 8] = [
        ([1.0, 0.0], [255, 0, 0]), ([0.0, 1.0], [255, 229, 0]),
        ([-1.0, 0.0], [0, 209, 255]), ([0.0, -1.0], [88, 0, 255]),
        ([0.5, 0.5], [255, 155, 74]), ([-0.5, 0.5], [97, 255, 74]),
        ([0.25, -0.1], [255, 186, 235]), ([0.0, 0.0], [255, 255, 255]),
    ];

    /// The golden vectors, `factor` times as long, as a field of 2x4.
    fn golden_flow(factor: f32) -> FlowField {
        let component = |i: usize| GOLDEN.map(|(vector, _)| factor * vector[i]);
        FlowField::new([component(0), component(1)].concat(), Size::new(2, 4))
    }

    fn colors(us: &[f32], scale: FlowScale) -> Vec<[u8; 3]> {
        let data = [us, &vec![0.0; us.len()]].concat();
        let image = flow_color_wheel(&FlowField::new(data, Size::new(1, us.len())), scale);
        image.pixels().map(|pixel| pixel.0).collect()
    }

    #[test]
    fn wheel_turns_from_red_to_red() {
        let wheel = color_wheel();

        assert_eq!(wheel[0], [255, 0, 0]);
        assert_eq!(wheel[14], [255, 238, 0]);
        assert_eq!(wheel[15], [255, 255, 0]);
        assert_eq!(wheel[21], [0, 255, 0]);
        assert_eq!(wheel[25], [0, 255, 255]);
        assert_eq!(wheel[36], [0, 0, 255]);
        assert_eq!(wheel[49], [255, 0, 255]);
        assert_eq!(wheel[54], [255, 0, 43]);
    }

    // Values of the authors' code. The longest vector has length 1, so a fixed radius of 1 gives the same colours.
    // Another unit gives them too if the scale follows the image.
    #[rstest]
    #[case(1.0, FlowScale::PerImage)]
    #[case(1.0, FlowScale::MaxRadius(1.0))]
    #[case(8.0, FlowScale::PerImage)]
    fn golden_values(#[case] factor: f32, #[case] scale: FlowScale) {
        let image = flow_color_wheel(&golden_flow(factor), scale);

        assert_eq!(image.dimensions(), (4, 2));
        let colors: Vec<[u8; 3]> = image.pixels().map(|pixel| pixel.0).collect();
        assert_eq!(colors, GOLDEN.map(|(_, color)| color));
    }

    #[test]
    fn vectors_beyond_the_radius_are_darker() {
        let colors = colors(&[1.0, 4.0], FlowScale::MaxRadius(2.0));

        assert_eq!(colors, [[255, 127, 127], [191, 0, 0]]);
    }

    #[test]
    fn unknown_vectors_are_black_and_do_not_count() {
        let flow = [1.0, 2e7, f32::NAN, f32::INFINITY];

        assert_eq!(
            colors(&flow, FlowScale::PerImage),
            [[255, 0, 0], [0; 3], [0; 3], [0; 3]]
        );
        assert_eq!(colors(&[f32::NAN], FlowScale::PerImage), [[0; 3]]);
    }

    #[test]
    #[should_panic(expected = "flow must hold 2x2x3 values, got 6")]
    fn flow_wants_two_planes() {
        FlowField::new(vec![0.0; 6], Size::new(2, 3));
    }

    #[test]
    #[should_panic(expected = "the maximum radius must be above 0, got 0")]
    fn radius_zero_panics() {
        colors(&[1.0], FlowScale::MaxRadius(0.0));
    }
}
