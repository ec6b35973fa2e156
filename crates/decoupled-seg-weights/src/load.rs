use std::collections::BTreeSet;

use burn::module::Module;
use burn::store::burn_pack::Tensor as PackTensor;
use burn::store::{ModuleSnapshot, bridge};
use burn::tensor::DType;
use decoupled_seg_nn::KeyMap;

use crate::fitted::{differ_in_channels, fit_channels};
use crate::prefix;
use crate::{FittedImage, Mismatch, Misshaped, WeightsError, WeightsFile};

/// What to do with a file whose tensors are not exactly those of the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LoadPolicy {
    /// File and network must have the same tensors, of the same shapes; otherwise nothing is loaded.
    #[default]
    Whole,
    /// Every tensor of the network must be in the file and fit; other tensors of the file are left out. For a backbone
    /// whose file holds a classifier or another decoder too. A weight that reads the image may be of other channels:
    /// [`FittedImage`].
    Complete,
    /// Takes the tensors that fit, and reports the rest. For a new set of classes, for a decoupled network from a plain
    /// one, or for a backbone from a classifier's file. A weight that reads the image is fitted to other channels. A file
    /// without a single tensor that fits is still an error.
    Partial,
}

/// What [`load`] did, in the file's names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadReport {
    /// The prefix of all names in the file, such as `model.` or `encoder_q.`; mostly empty.
    pub prefix: String,
    /// Other prefixes behind which as many tensors fit: averaged weights, or those of another epoch.
    pub other_prefixes: Vec<String>,
    /// Names of the tensors that were taken from the file.
    pub loaded: Vec<String>,
    /// How much of each part of the module was taken, in the module's own names.
    pub parts: Vec<LoadedPart>,
    /// The weight that reads the image, if the file's is of other channels.
    pub fitted: Option<FittedImage>,
    /// The weight that reads the image, if the file has none for it.
    pub without_stem: Option<String>,
    /// Tensors of the network that kept their values, and tensors of the file that were not used. Empty after
    /// [`LoadPolicy::Whole`].
    pub left_out: Mismatch,
}

impl LoadReport {
    /// Tensors of the file that were not used, and are named as those that were but for the numbers in the names: of further
    /// blocks, which a deeper network has.
    pub fn further_blocks(&self) -> Vec<&str> {
        let taken: BTreeSet<String> = self
            .loaded
            .iter()
            .map(|name| without_numbers(name))
            .collect();
        let unused = self.left_out.unexpected.iter();
        unused
            .filter(|name| taken.contains(&without_numbers(name)))
            .map(String::as_str)
            .collect()
    }
}

/// A name in which every part that is a number is the same.
fn without_numbers(name: &str) -> String {
    let parts = name.split('.');
    let parts: Vec<&str> = parts
        .map(
            |part| match part.bytes().all(|byte| byte.is_ascii_digit()) {
                true => "#",
                false => part,
            },
        )
        .collect();
    parts.join(".")
}

/// How much of one part of a module, such as `backbone` or `decoder`, came from the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadedPart {
    /// The word that the names of the part's tensors begin with.
    pub name: String,
    /// Tensors taken from the file.
    pub loaded: usize,
    /// Tensors of the part.
    pub tensors: usize,
}

impl LoadedPart {
    /// Whether some tensors of the part were taken, but less than nine tenths. This is a sign that the file holds
    /// another network.
    pub fn is_patchy(&self) -> bool {
        self.loaded > 0 && 10 * self.loaded < 9 * self.tensors
    }
}

