use decoupled_seg_types::IGNORE_LABEL;

/// Colours of the classes, and of pixels without a class ("void").
///
/// ```
/// use decoupled_seg_viz::Palette;
///
/// let palette = Palette::new([[128, 64, 128], [0, 0, 142]]);
/// assert_eq!(palette.color(1), [0, 0, 142]);
/// assert_eq!(palette.color(255), [0, 0, 0]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    colors: Vec<[u8; 3]>,
    void: [u8; 3],
}

impl Palette {
    /// A palette of the given colours, in the order of the classes. Void is black.
    ///
    /// # Panics
    ///
    /// Panics if there is no colour, or if there are more than 255: label 255 is void.
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

    /// Sets the colour of void.
    pub fn with_void(mut self, void: [u8; 3]) -> Self {
        self.void = void;
        self
    }

    /// The colours of the classes, in their order.
    pub fn colors(&self) -> &[[u8; 3]] {
        &self.colors
    }

    /// The colour of `label`; the colour of void for [`IGNORE_LABEL`].
    ///
    /// # Panics
    ///
    /// Panics if `label` is neither a class of the palette nor [`IGNORE_LABEL`].
    pub fn color(&self, label: u8) -> [u8; 3] {
        if label == IGNORE_LABEL {
            return self.void;
        }
        assert!(
            usize::from(label) < self.colors.len(),
            "label {label} has no colour: expected {IGNORE_LABEL} or a class below {}",
            self.colors.len()
        );
        self.colors[usize::from(label)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn void_is_black_unless_told() {
        let palette = Palette::new([[1, 2, 3]]);

        assert_eq!(palette.color(IGNORE_LABEL), [0, 0, 0]);
        let palette = palette.with_void([9, 9, 9]);
        assert_eq!((palette.color(0), palette.color(255)), ([1, 2, 3], [9; 3]));
    }

    #[test]
    #[should_panic(expected = "label 1 has no colour: expected 255 or a class below 1")]
    fn a_label_without_a_colour_panics() {
        Palette::new([[0; 3]]).color(1);
    }

    #[test]
    #[should_panic(expected = "a palette holds 1 to 255 colours, got 256")]
    fn too_many_colours_panic() {
        Palette::new([[0; 3]; 256]);
    }

    #[test]
    #[should_panic(expected = "a palette holds 1 to 255 colours, got 0")]
    fn no_colour_panics() {
        Palette::new([]);
    }
}
