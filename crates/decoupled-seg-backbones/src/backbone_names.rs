/// Whose names a backbone's tensors have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BackboneNames {
    /// Those inside the authors' segmentation networks: `layer0.0.0.weight`, `mod1.conv1.weight`.
    Segmentation,
    /// Those of the ImageNet classifiers: `conv1.weight` (torchvision), `conv1.0.weight` (deep stem), `mod1.conv1`
    /// (WideResNet-38). Their classifiers are known and left out.
    Classifier,
}