/// Puts the tensors of a file into `module`; `keys` maps their names.
///
/// A tensor that `keys` does not name has the module's own name, so an empty [`KeyMap`] loads a file that
/// [`save`](crate::save) wrote with an empty one. A file with the module's own names loads with any `keys`.
///
/// Numbers are converted to the module's type. The module keeps its device, and its parameters stay trained or frozen.
/// In Burn, clones of a module share the statistics of their batch norms, which thus change in all clones: load into a
/// module that has none.
///
/// # Errors
///
/// [`WeightsError::Mismatch`] if the policy asks for more than the file has, [`WeightsError::Tensor`] if a tensor
/// cannot be read, [`WeightsError::NotFinite`] if a value is not finite,
/// [`WeightsError::NegativeVariance`] if a variance is below 0. The module is then unchanged.
pub fn load<M: Module>(
    module: &mut M,
    keys: &KeyMap,
    file: &WeightsFile,
    policy: LoadPolicy,
) -> Result<LoadReport, WeightsError> {
    let plan = Plan::new(module, keys, file, policy);
    let refuse = match policy {
        LoadPolicy::Whole => !plan.mismatch.is_empty(),
        LoadPolicy::Complete => {
            !plan.mismatch.missing.is_empty() || !plan.mismatch.misshaped.is_empty()
        }
        LoadPolicy::Partial => plan.matches.is_empty(),
    };
    if refuse {
        return Err(WeightsError::Mismatch {
            path: file.path().to_path_buf(),
            prefix: plan.prefix,
            mismatch: Box::new(plan.mismatch),
        });
    }

    // Read every tensor before placing the first: a later one may turn out to be unreadable. (A clone would not protect
    // the original: the two share the statistics of their batch norms.)
    let mut loaded = Vec::with_capacity(plan.matches.len());
    let mut tensors = Vec::with_capacity(plan.matches.len());
    for Match { key, tensor } in plan.matches {
        let name = tensor.name.clone();
        let data = bridge::into_data(tensor).map_err(|source| WeightsError::Tensor {
            path: file.path().to_path_buf(),
            key: key.clone(),
            source,
        })?;
        if data.iter::<f32>().any(|value| !value.is_finite()) {
            return Err(WeightsError::NotFinite {
                path: file.path().to_path_buf(),
                key,
            });
        }
        if key.ends_with("running_var") && data.iter::<f32>().any(|variance| variance < 0.0) {
            return Err(WeightsError::NegativeVariance {
                path: file.path().to_path_buf(),
                key,
            });
        }
        tensors.push(bridge::from_data(data, name, None));
        loaded.push(key);
    }
    let result = module.apply(tensors, None, None, SKIP_ENUM_VARIANTS);
    assert!(
        result.errors.is_empty() && result.applied.len() == loaded.len(),
        "shapes were compared, so all tensors fit: {result}"
    );

    Ok(LoadReport {
        prefix: plan.prefix,
        other_prefixes: plan.other_prefixes,
        loaded,
        parts: plan.parts,
        fitted: plan.fitted,
        without_stem: plan.without_stem,
        left_out: plan.mismatch,
    })
}

/// How many tensors of the file have a place in `module`.
pub fn count_fitting<M: Module>(module: &M, keys: &KeyMap, file: &WeightsFile) -> usize {
    Plan::new(module, keys, file, LoadPolicy::Partial)
        .matches
        .len()
}

/// The paths in a [`KeyMap`] do not contain the variants of our enums.
pub(crate) const SKIP_ENUM_VARIANTS: bool = true;

/// The place of each tensor of the file, and the tensors that do not fit.
struct Plan {
    prefix: String,
    other_prefixes: Vec<String>,
    parts: Vec<LoadedPart>,
    fitted: Option<FittedImage>,
    without_stem: Option<String>,
    matches: Vec<Match>,
    mismatch: Mismatch,
}

struct Match {
    key: String,
    /// The file's tensor, under the module's name and in the module's type.
    tensor: PackTensor,
}

