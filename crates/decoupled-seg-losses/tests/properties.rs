//! What the mathematics promises, on random maps.

use burn::tensor::{Device, Int, Tensor, TensorData};
use decoupled_seg_losses::*;
use decoupled_seg_nn::SegmentationOutput;
use proptest::prelude::*;

/// Sums of some hundred f32 in another order.
const TOLERANCE: f32 = 2e-5;
const CLASSES: usize = 4;

/// A batch of small maps with everything the losses need.
#[derive(Clone, Debug)]
struct Batch {
    shape: [usize; 3],
    labels: Vec<i32>,
    logits: Vec<f32>,
    body_logits: Vec<f32>,
    edge_logits: Vec<f32>,
}

impl Batch {
    fn labels(&self) -> Tensor<3, Int> {
        Tensor::from_data(
            TensorData::new(self.labels.clone(), self.shape),
            &Device::default(),
        )
    }

    fn map(&self, values: &[f32]) -> Tensor<4> {
        let [batch, height, width] = self.shape;
        let channels = values.len() / (batch * height * width);
        Tensor::from_data(
            TensorData::new(values.to_vec(), [batch, channels, height, width]),
            &Device::default(),
        )
    }

    fn output(&self, config: &DecoupledLossConfig, options: &TargetsOptions) -> Vec<f32> {
        let targets = Targets::from_labels(self.labels(), CLASSES, options);
        let [logits, body, edge] =
            [&self.logits, &self.body_logits, &self.edge_logits].map(|values| self.map(values));
        let output = SegmentationOutput::decoupled(logits, body, edge);
        let terms = config.init().forward(&output, &targets);
        terms
            .iter()
            .map(|(_, term)| term.clone().into_scalar())
            .collect()
    }

    fn edge_labels(&self, options: &TargetsOptions) -> Tensor<3, Int> {
        let targets = Targets::from_labels(self.labels(), CLASSES, options);
        targets.supervision.expect("all targets").edge_labels
    }

    /// Applies `change` to every value of the logits, told image, class and pixel.
    fn change_logits(&mut self, change: impl Fn(usize, usize, usize, f32) -> f32) {
        let pixels = self.shape[1] * self.shape[2];
        for values in [&mut self.logits, &mut self.body_logits] {
            for (n, value) in values.iter_mut().enumerate() {
                *value = change(
                    n / pixels / CLASSES,
                    n / pixels % CLASSES,
                    n % pixels,
                    *value,
                );
            }
        }
    }

    fn image(&self, index: usize) -> Self {
        let [_, height, width] = self.shape;
        let part = |values: &[f32]| {
            let length = values.len() / self.shape[0];
            values[index * length..(index + 1) * length].to_vec()
        };
        let pixels = height * width;
        Self {
            shape: [1, height, width],
            labels: self.labels[index * pixels..(index + 1) * pixels].to_vec(),
            logits: part(&self.logits),
            body_logits: part(&self.body_logits),
            edge_logits: part(&self.edge_logits),
        }
    }
}

/// Labels that form areas, as pictures have them: each row repeats the one above with some chance.
fn labels(shape: [usize; 3]) -> impl Strategy<Value = Vec<i32>> {
    let [batch, height, width] = shape;
    let any = prop_oneof![6 => 0..CLASSES as i32, 1 => Just(255)];
    (
        prop::collection::vec(any, batch * height * width),
        prop::collection::vec(0..4u8, batch * height * width),
    )
        .prop_map(move |(mut labels, copy)| {
            for n in 0..labels.len() {
                match copy[n] {
                    0 | 1 if n % width > 0 => labels[n] = labels[n - 1],
                    2 if n / width % height > 0 => labels[n] = labels[n - width],
                    _ => {}
                }
            }
            labels
        })
}

fn batch() -> impl Strategy<Value = Batch> {
    (1..=3usize, 1..=9usize, 1..=9usize).prop_flat_map(|(images, height, width)| {
        let pixels = images * height * width;
        let map = |channels: usize| prop::collection::vec(-6.0f32..6.0, channels * pixels);
        let shape = [images, height, width];
        (labels(shape), map(CLASSES), map(CLASSES), map(1)).prop_map(
            move |(labels, logits, body_logits, edge_logits)| Batch {
                shape,
                labels,
                logits,
                body_logits,
                edge_logits,
            },
        )
    })
}

