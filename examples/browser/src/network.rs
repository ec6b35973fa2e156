use burn::module::Module;
use burn::tensor::{Device, FloatDType, Tensor, TensorData, Transaction};
use decoupled_seg::cost::Outputs;
use decoupled_seg::network::{DecoupledSegNet, DecoupledSegNetConfig, NETWORKS};
use decoupled_seg::nn::{Inspection, SegmentationModel, Size};
use decoupled_seg::weights::{LoadPolicy, NamedClass, NetworkDescription, WeightsFile, load};
use decoupled_seg_datasets::augment::Normalization;
use decoupled_seg_synthetic::{StreetScenes, StreetScenesConfig};
use decoupled_seg_viz::FlowField;
use image::RgbImage;

use crate::{BrowserError, Segmentation};

/// A network that only predicts, with what its file says about it.
#[derive(Debug)]
pub struct Network {
    /// What the file says, or what its tensors are like.
    pub description: NetworkDescription,
    /// Where the description is from.
    pub source: Source,
    model: DecoupledSegNet,
    device: Device,
}

/// Where the description of a network is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// From the file.
    File,
    /// The tensors have the names and shapes of this network; names of classes and the normalisation are guessed.
    Guess(&'static str),
}

/// The size of the picture on which devices are compared.
const COMPARED: Size = Size::new(64, 96);
/// The largest difference of logits that rounding explains, as a share of the largest logit.
const ROUNDING: f32 = 1e-3;

impl Network {
    /// Reads a `.safetensors` file that `decoupled-seg export` wrote, onto the CPU. A file without a description is taken
    /// for the named network whose tensors it has.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is damaged, no safetensors, or of a network that is not known.
    pub fn read(name: &str, bytes: Vec<u8>) -> Result<Self, BrowserError> {
        let file = WeightsFile::from_bytes(name, bytes)?;
        let described = NetworkDescription::of(&file);
        let described = described.map_err(|source| BrowserError::Description {
            name: name.to_string(),
            source,
        })?;
        match described {
            Some(description) => Self::described(name, &file, description, Source::File),
            None => Self::guessed(name, &file),
        }
    }

    fn described(
        name: &str,
        file: &WeightsFile,
        description: NetworkDescription,
        source: Source,
    ) -> Result<Self, BrowserError> {
        let (named, predicted) = (description.classes.len(), description.network.num_classes());
        if named != predicted || named == 0 {
            return Err(BrowserError::Classes {
                name: name.to_string(),
                named,
                predicted,
            });
        }
        let channels = description.network.backbone.image_channels();
        let [mean, std] = [&description.mean, &description.std].map(Vec::len);
        if [channels, mean, std] != [3; 3] {
            return Err(BrowserError::Channels {
                name: name.to_string(),
                channels,
            });
        }
        let device = Device::flex();
        let mut model = description.network.init(&device);
        let keys = description.network.official_keys();
        load(&mut model, &keys, file, LoadPolicy::Whole)?;
        Ok(Self {
            model: model.for_inference(FloatDType::F32),
            description,
            source,
            device,
        })
    }

    fn guessed(name: &str, file: &WeightsFile) -> Result<Self, BrowserError> {
        let unknown = || BrowserError::UnknownNetwork {
            name: name.to_string(),
            tensor: file.entries().next().expect("a file has a tensor").key,
        };
        let num_classes = classes_of(file).ok_or_else(unknown)?;
        let tensors = file.entries().count();
        let normalization = Normalization::default();
        for preset in NETWORKS {
            let decoupled = preset.config(num_classes).with_stem_of(file);
            for network in [decoupled.clone(), decoupled.plain()] {
                // Building a network takes far longer than comparing names.
                let keys = network.official_keys();
                if file.count_named(&keys) < tensors || !is_complete(file, &network) {
                    continue;
                }
                let description = NetworkDescription {
                    network,
                    classes: numbered(num_classes),
                    mean: normalization.mean.clone(),
                    std: normalization.std.clone(),
                };
                let source = Source::Guess(preset.title);
                // Networks of other widths have the same names.
                if let Ok(network) = Self::described(name, file, description, source) {
                    return Ok(network);
                }
            }
        }
        Err(unknown())
    }

    /// The same network on another device.
    pub fn on(&self, device: &Device) -> Self {
        Self {
            description: self.description.clone(),
            source: self.source,
            model: self.model.clone().to_device(device),
            device: device.clone(),
        }
    }

    /// Smallest height and width of a picture, in pixels.
    pub fn least_side(&self) -> usize {
        self.model.min_image_side()
    }

    /// Parameters of the network.
    pub fn parameters(&self) -> u64 {
        let size = Size::square(self.least_side());
        let cost = self.description.network.cost(size, Outputs::Segmentation);
        cost.total().parameters
    }

    /// Multiplications and additions in the convolutions for one picture, in pairs.
    pub fn macs(&self, size: Size) -> u64 {
        let cost = self.description.network.cost(size, Outputs::Segmentation);
        cost.total().conv_macs
    }

