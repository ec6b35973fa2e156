use serde::{Deserialize, Serialize};

/// The masks whose borders are the edges.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeSource {
    /// The labels themselves, as in PaddleSeg. An edge of radius `r` is `2 r` pixels wide.
    #[default]
    Labels,
    /// The relaxed labels, which overlap, as in the official code. The edge is `2 (r + border)` pixels wide, with a gap
    /// if `r < border`.
    Relaxed,
}

/// How ignored pixels affect the edges beside them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IgnoredPixels {
    /// They are unknown: a border towards them is no edge, and their own edge label is
    /// [`IGNORE_LABEL`](crate::IGNORE_LABEL).
    #[default]
    Exclude,
    /// They are background, as in the official code and PaddleSeg: a border towards them is an edge on both sides, and
    /// their own edge label is 0 or 1, as for any other pixel.
    Background,
}

/// How relaxed labels and edge labels are made.
///
/// | | [`paper`](Self::paper), the default | [`official`](Self::official) | [`paddleseg`](Self::paddleseg) |
/// |---|---|---|---|
/// | relaxation window | 3x3 | 3x3 | 3x3 |
/// | edge radius | 2 | 2 | 2 |
/// | edges drawn on | labels | relaxed labels | labels |
/// | frame of the picture | no edge | edge | edge |
/// | ignored pixels | excluded | background | background |
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TargetsOptions {
    /// Reach of the relaxation window to each side, in pixels: 1 is a window of 3x3.
    pub border: usize,
    /// Classes whose own pixels keep their plain label when relaxed.
    pub strict_classes: Vec<u8>,
    /// What the official code does after its `rlx_off_epoch`: it halves the window (a window of 3x3 becomes a single
    /// pixel), and pixels beside another label count double in the loss of the body.
    pub border_off: bool,
    /// A pixel is an edge if the other side of a border is at most this many pixels away (Euclidean distance between
    /// centres of pixels).
    pub edge_radius: usize,
    /// The masks whose borders are the edges.
    pub edge_source: EdgeSource,
    /// Whether objects end at the frame of the picture. The official code pads its masks with background, so the outer
    /// `edge_radius` pixels of every crop are edge.
    pub frame_is_edge: bool,
    /// How ignored pixels affect the edges beside them.
    pub ignored_pixels: IgnoredPixels,
}

impl Default for TargetsOptions {
    /// [`paper`](Self::paper).
    fn default() -> Self {
        Self::paper()
    }
}

impl TargetsOptions {
    /// A window of 3x3, and edges of radius 2 between two classes only: neither ignored pixels nor the frame make an
    /// edge. The paper does not say how wide an edge is or what happens at the frame.
    pub fn paper() -> Self {
        Self {
            border: 1,
            strict_classes: Vec::new(),
            border_off: false,
            edge_radius: 2,
            edge_source: EdgeSource::Labels,
            frame_is_edge: false,
            ignored_pixels: IgnoredPixels::Exclude,
        }
    }

    /// The targets of the authors' code.
    pub fn official() -> Self {
        Self {
            edge_source: EdgeSource::Relaxed,
            ..Self::paddleseg()
        }
    }

    /// The targets of PaddleSeg's port.
    pub fn paddleseg() -> Self {
        Self {
            frame_is_edge: true,
            ignored_pixels: IgnoredPixels::Background,
            ..Self::paper()
        }
    }

    /// Checks the values that the types allow but the targets do not.
    ///
    /// # Errors
    ///
    /// Returns an error if no pixel can be an edge.
    pub fn validate(&self) -> Result<(), TargetsOptionsError> {
        if self.edge_radius == 0 {
            return Err(TargetsOptionsError::EdgeRadius);
        }
        Ok(())
    }

    /// As [`validate`](Self::validate), for labels of `num_classes` classes.
    ///
    /// # Errors
    ///
    /// Returns an error if no pixel can be an edge, or if a strict class does not exist.
    pub fn validate_for(&self, num_classes: usize) -> Result<(), TargetsOptionsError> {
        self.validate()?;
        let unknown = |&&class: &&u8| usize::from(class) >= num_classes;
        match self.strict_classes.iter().find(unknown) {
            Some(&class) => Err(TargetsOptionsError::StrictClass { class, num_classes }),
            None => Ok(()),
        }
    }

    /// Reach of the relaxation window to each side, in pixels, with [`border_off`](Self::border_off) taken into
    /// account.
    pub fn window_reach(&self) -> usize {
        if self.border_off {
            self.border / 2
        } else {
            self.border
        }
    }
}

/// Why targets cannot be made by some [`TargetsOptions`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetsOptionsError {
    /// The radius of the edges is 0.
    #[error("edge_radius is 0, which makes no pixel an edge; set 1 or more")]
    EdgeRadius,
    /// A strict class does not exist.
    #[error("strict class {class}, but there are {num_classes} classes; name indices below that")]
    StrictClass {
        /// The class.
        class: u8,
        /// Classes of the labels.
        num_classes: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_targets_is_refused() {
        let options = TargetsOptions {
            strict_classes: vec![1, 7],
            ..TargetsOptions::official()
        };
        assert_eq!(options.validate_for(8), Ok(()));
        let error = options.validate_for(3).expect_err("there is no class 7");
        assert_eq!(
            error.to_string(),
            "strict class 7, but there are 3 classes; name indices below that"
        );
        let options = TargetsOptions {
            edge_radius: 0,
            ..options
        };
        assert_eq!(options.validate(), Err(TargetsOptionsError::EdgeRadius));
    }

    #[test]
    fn files_name_what_differs_in_small_letters() {
        let text =
            r#"{"edge_source": "relaxed", "frame_is_edge": true, "ignored_pixels": "background"}"#;
        let options: TargetsOptions = serde_json::from_str(text).expect("known fields");
        assert_eq!(options, TargetsOptions::official());
        serde_json::from_str::<TargetsOptions>(r#"{"radius": 2}"#).expect_err("no such field");
    }
}