fn assert_close(left: &[f32], right: &[f32]) -> Result<(), TestCaseError> {
    prop_assert_eq!(left.len(), right.len());
    for (left, right) in left.iter().zip(right) {
        prop_assert!(
            (left - right).abs() <= TOLERANCE * right.abs().max(1.0),
            "{} and {}",
            left,
            right
        );
    }
    Ok(())
}

/// The presets that treat all classes alike and learn nothing where the labels say nothing. The other two do neither:
/// their labels are recovered from relaxed ones (the lowest class wins), and borders of ignored regions are edges.
fn presets() -> [(DecoupledLossConfig, TargetsOptions); 2] {
    [
        (DecoupledLossConfig::new(), TargetsOptions::default()),
        (DecoupledLossConfig::paper(), TargetsOptions::paper()),
    ]
}

fn all_presets() -> Vec<(DecoupledLossConfig, TargetsOptions)> {
    let mut all = presets().to_vec();
    all.push((DecoupledLossConfig::official(), TargetsOptions::official()));
    all.push((
        DecoupledLossConfig::paddleseg(),
        TargetsOptions::paddleseg(),
    ));
    all
}

/// The cross entropies of labelled pixels, in f64.
fn cross_entropies(batch: &Batch) -> Vec<Option<f64>> {
    let pixels = batch.shape[1] * batch.shape[2];
    let at = |n: usize, class: usize| {
        f64::from(batch.logits[(n / pixels * CLASSES + class) * pixels + n % pixels])
    };
    let entropy = |(n, &label): (usize, &i32)| {
        let sum: f64 = (0..CLASSES).map(|class| at(n, class).exp()).sum();
        (label < CLASSES as i32).then(|| sum.ln() - at(n, label as usize))
    };
    batch.labels.iter().enumerate().map(entropy).collect()
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        0.0
    } else {
        values.iter().sum::<f64>() / values.len() as f64
    }
}

