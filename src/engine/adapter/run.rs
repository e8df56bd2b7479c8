//! The [`Engine`] over a model of candle-transformers.

use super::config::Settings;
use super::constructors::BuildError;
use super::sequence::Sequence;
use super::table::{Architecture, Prefill};
use super::weights::Weights;
use crate::engine::continuation::{self, Autoregressive, check_ids, check_score};
use crate::engine::decoding::argmax;
use crate::engine::kernels::elementwise::log_sum_exp;
use crate::engine::{
    Engine, EngineError, EngineInfo, GenerateRequest, GenerateSink, LoadOptions, LogitsSink,
    RawScore, ScoreRequest, ScoreSink,
};
use crate::guard::caught;
use crate::modelfile::SafetensorsSet;
use crate::record::{DeviceChoice, Dtype, TokenTable};
use crate::units::Bytes;
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use std::ops::Range;
use std::sync::Arc;

/// Rows of a prompt computed at once where the architecture allows it: the attention weights of a pass grow with rows times positions.
pub(super) const CHUNK_ROWS: usize = 256;

/// The version of candle-transformers in `Cargo.lock`, which a test compares.
const LIBRARY: &str = "candle-transformers 0.11.1";

/// A model of candle-transformers.
pub struct AdapterEngine {
    architecture: &'static Architecture,
    settings: Settings,
    weights: Weights,
    /// A sequence that has seen nothing, where the library can copy it.
    untouched: Option<Box<dyn Sequence>>,
    /// The sequence in work; none after a failure.
    current: Option<Box<dyn Sequence>>,
    /// The last context that was scored, so that the choices of one question compute it once.
    context: Option<Scored>,
    info: EngineInfo,
    table: Arc<TokenTable>,
    peak_memory: fn() -> Option<Bytes>,
}

/// A context after which continuations were scored.
struct Scored {
    ids: Vec<u32>,
    logits: Vec<f32>,
    after: Box<dyn Sequence>,
}

impl AdapterEngine {
    /// Reads `config.json` and the tensors of a checked set, builds the model and computes one token with it.
    ///
    /// # Errors
    /// When the architecture is not in the table, a value of the configuration is one that candle does not compute, a tensor is missing,
    /// misshapen or without a place, or another device or number format than f32 on the CPU was asked for.
    pub fn load(
        set: &SafetensorsSet,
        config: &[u8],
        options: &LoadOptions,
    ) -> Result<Self, EngineError> {
        let settings = Settings::read(config, set, options.context)?;
        let architecture = settings.architecture;
        refuse_other_places(architecture, options)?;
        let weights = Weights::new(set.clone(), settings.names.clone());
        let mut engine = Self {
            architecture,
            info: EngineInfo {
                engine: format!("{LIBRARY}, evalh {}", env!("CARGO_PKG_VERSION")),
                device: "cpu".to_owned(),
                dtype: Dtype::F32.as_str().to_owned(),
                simd: "candle".to_owned(),
                threads: u32::try_from(rayon::current_num_threads()).unwrap_or(u32::MAX),
                context: settings.context,
                vocabulary: settings.vocabulary,
                // There is no second way to compute these models.
                check: None,
            },
            settings,
            weights,
            untouched: None,
            current: None,
            context: None,
            table: Arc::clone(&options.table),
            peak_memory: options.peak_memory,
        };
        let first = engine.build()?;
        engine.weights.all_used()?;
        engine.untouched = first.copy();
        engine.current = Some(first);
        engine.step(&[0], 0)?;
        Ok(engine)
    }

