//! Pictures of flow fields.

use std::f64::consts::PI;

use image::RgbImage;

use crate::check::{assert_planes, picture};

/// Vectors with a component beyond this are unknown, by the convention of the Middlebury flow data.
const UNKNOWN: f32 = 1e7;

/// Which length of a flow vector is drawn in full colour.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum FlowScale {
    /// The longest vector of the field, as in the reference.
    #[default]
    PerImage,
    /// A fixed length, so that several fields can be compared; longer vectors are drawn darker.
    MaxRadius(f32),
}

/// The 55 colours of the wheel, around from red over yellow, green, cyan, blue and magenta.
///
/// The colour coding of Baker et al., "A Database and Evaluation Methodology for Optical Flow", IJCV 92(1), 2011.
pub fn color_wheel() -> [[u8; 3]; 55] {
    // Steps of a transition; the channel that moves, whether it rises, and the one that stays full.
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

/// Shows a flow field by colour: the hue is the direction, the saturation the length; no flow is white.
///
/// `flow` is `[2, height, width]`, the x components first, in any unit. Vectors that are unknown (a component beyond
/// 1e7, or not a number) are black and do not count for [`FlowScale::PerImage`].
///
/// # Panics
///
/// Panics if `flow` has another length, or a fixed radius is not above 0.
pub fn flow_color_wheel(flow: &[f32], width: usize, height: usize, scale: FlowScale) -> RgbImage {
    assert_planes("flow", flow.len(), 2, width, height);
    let (us, vs) = flow.split_at(width * height);
    let max_radius = match scale {
        FlowScale::PerImage => us
            .iter()
            .zip(vs)
            .filter_map(|(&u, &v)| known(u, v))
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
    picture(
        width,
        height,
        us.iter().zip(vs).map(|(&u, &v)| {
            known(u, v).map_or([0; 3], |[u, v]| wheel_color(&wheel, u / length, v / length))
        }),
    )
}

/// The vector, unless it is unknown.
pub(crate) fn known(u: f32, v: f32) -> Option<[f64; 2]> {
    // Written so that NaN fails too.
    (u.abs() <= UNKNOWN && v.abs() <= UNKNOWN).then(|| [f64::from(u), f64::from(v)])
}

/// The colour of a vector whose length is 1 at full saturation.
fn wheel_color(wheel: &[[u8; 3]; 55], u: f64, v: f64) -> [u8; 3] {
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

/// The key to [`flow_color_wheel`]: a disc of `diameter` pixels on white, each point in the colour of the vector that
/// leads there from the centre.
///
/// # Panics
///
/// Panics if `diameter` is 0.
pub fn flow_key(diameter: usize) -> RgbImage {
    assert!(diameter > 0, "the diameter must be at least 1, got 0");
    let wheel = color_wheel();
    let radius = diameter as f64 / 2.0;
    let offset = |i: usize| (i as f64 + 0.5 - radius) / radius;

    picture(
        diameter,
        diameter,
        (0..diameter * diameter).map(|i| {
            let (u, v) = (offset(i % diameter), offset(i / diameter));
            // One pixel of fading hides the steps of the rim.
            let inside = ((1.0 - u.hypot(v)) * radius + 0.5).clamp(0.0, 1.0);
            let length = u.hypot(v).max(1.0);
            wheel_color(&wheel, u / length, v / length)
                .map(|value| (255.0 - inside * (255.0 - f64::from(value))).round() as u8)
        }),
    )
}

/// Shows a flow field by hue, saturation and value: the reference's colour mode "RGB".
///
/// The hue is `atan2(v, u) / 2 pi` (negative angles are all red, the reference's clipping), the saturation
/// `8 * length / max(max u, max v)` and the value `8 - saturation`, each clipped to `0..=1`. Pixels that `valid`, if
/// given, marks as `false` are black, and so are vectors that are not finite.
///
/// # Panics
///
/// Panics if `flow` is not `[2, height, width]` or `valid` not `[height, width]`.
pub fn flow_hsv(flow: &[f32], width: usize, height: usize, valid: Option<&[bool]>) -> RgbImage {
    assert_planes("flow", flow.len(), 2, width, height);
    if let Some(valid) = valid {
        assert_planes("valid", valid.len(), 1, width, height);
    }
    let (us, vs) = flow.split_at(width * height);
    let largest = flow
        .iter()
        .filter(|value| value.is_finite())
        .fold(f32::NEG_INFINITY, |a, &b| a.max(b));

    picture(
        width,
        height,
        us.iter().zip(vs).enumerate().map(|(i, (&u, &v))| {
            let drawn = u.is_finite() && v.is_finite() && valid.is_none_or(|valid| valid[i]);
            if !drawn {
                return [0; 3];
            }
            let hue = (v.atan2(u) / (2.0 * std::f32::consts::PI)).clamp(0.0, 1.0);
            let length = u.hypot(v);
            let saturation = if length == 0.0 {
                0.0
            } else {
                8.0 * length / largest
            };
            hsv(
                hue,
                saturation.clamp(0.0, 1.0),
                (8.0 - saturation).clamp(0.0, 1.0),
            )
        }),
    )
}

/// Hue, saturation and value in `0..=1` to RGB.
fn hsv(hue: f32, saturation: f32, value: f32) -> [u8; 3] {
    [5.0, 3.0, 1.0].map(|shift: f32| {
        let k = (shift + hue * 6.0) % 6.0;
        let level = value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0);
        (255.0 * level).round() as u8
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

    fn golden_flow() -> Vec<f32> {
        let us = GOLDEN.iter().map(|(vector, _)| vector[0]);
        us.chain(GOLDEN.iter().map(|(vector, _)| vector[1]))
            .collect()
    }

    fn colors(image: &RgbImage) -> Vec<[u8; 3]> {
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

    // Values of the reference, 2x4 pixels; the longest vector is 1, so a fixed radius of 1 gives the same.
    #[rstest]
    #[case(FlowScale::PerImage)]
    #[case(FlowScale::MaxRadius(1.0))]
    fn golden_values(#[case] scale: FlowScale) {
        let image = flow_color_wheel(&golden_flow(), 4, 2, scale);

        assert_eq!(image.dimensions(), (4, 2));
        assert_eq!(colors(&image), GOLDEN.map(|(_, color)| color));
    }

    #[test]
    fn per_image_scale_forgets_the_unit() {
        let flow = golden_flow();
        let longer: Vec<f32> = flow.iter().map(|value| value * 8.0).collect();

        assert_eq!(
            flow_color_wheel(&flow, 4, 2, FlowScale::PerImage),
            flow_color_wheel(&longer, 4, 2, FlowScale::PerImage)
        );
    }

    #[test]
    fn vectors_beyond_the_radius_are_darker() {
        let image = flow_color_wheel(&[1.0, 4.0, 0.0, 0.0], 2, 1, FlowScale::MaxRadius(2.0));

        assert_eq!(colors(&image), [[255, 127, 127], [191, 0, 0]]);
    }

    #[test]
    fn unknown_vectors_are_black_and_do_not_count() {
        let flow = [1.0, 2e7, f32::NAN, f32::INFINITY, 0.0, 0.0, 0.0, 0.0];

        let image = flow_color_wheel(&flow, 4, 1, FlowScale::PerImage);

        assert_eq!(colors(&image), [[255, 0, 0], [0; 3], [0; 3], [0; 3]]);
        let none = flow_color_wheel(&[f32::NAN; 2], 1, 1, FlowScale::PerImage);
        assert_eq!(colors(&none), [[0; 3]]);
    }

    #[test]
    #[should_panic(expected = "flow must hold 2x2x3 values, got 6")]
    fn flow_wants_two_planes() {
        flow_color_wheel(&[0.0; 6], 3, 2, FlowScale::PerImage);
    }

    #[test]
    #[should_panic(expected = "the maximum radius must be above 0, got 0")]
    fn radius_zero_panics() {
        flow_color_wheel(&[0.0; 12], 3, 2, FlowScale::MaxRadius(0.0));
    }

    #[test]
    fn the_key_shows_the_directions() {
        let key = flow_key(101);

        assert_eq!(key.get_pixel(50, 50).0, [255; 3]);
        assert_eq!(key.get_pixel(0, 0).0, [255; 3]);
        let [r, g, b] = key.get_pixel(99, 50).0;
        assert!(r == 255 && g < 20 && b < 20, "right is red: {r} {g} {b}");
        let [r, g, b] = key.get_pixel(1, 50).0;
        assert!(r < 20 && g > 150 && b == 255, "left is cyan: {r} {g} {b}");
    }

    #[test]
    fn hsv_of_known_vectors() {
        // Right: hue 0. Down: hue 1/4, yellow-green. Up: hue clipped to 0.
        let flow = [1.0, 0.0, 0.0, 0.0, 1.0, -1.0];

        let image = flow_hsv(&flow, 3, 1, None);

        assert_eq!(colors(&image), [[0, 0, 0]; 3], "value 8 - 8 is 0");
        let mut flow = flow.map(|value| value / 16.0);
        flow[3] = 1.0;
        let image = flow_hsv(&flow, 3, 1, Some(&[true, true, false]));
        // Length 1/16 of the largest: saturation 1/2, value 1.
        assert_eq!(image.get_pixel(1, 0).0, [191, 255, 128]);
        assert_eq!(image.get_pixel(2, 0).0, [0; 3]);
    }
}
