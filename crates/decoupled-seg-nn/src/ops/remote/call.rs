//! An operation on its way: what the client sends, and what the server makes of it.

use burn::backend::ir::{BackendIr, CustomOpIr, TensorIr};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Remote, RemoteDevice, TensorMetadata};
use burn::remote::CustomOpClient;
use burn::server::CustomOpRegistry;
use burn::tensor::{DType, Shape};

use super::arguments::Arguments;

/// A tensor that lies on the server.
pub(super) type Primitive = FloatTensor<Remote>;

/// Shape and type of a result, which the client knows before the server has it.
pub(super) type Expected = (Shape, DType);

/// As `tensor` is.
pub(super) fn like(tensor: &Primitive) -> Expected {
    (tensor.shape(), tensor.dtype())
}

/// Sends an operation to the server of its inputs.
pub(super) fn call<const IN: usize, const OUT: usize>(
    name: &'static str,
    inputs: [Primitive; IN],
    outputs: [Expected; OUT],
    arguments: impl Arguments,
) -> [Primitive; OUT] {
    let device = inputs[0].device();
    call_on(&device, name, inputs, outputs, arguments)
}

/// As [`call`], for an operation without inputs too.
pub(super) fn call_on<const IN: usize, const OUT: usize>(
    device: &RemoteDevice,
    name: &'static str,
    inputs: [Primitive; IN],
    outputs: [Expected; OUT],
    arguments: impl Arguments,
) -> [Primitive; OUT] {
    let client = CustomOpClient::new(device);
    let inputs = inputs.map(|input| input.into_ir());
    let outputs =
        outputs.map(|(shape, dtype)| TensorIr::uninit(client.create_empty_handle(), shape, dtype));
    let mut scalars = Vec::new();
    arguments.write(&mut scalars);
    let op = CustomOpIr::with_scalars(name, &inputs, &outputs, scalars);
    let outputs = client.register(op).try_into();
    outputs.unwrap_or_else(|_| unreachable!("as many tensors as were described"))
}

/// What a server does for each operation. A closure that panics ends the session that asked for it, and no other.
pub(super) struct Operations<B: BackendIr>(pub(super) CustomOpRegistry<B>);

impl<B: BackendIr> Operations<B> {
    /// Adds an operation. `run` gets what the client sent, and checks what a kernel takes on trust.
    pub(super) fn add<const IN: usize, const OUT: usize, A: Arguments>(
        &mut self,
        name: &'static str,
        run: impl Fn([FloatTensor<B>; IN], A) -> [FloatTensor<B>; OUT] + Send + Sync + 'static,
    ) {
        self.add_on(name, move |inputs, arguments, _| run(inputs, arguments));
    }

    /// As [`add`](Self::add), for an operation that needs the device.
    pub(super) fn add_on<const IN: usize, const OUT: usize, A: Arguments>(
        &mut self,
        name: &'static str,
        run: impl Fn([FloatTensor<B>; IN], A, &B::Device) -> [FloatTensor<B>; OUT]
        + Send
        + Sync
        + 'static,
    ) {
        self.0.register(name, move |tensors, op, device| {
            let (inputs, outputs) = op.as_fixed::<IN, OUT>();
            let arguments = A::read(&mut op.scalars.iter().copied());
            let inputs = inputs
                .each_ref()
                .map(|input| tensors.get_float_tensor::<B>(input));
            for (result, output) in run(inputs, arguments, device).into_iter().zip(outputs) {
                assert_eq!(
                    (result.shape(), result.dtype()),
                    (output.shape.clone(), output.dtype),
                    "`{name}` returns what the client expects"
                );
                tensors.register_float_tensor::<B>(&output.id, result);
            }
        });
    }
}
