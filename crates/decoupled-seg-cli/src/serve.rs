//! `serve`: this machine's devices for programs on others.

use std::net::SocketAddr;

use clap::Args;

use crate::CliError;
use crate::device::DeviceName;

#[derive(Args)]
pub(crate) struct ServeArgs {
    /// Where to listen. What is sent is not encrypted: leave it at this machine's own address and reach it through
    /// `ssh -L 3000:127.0.0.1:3000 HOST`, or name an address of a network that you trust.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:3000")]
    listen: SocketAddr,
    /// What to lend, as many as there are: flex, cuda, cuda:1, vulkan, metal, webgpu, wgpu.
    #[arg(long, num_args = 1.., value_name = "DEVICE")]
    device: Vec<DeviceName>,
}

#[cfg(not(feature = "remote"))]
pub(crate) fn run(args: &ServeArgs) -> Result<(), CliError> {
    let _ = (args.listen, &args.device);
    Err(CliError::DeviceNotBuilt { kind: "remote" })
}

#[cfg(feature = "remote")]
pub(crate) fn run(args: &ServeArgs) -> Result<(), CliError> {
    use std::net::TcpListener;

    use burn::server::{TokenAuthorizer, WebSocketTransport};

    use crate::device::TOKEN;
    use crate::say::say;

    let devices = match &args.device[..] {
        [] => vec![crate::device::default()?],
        names => names
            .iter()
            .map(|name| match name {
                DeviceName::Remote(..) => Err(CliError::LentDevice {
                    device: name.to_string(),
                }),
                local => local.open(),
            })
            .collect::<Result<Vec<_>, _>>()?,
    };
    let failed = |source| CliError::Listen {
        address: args.listen,
        source,
    };
    let listener = TcpListener::bind(args.listen).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let given = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
    let token = given.clone().unwrap_or_else(new_token);
    for (index, device) in devices.iter().enumerate() {
        say!("lending {device:?} as remote:{address}/{index}");
    }
    if given.is_none() {
        say!("clients need the variable {TOKEN}={token}");
    }
    if !address.ip().is_loopback() {
        say!("nothing is encrypted, the token neither: only for a network that you trust");
    }
    let authorizer = TokenAuthorizer::new(token).expect("the token is not empty");
    decoupled_seg::nn::remote::server(devices)
        .with_authorizer(authorizer)
        .serve(WebSocketTransport::from_listener(listener))?;
    Ok(())
}

/// A secret that nobody can guess.
#[cfg(feature = "remote")]
fn new_token() -> String {
    // The bytes of a new secret key come from the system's generator for such things.
    let bytes = burn::server::IrohIdentity::random().to_bytes();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
