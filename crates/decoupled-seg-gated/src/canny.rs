use burn::config::Config;
use burn::nn::PaddingConfig2d;
use burn::nn::pool::MaxPool2dConfig;
use burn::tensor::module::conv2d;
use burn::tensor::ops::{ConvOptions, PadMode};
use burn::tensor::{Bool, DType, FloatDType, Tensor, TensorData, s};
use decoupled_seg_nn::{ConfigError, CostCounter, MapShape, max_pool2d};

/// How the edges of a picture are found: Canny's detector, as tensor operations on the pictures' device.
///
/// ```text
/// g       = Gaussian * mean over the channels
/// d       = Sobel * g, in intensity a pixel
/// thin    = |d| is the largest of its two neighbours along d, in eight directions
/// edges   = thin pixels with |d| > high, and thin pixels with |d| > low that a chain of those connects with one of them
/// ```
///
/// Pictures are normalised, so the thresholds count standard deviations of the data: a step of 1 blurred by a sigma of 1.4
/// has a gradient of 0.28. They do not depend on the picture, so a crop has the edges of the whole picture, but near its
/// frame. A chain is followed for [`steps`](Self::steps) pixels, since a device is not asked whether it has ended. The
/// outermost pixels are no edges. Edges are constants for the gradient.
///
/// Source: Canny, PAMI 1986. GSCNN names the detector and no number, see docs/fidelity.md.
#[derive(Config, Debug, PartialEq)]
pub struct CannyConfig {
    /// Standard deviation of the Gaussian, in pixels.
    #[config(default = 1.4)]
    pub sigma: f64,
    /// Gradient above which a thin pixel continues an edge, in standard deviations of the data a pixel.
    #[config(default = 0.1)]
    pub low: f64,
    /// Gradient above which a thin pixel is an edge, in standard deviations of the data a pixel.
    #[config(default = 0.2)]
    pub high: f64,
    /// For how many pixels an edge is followed below `high`.
    #[config(default = 12)]
    pub steps: usize,
}

/// Half an octant: the tangent of 22.5 degrees.
const HALF_OCTANT: f64 = std::f64::consts::SQRT_2 - 1.0;

impl CannyConfig {
    /// Checks that edges can be found.
    ///
    /// # Errors
    ///
    /// `sigma` is not above 0 and at most 64, `low` is below 0, `high` is below `low` or not finite, or `steps` are more than
    /// 1000.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if !(self.sigma > 0.0 && self.sigma <= 64.0) {
            let expected = "above 0, at most 64";
            return Err(ConfigError::value("sigma", self.sigma, expected));
        }
        ConfigError::check("low", self.low, 0.0..=f64::MAX)?;
        if !(self.high >= self.low && self.high.is_finite()) {
            let expected = format!("at least `low`, {}", self.low);
            return Err(ConfigError::value("high", self.high, expected));
        }
        ConfigError::check("steps", self.steps, 0..=1000)
    }

    /// The edges of `images`: 1 on an edge, else 0.
    ///
    /// # Shapes
    ///
    /// - `images`: `[batch, channels, height, width]`
    /// - edges: `[batch, 1, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if the configuration is not [valid](Self::validate).
    ///
    /// # Example
    ///
    /// ```
    /// use burn::tensor::{Device, Tensor};
    /// use decoupled_seg_gated::CannyConfig;
    ///
    /// let device = Device::default();
    /// let halves = [Tensor::<4>::zeros([1, 3, 9, 6], &device), Tensor::ones([1, 3, 9, 7], &device)];
    /// let edges = CannyConfig::new().edges(Tensor::cat(halves.to_vec(), 3));
    /// // One pixel in each line but the first and the last.
    /// assert_eq!(edges.sum().into_scalar::<f32>(), 7.0);
    /// ```
    pub fn edges(&self, images: Tensor<4>) -> Tensor<4> {
        ConfigError::assert_none(self.validate());
        let images = images.inner();
        let dtype = images.dtype();
        let [batch, _, height, width] = images.dims();
        if height < 3 || width < 3 {
            return Tensor::zeros([batch, 1, height, width], (&images.device(), dtype));
        }
        if dtype != DType::F32 {
            return self.edges(images.cast(FloatDType::F32)).cast(dtype);
        }

        let grey = self.smooth(images.mean_dim(1));
        let (thin, squared) = thin_edges(grey);
        let above = |limit: f64| {
            let above = squared.clone().greater_elem(limit * limit);
            above.bool_and(thin.clone()).float()
        };
        let weak = above(self.low);
        let reach = MaxPool2dConfig::new([3, 3])
            .with_strides([1, 1])
            .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
            .init();
        let mut edges = above(self.high);
        for _ in 0..self.steps {
            edges = max_pool2d(&reach, edges) * weak.clone();
        }
        edges.pad([(1, 1), (1, 1)], PadMode::Constant(0.0))
    }

    /// `[batch, 1, height, width]`, blurred. Beyond the frame there is nothing: the weights of what is there add up to 1.
    fn smooth(&self, grey: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = grey.dims();
        let reach = (3.0 * self.sigma).ceil() as usize;
        let weights: Vec<f64> = (0..=2 * reach)
            .map(|tap| {
                let distance = tap as f64 - reach as f64;
                (-0.5 * (distance / self.sigma).powi(2)).exp()
            })
            .collect();
        let device = grey.device();
        let tensor = |values: Vec<f64>, shape: [usize; 4]| {
            let values: Vec<f32> = values.into_iter().map(|value| value as f32).collect();
            Tensor::<4>::from_data(TensorData::new(values, shape), &device)
        };
        // Of the weights at each place of an axis, those inside the picture.
        let inside = |length: usize| -> Vec<f64> {
            let sum = |place: usize| {
                let taps = weights.iter().enumerate();
                let inside =
                    taps.filter(|(tap, _)| (reach..reach + length).contains(&(place + tap)));
                1.0 / inside.map(|(_, weight)| weight).sum::<f64>()
            };
            (0..length).map(sum).collect()
        };
        let taps = weights.len();
        let down = tensor(weights.clone(), [1, 1, taps, 1]);
        let along = tensor(weights.clone(), [1, 1, 1, taps]);
        let grey = conv2d(
            grey,
            down,
            None,
            ConvOptions::new([1, 1], [reach, 0], [1, 1], 1),
        );
        let grey = grey * tensor(inside(height), [1, 1, height, 1]);
        let grey = conv2d(
            grey,
            along,
            None,
            ConvOptions::new([1, 1], [0, reach], [1, 1], 1),
        );
        grey * tensor(inside(width), [1, 1, 1, width])
    }

    /// Counts what the detector takes: its convolutions with fixed weights, and its poolings.
    pub(crate) fn cost(&self, image: MapShape, counter: &mut CostCounter) -> MapShape {
        let edges = image.with_channels(1);
        for _ in 0..self.steps {
            counter.pool(edges, edges.size);
        }
        counter.other(edges);
        edges
    }
}