    /// Segments a picture as it is. Waiting does not block: in a browser, a device is read back in pieces of the page's
    /// time.
    ///
    /// # Errors
    ///
    /// Returns an error if the picture is too small, or the device fails.
    pub async fn segment(&self, image: &RgbImage) -> Result<Segmentation, BrowserError> {
        let size = Size::new(image.height() as usize, image.width() as usize);
        let least = self.least_side();
        if size.height < least || size.width < least {
            return Err(BrowserError::TooSmall { size, least });
        }
        let NetworkDescription { mean, std, .. } = self.description.clone();
        let values = Normalization { mean, std }.apply(image);
        let shape = [1, 3, size.height, size.width];
        let images = Tensor::from_data(TensorData::new(values, shape), &self.device);
        match self.model.inspect(images.clone()) {
            Some(inside) => self.decoupled(size, inside).await,
            None => self.plain(size, self.model.predict(images)).await,
        }
    }

    async fn decoupled(
        &self,
        size: Size,
        inside: Inspection,
    ) -> Result<Segmentation, BrowserError> {
        let flow_size = inside.flow.as_ref().map(|flow| {
            let [_, _, height, width] = flow.dims();
            Size::new(height, width)
        });
        let mut wanted = Transaction::default()
            .register(inside.logits)
            .register(inside.body_logits)
            .register(inside.edge_logits);
        if let Some(flow) = inside.flow {
            wanted = wanted.register(flow);
        }
        let mut read = wanted.execute_async().await?.into_iter().map(floats);
        let mut next = || read.next().expect("one result for each tensor");
        let (logits, body, edge) = (next(), next(), next());
        let flow = flow_size.map(|size| FlowField::new(next(), size));
        let classes = self.description.classes.len();
        Ok(Segmentation::new(size, classes, logits).with_body_and_edge(&body, &edge, flow))
    }

    async fn plain(&self, size: Size, logits: Tensor<4>) -> Result<Segmentation, BrowserError> {
        let logits = floats(logits.into_data_async().await?);
        Ok(Segmentation::new(
            size,
            self.description.classes.len(),
            logits,
        ))
    }

    /// Compares this network with the same on another device, on a drawn scene: a browser that refuses a shader may
    /// compute wrong numbers without a word.
    ///
    /// # Errors
    ///
    /// Returns [`BrowserError::WrongNumbers`] if the logits differ by more than rounding explains.
    pub async fn compare(&self, other: &Self, device: &str) -> Result<(), BrowserError> {
        let least = self.least_side();
        let size = Size::new(COMPARED.height.max(least), COMPARED.width.max(least));
        let scene = scene(0, size);
        let expected = self.segment(&scene).await?.logits;
        let found = other.segment(&scene).await?.logits;
        let largest = expected
            .iter()
            .fold(0.0, |most: f32, value| most.max(value.abs()));
        let allowed = ROUNDING * largest.max(1.0);
        // `max` leaves out what is no number.
        let difference = expected
            .iter()
            .zip(&found)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, |most: f32, it| {
                if it.is_nan() {
                    f32::INFINITY
                } else {
                    most.max(it)
                }
            });
        match difference <= allowed {
            true => Ok(()),
            false => Err(BrowserError::WrongNumbers {
                device: device.to_string(),
                difference,
                allowed,
            }),
        }
    }
}

/// A drawn street scene, of those that the page's own network has not seen.
pub(crate) fn scene(index: usize, size: Size) -> RgbImage {
    let config = StreetScenesConfig {
        len: index + 1,
        size,
        seed: 3,
    };
    StreetScenes::new(config).scene(index).image
}

fn floats(data: TensorData) -> Vec<f32> {
    data.convert::<f32>()
        .try_into_vec::<f32>()
        .expect("converted to f32")
}

/// The classes that a file's network predicts: the last convolution's outputs.
fn classes_of(file: &WeightsFile) -> Option<usize> {
    ["final_seg.", "final."].into_iter().find_map(|part| {
        let layer = |key: &str| {
            let number = key.strip_prefix(part)?.strip_suffix(".weight")?;
            number.parse::<usize>().ok()
        };
        let last = file
            .entries()
            .filter(|entry| entry.shape.len() == 4)
            .filter_map(|entry| Some((layer(&entry.key)?, entry.shape[0])))
            .max()?;
        Some(last.1)
    })
}

/// Whether a file has every tensor of a network, by their names.
fn is_complete(file: &WeightsFile, network: &DecoupledSegNetConfig) -> bool {
    let names: std::collections::BTreeSet<String> = file.entries().map(|entry| entry.key).collect();
    let keys = network.official_keys();
    let mut wanted = keys.keys().iter().filter(|key| key.path.is_some());
    wanted.all(|key| names.contains(&key.official))
}

/// Classes without names, in colours that differ.
fn numbered(num_classes: usize) -> Vec<NamedClass> {
    (0..num_classes)
        .map(|index| NamedClass {
            name: format!("class {index}"),
            color: pascal_color(index),
        })
        .collect()
}

