//! Colours of classes.

/// The label of pixels that belong to no class.
pub const IGNORE_INDEX: u8 = 255;

/// Colours of the classes and of pixels without one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    colors: Vec<[u8; 3]>,
    void: [u8; 3],
}

/// Okabe and Ito's colours, but for black, which is void here.
const FIRST: [[u8; 3]; 7] = [
    [0, 114, 178],
    [230, 159, 0],
    [0, 158, 115],
    [204, 121, 167],
    [86, 180, 233],
    [213, 94, 0],
    [240, 228, 66],
];

/// Linear RGB as seen without one kind of cones: protanopia, deuteranopia, tritanopia
/// (Machado, Oliveira and Fernandes, IEEE TVCG 15(6), 2009, severity 1).
const DEFICIENCIES: [[[f32; 3]; 3]; 3] = [
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
];

/// A colour in CIE L*a*b*, as normal eyes and the three deficient kinds see it.
type Seen = [[f32; 3]; 4];

impl Palette {
    /// A palette of the given colours, in the order of the classes; void is black.
    ///
    /// # Panics
    ///
    /// Panics without a colour, or with more than 255: label 255 is void.
    pub fn new(colors: impl Into<Vec<[u8; 3]>>) -> Self {
        let colors = colors.into();
        assert!(
            (1..=255).contains(&colors.len()),
            "a palette holds 1 to 255 colours, got {}",
            colors.len()
        );

        Self {
            colors,
            void: [0; 3],
        }
    }

    /// Colours for `num_classes` classes that stay apart for colour-blind readers too.
    ///
    /// The first seven are Okabe and Ito's. Each further one is, of a grid over RGB, the colour whose nearest
    /// neighbour among those taken (black and white included) is farthest away, by the CIE L\*a\*b\* distance in the
    /// worst of normal vision, protanopia, deuteranopia and tritanopia. A smaller palette is a prefix of a larger one.
    ///
    /// # Panics
    ///
    /// Panics if `num_classes` is 0 or above 255.
    pub fn distinct(num_classes: usize) -> Self {
        assert!(
            (1..=255).contains(&num_classes),
            "a palette holds 1 to 255 colours, got {num_classes}"
        );
        const LEVELS: [u8; 10] = [0, 28, 57, 85, 113, 142, 170, 198, 227, 255];

        let mut colors = FIRST[..num_classes.min(FIRST.len())].to_vec();
        if num_classes <= FIRST.len() {
            return Self::new(colors);
        }

        let mut candidates = Vec::with_capacity(LEVELS.len().pow(3));
        for red in LEVELS {
            for green in LEVELS {
                candidates.extend(LEVELS.map(|blue| [red, green, blue]));
            }
        }
        let seen: Vec<Seen> = candidates.iter().map(|&color| see(color)).collect();
        let mut nearest = vec![f32::INFINITY; candidates.len()];
        let mut take = |color: [u8; 3]| {
            let taken = see(color);
            let mut best = (0, f32::NEG_INFINITY);
            for (i, (nearest, seen)) in nearest.iter_mut().zip(&seen).enumerate() {
                *nearest = nearest.min(distance(seen, &taken));
                if *nearest > best.1 {
                    best = (i, *nearest);
                }
            }
            candidates[best.0]
        };

        take([0; 3]);
        take([255; 3]);
        let mut next = [0; 3];
        for &color in &colors {
            next = take(color);
        }
        while colors.len() < num_classes {
            colors.push(next);
            next = take(next);
        }
        Self::new(colors)
    }

    /// The same palette with another colour for void.
    pub fn with_void(mut self, void: [u8; 3]) -> Self {
        self.void = void;
        self
    }

    /// The colours of the classes, in their order.
    pub fn colors(&self) -> &[[u8; 3]] {
        &self.colors
    }

    /// The colour of pixels that belong to no class.
    pub fn void(&self) -> [u8; 3] {
        self.void
    }

    /// The colour of `label`; that of void for [`IGNORE_INDEX`].
    ///
    /// # Panics
    ///
    /// Panics if `label` is neither a class of the palette nor [`IGNORE_INDEX`].
    pub fn color(&self, label: u8) -> [u8; 3] {
        if label == IGNORE_INDEX {
            return self.void;
        }
        assert!(
            usize::from(label) < self.colors.len(),
            "label {label} has no colour: expected 255 or a class below {}",
            self.colors.len()
        );
        self.colors[usize::from(label)]
    }
}

