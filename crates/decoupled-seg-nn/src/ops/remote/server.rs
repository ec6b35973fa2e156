use burn::backend::DispatchDevice;
use burn::backend::ir::BackendIr;
use burn::backend::tensor::FloatTensor;
use burn::server::{CustomOpRegistry, RemoteServer};
use burn::tensor::{Device, FloatDType, Shape};

use super::super::backend::{SamplingBackend, SamplingGradients};
use super::super::conv2d::{ConvBackend, ConvGradients};
use super::super::norm::{NormBackend, NormGradients};
use super::call::Operations;
use super::connect::WHICH_VERSION;
use super::{VERSION, conv2d, norm, sampling};

/// A server of `devices` that knows the operations of this crate. A client picks a device by its place in the list.
///
/// Whoever is let in may run any operation, take all of the memory and bring the process down. So let in only whom you know:
/// [`RemoteServer::with_authorizer`]. What is sent over a `WebSocketTransport` is not encrypted; over an `IrohTransport` it is.
///
/// # Panics
///
/// Panics without a device, and if the first is none of the kinds that this crate was built for.
pub fn server(devices: impl IntoIterator<Item = Device>) -> RemoteServer {
    let devices: Vec<Device> = devices.into_iter().collect();
    let first = devices.first().expect("a server has at least one device");
    let first = first.clone().inner();
    let server = RemoteServer::new(devices);
    match first.as_dispatch() {
        #[cfg(feature = "flex")]
        DispatchDevice::Flex(_) => server.with_custom_ops(operations::<burn::backend::Flex>()),
        #[cfg(feature = "cube")]
        DispatchDevice::Cube(_) => server.with_custom_ops(operations::<burn::backend::Cube>()),
        other => panic!("no kernels were built for {other:?}, which cannot be served"),
    }
}

fn operations<B>() -> CustomOpRegistry<B>
where
    B: BackendIr
        + SamplingBackend
        + SamplingGradients
        + ConvBackend
        + ConvGradients
        + NormBackend
        + NormGradients,
{
    let mut ops = Operations::<B>(CustomOpRegistry::new());
    ops.add_on(WHICH_VERSION, |[], (), device| {
        let shape = Shape::new([1]);
        let one: FloatTensor<B> = B::float_ones(shape, device, FloatDType::F32);
        [B::float_mul_scalar(one, VERSION.into())]
    });
    sampling::add(&mut ops);
    conv2d::add(&mut ops);
    norm::add(&mut ops);
    ops.0
}
