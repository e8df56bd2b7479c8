//! The [`Engine`] over a loaded decoder: single-stream generation and prefix-sharing log-likelihoods.

use super::check;
use super::decoder::{CHUNK_ROWS, Decoder, pooled};
use super::describe::describe;
use super::device;
use super::ops::Mode;
use super::weights::Weights;
use crate::engine::continuation::{self, Autoregressive, check_ids, check_score};
use crate::engine::decoding::argmax;
use crate::engine::kernels::{self, elementwise::log_sum_exp};
use crate::engine::{
    Engine, EngineError, EngineInfo, GenerateRequest, GenerateSink, LoadOptions, LogitsSink,
    RawScore, ScoreRequest, ScoreSink,
};
use crate::modelfile::ModelFile;
use crate::record::{DeviceChoice, Dtype, TokenTable};
use crate::units::Bytes;
use candle_core::Device;
use std::ops::Range;
use std::sync::Arc;

/// What activations are computed in on every device; the key/value cache is f16 where the device is not the CPU.
const ACTIVATIONS: Dtype = Dtype::F32;

/// A model on candle tensors.
pub struct CandleEngine {
    decoder: Decoder,
    info: EngineInfo,
    table: Arc<TokenTable>,
    peak_memory: fn() -> Option<Bytes>,
    /// Ids whose keys and values the cache holds, from position 0.
    cached: Vec<u32>,
    /// Whether they were rotated as those of a long text.
    long: bool,
    /// Last, so that it is dropped when everything on the device is.
    _release: Release,
}

/// Waits for the device when a model is gone: candle's Metal backend gives buffers back to the system only then.
struct Release(Device);

impl Drop for Release {
    fn drop(&mut self) {
        if let Err(error) = pooled(|| self.0.synchronize()) {
            tracing::warn!(%error, "a device did not finish its work");
        }
    }
}

impl CandleEngine {
    /// Builds the decoder over a validated file.
    ///
    /// # Errors
    /// When the architecture is unknown, a tensor is missing or misshapen, the device is not there, or it computes something else than the plain
    /// CPU path ([`EngineError::SelfCheck`]).
    pub fn load(file: &ModelFile, options: &LoadOptions) -> Result<Self, EngineError> {
        let device = device::open(options.device)?;
        if let Some(asked) = options.dtype.filter(|d| *d != ACTIVATIONS) {
            return Err(EngineError::Dtype {
                asked: asked.as_str(),
                device: device::name(&device),
                computed: ACTIVATIONS.as_str(),
            });
        }
        let mode = if device.is_cpu() && options.device != DeviceChoice::CpuPlain {
            Mode::Kernels
        } else {
            Mode::Tensors
        };
        let described = describe(file)?;
        let capacity = described.blueprint.context;
        let capacity = capacity.min(options.context.max(1) as usize);
        let decoder = pooled(|| {
            let weights = Weights::new(described.tensors, device.clone(), mode);
            let decoder = Decoder::new(described.blueprint, &weights, &device, mode, capacity)?;
            device
                .synchronize()
                .map_err(super::backend("synchronisation"))?;
            Ok::<_, EngineError>(decoder)
        })?;
        let info = EngineInfo {
            engine: format!("candle {}", env!("CARGO_PKG_VERSION")),
            device: device::name(&device).to_owned(),
            dtype: if device.is_cpu() {
                "f32"
            } else {
                "f32, f16 cache"
            }
            .to_owned(),
            simd: match mode {
                Mode::Kernels => kernels::tier().as_str().to_owned(),
                Mode::Tensors => "candle".to_owned(),
            },
            threads: u32::try_from(rayon::current_num_threads()).unwrap_or(u32::MAX),
            context: decoder.capacity() as u32,
            vocabulary: decoder.vocabulary() as u32,
            check: None,
        };
        let mut engine = Self {
            decoder,
            info,
            table: Arc::clone(&options.table),
            peak_memory: options.peak_memory,
            cached: Vec::new(),
            long: false,
            _release: Release(device),
        };
        let plan = check::Plan::new(file, &engine.info, options, mode);
        let reference = |capacity| {
            let described = describe(file)?;
            let weights = Weights::new(described.tensors, Device::Cpu, Mode::Kernels);
            let (blueprint, kernels) = (described.blueprint, Mode::Kernels);
            Decoder::new(blueprint, &weights, &Device::Cpu, kernels, capacity)
        };
        engine.info.check = Some(check::check(&mut engine, &plan, reference)?);
        Ok(engine)
    }

    /// Forgets what the cache holds, so that the next request shares nothing with an earlier one.
    pub(super) fn forget(&mut self) {
        self.cached.clear();
    }