impl Plan {
    fn new<M: Module>(module: &M, keys: &KeyMap, file: &WeightsFile, policy: LoadPolicy) -> Self {
        let targets = module.collect(None, None, SKIP_ENUM_VARIANTS);
        let full_names = module.collect(None, None, !SKIP_ENUM_VARIANTS);
        let full_names: Vec<String> = full_names.into_iter().map(|it| it.name).collect();
        // Other code has no name for a tensor that the map does not name.
        let official = |name: &str| keys.official_of(name).unwrap_or(name).to_string();
        let targets: Vec<(PackTensor, [String; 3])> = targets
            .into_iter()
            .zip(full_names)
            .map(|(target, full)| {
                // A file that a training wrote has Burn's names; older files have the variants of enums in them.
                let names = [official(&target.name), target.name.clone(), full];
                (target, names)
            })
            .collect();
        let all_names = targets.iter().flat_map(|(_, names)| names);
        let prefixes = prefix::of_names(file.keys(), all_names.map(String::as_str).collect());
        let mut prefixes = prefixes.into_iter();

        let mut plan = Self {
            prefix: prefixes.next().unwrap_or_default(),
            other_prefixes: prefixes.collect(),
            parts: Vec::new(),
            fitted: None,
            without_stem: None,
            matches: Vec::new(),
            mismatch: Mismatch::default(),
        };
        for (target, names) in targets {
            let reads_image = keys.reads_image(&target.name);
            let [official, ..] = &names;
            let stem = reads_image.then(|| official.clone());
            let taken = plan.matches.len();
            plan.add(
                target,
                names,
                file,
                reads_image && policy != LoadPolicy::Whole,
            );
            if taken == plan.matches.len() {
                plan.without_stem = plan.without_stem.or(stem);
            }
        }
        plan.mismatch.unexpected = plan.unexpected(keys, file);
        plan
    }

    /// Looks for one tensor of the module. `fits_channels` tells whether it may be made of one for other channels.
    fn add(
        &mut self,
        target: PackTensor,
        names: [String; 3],
        file: &WeightsFile,
        fits_channels: bool,
    ) {
        let part = target
            .name
            .split('.')
            .next()
            .unwrap_or_default()
            .to_string();
        if self.parts.last().is_none_or(|last| last.name != part) {
            self.parts.push(LoadedPart {
                name: part,
                loaded: 0,
                tensors: 0,
            });
        }
        let part = self.parts.last_mut().expect("just made");
        part.tensors += 1;

        let find = |key: &String| {
            let source = file.tensor(&format!("{}{key}", self.prefix))?;
            Some((key.clone(), source))
        };
        let Some((key, source)) = names.iter().find_map(find) else {
            let [official, ..] = names;
            self.mismatch.missing.push(official);
            return;
        };
        let is_float = source.dtype.is_float() && target.dtype.is_float();
        if fits_channels && is_float && differ_in_channels(&target.shape, &source.shape) {
            let (from, to) = (source.shape[1], target.shape[1]);
            part.loaded += 1;
            self.fitted = Some(FittedImage {
                key: key.clone(),
                from,
                to,
            });
            let dtype = target.dtype;
            let fit = move |data| fit_channels(data, to).convert_dtype(dtype);
            let tensor = bridge::map_data(source.clone(), target.name, dtype, target.shape, fit);
            self.matches.push(Match { key, tensor });
            return;
        }
        if source.shape != target.shape || source.dtype.is_float() != target.dtype.is_float() {
            self.mismatch.misshaped.push(Misshaped {
                key,
                expected: target.shape.to_vec(),
                found: source.shape.to_vec(),
                dtype: source.dtype,
            });
            return;
        }
        part.loaded += 1;
        self.matches.push(Match {
            key,
            tensor: place(source.clone(), target.name, target.dtype),
        });
    }

    /// The names in the state dict that have no place in the module. Names beside the state dict, such as an
    /// optimizer's, do not count.
    fn unexpected(&self, keys: &KeyMap, file: &WeightsFile) -> Vec<String> {
        let taken: BTreeSet<&str> = self
            .matches
            .iter()
            .map(|found| found.key.as_str())
            .chain(self.mismatch.misshaped.iter().map(|it| it.key.as_str()))
            .collect();
        file.keys()
            .filter_map(|key| key.strip_prefix(&self.prefix))
            .filter(|key| !taken.contains(key) && !keys.knows(key))
            .map(str::to_string)
            .collect()
    }
}

/// The tensor under the module's name and in its type. burn-store would keep the file's type, and the network would
/// then mix types.
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

#[cfg(test)]
mod tests {
    use burn::nn::conv::{Conv2d, Conv2dConfig};
    use burn::tensor::Device;

    use super::*;
    use crate::save;

