//! One function an architecture: from the settings and the tensors to a sequence that has seen nothing.

use super::sequence::{
    Beside, Cached, Forward, Sequence, Single, copied_mamba, copied_mamba2, row,
};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models as candle;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;

/// Makes a model.
pub(super) type Build = fn(&Value, VarBuilder<'static>) -> Built;

type Built = Result<Box<dyn Sequence>, BuildError>;

/// Why a model was not made.
pub(super) enum BuildError {
    /// The settings do not fit candle's structure.
    Config(serde_json::Error),
    /// A tensor or an operation failed.
    Tensors(candle_core::Error),
}

impl From<candle_core::Error> for BuildError {
    fn from(error: candle_core::Error) -> Self {
        Self::Tensors(error)
    }
}

fn parsed<C: DeserializeOwned>(config: &Value) -> Result<C, BuildError> {
    serde::Deserialize::deserialize(config).map_err(BuildError::Config)
}

fn cached<M: Clone + Send + 'static>(model: M, forward: Forward<M>) -> Box<dyn Sequence> {
    Box::new(Cached { model, forward })
}

fn single<M: Send + 'static>(model: M, forward: Forward<M>) -> Box<dyn Sequence> {
    Box::new(Single { model, forward })
}

pub(super) fn deepseek_v2(config: &Value, vb: VarBuilder<'static>) -> Built {
    let model = candle::deepseek2::DeepSeekV2::new(&parsed(config)?, vb)?;
    Ok(single(model, candle::deepseek2::DeepSeekV2::forward))
}

pub(super) fn falcon(config: &Value, vb: VarBuilder<'static>) -> Built {
    let model = super::falcon::Model::load(&parsed(config)?, &vb)?;
    Ok(cached(model, super::falcon::Model::forward))
}

pub(super) fn gemma(config: &Value, vb: VarBuilder<'static>) -> Built {
    let model = candle::gemma::Model::new(false, &parsed(config)?, vb)?;
    Ok(cached(model, candle::gemma::Model::forward))
}

pub(super) fn glm4(config: &Value, vb: VarBuilder<'static>) -> Built {
    let model = candle::glm4_new::ModelForCausalLM::new(&parsed(config)?, vb)?;
    // Clones would share the cache they write to.
    Ok(single(model, candle::glm4_new::ModelForCausalLM::forward))
}

/// What the library's structure for this architecture holds; it does not read JSON.
#[derive(serde::Deserialize)]
struct BigCode {
    vocab_size: usize,
    max_position_embeddings: usize,
    num_hidden_layers: usize,
    hidden_size: usize,
    layer_norm_epsilon: f64,
    n_inner: Option<usize>,
    num_attention_heads: usize,
    multi_query: bool,
}

pub(super) fn gpt_bigcode(config: &Value, vb: VarBuilder<'static>) -> Built {
    let c: BigCode = parsed(config)?;
    let config = candle::bigcode::Config {
        vocab_size: c.vocab_size,
        max_position_embeddings: c.max_position_embeddings,
        num_hidden_layers: c.num_hidden_layers,
        hidden_size: c.hidden_size,
        layer_norm_epsilon: c.layer_norm_epsilon,
        n_inner: c.n_inner,
        num_attention_heads: c.num_attention_heads,
        multi_query: c.multi_query,
        use_cache: true,
    };
    let model = candle::bigcode::GPTBigCode::load(vb, config)?;
    Ok(single(model, candle::bigcode::GPTBigCode::forward))
}

pub(super) fn granitemoehybrid(config: &Value, vb: VarBuilder<'static>) -> Built {
    use candle::granitemoehybrid::{
        GraniteMoeHybrid, GraniteMoeHybridCache, GraniteMoeHybridConfig,
    };
    let config = parsed::<GraniteMoeHybridConfig>(config)?.into_config(false);
    let state = GraniteMoeHybridCache::new(true, DType::F32, &config, &Device::Cpu)?;
    Ok(Box::new(Beside {
        model: Arc::new(GraniteMoeHybrid::load(vb, &config)?),
        state,
        forward: |m, ids, at, state| m.forward(&row(ids)?, at, state),
        copied: Clone::clone,
    }))
}

