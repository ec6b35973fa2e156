use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// A term of the loss, as logs name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossTerm {
    /// The sum that is trained on.
    Total,
    /// Cross-entropy on the final segmentation.
    Segmentation,
    /// Boundary-relaxed loss on the body.
    Body,
    /// Class-balanced binary cross-entropy on the edge.
    Edge,
    /// Cross-entropy on the final segmentation at predicted edges.
    Attention,
    /// Cross-entropy of an auxiliary head.
    Auxiliary,
}

impl LossTerm {
    /// All terms, in the order of [`LossValues`].
    pub const ALL: [Self; 6] = [
        Self::Total,
        Self::Segmentation,
        Self::Body,
        Self::Edge,
        Self::Attention,
        Self::Auxiliary,
    ];

    /// The name in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Total => "total",
            Self::Segmentation => "segmentation",
            Self::Body => "body",
            Self::Edge => "edge",
            Self::Attention => "attention",
            Self::Auxiliary => "auxiliary",
        }
    }
}

impl std::fmt::Display for LossTerm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The terms of a loss on the device, each weighted as it enters the total. Terms that the network or the recipe does
/// not have are `None`.
#[derive(Debug, Clone)]
pub struct LossTerms {
    /// The sum.
    pub total: Tensor<1>,
    /// See [`LossTerm::Segmentation`].
    pub segmentation: Option<Tensor<1>>,
    /// See [`LossTerm::Body`].
    pub body: Option<Tensor<1>>,
    /// See [`LossTerm::Edge`].
    pub edge: Option<Tensor<1>>,
    /// See [`LossTerm::Attention`].
    pub attention: Option<Tensor<1>>,
    /// See [`LossTerm::Auxiliary`].
    pub auxiliary: Option<Tensor<1>>,
}

impl LossTerms {
    /// The same values without the graph they came from.
    pub(crate) fn detached(self) -> Self {
        self.map(|term| term.inner())
    }

    /// The mean over several batches with the same terms.
    ///
    /// # Panics
    ///
    /// Panics without a batch.
    pub(crate) fn mean(batches: Vec<Self>) -> Self {
        let count = batches.len();
        let sum = batches
            .into_iter()
            .reduce(Self::add)
            .expect("at least one batch");
        if count == 1 {
            return sum;
        }
        sum.map(|term| term.div_scalar(count as f64))
    }

    fn add(self, other: Self) -> Self {
        let add = |a: Option<Tensor<1>>, b: Option<Tensor<1>>| a.zip(b).map(|(a, b)| a + b);
        Self {
            total: self.total + other.total,
            segmentation: add(self.segmentation, other.segmentation),
            body: add(self.body, other.body),
            edge: add(self.edge, other.edge),
            attention: add(self.attention, other.attention),
            auxiliary: add(self.auxiliary, other.auxiliary),
        }
    }

    fn map(self, change: impl Fn(Tensor<1>) -> Tensor<1>) -> Self {
        Self {
            total: change(self.total),
            segmentation: self.segmentation.map(&change),
            body: self.body.map(&change),
            edge: self.edge.map(&change),
            attention: self.attention.map(&change),
            auxiliary: self.auxiliary.map(&change),
        }
    }

    fn list(&self) -> [Option<&Tensor<1>>; 6] {
        [
            Some(&self.total),
            self.segmentation.as_ref(),
            self.body.as_ref(),
            self.edge.as_ref(),
            self.attention.as_ref(),
            self.auxiliary.as_ref(),
        ]
    }
}

/// The values of a loss, read back from the device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossValues {
    /// The sum.
    pub total: f32,
    /// See [`LossTerm::Segmentation`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segmentation: Option<f32>,
    /// See [`LossTerm::Body`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<f32>,
    /// See [`LossTerm::Edge`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<f32>,
    /// See [`LossTerm::Attention`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attention: Option<f32>,
    /// See [`LossTerm::Auxiliary`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auxiliary: Option<f32>,
}

impl LossValues {
    fn from_list(list: [Option<f32>; 6]) -> Self {
        let [total, segmentation, body, edge, attention, auxiliary] = list;
        Self {
            total: total.expect("every loss has a total"),
            segmentation,
            body,
            edge,
            attention,
            auxiliary,
        }
    }

    /// The value of a term, if the loss has it.
    pub fn get(&self, term: LossTerm) -> Option<f32> {
        match term {
            LossTerm::Total => Some(self.total),
            LossTerm::Segmentation => self.segmentation,
            LossTerm::Body => self.body,
            LossTerm::Edge => self.edge,
            LossTerm::Attention => self.attention,
            LossTerm::Auxiliary => self.auxiliary,
        }
    }