    /// A model that has seen nothing, from the tensors in memory.
    fn build(&self) -> Result<Box<dyn Sequence>, EngineError> {
        let backend = Box::new(self.weights.clone());
        let tensors = VarBuilder::from_backend(backend, DType::F32, Device::Cpu);
        let config = self.settings.values();
        let built = caught(|| (self.architecture.build)(&config, tensors));
        let failed = |why: String| EngineError::Backend {
            what: "construction of the model",
            why,
        };
        match built {
            Ok(Ok(sequence)) => Ok(sequence),
            Ok(Err(BuildError::Config(e))) => Err(EngineError::Config {
                architecture: self.architecture.model_type,
                why: e.to_string(),
            }),
            Ok(Err(BuildError::Tensors(e))) => {
                let text = e.to_string();
                Err(self.weights.cause(&text).unwrap_or_else(|| failed(text)))
            }
            Err(said) => Err(failed(said)),
        }
    }

    /// Puts a sequence in work that has seen nothing.
    fn restart(&mut self) -> Result<(), EngineError> {
        self.current = None;
        let copy = self.untouched.as_ref().and_then(|s| s.copy());
        self.current = Some(match copy {
            Some(sequence) => sequence,
            None => self.build()?,
        });
        Ok(())
    }

    /// Gives ids at a position to the sequence in work; the logits after the last of them. A failure ends the sequence.
    fn step(&mut self, ids: &[u32], position: usize) -> Result<Vec<f32>, EngineError> {
        let what = "forward pass";
        let mut sequence = self.current.take().ok_or_else(|| EngineError::Backend {
            what,
            why: "the sequence failed before".to_owned(),
        })?;
        let logits = caught(|| sequence.take(ids, position).and_then(|l| values(&l)))
            .map_err(|why| EngineError::Backend { what, why })?
            .map_err(backend(what))?;
        if logits.len() != self.info.vocabulary as usize {
            let (found, wanted) = (logits.len(), self.info.vocabulary);
            let why = format!("it gave {found} logits for a vocabulary of {wanted}");
            return Err(EngineError::Backend { what, why });
        }
        self.current = Some(sequence);
        Ok(logits)
    }

    /// Computes ids from position 0 on; the logits after the last of them.
    fn prompt(&mut self, ids: &[u32]) -> Result<Vec<f32>, EngineError> {
        let rows = match self.architecture.prefill {
            Prefill::Chunks => CHUNK_ROWS,
            Prefill::Whole => ids.len(),
            Prefill::Steps => 1,
        };
        let mut logits = Vec::new();
        for (at, chunk) in ids.chunks(rows.max(1)).enumerate() {
            logits = self.step(chunk, at * rows)?;
        }
        Ok(logits)
    }

    /// The logits (vocabulary values each) at every position of a sequence from position `wanted` on, handed to `each` with their position.
    /// The ids before are computed as a prompt, the others step by step.
    ///
    /// # Errors
    /// When the ids are none, too many or outside the vocabulary, or the library fails.
    pub fn logits(
        &mut self,
        ids: &[u32],
        wanted: usize,
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        check_ids(&self.info, ids, "sequence", ids.len())?;
        let wanted = wanted.min(ids.len() - 1);
        self.restart()?;
        each(wanted, &self.prompt(&ids[..=wanted])?);
        for (position, id) in ids.iter().enumerate().skip(wanted + 1) {
            each(position, &self.step(&[*id], position)?);
        }
        Ok(())
    }

    /// Puts the sequence after this context in work; its logits, and how many tokens were computed for them.
    fn after_context(&mut self, ids: &[u32]) -> Result<(Vec<f32>, usize), EngineError> {
        if let Some(known) = self.context.as_ref().filter(|c| c.ids == ids)
            && let Some(copy) = known.after.copy()
        {
            let logits = known.logits.clone();
            self.current = Some(copy);
            return Ok((logits, 0));
        }
        self.context = None;
        self.restart()?;
        let logits = self.prompt(ids)?;
        let copy = self.current.as_ref().and_then(|s| s.copy());
        self.context = copy.map(|after| Scored {
            ids: ids.to_vec(),
            logits: logits.clone(),
            after,
        });
        Ok((logits, ids.len()))
    }
}

