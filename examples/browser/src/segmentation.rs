use decoupled_seg::nn::Size;
use decoupled_seg_viz::FlowField;

/// What a network says about one picture.
#[derive(Debug, Clone)]
pub struct Segmentation {
    /// Size of the picture.
    pub size: Size,
    /// Logits, `[classes, height, width]`.
    pub logits: Vec<f32>,
    /// The class of each pixel; of equal logits, the first.
    pub labels: Vec<u8>,
    /// The probability of that class.
    pub confidence: Vec<f32>,
    /// The class of each pixel as the body alone sees it, from a network with body and edge.
    pub body: Option<Vec<u8>>,
    /// The probability of an edge at each pixel, from a network with body and edge.
    pub edge: Option<Vec<f32>>,
    /// The flow towards the body, at the size of the features, from a network with a flow.
    pub flow: Option<FlowField>,
}

impl Segmentation {
    /// The segmentation of `[classes, height, width]` logits.
    ///
    /// # Panics
    ///
    /// Panics if the logits have another number of values, or there are no classes.
    pub fn new(size: Size, classes: usize, logits: Vec<f32>) -> Self {
        let (labels, confidence) = most_likely(size, classes, &logits);
        Self {
            size,
            logits,
            labels,
            confidence,
            body: None,
            edge: None,
            flow: None,
        }
    }

    /// With the logits of the body, `[classes, height, width]`, and of the edge, `[height, width]`.
    ///
    /// # Panics
    ///
    /// Panics if the logits have another number of values.
    pub fn with_body_and_edge(
        mut self,
        body_logits: &[f32],
        edge_logits: &[f32],
        flow: Option<FlowField>,
    ) -> Self {
        let pixels = self.size.pixels();
        assert_eq!(edge_logits.len(), pixels, "an edge logit for each pixel");
        let classes = self.logits.len() / pixels;
        self.body = Some(most_likely(self.size, classes, body_logits).0);
        let sigmoid = |logit: &f32| 1.0 / (1.0 + (-logit).exp());
        self.edge = Some(edge_logits.iter().map(sigmoid).collect());
        self.flow = flow;
        self
    }

    /// The flow vector at a pixel, in the unit of the network's warp; `None` if there is no flow.
    pub fn flow_at(&self, x: usize, y: usize) -> Option<[f32; 2]> {
        let flow = self.flow.as_ref()?;
        let at = |position: usize, length: usize, features: usize| {
            (position * features / length).min(features - 1)
        };
        let x = at(x, self.size.width, flow.size.width);
        let y = at(y, self.size.height, flow.size.height);
        let first = y * flow.size.width + x;
        Some([flow.data[first], flow.data[flow.size.pixels() + first]])
    }
}

/// The class of the largest logit at each pixel, and its probability.
fn most_likely(size: Size, classes: usize, logits: &[f32]) -> (Vec<u8>, Vec<f32>) {
    let pixels = size.pixels();
    assert!(classes > 0, "a network predicts at least one class");
    assert_eq!(
        logits.len(),
        classes * pixels,
        "a logit for each class and pixel"
    );
    let (first, rest) = logits.split_at(pixels);
    let mut largest = first.to_vec();
    let mut labels = vec![0; pixels];
    for (class, plane) in (1..=u8::MAX).zip(rest.chunks_exact(pixels)) {
        for ((largest, label), &logit) in largest.iter_mut().zip(&mut labels).zip(plane) {
            if logit > *largest {
                (*largest, *label) = (logit, class);
            }
        }
    }
    let mut sums = vec![0.0_f32; pixels];
    for plane in logits.chunks_exact(pixels) {
        for ((sum, largest), logit) in sums.iter_mut().zip(&largest).zip(plane) {
            *sum += (logit - largest).exp();
        }
    }
    let confidence = sums.into_iter().map(|sum| 1.0 / sum).collect();
    (labels, confidence)
}

/// The share of each class among the labels, in `0..=1`.
pub fn share_of_classes(labels: &[u8], classes: usize) -> Vec<f64> {
    let mut counts = vec![0_usize; classes];
    for &label in labels {
        counts[usize::from(label)] += 1;
    }
    let total = labels.len().max(1) as f64;
    counts
        .into_iter()
        .map(|count| count as f64 / total)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size::new(1, 3);

    #[test]
    fn classes_and_probabilities_by_hand() {
        let ln3 = 3.0_f32.ln();
        let logits = vec![0.0, 5.0, 1.0, ln3, 5.0, 1.0 + ln3];
        let found = Segmentation::new(SIZE, 2, logits);
        assert_eq!(found.labels, [1, 0, 1]);
        for (found, expected) in found.confidence.iter().zip([0.75, 0.5, 0.75]) {
            assert!((found - expected).abs() < 1e-6, "{found}");
        }
        assert_eq!(
            share_of_classes(&found.labels, 3),
            [1.0 / 3.0, 2.0 / 3.0, 0.0]
        );
        assert_eq!(found.flow_at(0, 0), None);
    }

    #[test]
    fn large_logits_have_probabilities_too() {
        let found = Segmentation::new(Size::new(1, 1), 2, vec![1e4, -1e4]);
        assert_eq!(found.confidence, [1.0]);
    }

    #[test]
    fn body_edge_and_flow() {
        let size = Size::new(2, 4);
        let flow = FlowField::new(vec![1.0, 2.0, 3.0, 4.0], Size::new(1, 2));
        let found = Segmentation::new(size, 1, vec![0.0; 8]).with_body_and_edge(
            &[0.0; 8],
            &[0.0, 100.0, -100.0, 0.0, 0.0, 0.0, 0.0, 0.0],
            Some(flow),
        );
        let edge = found.edge.as_ref().expect("an edge");
        assert_eq!(edge[..3], [0.5, 1.0, 0.0]);
        assert_eq!(found.flow_at(1, 1), Some([1.0, 3.0]));
        assert_eq!(found.flow_at(2, 0), Some([2.0, 4.0]));
    }

    #[test]
    #[should_panic(expected = "a logit for each class and pixel")]
    fn logits_of_another_size_panic() {
        Segmentation::new(SIZE, 2, vec![0.0; 5]);
    }
}
