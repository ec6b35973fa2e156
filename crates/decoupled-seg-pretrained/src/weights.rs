use std::borrow::Cow;

use crate::{PretrainedError, Sha256Hex};

/// How pictures were prepared when the weights were trained: `(value - mean) / deviation`, for RGB values in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Preprocessing {
    /// Mean of red, green and blue.
    pub mean: [f32; 3],
    /// Standard deviation of red, green and blue.
    pub deviation: [f32; 3],
}

impl Preprocessing {
    /// The values of torchvision for all networks trained on ImageNet.
    pub const IMAGENET: Self = Self {
        mean: [0.485, 0.456, 0.406],
        deviation: [0.229, 0.224, 0.225],
    };
}

/// One file of pretrained weights.
#[derive(Debug, Clone, PartialEq)]
pub struct PretrainedWeights {
    /// Name on the command line, such as `resnet18`.
    pub name: &'static str,
    /// The name of the network in `decoupled-seg`. Several entries may fit one network.
    pub network: &'static str,
    /// Who trained it, on what, by which recipe.
    pub origin: &'static str,
    /// Address of the file. [`with_url`](PretrainedWeights::with_url) sets a mirror.
    pub url: Cow<'static, str>,
    /// Hash of the file.
    pub sha256: Sha256Hex,
    /// Length of the file in bytes, up to 600 bytes off where only megabytes with three decimals are published.
    pub bytes: u64,
    /// Number of parameters, the classifier's included.
    pub parameters: u64,
    /// Licence as an SPDX expression.
    pub licence: &'static str,
    /// Restrictions that the licence does not mention.
    pub remark: &'static str,
    /// See [`Preprocessing`].
    pub preprocessing: Preprocessing,
}

impl PretrainedWeights {
    /// The entry of [`TABLE`] called `name`.
    ///
    /// # Errors
    ///
    /// [`PretrainedError::UnknownName`], which lists the names.
    pub fn find(name: &str) -> Result<&'static Self, PretrainedError> {
        TABLE
            .iter()
            .find(|weights| weights.name == name)
            .ok_or_else(|| PretrainedError::UnknownName {
                name: name.to_string(),
                known: TABLE.each_ref().map(|weights| weights.name).join(", "),
            })
    }

    /// Sets another address for the same file, such as a mirror inside a closed network. The name in the cache and the
    /// hash stay.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<Cow<'static, str>>) -> Self {
        self.url = url.into();
        self
    }

    /// Name of the file in the cache: torchvision's, which contains the beginning of the hash.
    pub fn file_name(&self) -> String {
        format!(
            "{}-{}.pth",
            self.network.replace('-', "_"),
            &self.sha256.digits()[..8]
        )
    }

    /// Bytes after which a download is stopped as a wrong file.
    #[cfg(feature = "http")]
    pub(crate) fn most_bytes(&self) -> u64 {
        self.bytes + self.bytes / 64 + 4096
    }
}

/// torchvision publishes code and weights under "BSD-3-Clause".
const REMARK: &str = "trained on ImageNet, whose pictures are for research; torchvision asks users to check whether \
                      the data set's terms allow their use";

const fn torchvision(
    name: &'static str,
    network: &'static str,
    origin: &'static str,
    url: &'static str,
    sha256: &'static str,
    [bytes, parameters]: [u64; 2],
) -> PretrainedWeights {
    PretrainedWeights {
        name,
        network,
        origin,
        url: Cow::Borrowed(url),
        sha256: Sha256Hex::new(sha256),
        bytes,
        parameters,
        licence: "BSD-3-Clause",
        remark: REMARK,
        preprocessing: Preprocessing::IMAGENET,
    }
}