pub(super) fn helium(config: &Value, vb: VarBuilder<'static>) -> Built {
    let model = candle::helium::Model::new(&parsed(config)?, vb)?;
    Ok(cached(model, candle::helium::Model::forward))
}

pub(super) fn lfm2(config: &Value, vb: VarBuilder<'static>) -> Built {
    use candle::lfm2::{Cache, Lfm2Config, Model};
    let config = parsed::<Lfm2Config>(config)?.into_config(false);
    let state = Cache::new(true, DType::F32, &config, &Device::Cpu)?;
    Ok(Box::new(Beside {
        model: Arc::new(Model::new(&config, vb)?),
        state,
        forward: |m, ids, at, state| m.forward(&row(ids)?, at, state),
        copied: Clone::clone,
    }))
}

pub(super) fn mamba(config: &Value, vb: VarBuilder<'static>) -> Built {
    use candle::mamba::{Config, Model, State};
    let config: Config = parsed(config)?;
    let model = Model::new(&config, vb.pp("backbone"))?;
    Ok(Box::new(Beside {
        model: Arc::new(model),
        state: State::new(1, &config, DType::F32, &Device::Cpu)?,
        forward: |m, ids, _, state| {
            one_by_one(ids, |id| m.forward(&Tensor::new(id, &Device::Cpu)?, state))
        },
        copied: copied_mamba,
    }))
}

pub(super) fn mamba2(config: &Value, vb: VarBuilder<'static>) -> Built {
    use candle::mamba2::{Config, Model, State};
    let config: Config = parsed(config)?;
    let model = Model::new(&config, vb.pp("backbone"))?;
    Ok(Box::new(Beside {
        model: Arc::new(model),
        state: State::new(1, &config, DType::F32, &Device::Cpu)?,
        forward: |m, ids, _, state| {
            one_by_one(ids, |id| m.forward(&Tensor::new(id, &Device::Cpu)?, state))
        },
        copied: copied_mamba2,
    }))
}

pub(super) fn olmo(config: &Value, vb: VarBuilder<'static>) -> Built {
    let model = candle::olmo::Model::new(&parsed(config)?, vb)?;
    Ok(cached(model, candle::olmo::Model::forward))
}

pub(super) fn phi(config: &Value, vb: VarBuilder<'static>) -> Built {
    // The model counts the positions itself.
    let model = candle::phi::Model::new(&parsed(config)?, vb)?;
    Ok(cached(model, |m, ids, _| m.forward(ids)))
}

pub(super) fn qwen2_moe(config: &Value, vb: VarBuilder<'static>) -> Built {
    let model = candle::qwen2_moe::Model::new(&parsed(config)?, vb)?;
    Ok(cached(model, candle::qwen2_moe::Model::forward))
}

pub(super) fn stablelm(config: &Value, vb: VarBuilder<'static>) -> Built {
    let model = candle::stable_lm::Model::new(&parsed(config)?, vb)?;
    Ok(single(model, candle::stable_lm::Model::forward))
}

pub(super) fn starcoder2(config: &Value, vb: VarBuilder<'static>) -> Built {
    let model = candle::starcoder2::Model::new(&parsed(config)?, vb)?;
    Ok(cached(model, candle::starcoder2::Model::forward))
}

/// Feeds a recurrence; the logits after the last id.
fn one_by_one(
    ids: &[u32],
    mut step: impl FnMut(&[u32]) -> candle_core::Result<Tensor>,
) -> candle_core::Result<Tensor> {
    let mut last = Err(candle_core::Error::Msg("there are no ids".to_owned()));
    for id in ids {
        last = Ok(step(std::slice::from_ref(id))?);
    }
    last
}
