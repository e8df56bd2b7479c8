//! Where and in which number format a model is asked to run.

use std::fmt;

/// The device a model runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// Metal on Apple Silicon, CUDA where built in and present, else the CPU.
    #[default]
    Auto,
    /// The CPU with evalh's kernels.
    Cpu,
    /// The CPU with candle's own operations only: slow, a reference for the kernels.
    CpuPlain,
    /// Apple's GPU.
    Metal,
    /// The NVIDIA GPU with this number.
    Cuda(u32),
}

impl DeviceChoice {
    /// What may be written, for messages.
    pub const NEEDED: &'static str = "one of `auto`, `cpu`, `cpu-plain`, `metal`, `cuda`, `cuda:N`";

    /// Reads one of [`DeviceChoice::NEEDED`].
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "cpu" => Some(Self::Cpu),
            "cpu-plain" => Some(Self::CpuPlain),
            "metal" => Some(Self::Metal),
            "cuda" => Some(Self::Cuda(0)),
            _ => {
                let number = text.strip_prefix("cuda:")?;
                // `parse` alone would take a plus sign.
                number
                    .bytes()
                    .all(|b| b.is_ascii_digit())
                    .then(|| number.parse().ok().map(Self::Cuda))?
            }
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::CpuPlain => f.write_str("cpu-plain"),
            Self::Metal => f.write_str("metal"),
            Self::Cuda(0) => f.write_str("cuda"),
            Self::Cuda(n) => write!(f, "cuda:{n}"),
        }
    }
}

/// Number format of activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dtype {
    /// 32 bits.
    F32,
    /// 16 bits, IEEE 754.
    F16,
    /// 16 bits with the exponent of 32.
    Bf16,
}

impl Dtype {
    /// The name in files and records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
        }
    }

    /// The format with this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::F32, Self::F16, Self::Bf16]
            .into_iter()
            .find(|d| d.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for name in ["auto", "cpu", "cpu-plain", "metal", "cuda", "cuda:3"] {
            assert_eq!(DeviceChoice::parse(name).unwrap().to_string(), name);
        }
        for bad in ["", "CPU", "cuda:", "cuda:+1", "cuda:x", "cuda:99999999999"] {
            assert_eq!(DeviceChoice::parse(bad), None, "{bad}");
        }
    }
}
