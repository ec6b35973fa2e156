/// The naming scheme of a backbone's tensors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackboneNames {
    /// The names inside the authors' segmentation networks: `layer0.0.0.weight`, `mod1.conv1.weight`.
    Segmentation,
    /// The names inside the ImageNet classifiers: `conv1.weight` (torchvision), `conv1.0.weight` (deep stem),
    /// `mod1.conv1` (WideResNet-38). The last layer, the classifier, has known names too and is left out.
    Classifier,
}