/// All pretrained weights that are known by name.
///
/// Addresses, sizes and numbers of parameters are those of torchvision 0.29 (`models/resnet.py`, `mobilenetv3.py`);
/// hashes of 64 digits come from users who published what they downloaded, and agree with the 8 digits in the name.
///
/// The authors' own checkpoints (DecoupleSegNets trained on Cityscapes, WideResNet-38 trained on ImageNet) are not in
/// the table. Their README names share links of Baidu and Google Drive, which need a browser, may move, and come
/// without hash and licence. Download them by hand and give the path.
pub static TABLE: [PretrainedWeights; 8] = [
    torchvision(
        "resnet18",
        "resnet18",
        "torchvision, ImageNet-1K, IMAGENET1K_V1",
        "https://download.pytorch.org/models/resnet18-f37072fd.pth",
        "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
        [46_830_571, 11_689_512],
    ),
    torchvision(
        "resnet34",
        "resnet34",
        "torchvision, ImageNet-1K, IMAGENET1K_V1",
        "https://download.pytorch.org/models/resnet34-b627a593.pth",
        "b627a593bcbe140c234610266fe4f8ae95ea42fc881d091c9b6052e6b1d0590f",
        [87_319_819, 21_797_672],
    ),
    torchvision(
        "resnet50",
        "resnet50",
        "torchvision, ImageNet-1K, IMAGENET1K_V1",
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
        [102_530_333, 25_557_032],
    ),
    torchvision(
        "resnet50-v2",
        "resnet50",
        "torchvision, ImageNet-1K, IMAGENET1K_V2 (longer recipe, better classifier)",
        "https://download.pytorch.org/models/resnet50-11ad3fa6.pth",
        "11ad3fa62ca79e40addfd354a8ec4b7c75143b3038b8d2a807fbc68deab379ca",
        [102_540_417, 25_557_032],
    ),
    torchvision(
        "resnet101",
        "resnet101",
        "torchvision, ImageNet-1K, IMAGENET1K_V1",
        "https://download.pytorch.org/models/resnet101-63fe2227.pth",
        "63fe2227b86e8f1f2063f43a75c84d195911b6a0eace650907dd3dc62dd49a0a",
        [178_793_742, 44_549_160],
    ),
    torchvision(
        "resnet101-v2",
        "resnet101",
        "torchvision, ImageNet-1K, IMAGENET1K_V2 (longer recipe, better classifier)",
        "https://download.pytorch.org/models/resnet101-cd907fc2.pth",
        "cd907fc2",
        [178_813_665, 44_549_160],
    ),
    torchvision(
        "mobilenet-v3-large",
        "mobilenet-v3-large",
        "torchvision, ImageNet-1K, IMAGENET1K_V1",
        "https://download.pytorch.org/models/mobilenet_v3_large-8738ca79.pth",
        "8738ca79",
        [22_139_634, 5_483_032],
    ),
    torchvision(
        "mobilenet-v3-large-v2",
        "mobilenet-v3-large",
        "torchvision, ImageNet-1K, IMAGENET1K_V2 (longer recipe, better classifier)",
        "https://download.pytorch.org/models/mobilenet_v3_large-5c1a4163.pth",
        "5c1a4163",
        [22_132_294, 5_483_032],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_told_apart_and_files_are_called_as_torchvision_calls_them() {
        let names: HashSet<&str> = TABLE.iter().map(|weights| weights.name).collect();
        assert_eq!(names.len(), TABLE.len());
        for weights in &TABLE {
            let (_, file) = weights.url.rsplit_once('/').expect("an address");
            assert_eq!(file, weights.file_name(), "{}", weights.name);
        }
    }

    #[test]
    fn a_file_holds_its_parameters_and_little_else() {
        // 32-bit parameters; the statistics of batch normalization (421 kB in ResNet-101) and the names come on top.
        for weights in &TABLE {
            let rest = weights.bytes as i64 - 4 * weights.parameters as i64;
            assert!((0..700_000).contains(&rest), "{}: {rest}", weights.name);
        }
    }

    #[test]
    fn sizes_are_those_torchvision_publishes() {
        // `_file_size` of torchvision 0.29, in MiB with three decimals.
        let published = [
            44.661, 83.275, 97.781, 97.79, 170.511, 170.53, 21.114, 21.107,
        ];
        for (weights, mebibytes) in TABLE.iter().zip(published) {
            let ours = weights.bytes as f64 / f64::from(1 << 20);
            assert!((ours - mebibytes).abs() < 6e-4, "{}: {ours}", weights.name);
        }
    }

    #[test]
    fn an_unknown_name_is_answered_with_the_known_ones() {
        let error = PretrainedWeights::find("resnet19").expect_err("no such network");
        let text = error.to_string();
        assert!(
            text.contains("`resnet19`") && text.contains("resnet18, resnet34"),
            "{text}"
        );
    }
}
