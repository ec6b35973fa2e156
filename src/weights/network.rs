use std::path::Path;

use burn::tensor::TensorData;
use decoupled_seg_backbones::{BackboneNames, Stem};
use decoupled_seg_nn::KeyMap;
use decoupled_seg_weights::count_fitting;

use super::{
    LoadPolicy, LoadReport, Placeholder, SaveOptions, WeightsError, WeightsFile, load, save_with,
};
use crate::network::{BackboneConfig, DecoderConfig, DecoupledSegNet, DecoupledSegNetConfig};

impl DecoupledSegNetConfig {
    /// The authors' names of the network's tensors.
    pub fn official_keys(&self) -> KeyMap {
        let backbone = self.backbone.official_keys(BackboneNames::Segmentation);
        let mut keys = KeyMap::new()
            .nest("", "backbone", backbone)
            .nest("", "context", self.context.official_keys())
            .nest("", "decoder", self.decoder.official_keys());
        if let Some(head) = &self.auxiliary {
            keys = keys.nest("", "auxiliary", head.official_keys());
        }
        for placeholder in self.unused_tensors() {
            keys = keys.without_counterpart(&placeholder.key);
        }
        keys
    }

    /// Every tensor that PyTorch's code has and ours lacks: counters of batch norms, and layers that the authors define
    /// and never use.
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
        let (BackboneConfig::WideResNet38(_), DecoderConfig::Decoupled(_)) =
            (&self.backbone, &self.decoder)
        else {
            return Vec::new();
        };
        let channels = self.decoder.channels();
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

    /// Gives a ResNet the stem that a file has: one convolution, as in torchvision's networks, or three, as in the
    /// authors'. Other networks stay as they are, and so does a ResNet if the file has no stem.
    pub fn with_stem_of(mut self, checkpoint: &WeightsFile) -> Self {
        let BackboneConfig::ResNet(resnet) = &mut self.backbone else {
            return self;
        };
        let named_with = |stem: Stem| {
            let config = BackboneConfig::ResNet(resnet.clone().with_stem(stem));
            [BackboneNames::Segmentation, BackboneNames::Classifier]
                .map(|names| checkpoint.count_named(&config.official_keys(names)))
                .into_iter()
                .max()
        };
        let (torchvision, deep) = (named_with(Stem::Torchvision), named_with(Stem::Deep));
        if torchvision != deep {
            resnet.stem = match torchvision > deep {
                true => Stem::Torchvision,
                false => Stem::Deep,
            };
        }
        self
    }
}

impl DecoupledSegNet {
    /// Loads a checkpoint of the authors' code, or one that [`save_weights`](Self::save_weights) wrote.
    ///
    /// # Errors
    ///
    /// As [`WeightsFile::open`] and [`load`]; the network is then unchanged.
    pub fn load_weights(
        &mut self,
        path: impl AsRef<Path>,
        policy: LoadPolicy,
    ) -> Result<LoadReport, WeightsError> {
        let checkpoint = WeightsFile::open(path)?;
        let keys = self.config().official_keys();
        load(self, &keys, &checkpoint, policy)
    }

    /// Loads the weights that a training starts from. From a segmentation network of the authors it takes all tensors
    /// that fit; from a whole ImageNet classifier it takes the backbone. A ResNet needs the file's stem:
    /// [`with_stem_of`](DecoupledSegNetConfig::with_stem_of).
    ///
    /// # Errors
    ///
    /// As [`load`]; the network is then unchanged.
    pub fn load_pretrained(
        &mut self,
        checkpoint: &WeightsFile,
    ) -> Result<LoadReport, WeightsError> {
        let whole = self.config().official_keys();
        let backbone = &self.config().backbone;
        let classifier = backbone.official_keys(BackboneNames::Classifier);
        // Classifiers and segmentation networks name the blocks of a ResNet alike, so each naming finds most tensors of
        // the other.
        let of_backbone = count_fitting(&self.backbone, &classifier, checkpoint);
        if of_backbone > count_fitting(self, &whole, checkpoint) {
            let backbone = &mut self.backbone;
            load(backbone, &classifier, checkpoint, LoadPolicy::Complete)
        } else {
            load(self, &whole, checkpoint, LoadPolicy::Partial)
        }
    }

    /// Loads the backbone only, from an ImageNet classifier (torchvision's ResNets, the authors' deep-stem ResNets,
    /// WideResNet-38) or, with [`LoadPolicy::Partial`], from a whole segmentation network.
    ///
    /// # Errors
    ///
    /// As [`WeightsFile::open`] and [`load`]; the network is then unchanged.
    pub fn load_backbone(
        &mut self,
        path: impl AsRef<Path>,
        policy: LoadPolicy,
    ) -> Result<LoadReport, WeightsError> {
        let checkpoint = WeightsFile::open(path)?;
        let fit = |keys: &KeyMap| checkpoint.count_named(keys);
        let backbone = &self.config().backbone;
        let classifier = backbone.official_keys(BackboneNames::Classifier);
        let segmentation = backbone.official_keys(BackboneNames::Segmentation);
        let keys = if fit(&segmentation) > fit(&classifier) {
            segmentation
        } else {
            classifier
        };
        load(&mut self.backbone, &keys, &checkpoint, policy)
    }

    /// Writes the network to a `.safetensors` file that the authors' code can load: official names, and a value for
    /// every tensor it expects.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Write`]; an existing file is then still whole.
    pub fn save_weights(&self, path: impl AsRef<Path>) -> Result<(), WeightsError> {
        self.save_weights_with(path, &SaveOptions::default())
    }

    /// As [`save_weights`](Self::save_weights), in another type of number or with texts beside the tensors, such as a
    /// [`NetworkDescription`](super::NetworkDescription).
    ///
    /// # Errors
    ///
    /// As [`save_with`]; an existing file is then still whole.
    pub fn save_weights_with(
        &self,
        path: impl AsRef<Path>,
        options: &SaveOptions,
    ) -> Result<(), WeightsError> {
        let config = self.config();
        let (keys, placeholders) = (config.official_keys(), config.placeholders());
        save_with(self, &keys, &placeholders, path, options)
    }
}