/// The colour of a class as PASCAL VOC numbers them: the bits of the number, spread over the three channels.
fn pascal_color(index: usize) -> [u8; 3] {
    // 0 is black there, and would look like a pixel without a class.
    let mut rest = index + 1;
    let mut color = [0; 3];
    for shift in (0..8).rev() {
        for (channel, value) in color.iter_mut().enumerate() {
            *value |= (((rest >> channel) & 1) as u8) << shift;
        }
        rest >>= 3;
    }
    color
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use decoupled_seg_synthetic::StreetScenes;

    use super::*;

    const OWN: &[u8] = include_bytes!("../weights/street_scenes.safetensors");

    /// The result of work that never waits: that of a CPU.
    fn at_once<T>(work: impl Future<Output = T>) -> T {
        let mut context = Context::from_waker(Waker::noop());
        match pin!(work).poll(&mut context) {
            Poll::Ready(result) => result,
            Poll::Pending => unreachable!("the CPU has finished when it answers"),
        }
    }

    /// The page's own weights, with another header.
    fn changed(change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> Vec<u8> {
        let (length, rest) = OWN.split_first_chunk().expect("a header's length");
        let (header, tensors) = rest.split_at(u64::from_le_bytes(*length) as usize);
        let mut header = serde_json::from_slice(header).expect("JSON");
        change(&mut header);
        let mut header = serde_json::to_vec(&header).expect("plain data");
        header.resize(header.len().next_multiple_of(8), b' ');
        [&(header.len() as u64).to_le_bytes()[..], &header, tensors].concat()
    }

    #[test]
    fn the_pages_own_network_segments_scenes() {
        let network = Network::read("own", OWN.to_vec()).expect("it is described");
        assert_eq!(network.source, Source::File);
        let names = StreetScenes::classes();
        let named = network
            .description
            .classes
            .iter()
            .map(|class| class.name.as_str());
        assert!(named.eq(names.names()));

        let size = Size::new(128, 256);
        let config = StreetScenesConfig {
            len: 1,
            size,
            seed: 3,
        };
        let sample = StreetScenes::new(config).scene(0);
        let found = at_once(network.segment(&sample.image)).expect("large enough");
        let right = found.labels.iter().zip(&sample.labels.data);
        let right = right.filter(|(found, label)| found == label).count();
        assert!(
            right > size.pixels() * 85 / 100,
            "{right} of {}",
            size.pixels()
        );
        assert!(found.body.is_some() && found.edge.is_some() && found.flow.is_some());
        at_once(network.compare(&network, "the same")).expect("equal");
    }

    #[test]
    fn a_file_without_a_description_is_recognised() {
        let bare = changed(|header| {
            header.remove("__metadata__");
        });
        let network = Network::read("bare", bare).expect("the tensors are of tiny");
        assert_eq!(network.source, Source::Guess("tiny FCN"));
        assert_eq!(network.description.classes[9].name, "class 9");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let message = |bytes| {
            Network::read("net", bytes)
                .expect_err("refused")
                .to_string()
        };
        let described = |text: &'static str| {
            changed(move |header| header["__metadata__"][NetworkDescription::KEY] = text.into())
        };
        let error = message(described("{\"network\": 3}"));
        assert!(
            error.contains("`net` describes a network that this page does not know"),
            "{error}"
        );
        let error = message(changed(|header| {
            let text = &mut header["__metadata__"][NetworkDescription::KEY];
            let mut description: serde_json::Value =
                serde_json::from_str(text.as_str().expect("a text")).expect("JSON");
            let width = description.pointer_mut("/network/backbone/resnet/width");
            *width.expect("a ResNet") = 0.into();
            *text = description.to_string().into();
        }));
        assert!(error.contains("`backbone.resnet.width` is 0"), "{error}");
        let error = message(changed(|header| {
            header.remove("__metadata__");
            let classifier = header.remove("final_seg.6.weight").expect("the classifier");
            header.insert("head.weight".to_string(), classifier);
        }));
        assert!(
            error.contains("of no network that is known here"),
            "{error}"
        );
        let error = message(OWN[..OWN.len() / 2].to_vec());
        assert!(error.contains("`net`"), "{error}");

        let network = Network::read("own", OWN.to_vec()).expect("it is described");
        let error = at_once(network.segment(&RgbImage::new(300, 20))).expect_err("too small");
        assert!(error.to_string().contains("20x300 pixels"), "{error}");
    }

    #[test]
    fn another_network_is_another_device() {
        let network = Network::read("own", OWN.to_vec()).expect("it is described");
        let untrained = Network {
            model: network.description.network.init(&network.device),
            description: network.description.clone(),
            source: network.source,
            device: network.device.clone(),
        };
        let error = at_once(network.compare(&untrained, "WebGPU")).expect_err("other numbers");
        assert!(
            error
                .to_string()
                .starts_with("WebGPU computes other numbers"),
            "{error}"
        );
    }
}