/// f32 on the CPU is all there is; asking for something else is refused, not ignored.
fn refuse_other_places(
    architecture: &Architecture,
    options: &LoadOptions,
) -> Result<(), EngineError> {
    let device = match options.device {
        DeviceChoice::Auto | DeviceChoice::Cpu | DeviceChoice::CpuPlain => None,
        DeviceChoice::Metal => Some("metal"),
        DeviceChoice::Cuda(_) => Some("cuda"),
    };
    if let Some(device) = device {
        return Err(EngineError::Device {
            device: device.to_owned(),
            why: format!(
                "architecture `{}` is computed on the CPU only",
                architecture.model_type
            ),
        });
    }
    match options.dtype.filter(|d| *d != Dtype::F32) {
        None => Ok(()),
        Some(asked) => Err(EngineError::Dtype {
            asked: asked.as_str(),
            device: "cpu",
            computed: Dtype::F32.as_str(),
        }),
    }
}

fn values(logits: &Tensor) -> candle_core::Result<Vec<f32>> {
    logits.flatten_all()?.to_vec1()
}

/// Names what was being done when candle failed; without the list of calls it may add.
pub(super) fn backend(what: &'static str) -> impl Fn(candle_core::Error) -> EngineError {
    move |error| {
        let text = error.to_string();
        let why = text
            .lines()
            .next()
            .unwrap_or("without a message")
            .to_owned();
        EngineError::Backend { what, why }
    }
}

impl Autoregressive for AdapterEngine {
    fn table(&self) -> &TokenTable {
        &self.table
    }

    fn reset(&mut self, _: usize) -> Result<(), EngineError> {
        self.restart()
    }

    fn begin(&mut self, ids: &[u32]) -> Result<Vec<f32>, EngineError> {
        self.prompt(ids)
    }

    fn append(&mut self, id: u32, position: usize) -> Result<Vec<f32>, EngineError> {
        self.step(&[id], position)
    }

    fn score_one(&mut self, request: &ScoreRequest) -> Result<RawScore, EngineError> {
        check_score(&self.info, request)?;
        let (mut logits, computed) = self.after_context(&request.context)?;
        let begin = request.context.len();
        let mut score = RawScore {
            token_logprobs: Vec::with_capacity(request.continuation.len()),
            token_top1: Vec::with_capacity(request.continuation.len()),
            computed_tokens: (computed + request.continuation.len() - 1) as u32,
        };
        for (at, &id) in request.continuation.iter().enumerate() {
            if at > 0 {
                let before = request.continuation[at - 1];
                logits = self.step(&[before], begin + at - 1)?;
            }
            let position = begin + at;
            let top1 = argmax(&logits).ok_or(EngineError::NotANumber { position })?;
            score.token_top1.push(top1);
            let logprob = logits[id as usize] - log_sum_exp(&logits);
            score.token_logprobs.push(logprob);
        }
        Ok(score)
    }
}

impl Engine for AdapterEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        sink: &mut GenerateSink<'_>,
    ) -> Result<(), EngineError> {
        self.context = None;
        continuation::generate(self, requests, sink);
        Ok(())
    }

    fn score(
        &mut self,
        requests: &[ScoreRequest],
        sink: &mut ScoreSink<'_>,
    ) -> Result<(), EngineError> {
        continuation::score(self, requests, sink);
        Ok(())
    }

    fn peak_memory(&self) -> Option<Bytes> {
        (self.peak_memory)()
    }

    fn logits(
        &mut self,
        ids: &[u32],
        rows: Range<usize>,
        each: &mut LogitsSink<'_>,
    ) -> Result<(), EngineError> {
        check_ids(&self.info, ids, "sequence", ids.len())?;
        let end = rows.end.min(ids.len());
        if rows.start >= end {
            return Ok(());
        }
        Self::logits(self, &ids[..end], rows.start, each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_one_in_the_lock_file() {
        let lock = include_str!("../../../Cargo.lock");
        let (name, version) = LIBRARY.split_once(' ').unwrap();
        assert!(lock.contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")));
    }
}
