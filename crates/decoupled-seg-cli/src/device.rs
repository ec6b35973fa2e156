//! The device that a command calculates on.

use std::env::VarError;
use std::fmt;
use std::str::FromStr;

use burn::tensor::Device;
use clap::Args;

use crate::CliError;

/// Name of the variable that holds the secret which a server asks for. It is no argument: others can read those.
#[cfg(feature = "remote")]
pub(crate) const TOKEN: &str = "DECOUPLED_SEG_TOKEN";

#[derive(Args)]
pub(crate) struct DeviceArgs {
    /// Where to calculate: flex (the CPU), cuda, cuda:1, vulkan, metal, webgpu, wgpu as far as the program was built with
    /// them, or `remote:HOST:PORT` for a device that `decoupled-seg serve` lends (`remote:HOST:PORT/1` for its second); its
    /// token is read from the variable DECOUPLED_SEG_TOKEN. Unless given, BURN_DEVICE or the first of the list decides.
    #[arg(long, value_name = "DEVICE")]
    device: Option<DeviceName>,
}

impl DeviceArgs {
    /// The device; one of another machine is connected.
    pub fn open(&self) -> Result<Device, CliError> {
        match &self.device {
            None => default(),
            Some(name) => name.open(),
        }
    }
}

/// The device that BURN_DEVICE names, or the first of those that the program was built with.
pub(crate) fn default() -> Result<Device, CliError> {
    match std::env::var("BURN_DEVICE") {
        Ok(value) if !value.is_empty() => named_by_variable(&value),
        Ok(_) => first_built(),
        Err(VarError::NotPresent) => Ok(Device::default()),
        Err(VarError::NotUnicode(value)) => named_by_variable(&value.to_string_lossy()),
    }
}

/// Burn knows more names, and panics where it was not built with what the variable names.
fn named_by_variable(value: &str) -> Result<Device, CliError> {
    let error = |reason: String| CliError::BurnDevice {
        value: value.to_string(),
        reason,
    };
    let name: DeviceName = value.to_lowercase().parse().map_err(error)?;
    name.open().map_err(|reason| error(reason.to_string()))
}

/// In the order in which Burn chooses.
fn first_built() -> Result<Device, CliError> {
    let names = [
        DeviceName::Cuda(0),
        DeviceName::Metal,
        DeviceName::Vulkan,
        DeviceName::Webgpu,
        DeviceName::Wgpu,
    ];
    let built = names.iter().find_map(|name| name.open().ok());
    built.map_or_else(|| DeviceName::Flex.open(), Ok)
}

/// What `--device` may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeviceName {
    Flex,
    /// The card of that number.
    Cuda(usize),
    Vulkan,
    Metal,
    Webgpu,
    Wgpu,
    /// Host and port of the server, and which of its devices.
    Remote(String, usize),
}

impl FromStr for DeviceName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, rest) = match text.split_once(':') {
            Some((kind, rest)) => (kind, Some(rest)),
            None => (text, None),
        };
        let number = |text: &str| {
            text.parse::<usize>()
                .map_err(|_| format!("`{text}` is no number of a device, expected 0, 1, ..."))
        };
        match (kind, rest) {
            ("flex", None) => Ok(Self::Flex),
            ("cuda", index) => Ok(Self::Cuda(number(index.unwrap_or("0"))?)),
            ("vulkan", None) => Ok(Self::Vulkan),
            ("metal", None) => Ok(Self::Metal),
            ("webgpu", None) => Ok(Self::Webgpu),
            ("wgpu", None) => Ok(Self::Wgpu),
            ("remote", Some(address)) => {
                let (address, index) = address.split_once('/').unwrap_or((address, "0"));
                let port = address
                    .rsplit_once(':')
                    .filter(|(host, _)| !host.is_empty());
                match port.map(|(_, port)| port.parse::<u16>()) {
                    Some(Ok(_)) => Ok(Self::Remote(address.to_string(), number(index)?)),
                    _ => {
                        Err("expected remote:HOST:PORT, such as remote:localhost:3000".to_string())
                    }
                }
            }
            _ => Err(
                "expected flex, cuda, cuda:1, vulkan, metal, webgpu, wgpu or remote:HOST:PORT"
                    .to_string(),
            ),
        }
    }
}

impl fmt::Display for DeviceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flex => f.write_str("flex"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
            Self::Vulkan => f.write_str("vulkan"),
            Self::Metal => f.write_str("metal"),
            Self::Webgpu => f.write_str("webgpu"),
            Self::Wgpu => f.write_str("wgpu"),
            Self::Remote(address, index) => write!(f, "remote:{address}/{index}"),
        }
    }
}

