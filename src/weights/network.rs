use std::path::Path;

use burn::tensor::TensorData;
use decoupled_seg_backbones::Stem;
use decoupled_seg_heads::AuxiliaryHeadConfig;
use decoupled_seg_nn::KeyMap;

use super::load::count_fitting;
use super::{
    BackboneNames, Checkpoint, LoadPolicy, LoadReport, Placeholder, WeightsError, load,
    resnet_keys, save, wide_resnet38_keys,
};
use crate::network::{BackboneConfig, DecoderConfig, DecoupledSegNet, DecoupledSegNetConfig};

impl BackboneConfig {
    /// The names of the backbone's tensors.
    pub fn official_keys(&self, names: BackboneNames) -> KeyMap {
        match self {
            Self::ResNet(config) => resnet_keys(config, names),
            Self::WideResNet38(config) => wide_resnet38_keys(config, names),
        }
    }
}

impl DecoupledSegNetConfig {
    /// The authors' names of the network's tensors.
    pub fn official_keys(&self) -> KeyMap {
        let [_, _, third, last] = self.backbone.channels();
        let backbone = self.backbone.official_keys(BackboneNames::Segmentation);
        let context = self.context.official_keys([last, self.channels()]);
        let decoder = match self.decoder {
            DecoderConfig::Decoupled => self.decoupled_head().official_keys(),
            DecoderConfig::Plain => self.plain_decoder().official_keys(),
        };
        let mut keys = KeyMap::new()
            .nest("", "backbone", backbone)
            .nest("", "context", context)
            .nest("", "decoder", decoder);
        if self.auxiliary {
            let auxiliary = AuxiliaryHeadConfig::new(third, self.num_classes).official_keys();
            keys = keys.nest("", "auxiliary", auxiliary);
        }
        for placeholder in self.unused_tensors() {
            keys = keys.without_counterpart(&placeholder.key);
        }
        keys
    }

    /// Every tensor that PyTorch's code has and ours does not: counters of batch norms, and layers that the authors
    /// define and never use.
    pub fn placeholders(&self) -> Vec<Placeholder> {
        let keys = self.official_keys();
        let unused = self.unused_tensors();
        let is_unused = |key: &str| unused.iter().any(|tensor| tensor.key == key);
        let counters: Vec<Placeholder> = keys
            .keys()
            .iter()
            .filter(|key| key.path.is_none() && !is_unused(&key.official))
            .map(|key| Placeholder::num_batches_tracked(&key.official))
            .collect();
        counters.into_iter().chain(unused).collect()
    }

    /// `edge_conv` of the decoupled networks on a WideResNet-38: in every checkpoint, in no forward pass.
    fn unused_tensors(&self) -> Vec<Placeholder> {
        let (BackboneConfig::WideResNet38(_), DecoderConfig::Decoupled) =
            (&self.backbone, self.decoder)
        else {
            return Vec::new();
        };
        let channels = self.channels();
        let vector = |name: &str, value: f32| Placeholder {
            key: format!("edge_conv.1.{name}"),
            data: TensorData::new(vec![value; channels], [channels]),
        };
        vec![
            Placeholder {
                key: "edge_conv.0.weight".to_string(),
                data: TensorData::zeros::<f32, _>([channels, 1, 1, 1]),
            },
            vector("weight", 1.0),
            vector("bias", 0.0),
            vector("running_mean", 0.0),
            vector("running_var", 1.0),
            Placeholder::num_batches_tracked("edge_conv.1.num_batches_tracked"),
        ]
    }

    /// Loads a checkpoint of the authors' code, or one that [`save_weights`](Self::save_weights) wrote.
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::open`] and [`load`]; the network is then unchanged.
    pub fn load_weights(
        &self,
        network: &mut DecoupledSegNet,
        path: impl AsRef<Path>,
        policy: LoadPolicy,
    ) -> Result<LoadReport, WeightsError> {
        let checkpoint = Checkpoint::open(path)?;
        load(network, &self.official_keys(), &checkpoint, policy)
    }

    /// The network with the stem that a file has, where its backbone is a ResNet and the file has a stem: one
    /// convolution, as torchvision's, or three, as the authors'.
    pub fn with_stem_of(mut self, checkpoint: &Checkpoint) -> Self {
        let has = |keys: [&str; 2]| keys.iter().any(|key| checkpoint.entry(key).is_some());
        if let BackboneConfig::ResNet(resnet) = &mut self.backbone {
            if has(["conv1.weight", "layer0.0.weight"]) {
                resnet.stem = Stem::Torchvision;
            } else if has(["conv1.0.weight", "layer0.0.0.weight"]) {
                resnet.stem = Stem::Deep;
            }
        }
        self
    }

    /// Loads what a training is to start from: what fits of a segmentation network of the authors, or the backbone from
    /// a whole ImageNet classifier, whichever of them the file is. A ResNet needs the file's stem:
    /// [`with_stem_of`](Self::with_stem_of).
    ///
    /// # Errors
    ///
    /// As [`load`]; the network is then unchanged.
    pub fn load_pretrained(
        &self,
        network: &mut DecoupledSegNet,
        checkpoint: &Checkpoint,
    ) -> Result<LoadReport, WeightsError> {
        let whole = self.official_keys();
        let classifier = self.backbone.official_keys(BackboneNames::Classifier);
        // Both name the blocks of a ResNet alike, so that either finds most of the other's tensors.
        let of_backbone = count_fitting(&network.backbone, &classifier, checkpoint);
        if count_fitting(network, &whole, checkpoint) > of_backbone {
            load(network, &whole, checkpoint, LoadPolicy::Partial)
        } else {
            let backbone = &mut network.backbone;
            load(backbone, &classifier, checkpoint, LoadPolicy::Whole)
        }
    }

    /// Loads the backbone only, from an ImageNet classifier (torchvision's ResNets, the authors' deep-stem ResNets,
    /// WideResNet-38) or, with [`LoadPolicy::Partial`], from a whole segmentation network.
    ///
    /// # Errors
    ///
    /// As [`Checkpoint::open`] and [`load`]; the network is then unchanged.
    pub fn load_backbone(
        &self,
        network: &mut DecoupledSegNet,
        path: impl AsRef<Path>,
        policy: LoadPolicy,
    ) -> Result<LoadReport, WeightsError> {
        let checkpoint = Checkpoint::open(path)?;
        let fit = |keys: &KeyMap| {
            let named = |key: &&str| keys.path_of(key).is_some();
            checkpoint.keys().filter(named).count()
        };
        let classifier = self.backbone.official_keys(BackboneNames::Classifier);
        let segmentation = self.backbone.official_keys(BackboneNames::Segmentation);
        let keys = if fit(&segmentation) > fit(&classifier) {
            segmentation
        } else {
            classifier
        };
        load(&mut network.backbone, &keys, &checkpoint, policy)
    }

    /// Writes the network to a `.safetensors` file that the authors' code can load: official names, and a value for
    /// every tensor it expects.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Write`]; an existing file is then still whole.
    pub fn save_weights(
        &self,
        network: &DecoupledSegNet,
        path: impl AsRef<Path>,
    ) -> Result<(), WeightsError> {
        save(network, &self.official_keys(), &self.placeholders(), path)
    }
}
