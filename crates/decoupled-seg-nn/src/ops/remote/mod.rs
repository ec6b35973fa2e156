//! Devices of other machines, through Burn's remote backend.
//!
//! A client sends the name of an operation, its tensors and its arguments; the server runs its own kernel for it. So the
//! server must be one that knows the operations of this crate: [`server`] makes it, and [`connect`] refuses any other.
//! Both ends of an operation stand in one file.
//!
//! ```no_run
//! # use burn::server::{TokenAuthorizer, WebSocketTransport};
//! # use burn::remote::RemoteHost;
//! # use burn::tensor::Device;
//! # fn serve() -> Result<(), Box<dyn std::error::Error>> {
//! // On the machine with the card:
//! let server = decoupled_seg_nn::remote::server([Device::default()]);
//! let server = server.with_authorizer(TokenAuthorizer::new("a long secret")?);
//! server.serve(WebSocketTransport::new(3000))?;
//! # Ok(())
//! # }
//! # fn train() -> Result<(), Box<dyn std::error::Error>> {
//! // On this one:
//! let host = RemoteHost::websocket("ws://gpu:3000").with_credential("a long secret");
//! let device = decoupled_seg_nn::remote::connect(&host, 0)?;
//! # Ok(())
//! # }
//! ```

mod arguments;
mod call;
mod connect;
mod conv2d;
mod norm;
mod sampling;
mod server;

pub use connect::{RemoteError, connect};
pub use server::server;

/// Counted up whenever an operation or its arguments change: client and server must have the same.
const VERSION: u32 = 1;
