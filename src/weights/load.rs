use std::collections::BTreeSet;

use burn::module::Module;
use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{ModuleSnapshot, bridge};
use burn::tensor::DType;
use decoupled_seg_nn::KeyMap;

use super::{Checkpoint, Mismatch, Misshaped, WeightsError};

/// What to do with a file whose tensors are not exactly those of the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoadPolicy {
    /// Every tensor must be there, fit, and belong to the network; otherwise nothing is loaded.
    #[default]
    Whole,
    /// Takes what fits, and reports the rest. For a new set of classes, a decoupled network from a plain one, a
    /// backbone's weights with a classifier behind them. A file of which nothing fits is still an error.
    Partial,
}

/// What [`load`] did, in the file's names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadReport {
    /// Taken from the file.
    pub loaded: Vec<String>,
    /// Left as they were, or left in the file. Empty after [`LoadPolicy::Whole`].
    pub left_out: Mismatch,
}

/// Puts the tensors of a file into `module`; `keys` says which goes where.
///
/// Numbers are converted to the type that the module has. The module's device, and whether its parameters are trained,
/// stay as they are. Clones of a module share the statistics of its batch norms in Burn, so these change in the clones
/// too: load into a module of its own.
///
/// # Errors
///
/// [`WeightsError::Mismatch`] where the policy asks for more than the file has, [`WeightsError::Damaged`] if a tensor
/// cannot be read. The module is then unchanged.
pub fn load<M: Module>(
    module: &mut M,
    keys: &KeyMap,
    checkpoint: &Checkpoint,
    policy: LoadPolicy,
) -> Result<LoadReport, WeightsError> {
    let plan = Plan::new(module, keys, checkpoint);
    let refuse = match policy {
        LoadPolicy::Whole => !plan.mismatch.is_empty(),
        LoadPolicy::Partial => plan.matches.is_empty(),
    };
    if refuse {
        return Err(WeightsError::Mismatch {
            path: checkpoint.path().to_path_buf(),
            mismatch: plan.mismatch,
        });
    }

    // All is read before anything is placed: a tensor may turn out to be unreadable. (Placing into a clone would not
    // do, since the statistics of its batch norms are those of the original.)
    let mut loaded = Vec::with_capacity(plan.matches.len());
    let mut tensors = Vec::with_capacity(plan.matches.len());
    for Match { key, tensor } in plan.matches {
        let name = tensor.name.clone();
        let data = bridge::into_data(tensor).map_err(|error| WeightsError::Damaged {
            path: checkpoint.path().to_path_buf(),
            reason: error.to_string(),
        })?;
        tensors.push(bridge::from_data(data, name, None));
        loaded.push(key);
    }
    let result = module.apply(tensors, None, None, SKIP_ENUM_VARIANTS);
    assert!(
        result.errors.is_empty() && result.applied.len() == loaded.len(),
        "shapes were compared, so all tensors fit: {result}"
    );

    Ok(LoadReport {
        loaded,
        left_out: plan.mismatch,
    })
}

/// How many tensors of the file have a place in `module`.
pub(super) fn count_fitting<M: Module>(
    module: &M,
    keys: &KeyMap,
    checkpoint: &Checkpoint,
) -> usize {
    Plan::new(module, keys, checkpoint).matches.len()
}

/// The paths of a [`KeyMap`] leave the variants of our enums out.
pub(super) const SKIP_ENUM_VARIANTS: bool = true;

/// Which tensor of the file goes where, and what does not fit.
struct Plan {
    matches: Vec<Match>,
    mismatch: Mismatch,
}

struct Match {
    key: String,
    /// Under the module's name, in the module's type.
    tensor: PackTensor,
}

impl Plan {
    fn new<M: Module>(module: &M, keys: &KeyMap, checkpoint: &Checkpoint) -> Self {
        let mut matches = Vec::new();
        let mut mismatch = Mismatch::default();

        for target in module.collect(None, None, SKIP_ENUM_VARIANTS) {
            // What the map does not name, other code has no name for.
            let key = keys.official_of(&target.name).unwrap_or(&target.name);
            let Some(source) = checkpoint.tensor(key) else {
                mismatch.missing.push(key.to_string());
                continue;
            };
            if source.shape != target.shape || !source.dtype.is_float() {
                mismatch.misshaped.push(Misshaped {
                    key: key.to_string(),
                    expected: target.shape.to_vec(),
                    found: source.shape.to_vec(),
                    dtype: source.dtype,
                });
                continue;
            }
            matches.push(Match {
                key: key.to_string(),
                tensor: place(source.clone(), target.name, target.dtype),
            });
        }
        let taken: BTreeSet<&str> = matches
            .iter()
            .map(|found| found.key.as_str())
            .chain(mismatch.misshaped.iter().map(|found| found.key.as_str()))
            .collect();
        mismatch.unexpected = checkpoint
            .keys()
            .filter(|key| !taken.contains(key) && !keys.knows(key))
            .map(str::to_string)
            .collect();

        Self { matches, mismatch }
    }
}

/// The tensor under the module's name. burn-store would keep the file's type of number, and the network would then
/// compute in several at once.
fn place(mut tensor: PackTensor, name: String, dtype: DType) -> PackTensor {
    if tensor.dtype == dtype {
        tensor.name = name;
        return tensor;
    }
    let shape = tensor.shape.clone();
    bridge::map_data(tensor, name, dtype, shape, move |data| {
        data.convert_dtype(dtype)
    })
}
