use rayon::prelude::*;

use crate::{DatasetError, LabelMap, SegmentationDataset};

/// How often the classes occur in label maps, and class weights that follow from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassFrequencies {
    /// Pixels of each class.
    pixels: Vec<u64>,
    /// Labelled pixels of the pictures that show the class.
    around: Vec<u64>,
}

/// Label maps that are read at once.
const BLOCK: usize = 64;

impl ClassFrequencies {
    /// Nothing counted yet.
    pub fn new(num_classes: usize) -> Self {
        Self {
            pixels: vec![0; num_classes],
            around: vec![0; num_classes],
        }
    }

    /// Counts all items of a data set but the extra ones.
    ///
    /// # Errors
    ///
    /// Returns the error of labels that cannot be read.
    pub fn of(dataset: &dyn SegmentationDataset) -> Result<Self, DatasetError> {
        let mut frequencies = Self::new(dataset.classes().num_classes());
        let items = dataset.extra_from().unwrap_or(dataset.len());
        let indices: Vec<usize> = (0..items).collect();
        for block in indices.chunks(BLOCK) {
            let labels: Vec<_> = block
                .par_iter()
                .map(|&index| dataset.labels(index))
                .collect();
            for labels in labels {
                frequencies.add(&labels?);
            }
        }
        Ok(frequencies)
    }

    /// Counts one label map. Labels that are no class are left out.
    pub fn add(&mut self, labels: &LabelMap) {
        let histogram = labels.histogram();
        let counts = &histogram[..self.pixels.len()];
        let labelled: u64 = counts.iter().sum();
        for (class, &count) in counts.iter().enumerate() {
            self.pixels[class] += count;
            if count > 0 {
                self.around[class] += labelled;
            }
        }
    }

    /// Pixels of each class.
    pub fn pixels(&self) -> &[u64] {
        &self.pixels
    }

    /// Median frequency balancing, one weight a class:
    ///
    /// ```text
    /// f_c = pixels of class c / labelled pixels of the pictures that show c
    /// w_c = median of all f / f_c      1 for a class that no pixel shows, which no loss sees either
    /// ```
    ///
    /// Source: Eigen and Fergus, ICCV 2015, [arXiv:1411.4734](https://arxiv.org/abs/1411.4734), section 6.3.
    pub fn median_frequency_weights(&self) -> Vec<f64> {
        let frequency = |class: usize| match self.around[class] {
            0 => None,
            around => Some(self.pixels[class] as f64 / around as f64),
        };
        let frequencies: Vec<Option<f64>> = (0..self.pixels.len()).map(frequency).collect();
        let median = median(frequencies.iter().flatten().copied().collect());
        frequencies
            .into_iter()
            .map(|frequency| frequency.map_or(1.0, |frequency| median / frequency))
            .collect()
    }

    /// The weights of ENet, one a class: `1 / ln(offset + share of the labelled pixels)`. The offset bounds them; the
    /// paper's 1.02 makes them 1.4 to 50.
    ///
    /// Source: Paszke et al., 2016, [arXiv:1606.02147](https://arxiv.org/abs/1606.02147), section 5.1.
    ///
    /// # Panics
    ///
    /// Panics unless `offset` is above 1.
    pub fn enet_weights(&self, offset: f64) -> Vec<f64> {
        assert!(offset > 1.0, "offset must be above 1, got {offset}");
        let all = self.pixels.iter().sum::<u64>().max(1) as f64;
        self.pixels
            .iter()
            .map(|&pixels| 1.0 / (offset + pixels as f64 / all).ln())
            .collect()
    }

    /// The mean of weights, one a class, over all labelled pixels; 1 if there are none, or if it would be 0.
    ///
    /// # Panics
    ///
    /// Panics unless there is one for each class.
    pub fn mean_of(&self, weights: &[f64]) -> f64 {
        assert_eq!(
            weights.len(),
            self.pixels.len(),
            "number of class weights, and of classes"
        );
        let all = self.pixels.iter().sum::<u64>();
        let each = self.pixels.iter().zip(weights);
        let sum: f64 = each.map(|(&pixels, weight)| pixels as f64 * weight).sum();
        if sum == 0.0 { 1.0 } else { sum / all as f64 }
    }
}

/// The middle value, or the mean of the two in the middle; 0 of nothing.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let count = values.len();
    match count {
        0 => 0.0,
        _ if count % 2 == 1 => values[count / 2],
        _ => (values[count / 2 - 1] + values[count / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Size;

    fn map(labels: [u8; 4]) -> LabelMap {
        LabelMap::new(Size::square(2), labels.to_vec())
    }

    #[test]
    fn weights_by_hand() {
        let mut frequencies = ClassFrequencies::new(4);
        frequencies.add(&map([0, 0, 0, 1]));
        frequencies.add(&map([0, 2, 255, 255]));
        assert_eq!(frequencies.pixels(), [4, 1, 1, 0]);
        // Frequencies 4/6, 1/4 and 1/2: the median is that of class 2.
        let weights = frequencies.median_frequency_weights();
        assert_eq!(weights, [0.75, 2.0, 1.0, 1.0]);
        let weights = frequencies.enet_weights(1.02);
        let expected = [4.0, 1.0, 1.0, 0.0].map(|pixels: f64| 1.0 / (1.02 + pixels / 6.0).ln());
        assert_eq!(weights, expected);
        assert_eq!(frequencies.mean_of(&[0.75, 2.0, 1.0, 9.0]), 1.0);
    }

    #[test]
    fn nothing_counted_weighs_the_same() {
        let none = ClassFrequencies::new(3);
        assert_eq!(none.median_frequency_weights(), [1.0; 3]);
        assert_eq!(none.mean_of(&[2.0; 3]), 1.0);
    }

    #[test]
    #[should_panic(expected = "offset must be above 1, got 1")]
    fn an_offset_of_one_has_no_bound() {
        ClassFrequencies::new(3).enet_weights(1.0);
    }
}
