use serde::{Deserialize, Serialize};

/// Unit of a flow field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlowUnit {
    /// Pixels of the feature map, as eq. 1 of the paper has it.
    Pixels,
    /// `1 / width` and `1 / height` of the `[-1, 1]` grid, as in the authors' code: one unit is
    /// `(width - 1) / (2 width)` pixels with `align_corners`, half a pixel without.
    #[default]
    HalfGrid,
}

/// What a sampling position outside the feature map reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarpPadding {
    /// Zero; a position less than a pixel outside fades into it.
    #[default]
    Zeros,
    /// The nearest pixel of the border. The flow gets no gradient along an axis on which its position is clamped.
    Border,
}

/// How the gradient with respect to the features is summed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarpGradient {
    /// The fastest way the device has. On GPUs with float atomics the order of summation, and so the last bits, may
    /// differ from run to run; everywhere else this is the same as [`Deterministic`](Self::Deterministic).
    #[default]
    Fast,
    /// Bit-identical from run to run.
    Deterministic,
}

/// Where [`flow_warp`](crate::flow_warp) samples and how.
///
/// With `e = x / (width - 1)`, pixel `x` of the output samples the features at (the same for `y` and `height`):
///
/// ```text
/// Pixels                         x + flow_x
/// HalfGrid, align_corners        x + flow_x * (width - 1) / (2 * width)
/// HalfGrid, not align_corners    x + e + flow_x / 2 - 1/2       (zero flow is not the identity)
/// ```
///
/// The last two are what the authors' code does: it adds `flow / [width, height]` to a grid
/// `linspace(-1, 1, width)` and calls PyTorch's `grid_sample` without saying which corner convention it means.
/// PyTorch up to 1.2 takes `align_corners = true`, later ones `false`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarpOptions {
    /// Unit of the flow.
    pub flow_unit: FlowUnit,
    /// Corner convention of the grid; without effect on a flow in [`FlowUnit::Pixels`].
    pub align_corners: bool,
    /// What a position outside the features reads.
    pub padding: WarpPadding,
    /// How the gradient of the features is summed.
    pub gradient: WarpGradient,
}

impl Default for WarpOptions {
    /// [`WarpOptions::official`].
    fn default() -> Self {
        Self::official()
    }
}

impl WarpOptions {
    /// The authors' code as they meant it (PyTorch up to 1.2): [`FlowUnit::HalfGrid`], `align_corners = true`, zeros.
    /// A zero flow is exactly the identity.
    pub const fn official() -> Self {
        Self {
            flow_unit: FlowUnit::HalfGrid,
            align_corners: true,
            padding: WarpPadding::Zeros,
            gradient: WarpGradient::Fast,
        }
    }

    /// The authors' code as PyTorch 1.3 and later runs it: `align_corners = false` on a grid made for `true`, for
    /// weights trained that way. A zero flow stretches the map by half a pixel at each side.
    pub const fn official_torch13() -> Self {
        Self::official().with_align_corners(false)
    }

    /// PaddleSeg's port, whose `grid_sample` defaults to `align_corners = true`: the same as
    /// [`official`](Self::official).
    pub const fn paddleseg() -> Self {
        Self::official()
    }

    /// Eq. 1 of the paper: the flow is in pixels.
    pub const fn paper() -> Self {
        Self::official().with_flow_unit(FlowUnit::Pixels)
    }

    /// With another unit of the flow.
    pub const fn with_flow_unit(mut self, flow_unit: FlowUnit) -> Self {
        self.flow_unit = flow_unit;
        self
    }

    /// With another corner convention.
    pub const fn with_align_corners(mut self, align_corners: bool) -> Self {
        self.align_corners = align_corners;
        self
    }

    /// With another padding.
    pub const fn with_padding(mut self, padding: WarpPadding) -> Self {
        self.padding = padding;
        self
    }

    /// With another way to sum the gradient of the features.
    pub const fn with_gradient(mut self, gradient: WarpGradient) -> Self {
        self.gradient = gradient;
        self
    }
}
