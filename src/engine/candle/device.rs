//! Choosing the device.

use crate::engine::EngineError;
use crate::record::DeviceChoice;
use candle_core::Device;

/// Opens the device that was asked for.
pub(super) fn open(choice: DeviceChoice) -> Result<Device, EngineError> {
    match choice {
        DeviceChoice::Cpu | DeviceChoice::CpuPlain => Ok(Device::Cpu),
        DeviceChoice::Metal => Device::new_metal(0).map_err(|e| missing("metal", &e)),
        DeviceChoice::Cuda(n) => Device::new_cuda(n as usize).map_err(|e| missing("cuda", &e)),
        DeviceChoice::Auto => Ok(automatic()),
    }
}

/// The name of the device that `auto` means here.
pub fn automatic_device() -> &'static str {
    name(&automatic())
}

fn missing(device: &str, error: &candle_core::Error) -> EngineError {
    let text = error.to_string();
    EngineError::Device {
        device: device.to_owned(),
        why: text.lines().next().unwrap_or("no reason given").to_owned(),
    }
}

fn automatic() -> Device {
    if candle_core::utils::metal_is_available()
        && let Ok(device) = Device::new_metal(0)
    {
        return device;
    }
    if candle_core::utils::cuda_is_available()
        && let Ok(device) = Device::new_cuda(0)
    {
        return device;
    }
    Device::Cpu
}

/// The device's name in records.
pub(super) fn name(device: &Device) -> &'static str {
    if device.is_metal() {
        "metal"
    } else if device.is_cuda() {
        "cuda"
    } else {
        "cpu"
    }
}