/// Edges from the definition, pixel by pixel.
fn edges_by_definition(batch: &Batch, options: &TargetsOptions) -> Vec<i64> {
    let [_, height, width] = batch.shape;
    let reach = options.edge_radius as i64;
    let excluded = options.ignored_pixels == IgnoredPixels::Exclude;
    // What a pixel is compared as, `None` if it is not.
    let value = |image: usize, y: i64, x: i64| -> Option<i32> {
        if y < 0 || x < 0 || y >= height as i64 || x >= width as i64 {
            return options.frame_is_edge.then_some(255);
        }
        let label = batch.labels[(image * height + y as usize) * width + x as usize];
        (label < 255 || !excluded).then_some(label)
    };
    let edge = |n: usize| {
        let (image, y, x) = (
            n / (height * width),
            (n / width % height) as i64,
            (n % width) as i64,
        );
        if excluded && batch.labels[n] == 255 {
            return 255;
        }
        let near = (-reach..=reach).flat_map(|dy| (-reach..=reach).map(move |dx| (dy, dx)));
        let near = near.filter(|(dy, dx)| dy * dy + dx * dx <= reach * reach);
        let values: Vec<i32> = near
            .filter_map(|(dy, dx)| value(image, y + dy, x + dx))
            .collect();
        i64::from(values.iter().any(|other| *other != values[0]))
    };
    (0..batch.labels.len()).map(edge).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn ignored_pixels_move_nothing(batch in batch(), shift in -50.0f32..50.0) {
        let pixels = batch.shape[1] * batch.shape[2];
        // The relaxed loss learns at ignored pixels beside labelled ones; those far from all labels are left.
        let (height, width) = (batch.shape[1] as i64, batch.shape[2] as i64);
        let far = |image: usize, pixel: usize| {
            let (y, x) = (pixel as i64 / width, pixel as i64 % width);
            (-1..=1).flat_map(|dy| (-1..=1).map(move |dx| (y + dy, x + dx))).all(|(y, x)| {
                y < 0 || x < 0 || y >= height || x >= width
                    || batch.labels[image * pixels + (y * width + x) as usize] == 255
            })
        };
        let mut changed = batch.clone();
        changed.change_logits(|image, class, pixel, value| {
            if far(image, pixel) { value * 3.0 + shift * class as f32 } else { value }
        });
        for (n, value) in changed.edge_logits.iter_mut().enumerate() {
            if batch.labels[n] == 255 {
                *value += shift;
            }
        }
        for (config, targets) in presets() {
            prop_assert_eq!(batch.output(&config, &targets), changed.output(&config, &targets));
        }
    }

    #[test]
    fn classes_may_be_renamed(batch in batch(), turn in 1..CLASSES) {
        let renamed = |class: usize| (class + turn) % CLASSES;
        let mut other = batch.clone();
        for label in &mut other.labels {
            if *label < CLASSES as i32 {
                *label = renamed(*label as usize) as i32;
            }
        }
        let pixels = batch.shape[1] * batch.shape[2];
        let moved = |values: &[f32], to: &mut [f32]| {
            for (n, &value) in values.iter().enumerate() {
                let (image, class, pixel) = (n / pixels / CLASSES, n / pixels % CLASSES, n % pixels);
                to[(image * CLASSES + renamed(class)) * pixels + pixel] = value;
            }
        };
        moved(&batch.logits, &mut other.logits);
        moved(&batch.body_logits, &mut other.body_logits);
        for (config, targets) in presets() {
            assert_close(&batch.output(&config, &targets), &other.output(&config, &targets))?;
        }
    }

    #[test]
    fn a_constant_added_to_all_classes_moves_nothing(batch in batch(), shift in -20.0f32..20.0) {
        let mut shifted = batch.clone();
        shifted.change_logits(|_, _, _, value| value + shift);
        for (config, targets) in all_presets() {
            assert_close(&batch.output(&config, &targets), &shifted.output(&config, &targets))?;
        }
    }

    #[test]
    fn means_are_the_same_in_parts(batch in batch()) {
        // Weighted by what each is the mean over, the parts give the whole.
        let body = BoundaryRelaxationLossConfig::new().init();
        let entropy = OhemCrossEntropyLossConfig::without_mining().init();
        let edge = EdgeLossConfig::paper().init();
        let attention = EdgeAttentionLossConfig::paper().init();
        let losses = |batch: &Batch| {
            let relaxed = RelaxedLabels::from_labels(batch.labels(), CLASSES, &TargetsOptions::default());
            let counted = relaxed.classes.is_empty().bool_not().int().sum().into_scalar::<i32>() as f32;
            let labelled = batch.labels.iter().filter(|&&label| label < 255).count() as f32;
            let logits = batch.map(&batch.logits);
            [
                (body.forward(batch.map(&batch.body_logits), &relaxed).into_scalar::<f32>(), counted),
                (entropy.forward(logits.clone(), batch.labels()).into_scalar::<f32>(), labelled),
                (edge.forward(batch.map(&batch.edge_logits), batch.edge_labels(&TargetsOptions::default())).into_scalar(), labelled),
                (attention.forward(logits, batch.map(&batch.edge_logits), batch.labels()).into_scalar::<f32>(), 1.0),
            ]
        };
        let parts: Vec<_> = (0..batch.shape[0]).map(|image| losses(&batch.image(image))).collect();
        for (term, (whole, _)) in losses(&batch).into_iter().enumerate() {
            let weight: f32 = parts.iter().map(|part| part[term].1).sum();
            let sum: f32 = parts.iter().map(|part| part[term].0 * part[term].1).sum();
            assert_close(&[whole], &[if weight > 0.0 { sum / weight } else { 0.0 }])?;
        }
    }

    #[test]
    fn mining_by_threshold_is_exact(batch in batch(), min_kept in 0..120usize, probability in 0.0f64..1.0) {
        let mut entropies: Vec<f64> = cross_entropies(&batch).into_iter().flatten().collect();
        entropies.sort_by(|a, b| b.total_cmp(a));
        if (1..=entropies.len()).contains(&min_kept) {
            let limit = (-probability.ln()).min(entropies[min_kept - 1]);
            // Where f32 and f64 may decide differently there is nothing to compare.
            prop_assume!(entropies.iter().all(|entropy| *entropy == limit || (entropy - limit).abs() > 1e-5));
            entropies.retain(|entropy| *entropy >= limit);
        }
        let mining = PixelMining::Threshold { probability, min_kept: PixelCount::Absolute(min_kept), at_limit: AtLimit::Kept };
        let loss = OhemCrossEntropyLossConfig::new().with_mining(mining).init();
        let loss = loss.forward(batch.map(&batch.logits), batch.labels());
        assert_close(&[loss.into_scalar()], &[mean(&entropies) as f32])?;
    }

    #[test]
    fn mining_the_hardest_is_exact(batch in batch(), fraction in 0.0f64..1.0) {
        let pixels = batch.shape[1] * batch.shape[2];
        let hardest = ((fraction * pixels as f64 + 1e-9) as usize).max(1);
        let of_image = |entropies: &[Option<f64>]| {
            let mut entropies: Vec<f64> = entropies.iter().copied().flatten().collect();
            entropies.sort_by(|a, b| b.total_cmp(a));
            entropies.iter().take(hardest).sum::<f64>() / hardest as f64
        };
        let golden: Vec<f64> = cross_entropies(&batch).chunks(pixels).map(of_image).collect();
        let loss = OhemCrossEntropyLossConfig::new().with_mining(PixelMining::Hardest { fraction }).init();
        let loss = loss.forward(batch.map(&batch.logits), batch.labels());
        assert_close(&[loss.into_scalar()], &[mean(&golden) as f32])?;
    }

    #[test]
    fn edges_are_those_of_the_definition(
        batch in batch(),
        edge_radius in prop_oneof![1..4usize, Just(7)],
        excluded in any::<bool>(),
        frame_is_edge in any::<bool>(),
    ) {
        let ignored_pixels = if excluded { IgnoredPixels::Exclude } else { IgnoredPixels::Background };
        let options = TargetsOptions { edge_radius, ignored_pixels, frame_is_edge, ..TargetsOptions::default() };
        let found = |options: &TargetsOptions| -> Vec<i64> {
            batch.edge_labels(options).try_into_vec_as().expect("integers")
        };
        prop_assert_eq!(&found(&options), &edges_by_definition(&batch, &options));

        // The same by way of sets of one class.
        let of_sets = TargetsOptions { border: 0, edge_source: EdgeSource::Relaxed, ..options.clone() };
        prop_assert_eq!(found(&of_sets), found(&options));
    }

    #[test]
    fn relaxed_sets_hold_the_window(batch in batch(), border in 0..4usize) {
        let [images, height, width] = batch.shape;
        let options = TargetsOptions { border, ..TargetsOptions::default() };
        let targets = Targets::from_labels(batch.labels(), CLASSES, &options);
        let relaxed = targets.supervision.expect("all targets").relaxed;
        let found: Vec<i64> = relaxed.to_multi_hot().try_into_vec_as().expect("integers");
        let border = border as i64;
        let mut golden = vec![0; images * (CLASSES + 1) * height * width];
        for n in 0..batch.labels.len() {
            let (image, y, x) = (n / (height * width), (n / width % height) as i64, (n % width) as i64);
            for (dy, dx) in (-border..=border).flat_map(|dy| (-border..=border).map(move |dx| (dy, dx))) {
                let inside = (0..height as i64).contains(&(y + dy)) && (0..width as i64).contains(&(x + dx));
                let label = if inside { batch.labels[(n as i64 + dy * width as i64 + dx) as usize] } else { 255 };
                let channel = if label == 255 { CLASSES } else { label as usize };
                golden[(image * (CLASSES + 1) + channel) * height * width + n % (height * width)] = 1;
            }
        }
        prop_assert_eq!(found, golden);
    }
}