    /// The terms that are there, in order.
    pub fn iter(&self) -> impl Iterator<Item = (LossTerm, f32)> + '_ {
        LossTerm::ALL
            .into_iter()
            .filter_map(|term| Some((term, self.get(term)?)))
    }

    /// The first term that is not finite. The parts come before the total, which says less.
    pub fn first_not_finite(&self) -> Option<(LossTerm, f32)> {
        let mut parts: Vec<(LossTerm, f32)> = self.iter().collect();
        parts.rotate_left(1);
        parts.into_iter().find(|(_, value)| !value.is_finite())
    }
}

/// Means of the terms over steps.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossMeans {
    steps: usize,
    sums: [Option<f64>; 6],
}

impl LossMeans {
    /// Adds the values of a step.
    pub fn add(&mut self, values: &LossValues) {
        self.steps += 1;
        for (sum, term) in self.sums.iter_mut().zip(LossTerm::ALL) {
            if let Some(value) = values.get(term) {
                *sum = Some(sum.unwrap_or(0.0) + f64::from(value));
            }
        }
    }

    /// The means; `None` before the first step.
    pub fn means(&self) -> Option<LossValues> {
        (self.steps > 0).then(|| {
            LossValues::from_list(self.sums.map(|sum| Some((sum? / self.steps as f64) as f32)))
        })
    }
}

/// Losses that are still on the device, read back many steps in one transfer.
///
/// Reading a scalar makes the host wait for the device and, on an asynchronous one, leaves it idle while the next step
/// is prepared.
#[derive(Debug, Default)]
pub(crate) struct PendingLosses<T> {
    present: [bool; 6],
    rows: Vec<Tensor<1>>,
    tags: Vec<T>,
}

impl<T> PendingLosses<T> {
    pub fn new() -> Self {
        Self {
            present: [false; 6],
            rows: Vec::new(),
            tags: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes the values of a step out of its graph and keeps them on the device. Every step of a run has the same
    /// terms.
    pub fn push(&mut self, terms: &LossTerms, tag: T) {
        let list = terms.list();
        let present = list.map(|term| term.is_some());
        assert!(
            self.rows.is_empty() || present == self.present,
            "all steps of a run have the same loss terms"
        );
        self.present = present;
        let row: Vec<Tensor<1>> = list
            .into_iter()
            .flatten()
            .map(|term| term.clone().inner())
            .collect();
        self.rows.push(Tensor::cat(row, 0));
        self.tags.push(tag);
    }

    /// Reads everything back, in order.
    pub fn read(&mut self) -> Vec<(T, LossValues)> {
        if self.rows.is_empty() {
            return Vec::new();
        }
        let rows = std::mem::take(&mut self.rows);
        let tags = std::mem::take(&mut self.tags);
        let values: Vec<f32> = Tensor::cat(rows, 0)
            .try_into_vec_as::<f32>()
            .expect("converted to f32");
        let width = self.present.iter().filter(|&&present| present).count();
        tags.into_iter()
            .zip(values.chunks_exact(width))
            .map(|(tag, row)| {
                let mut row = row.iter().copied();
                let list = self
                    .present
                    .map(|present| if present { row.next() } else { None });
                (tag, LossValues::from_list(list))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;

    fn terms(total: f32, edge: f32) -> LossTerms {
        let device = Device::default();
        let scalar = |value: f32| Tensor::<1>::from_floats([value], &device);
        LossTerms {
            total: scalar(total),
            segmentation: Some(scalar(total - edge)),
            body: None,
            edge: Some(scalar(edge)),
            attention: None,
            auxiliary: None,
        }
    }

    #[test]
    fn pending_losses_come_back_in_order_with_their_terms() {
        let mut pending = PendingLosses::new();
        pending.push(&terms(3.0, 1.0), 10);
        pending.push(&terms(2.5, 0.5), 11);
        assert_eq!(pending.len(), 2);
        let read = pending.read();
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].0, 11);
        assert_eq!(read[1].1.total, 2.5);
        assert_eq!(read[1].1.get(LossTerm::Edge), Some(0.5));
        assert_eq!(read[1].1.get(LossTerm::Body), None);
        assert!(pending.read().is_empty());
    }

    #[test]
    fn the_culprit_is_named_before_the_total() {
        let values = LossValues {
            total: f32::NAN,
            segmentation: Some(1.0),
            edge: Some(f32::INFINITY),
            ..LossValues::default()
        };
        let (term, value) = values.first_not_finite().expect("two are not finite");
        assert_eq!((term, value), (LossTerm::Edge, f32::INFINITY));
        assert_eq!(LossValues::default().first_not_finite(), None);
    }

    #[test]
    fn means_are_over_the_steps_added() {
        let mut means = LossMeans::default();
        assert_eq!(means.means(), None);
        for total in [1.0, 3.0] {
            means.add(&LossValues {
                total,
                body: Some(total / 2.0),
                ..LossValues::default()
            });
        }
        let mean = means.means().expect("two steps");
        assert_eq!((mean.total, mean.body, mean.edge), (2.0, Some(1.0), None));
    }
}
