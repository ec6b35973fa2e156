//! One program for batches of any size, from a recording of two.
//!
//! A recording has the lengths of its own batch in it. Two recordings, on 2 and on 3 pictures, tell which lengths those
//! are: what is 2 here and 3 there counts pictures, what is 8 here and 12 there counts four of something for each. The
//! same operations with the same numbers must be in both.

use std::collections::{BTreeMap, HashMap};

use burn::backend::capture::TensorId;
use burn::backend::ir::{BaseOperationIr, IrVisitorMut, OperationIr, TensorIr, TensorStatus};
use burn::tensor::{Shape, Slice, TensorData};

use crate::OnnxError;
use crate::proto::Dim;
use crate::recording::{Recording, Role};

/// The batches that a network is recorded on.
pub(crate) const BATCHES: [usize; 2] = [2, 3];

/// Operations for any batch, or for the one that was recorded. Tensors are known by their numbers in the first recording.
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) operations: Vec<OperationIr>,
    pub(crate) values: BTreeMap<TensorId, TensorData>,
    pub(crate) names: HashMap<TensorId, String>,
    pub(crate) dims: HashMap<TensorId, Vec<Dim>>,
    pub(crate) input: TensorId,
    pub(crate) outputs: Vec<(Role, TensorId)>,
}

impl Program {
    /// The program of a recording, for the batch that was recorded. `input` is the shape of its images.
    pub(crate) fn fixed(recording: Recording, input: Vec<Dim>) -> Self {
        let mut dims = HashMap::from([(recording.input, input)]);
        for tensor in recording.operations.iter().flat_map(OperationIr::nodes) {
            let fixed = tensor.shape.iter().map(|&length| Dim::Fixed(length));
            dims.insert(tensor.id, fixed.collect());
        }
        Self::new(recording, dims)
    }

    /// The program of two recordings of the same network, on batches of [`BATCHES`].
    pub(crate) fn free(
        first: Recording,
        second: &Recording,
        input: Vec<Dim>,
    ) -> Result<Self, OnnxError> {
        let mut dims = HashMap::from([(first.input, input)]);
        let mut twins: HashMap<TensorId, TensorId> = HashMap::new();
        if first.operations.len() != second.operations.len() {
            let longer = if first.operations.len() > second.operations.len() {
                &first.operations
            } else {
                &second.operations
            };
            let shorter = first.operations.len().min(second.operations.len());
            return Err(depends(&longer[shorter], "other operations follow"));
        }
        for (one, other) in first.operations.iter().zip(&second.operations) {
            if skeleton(one) != skeleton(other) {
                return Err(depends(one, "another operation, or other numbers"));
            }
            for (tensor, twin) in one.nodes().into_iter().zip(other.nodes()) {
                let known = *twins.entry(tensor.id).or_insert(twin.id);
                if known != twin.id {
                    return Err(depends(one, "other inputs"));
                }
                if first.values.get(&tensor.id) != second.values.get(&twin.id)
                    && tensor.id != first.input
                {
                    return Err(depends(one, "a constant that is made for the batch"));
                }
                dims.insert(tensor.id, free_dims(one, tensor, twin)?);
            }
        }
        Ok(Self::new(first, dims))
    }

    fn new(recording: Recording, dims: HashMap<TensorId, Vec<Dim>>) -> Self {
        let Recording {
            operations,
            values,
            names,
            input,
            outputs,
        } = recording;
        let needed = without_dead(operations, &outputs);
        Self {
            operations: needed,
            values,
            names,
            dims,
            input,
            outputs,
        }
    }
}

fn free_dims(
    operation: &OperationIr,
    tensor: &TensorIr,
    twin: &TensorIr,
) -> Result<Vec<Dim>, OnnxError> {
    let lengths = tensor.shape.iter().zip(twin.shape.iter());
    let dims = lengths.map(|(&one, &other)| {
        let [two, three] = BATCHES;
        if one == other {
            Some(Dim::Fixed(one))
        } else if one % two == 0 && other % three == 0 && one / two == other / three {
            Some(Dim::Batch(one / two))
        } else {
            None
        }
    });
    let dims: Option<Vec<Dim>> = dims.collect();
    match dims {
        Some(dims) if tensor.shape.num_dims() == twin.shape.num_dims() => Ok(dims),
        _ => {
            let reason = format!("a tensor {:?} becomes {:?}", tensor.shape, twin.shape);
            Err(depends(operation, &reason))
        }
    }
}

/// The operations that an output needs.
fn without_dead(operations: Vec<OperationIr>, outputs: &[(Role, TensorId)]) -> Vec<OperationIr> {
    let mut needed: std::collections::HashSet<TensorId> =
        outputs.iter().map(|(_, id)| *id).collect();
    let mut kept = Vec::with_capacity(operations.len());
    for operation in operations.into_iter().rev() {
        if operation
            .outputs()
            .any(|tensor| needed.contains(&tensor.id))
        {
            needed.extend(operation.inputs().map(|tensor| tensor.id));
            kept.push(operation);
        }
    }
    kept.reverse();
    kept
}

fn depends(operation: &OperationIr, reason: &str) -> OnnxError {
    OnnxError::BatchDependent {
        operation: operation_name(operation),
        reason: reason.to_string(),
    }
}

/// Burn's name of an operation: `Conv2d`.
pub(crate) fn operation_name(operation: &OperationIr) -> String {
    if let OperationIr::Custom(custom) = operation {
        return custom.id.clone();
    }
    // `Module(Conv2d(Conv2dOpIr { .. }))`, or `NumericFloat(F32, Add(..))`.
    let text = format!("{operation:?}");
    let kind = text.split_once('(').map_or(text.as_str(), |(_, kind)| kind);
    let end = kind.find(['(', ' ', ')']).unwrap_or(kind.len());
    match kind[..end].strip_suffix(',') {
        Some(_dtype) => {
            let kind = &kind[end + 1..];
            kind[..kind.find(['(', ' ', ')']).unwrap_or(kind.len())].to_string()
        }
        None => kind[..end].to_string(),
    }
}

/// An operation without its tensors, so that two recordings of it can be compared.
fn skeleton(operation: &OperationIr) -> OperationIr {
    let mut operation = operation.clone();
    // A whole axis is a whole axis, however long.
    if let OperationIr::BaseFloat(base) | OperationIr::BaseInt(base) | OperationIr::BaseBool(base) =
        &mut operation
    {
        let (tensor, ranges) = match base {
            BaseOperationIr::Slice(slice) => (&slice.tensor, &mut slice.ranges),
            BaseOperationIr::SliceAssign(slice) => (&slice.tensor, &mut slice.ranges),
            _ => return without_tensors(operation),
        };
        for (range, &length) in ranges.iter_mut().zip(tensor.shape.iter()) {
            if is_whole(range, length) {
                *range = Slice::full();
            }
        }
    }
    without_tensors(operation)
}

/// Whether a range is all of an axis, in its order.
pub(crate) fn is_whole(range: &Slice, length: usize) -> bool {
    range.step == 1 && range.to_range(length) == (0..length)
}

fn without_tensors(mut operation: OperationIr) -> OperationIr {
    operation.visit_mut(&mut Blank);
    operation
}

struct Blank;

impl IrVisitorMut for Blank {
    fn visit_tensor_mut(&mut self, tensor: &mut TensorIr) {
        tensor.id = TensorId::new(0);
        tensor.shape = Shape::new([]);
        tensor.status = TensorStatus::ReadOnly;
    }
}