    #[test]
    fn a_weight_for_other_images_is_fitted_but_not_as_a_whole_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("net.safetensors");
        let device = Device::default();
        let conv = |channels| Conv2dConfig::new([channels, 2], [3, 3]).init(&device);
        let keys = KeyMap::new().conv("stem", "", true).image_weight("weight");
        let source: Conv2d = conv(3);
        save(&source, &keys, &[], &path).expect("writable");
        let file = WeightsFile::open(&path).expect("just written");

        let mut grey: Conv2d = conv(1);
        assert!(load(&mut grey, &keys, &file, LoadPolicy::Whole).is_err());
        let plain = KeyMap::new().conv("stem", "", true);
        assert!(load(&mut grey, &plain, &file, LoadPolicy::Complete).is_err());
        let report = load(&mut grey, &keys, &file, LoadPolicy::Complete).expect("it is fitted");

        let fitted = report.fitted.expect("of other channels");
        assert_eq!(
            fitted.to_string(),
            "stem.weight: the sum of its 3 channels, for images of one"
        );
        let sum = source.weight.val().sum_dim(1);
        grey.weight
            .val()
            .into_data()
            .assert_approx_eq::<f32>(&sum.into_data(), burn::tensor::Tolerance::absolute(1e-6));
        assert_eq!(report.loaded.len(), 2);
        assert_eq!(report.without_stem, None);

        // A stem of another size is none for it; the bias is.
        let mut wide: Conv2d = Conv2dConfig::new([3, 2], [5, 5]).init(&device);
        let report = load(&mut wide, &keys, &file, LoadPolicy::Partial).expect("the bias fits");
        assert_eq!(report.without_stem.as_deref(), Some("stem.weight"));
    }

    #[derive(Module, Debug)]
    enum Head {
        Wide(Conv2d),
    }

    #[derive(Module, Debug)]
    struct Net {
        head: Head,
    }

    fn net() -> Net {
        let conv = Conv2dConfig::new([2, 3], [1, 1]);
        Net {
            head: Head::Wide(conv.init(&Device::default())),
        }
    }

    fn weight(net: &Net) -> burn::tensor::TensorData {
        let Head::Wide(conv) = &net.head;
        conv.weight.val().into_data()
    }

    /// Files of earlier versions have the variants of enums in their names.
    #[test]
    fn names_with_and_without_enum_variants_load() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("net.safetensors");
        let source = net();
        let with_variant = KeyMap::new().conv("head.Wide", "head", true);
        for keys in [KeyMap::new(), with_variant] {
            save(&source, &keys, &[], &path).expect("writable");
            let mut loaded = net();
            let file = WeightsFile::open(&path).expect("just written");
            load(&mut loaded, &KeyMap::new(), &file, LoadPolicy::Whole).expect("the same network");
            assert_eq!(weight(&loaded), weight(&source));
        }
    }

    #[test]
    fn blocks_of_a_deeper_network_are_told_from_other_parts() {
        let report = LoadReport {
            loaded: ["layer3.0.conv1.weight", "layer3.1.conv1.weight", "bn1.bias"]
                .map(String::from)
                .to_vec(),
            left_out: Mismatch {
                unexpected: ["layer3.22.conv1.weight", "fc.weight", "aux.0.conv1.weight"]
                    .map(String::from)
                    .to_vec(),
                ..Mismatch::default()
            },
            ..LoadReport::default()
        };
        assert_eq!(report.further_blocks(), ["layer3.22.conv1.weight"]);
    }

    #[derive(Module, Debug)]
    struct Twice {
        best: Net,
        last: Net,
    }

    #[test]
    fn of_two_networks_in_a_file_the_other_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("net.safetensors");
        let source = Twice {
            best: net(),
            last: net(),
        };
        save(&source, &KeyMap::new(), &[], &path).expect("writable");
        let file = WeightsFile::open(&path).expect("just written");
        let mut loaded = net();
        let report = load(&mut loaded, &KeyMap::new(), &file, LoadPolicy::Complete).expect("fits");
        assert_eq!(report.prefix, "best.");
        assert_eq!(report.other_prefixes, ["last."]);
        assert_eq!(weight(&loaded), weight(&source.best));
    }
}