impl DeviceName {
    /// The device; one of another machine is connected.
    pub fn open(&self) -> Result<Device, CliError> {
        match self {
            #[cfg(feature = "flex")]
            Self::Flex => Ok(Device::flex()),
            #[cfg(not(feature = "flex"))]
            Self::Flex => Err(CliError::DeviceNotBuilt { kind: "flex" }),
            #[cfg(feature = "cuda")]
            Self::Cuda(index) => Ok(Device::cuda(*index)),
            #[cfg(not(feature = "cuda"))]
            Self::Cuda(_) => Err(CliError::DeviceNotBuilt { kind: "cuda" }),
            #[cfg(feature = "vulkan")]
            Self::Vulkan => Ok(Device::vulkan(Default::default())),
            #[cfg(not(feature = "vulkan"))]
            Self::Vulkan => Err(CliError::DeviceNotBuilt { kind: "vulkan" }),
            #[cfg(feature = "metal")]
            Self::Metal => Ok(Device::metal(Default::default())),
            #[cfg(not(feature = "metal"))]
            Self::Metal => Err(CliError::DeviceNotBuilt { kind: "metal" }),
            #[cfg(feature = "webgpu")]
            Self::Webgpu => Ok(Device::webgpu(Default::default())),
            #[cfg(not(feature = "webgpu"))]
            Self::Webgpu => Err(CliError::DeviceNotBuilt { kind: "webgpu" }),
            #[cfg(feature = "wgpu")]
            Self::Wgpu => Ok(Device::wgpu(Default::default())),
            #[cfg(not(feature = "wgpu"))]
            Self::Wgpu => Err(CliError::DeviceNotBuilt { kind: "wgpu" }),
            #[cfg(feature = "remote")]
            Self::Remote(address, index) => {
                let host = burn::remote::RemoteHost::websocket(&format!("ws://{address}"));
                let host = match std::env::var(TOKEN) {
                    Ok(token) => host.with_credential(token),
                    Err(_) => host,
                };
                Ok(decoupled_seg::nn::remote::connect(&host, *index)?)
            }
            #[cfg(not(feature = "remote"))]
            Self::Remote(..) => Err(CliError::DeviceNotBuilt { kind: "remote" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("flex", DeviceName::Flex)]
    #[case("cuda", DeviceName::Cuda(0))]
    #[case("cuda:3", DeviceName::Cuda(3))]
    #[case("remote:gpu:3000", DeviceName::Remote("gpu:3000".to_string(), 0))]
    #[case("remote:[::1]:3000/2", DeviceName::Remote("[::1]:3000".to_string(), 2))]
    fn names_are_read(#[case] text: &str, #[case] expected: DeviceName) {
        let name: DeviceName = text.parse().expect("a device");
        assert_eq!(name, expected);
        // What is written is read again.
        assert_eq!(name.to_string().parse(), Ok(name));
    }

    #[rstest]
    #[case("", "expected flex, cuda")]
    #[case("gpu", "expected flex, cuda")]
    #[case("flex:1", "expected flex, cuda")]
    #[case("cuda:one", "`one` is no number of a device")]
    #[case("remote", "expected flex, cuda")]
    #[case("remote:gpu", "expected remote:HOST:PORT")]
    #[case("remote::3000", "expected remote:HOST:PORT")]
    #[case("remote:gpu:70000", "expected remote:HOST:PORT")]
    #[case("remote:gpu:3000/a", "`a` is no number of a device")]
    fn other_names_are_refused(#[case] text: &str, #[case] expected: &str) {
        let error = text.parse::<DeviceName>().expect_err("no device");
        assert!(error.starts_with(expected), "{error}");
    }

    #[rstest]
    #[case("gpu", "expected flex, cuda")]
    #[case("tch", "expected flex, cuda")]
    #[cfg_attr(not(feature = "metal"), case("metal", "--features metal"))]
    fn other_values_of_the_variable_are_refused(#[case] value: &str, #[case] expected: &str) {
        let error = named_by_variable(value).expect_err("no device").to_string();
        let told = format!("BURN_DEVICE is `{value}`");
        assert!(error.contains(&told) && error.contains(expected), "{error}");
    }

    #[cfg(feature = "flex")]
    #[test]
    fn a_device_is_found_without_the_variable() {
        first_built().expect("the CPU at least");
        named_by_variable("FLEX").expect("the CPU");
    }

    #[cfg(not(feature = "remote"))]
    #[test]
    fn a_kind_that_was_not_built_is_named() {
        let name: DeviceName = "remote:gpu:3000".parse().expect("a device");
        let error = name.open().expect_err("no such feature");
        assert!(error.to_string().contains("--features remote"), "{error}");
    }
}