/// Which inner pixels have the largest gradient across an edge, and the squared length of their gradients:
/// `[batch, 1, height - 2, width - 2]`.
fn thin_edges(grey: Tensor<4>) -> (Tensor<4, Bool>, Tensor<4>) {
    // [1 2 1] / 4 along one axis, half the difference of the neighbours along the other.
    let rows = grey.clone().slice(s![.., .., ..-2, ..])
        + grey.clone().slice(s![.., .., 1..-1, ..]) * 2.0
        + grey.clone().slice(s![.., .., 2.., ..]);
    let x = (rows.clone().slice(s![.., .., .., 2..]) - rows.slice(s![.., .., .., ..-2])) * 0.125;
    let columns = grey.clone().slice(s![.., .., .., ..-2])
        + grey.clone().slice(s![.., .., .., 1..-1]) * 2.0
        + grey.slice(s![.., .., .., 2..]);
    let y =
        (columns.clone().slice(s![.., .., 2.., ..]) - columns.slice(s![.., .., ..-2, ..])) * 0.125;
    let squared = x.clone() * x.clone() + y.clone() * y.clone();

    let framed = squared
        .clone()
        .pad([(1, 1), (1, 1)], PadMode::Constant(0.0));
    let [_, _, height, width] = squared.dims();
    let at = |down: usize, right: usize| {
        let rows = framed.clone().narrow(2, down, height);
        rows.narrow(3, right, width)
    };
    let (across_x, across_y) = (x.clone().abs(), y.clone().abs());
    let along_x = across_y.clone().lower_equal(across_x.clone() * HALF_OCTANT);
    let along_y = across_x.lower_equal(across_y * HALF_OCTANT);
    let falling = (x * y).greater_elem(0.0);
    let choose = |before: bool| {
        let place = |forward: usize, back: usize| if before { back } else { forward };
        at(place(0, 2), place(2, 0))
            .mask_where(falling.clone(), at(place(2, 0), place(2, 0)))
            .mask_where(along_y.clone(), at(place(2, 0), 1))
            .mask_where(along_x.clone(), at(1, place(2, 0)))
    };
    // Of two alike the first is taken, so that an edge between two pixels is one pixel wide.
    let thin = squared
        .clone()
        .greater(choose(true))
        .bool_and(squared.clone().greater_equal(choose(false)));
    (thin, squared)
}
