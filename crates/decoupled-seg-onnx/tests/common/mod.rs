//! Networks with weights that are the same in every run, and pictures.

#![allow(dead_code)] // each test file uses its part

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use decoupled_seg_nn::SegmentationModel;
use decoupled_seg_onnx::{OnnxExport, OnnxFile, OnnxParity};

/// Uniform in `-1..1`: splitmix64 of a place.
pub fn number(seed: u64, index: usize) -> f32 {
    let mut z = (index as u64 + 1)
        .wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(seed << 32);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((z ^ (z >> 31)) >> 40) as f32 / 8_388_608.0 - 1.0
}

/// Bytes of `count` pictures.
pub fn pictures(count: usize, height: usize, width: usize) -> Vec<u8> {
    let bytes =
        (0..count * height * width * 3).map(|index| (number(7, index) * 127.0 + 128.0) as u8);
    bytes.collect()
}

/// Weights of its own, the same in every run: those of a convolution as large as its fan-in allows, the rest near 1.
pub fn determined<M: Module>(network: M) -> M {
    network.map(&mut Determine(0))
}

struct Determine(u64);

impl ModuleMapper for Determine {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        self.0 += 1;
        let seed = self.0;
        param.map(|tensor| {
            let shape = tensor.shape();
            let (offset, scale) = match D {
                1 => (1.0, 0.1),
                _ => (
                    0.0,
                    (3.0 / shape[1..].iter().product::<usize>() as f32).sqrt(),
                ),
            };
            let count = shape.num_elements();
            let values: Vec<f32> = (0..count)
                .map(|i| offset + scale * number(seed, i))
                .collect();
            Tensor::from_data(TensorData::new(values, shape), &tensor.device())
        })
    }
}

/// The file, and how far it is from the network on as many pictures.
pub fn export<M: SegmentationModel>(
    export: &OnnxExport,
    network: &M,
    pictures: &[u8],
) -> (OnnxFile, OnnxParity) {
    let file = export.export(network).expect("it is translated");
    let parity = export.compare(network, &file, pictures).expect("it runs");
    (file, parity)
}
