use burn::backend::{DispatchDevice, Remote};
use burn::remote::{ConnectError, RemoteHost};
use burn::tensor::{DType, Device, Shape, Tensor};

use super::VERSION;
use super::call::call_on;

/// Asks a server for its [`VERSION`].
pub(super) const WHICH_VERSION: &str = "decoupled_seg.version";

/// Why a device of another machine cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RemoteError {
    /// No session could be opened.
    #[error("the remote device cannot be had: {0}")]
    Connect(#[source] ConnectError),
    /// The server closed the session when it was asked for one of our operations.
    #[error(
        "the server does not know the operations of decoupled-seg ({reason}): start it with `decoupled-seg serve`, or \
         with `decoupled_seg::nn::remote::server`"
    )]
    UnknownOperations {
        /// What came in place of an answer.
        reason: String,
    },
    /// The server has the operations of another release.
    #[error(
        "the server has version {server} of the operations, this program has {client}: build both from the same release"
    )]
    OtherVersion {
        /// Ours.
        client: u32,
        /// The server's.
        server: u32,
    },
}

/// Connects a device of a [`server`](super::server()), by its place among the server's.
///
/// # Errors
///
/// Returns an error if no session can be opened, or if the server does not know the operations of this crate.
pub fn connect(host: &RemoteHost, index: usize) -> Result<Device, RemoteError> {
    let device = Device::remote_options(host)
        .device_index(index)
        .init()
        .map_err(RemoteError::Connect)?;
    let DispatchDevice::Remote(remote) = device.as_dispatch() else {
        unreachable!("the device was made as a remote one");
    };
    let version = (Shape::new([1]), DType::F32);
    let [version] = call_on(remote, WHICH_VERSION, [], [version], ());
    let version = Tensor::<1>::from_primitive::<Remote>(version)
        .try_into_vec_as::<f32>()
        .map_err(|error| RemoteError::UnknownOperations {
            reason: error.to_string(),
        })?;
    match version[0] as u32 {
        VERSION => Ok(device),
        server => Err(RemoteError::OtherVersion {
            client: VERSION,
            server,
        }),
    }
}
