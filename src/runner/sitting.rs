//! One model at work, over all its loadings: an engine that dies is loaded again for the questions that are left.

use super::execute::{Fate, Question, Recorder, unload};
use super::phase::{Ended, Phase};
use super::sample::with_causes;
use super::{Control, LoadedHost, ModelLoader, RunnerError, warmup};
use crate::clock;
use crate::plan::PlannedModel;
use crate::record::{LoadedModel, RunEventKind, SinkError, SkipReason};
use crate::suite::Quality;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// A model and how it is asked.
pub(super) struct Sitting<'s> {
    pub(super) model: &'s PlannedModel,
    pub(super) quality: &'s Quality,
    pub(super) control: &'s Control,
}

/// How a model has fared in this run.
#[derive(Debug, Default)]
pub(super) struct Health {
    deaths: u32,
    /// Failures of the engine since the last answer.
    in_a_row: u32,
    /// Whether an engine died among several questions scored by log-likelihood, so that they are asked one by one.
    singly: bool,
    /// Loadings, and the time they took with their warm-ups.
    pub(super) loads: (u32, Duration),
}

/// What became of the questions.
pub(super) enum Asked {
    /// Every one has a record.
    Complete {
        /// The model, still loaded.
        host: LoadedHost,
        /// Whether its engine can be asked more.
        alive: bool,
    },
    /// The model was skipped, stopped or interrupted, and is unloaded.
    Over(Fate),
}

/// A model that was loaded and warmed up.
enum Loading {
    Ready(LoadedHost),
    /// The engine did not survive the warm-up.
    Died(LoadedHost, String),
    /// It could not be loaded, which is told.
    Over(Fate),
}

impl Sitting<'_> {
    /// Asks what is left, of the model in memory or of one that is loaded for it. What has no record at the end stays in `left`.
    pub(super) fn ask(
        &self,
        health: &mut Health,
        mut kept: Option<LoadedHost>,
        left: &mut Vec<&Question<'_>>,
        loader: &mut dyn ModelLoader,
        recorder: &mut Recorder<'_>,
    ) -> Result<Asked, RunnerError> {
        let id = &self.model.record.id;
        loop {
            let loading = match kept.take() {
                Some(host) => Loading::Ready(host),
                None => self.load(health, loader, recorder)?,
            };
            let (host, ended) = match loading {
                Loading::Over(fate) => return Ok(Asked::Over(fate)),
                Loading::Died(host, how) => (host, Ended::Died(how)),
                Loading::Ready(mut host) => {
                    let mut phase = Phase {
                        model: id,
                        host: &mut host,
                        recorder,
                        quality: self.quality,
                        control: self.control,
                        in_a_row: &mut health.in_a_row,
                        singly: &mut health.singly,
                    };
                    let ended = phase.run(left)?;
                    (host, ended)
                }
            };
            let alive = !matches!(ended, Ended::Died(_));
            health.deaths += u32::from(!alive);
            match ended {
                Ended::Complete => return Ok(Asked::Complete { host, alive }),
                // A death after the last record takes nothing with it.
                Ended::Died(_) if left.is_empty() => return Ok(Asked::Complete { host, alive }),
                Ended::Died(_) if health.deaths <= self.control.max_restarts => {
                    unload(id, host, Ended::Complete, false, recorder)?;
                    if self.control.cancel.load(Ordering::Relaxed) {
                        return Ok(Asked::Over(Fate::Cancelled));
                    }
                }
                Ended::Died(how) if health.deaths > 1 => {
                    let n = health.deaths;
                    let why = format!("the engine died {n} times, the last time: {how}");
                    return self.over(host, Ended::Stopped(why), recorder);
                }
                Ended::Died(how) => return self.over(host, Ended::Stopped(how), recorder),
                ended => return self.over(host, ended, recorder),
            }
        }
    }

    fn over(
        &self,
        host: LoadedHost,
        ended: Ended,
        recorder: &mut Recorder<'_>,
    ) -> Result<Asked, RunnerError> {
        let fate = unload(&self.model.record.id, host, ended, false, recorder)?;
        Ok(Asked::Over(fate))
    }

    /// Loads the model and warms it up.
    fn load(
        &self,
        health: &mut Health,
        loader: &mut dyn ModelLoader,
        recorder: &mut Recorder<'_>,
    ) -> Result<Loading, SinkError> {
        let id = &self.model.record.id;
        recorder.emit(RunEventKind::ModelLoadStarted { model: id.clone() })?;
        let begin = clock::now();
        let mut host = match loader.load(self.model) {
            Ok(host) => host,
            Err(reason) => return self.not_loaded(health, reason, recorder).map(Loading::Over),
        };
        let seen = begin.elapsed();
        let info = host.engine.info().clone();
        let checked = info.check.as_ref().map_or(Duration::ZERO, |c| c.took);
        recorder.emit(RunEventKind::ModelLoaded {
            model: id.clone(),
            loaded: LoadedModel {
                // A load time by the engine's own account has no check in it.
                load: host.load.unwrap_or_else(|| seen.saturating_sub(checked)),
                device: info.device,
                dtype: info.dtype,
                simd: info.simd,
                threads: info.threads,
                engine: info.engine,
                check: info.check,
            },
        })?;
        let warm_up = clock::now();
        let warmed = warmup::warm_up(&mut host, self.control);
        health.loads.0 += 1;
        health.loads.1 += begin.elapsed();
        if let Err(death) = warmed {
            return Ok(Loading::Died(host, with_causes(&death)));
        }
        recorder.emit(RunEventKind::WarmupFinished {
            model: id.clone(),
            took: warm_up.elapsed(),
        })?;
        Ok(Loading::Ready(host))
    }

    /// A model that cannot be loaded is skipped; one whose engine died and that cannot be loaded again is stopped.
    fn not_loaded(
        &self,
        health: &Health,
        reason: SkipReason,
        recorder: &mut Recorder<'_>,
    ) -> Result<Fate, SinkError> {
        let model = &self.model.record.id;
        if health.deaths == 0 {
            recorder.emit(RunEventKind::ModelSkipped {
                model: model.clone(),
                reason,
            })?;
            return Ok(Fate::NotLoaded);
        }
        let why = match reason {
            SkipReason::Files(why) | SkipReason::Load(why) | SkipReason::Breaker(why) => why,
            SkipReason::OverBudget { .. } => "it needs more than the budget".to_owned(),
        };
        recorder.emit(RunEventKind::BreakerOpened {
            model: model.clone(),
            reason: format!("after its engine died it could not be loaded again: {why}"),
        })?;
        recorder.emit(RunEventKind::ModelUnloaded {
            model: model.clone(),
            complete: false,
            peak: None,
        })?;
        Ok(Fate::Stopped)
    }
}
