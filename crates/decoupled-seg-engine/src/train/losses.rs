use burn::tensor::{Tensor, TensorReadError};
use decoupled_seg_losses::{LossTerms, LossValues, Terms};

/// The mean over several batches with the same terms, out of the graphs they came from.
///
/// # Panics
///
/// Panics without a batch.
pub(super) fn mean(batches: Vec<LossTerms>) -> LossTerms {
    let count = batches.len();
    let sum = batches
        .into_iter()
        .map(|terms| terms.map(Tensor::inner))
        .reduce(|sum, terms| sum.zip_with(terms, |a, b| a + b))
        .expect("at least one batch");
    if count == 1 {
        return sum;
    }
    sum.map(|term| term.div_scalar(count as f64))
}

/// Losses that are still on the device, read back many steps in one transfer.
///
/// Reading a scalar makes the host wait for the device and, on an asynchronous one, leaves it idle while the next step
/// is prepared.
#[derive(Debug)]
pub(crate) struct PendingLosses<T> {
    /// The terms that every step of the run has.
    layout: Option<Terms<()>>,
    rows: Vec<Tensor<1>>,
    tags: Vec<T>,
}

impl<T> PendingLosses<T> {
    pub fn new() -> Self {
        Self {
            layout: None,
            rows: Vec::new(),
            tags: Vec::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Keeps the values of a step on the device. Every step of a run has the same terms.
    pub fn push(&mut self, terms: LossTerms, tag: T) {
        let layout = terms.as_ref().map(|_| ());
        assert_eq!(
            *self.layout.get_or_insert(layout),
            layout,
            "all steps of a run have the same loss terms"
        );
        let row: Vec<_> = terms.iter().map(|(_, term)| term.clone()).collect();
        self.rows.push(Tensor::cat(row, 0));
        self.tags.push(tag);
    }

    /// Reads everything back, in order. `Err` if the device does not answer.
    pub fn read(&mut self) -> Result<Vec<(T, LossValues)>, TensorReadError> {
        let (Some(layout), false) = (self.layout, self.rows.is_empty()) else {
            return Ok(Vec::new());
        };
        let values: Vec<f32> = Tensor::cat(std::mem::take(&mut self.rows), 0).try_into_vec_as()?;
        let mut values = values.into_iter();
        let mut next = || values.next().expect("a value for each term of each step");
        Ok(std::mem::take(&mut self.tags)
            .into_iter()
            .map(|tag| (tag, layout.map(|()| next())))
            .collect())
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
            segmentation: scalar(total - edge),
            body: None,
            edge: Some(scalar(edge)),
            attention: None,
            duality: None,
            auxiliary: None,
        }
    }

    #[test]
    fn pending_losses_come_back_in_order_with_their_terms() {
        let mut pending = PendingLosses::new();
        pending.push(terms(3.0, 1.0), 10);
        pending.push(terms(2.5, 0.5), 11);
        assert_eq!(pending.len(), 2);
        let read = pending.read().expect("the CPU answers");
        assert_eq!(read.len(), 2);
        assert_eq!(read[1].0, 11);
        assert_eq!(read[1].1.total, 2.5);
        assert_eq!((read[1].1.segmentation, read[1].1.edge), (2.0, Some(0.5)));
        assert_eq!(read[1].1.body, None);
        assert!(pending.read().expect("nothing to read").is_empty());
    }

    #[test]
    fn accumulated_batches_have_one_mean() {
        let mean =
            mean(vec![terms(3.0, 1.0), terms(5.0, 2.0)]).map(|term| term.into_scalar::<f32>());
        assert_eq!((mean.total, mean.edge, mean.body), (4.0, Some(1.5), None));
    }
}