/// Perceived lightness, CIE L\*, in `0..=100`.
pub(crate) fn lightness(color: [u8; 3]) -> f32 {
    lab(color.map(linear))[0]
}

fn see(color: [u8; 3]) -> Seen {
    let rgb = color.map(linear);
    let deficient = |matrix: &[[f32; 3]; 3]| {
        lab(matrix.map(|row| {
            row.iter()
                .zip(rgb)
                .map(|(weight, value)| weight * value)
                .sum::<f32>()
                .clamp(0.0, 1.0)
        }))
    };
    [
        lab(rgb),
        deficient(&DEFICIENCIES[0]),
        deficient(&DEFICIENCIES[1]),
        deficient(&DEFICIENCIES[2]),
    ]
}

/// The squared distance of two colours where they are hardest to tell apart.
fn distance(a: &Seen, b: &Seen) -> f32 {
    a.iter()
        .zip(b)
        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>())
        .fold(f32::INFINITY, f32::min)
}

/// sRGB to linear light.
fn linear(value: u8) -> f32 {
    let value = f32::from(value) / 255.0;
    if value <= 0.04045 {
        value / 12.92
    } else {
        ((value + 0.055) / 1.055).powf(2.4)
    }
}

/// Linear RGB to CIE L*a*b* under D65.
fn lab([r, g, b]: [f32; 3]) -> [f32; 3] {
    let curve = |t: f32| {
        if t > 216.0 / 24389.0 {
            t.cbrt()
        } else {
            (24389.0 / 27.0 * t + 16.0) / 116.0
        }
    };
    let x = curve((0.4124564 * r + 0.3575761 * g + 0.1804375 * b) / 0.95047);
    let y = curve(0.2126729 * r + 0.7151522 * g + 0.0721750 * b);
    let z = curve((0.0193339 * r + 0.119192 * g + 0.9503041 * b) / 1.08883);

    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    /// The smallest distance between two of `colors`, black and white included.
    fn separation(colors: &[[u8; 3]]) -> f32 {
        let seen: Vec<Seen> = colors
            .iter()
            .chain(&[[0; 3], [255; 3]])
            .map(|&color| see(color))
            .collect();
        let mut least = f32::INFINITY;
        for (i, a) in seen.iter().enumerate() {
            for b in &seen[..i] {
                least = least.min(distance(a, b).sqrt());
            }
        }
        least
    }

    #[test]
    fn lab_of_known_colours() {
        assert!((lightness([255; 3]) - 100.0).abs() < 0.01);
        let [l, a, b] = lab([255, 0, 0].map(linear));
        // CIE L*a*b* of sRGB red.
        for (found, expected) in [(l, 53.24), (a, 80.09), (b, 67.20)] {
            assert!((found - expected).abs() < 0.05, "{found} {expected}");
        }
    }

    // A difference of 2.3 is the least that eyes notice; 19 is Cityscapes, 11 CamVid.
    #[rstest]
    #[case(7, 12.0)]
    #[case(11, 12.0)]
    #[case(19, 10.0)]
    #[case(40, 6.0)]
    #[case(255, 1.5)]
    fn colours_stay_apart_for_all_eyes(#[case] num_classes: usize, #[case] least: f32) {
        let palette = Palette::distinct(num_classes);

        assert_eq!(palette.colors().len(), num_classes);
        let found = separation(palette.colors());
        assert!(found >= least, "{num_classes} classes: {found}");
    }

    #[test]
    fn a_smaller_palette_is_a_prefix() {
        let large = Palette::distinct(30);

        for num_classes in [1, 7, 8, 19] {
            let small = Palette::distinct(num_classes);
            assert_eq!(small.colors(), &large.colors()[..num_classes]);
        }
    }

    #[test]
    fn void_is_black_unless_told() {
        let palette = Palette::new([[1, 2, 3]]);

        assert_eq!(palette.color(IGNORE_INDEX), [0, 0, 0]);
        let palette = palette.with_void([9, 9, 9]);
        assert_eq!((palette.color(0), palette.color(255)), ([1, 2, 3], [9; 3]));
    }

    #[test]
    #[should_panic(expected = "label 2 has no colour: expected 255 or a class below 2")]
    fn a_label_without_a_colour_panics() {
        Palette::distinct(2).color(2);
    }

    #[test]
    #[should_panic(expected = "a palette holds 1 to 255 colours, got 256")]
    fn too_many_classes_panic() {
        Palette::distinct(256);
    }

    #[test]
    #[should_panic(expected = "a palette holds 1 to 255 colours, got 0")]
    fn no_colour_panics() {
        Palette::new([]);
    }
}
