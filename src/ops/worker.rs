//! `evalh worker`, the child that hosts one model, and how a run starts it.

use super::Session;
use crate::engine::worker::{
    LoadSpec, MemoryUse, WorkerCommand, WorkerEngine, WorkerHooks, WorkerLimits, WorkerProbes,
    serve,
};
use crate::engine::{Engine, EngineError};
use crate::error::{EvalhError, ExitCode};
use crate::host;
use crate::units::Bytes;
use std::collections::BTreeMap;

/// Variables a worker gets. Everything else stays here, tokens and keys above all.
const PASSED_ON: &[&str] = &[
    "EVALH_LOG",
    "HOME",
    "LANG",
    "LD_LIBRARY_PATH",
    "PATH",
    "RUST_BACKTRACE",
    "RUST_MIN_STACK",
    "TMPDIR",
];

/// Families of variables a worker gets: threads of the kernels, devices, the allocator.
const PASSED_ON_FAMILIES: &[&str] = &[
    "CUDA_", "DYLD_", "LC_", "MALLOC_", "METAL_", "MTL_", "NVIDIA_", "RAYON_", "VECLIB_",
];

/// Where a run's engines live.
#[derive(Debug, Clone)]
pub(super) enum Hosting {
    /// In this process.
    InProcess,
    /// In a worker each.
    Worker {
        command: WorkerCommand,
        limits: WorkerLimits,
    },
}

impl Hosting {
    /// Workers that together with nothing else may hold the budget.
    pub(super) fn worker(session: &Session, budget: Bytes) -> Result<Self, EvalhError> {
        Ok(Self::Worker {
            command: WorkerCommand {
                program: host::own_program()?,
                arguments: vec!["worker".to_owned()],
                environment: passed_on(&session.env.variables),
            },
            limits: WorkerLimits {
                memory: Some(budget),
                ..WorkerLimits::default()
            },
        })
    }
}

/// The part of the environment that a worker gets.
fn passed_on(variables: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let wanted = |name: &str| {
        PASSED_ON.contains(&name) || PASSED_ON_FAMILIES.iter().any(|f| name.starts_with(f))
    };
    let passed = variables.iter().filter(|(name, _)| wanted(name));
    passed.map(|(n, v)| (n.clone(), v.clone())).collect()
}

/// A model loaded in a worker of its own.
pub(super) fn start(
    command: &WorkerCommand,
    limits: &WorkerLimits,
    spec: LoadSpec,
) -> Result<WorkerEngine, EngineError> {
    let probes = WorkerProbes {
        memory: |pid| {
            let memory = host::memory_of(pid).ok()?;
            Some(MemoryUse {
                now: memory.now,
                peak: memory.peak,
            })
        },
        oom_kills: || host::oom_kills().ok(),
    };
    let engine = WorkerEngine::start(command, limits, probes, spec)?;
    let (pid, load) = (engine.process_id(), engine.load());
    tracing::info!(worker = pid, device = %engine.info().device, ?load, "a worker has loaded its model");
    Ok(engine)
}

/// The child: hosts one model until its parent closes the pipe.
pub(super) fn run() -> Result<ExitCode, EvalhError> {
    host::become_worker()?;
    let (input, output) = host::take_pipes()?;
    let hooks = WorkerHooks {
        peak_memory: || host::process_peak().ok(),
        exit: host::end_process,
    };
    serve(input, output, hooks).map_err(|violation| EvalhError::Bug {
        what: format!("the parent of a worker broke their protocol: {violation}"),
    })?;
    Ok(ExitCode::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_gets_no_secret() {
        let given = [
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "OPENAI_API_KEY",
            "EVALH_DB",
            "SSH_AUTH_SOCK",
            "HTTPS_PROXY",
            "PATH",
            "RAYON_NUM_THREADS",
            "CUDA_VISIBLE_DEVICES",
            "HOME",
        ];
        let variables = given.map(|n| (n.to_owned(), "x".to_owned()));
        let passed: Vec<String> = passed_on(&BTreeMap::from(variables)).into_keys().collect();
        assert_eq!(
            passed,
            ["CUDA_VISIBLE_DEVICES", "HOME", "PATH", "RAYON_NUM_THREADS"]
        );
    }
}