    /// Prepares for a text that may reach `length` tokens: what was rotated otherwise cannot be shared with it.
    fn prepare(&mut self, length: usize) {
        let long = self.decoder.is_long(length);
        if long != self.long {
            self.cached.clear();
            self.long = long;
        }
    }

    /// Computes `ids` from position `first` on and hands over the logits of rows from `wanted` on. Keeps `cached` true even on failure.
    fn compute(
        &mut self,
        ids: &[u32],
        first: usize,
        wanted: usize,
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        self.cached.truncate(first);
        self.decoder
            .forward(ids, (first, self.long), wanted, each)?;
        self.cached.extend_from_slice(ids);
        Ok(())
    }

    /// The logits (vocabulary values each) at every position of a sequence, handed to `each` with their position, from position `wanted` on.
    ///
    /// # Errors
    /// When the ids are none, too many or outside the vocabulary, or the device fails.
    pub fn logits(
        &mut self,
        ids: &[u32],
        wanted: usize,
        each: &mut dyn FnMut(usize, &[f32]),
    ) -> Result<(), EngineError> {
        self.logits_of(ids, wanted..ids.len(), each)
    }

    /// The logits at positions `rows` of a sequence. The whole sequence decides how positions are rotated, also where its end is not computed.
    fn logits_of(
        &mut self,
        ids: &[u32],
        rows: Range<usize>,
        each: &mut LogitsSink<'_>,
    ) -> Result<(), EngineError> {
        check_ids(&self.info, ids, "sequence", ids.len())?;
        self.prepare(ids.len());
        let ids = &ids[..rows.end.min(ids.len())];
        // Rows that are wanted must be computed; everything before them may be shared.
        let shared = common_prefix(&self.cached, ids).min(rows.start);
        let mut at = |row: usize, logits: &[f32]| each(shared + row, logits);
        self.compute(&ids[shared..], shared, rows.start - shared, &mut at)
    }

    /// The logits after `ids` at `first..`.
    fn last_logits(&mut self, ids: &[u32], first: usize) -> Result<Vec<f32>, EngineError> {
        let mut last = Vec::new();
        self.compute(ids, first, ids.len() - 1, &mut |_, logits| {
            last = logits.to_vec();
        })?;
        Ok(last)
    }
}

impl Autoregressive for CandleEngine {
    fn table(&self) -> &TokenTable {
        &self.table
    }

    fn reset(&mut self, length: usize) -> Result<(), EngineError> {
        self.prepare(length);
        Ok(())
    }

    fn begin(&mut self, ids: &[u32]) -> Result<Vec<f32>, EngineError> {
        self.last_logits(ids, 0)
    }

    fn append(&mut self, id: u32, position: usize) -> Result<Vec<f32>, EngineError> {
        self.last_logits(&[id], position)
    }

    fn score_one(&mut self, request: &ScoreRequest) -> Result<RawScore, EngineError> {
        let ScoreRequest {
            context,
            continuation,
        } = request;
        check_score(&self.info, request)?;
        let ids: Vec<u32> = context
            .iter()
            .chain(&continuation[..continuation.len() - 1])
            .copied()
            .collect();
        // The row before the first continuation token must be computed for its logits; everything before it may be shared.
        self.prepare(ids.len());
        let shared = common_prefix(&self.cached, &ids).min(context.len() - 1);
        let mut score = RawScore {
            token_logprobs: Vec::with_capacity(continuation.len()),
            token_top1: Vec::with_capacity(continuation.len()),
            computed_tokens: (ids.len() - shared) as u32,
        };
        let wanted = context.len() - 1 - shared;
        let mut broken = None;
        self.compute(&ids[shared..], shared, wanted, &mut |row, logits| {
            let target = continuation[row - wanted];
            score
                .token_logprobs
                .push(logits[target as usize] - log_sum_exp(logits));
            match argmax(logits) {
                Some(id) => score.token_top1.push(id),
                None => broken = Some(shared + row),
            }
        })?;
        broken.map_or(Ok(score), |position| {
            Err(EngineError::NotANumber { position })
        })
    }
}

fn common_prefix(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(x, y)| x == y).count()
}

impl Engine for CandleEngine {
    fn info(&self) -> &EngineInfo {
        &self.info
    }

    fn generate(
        &mut self,
        requests: &[GenerateRequest],
        sink: &mut GenerateSink<'_>,
    ) -> Result<(), EngineError> {
        continuation::generate(self, requests, sink);
        Ok(())
    }

    fn score(
        &mut self,
        requests: &[ScoreRequest],
        sink: &mut ScoreSink<'_>,
    ) -> Result<(), EngineError> {
        // A shared prefix changes no bit of a score.
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
        self.logits_of(ids, rows, each)
    }
}

/// Rows of activations held at once; the memory estimate uses it.
pub const PREFILL_CHUNK: usize = CHUNK_ROWS;
