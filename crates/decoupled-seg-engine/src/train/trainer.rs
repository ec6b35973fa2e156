use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use decoupled_seg_datasets::SegmentationDataset;
use decoupled_seg_datasets::loader::Sampling;
use decoupled_seg_nn::SegmentationModel;

use super::plan::Plan;
use super::session::Session;
use super::{Interrupt, Progress, Resume, Trained};
use crate::EngineError;
use crate::recipe::Recipe;
use crate::record::EpochRecord;

/// Trains a network by a [`Recipe`].
///
/// ```
/// # use std::sync::Arc;
/// # use burn::tensor::Device;
/// # use decoupled_seg_nn::SegmentationModel;
/// # use decoupled_seg_datasets::SegmentationDataset;
/// # use decoupled_seg_engine::{EngineError, Recipe, Trainer};
/// # fn train<M: SegmentationModel>(
/// #     model: M,
/// #     train_set: Arc<dyn SegmentationDataset>,
/// #     val_set: impl SegmentationDataset,
/// #     device: Device,
/// # ) -> Result<M, EngineError> {
/// let trained = Trainer::new(Recipe::default(), model, &device)
///     .with_run_folder("runs/camvid")
///     .fit(train_set, Some(&val_set))?;
/// # Ok(trained.model)
/// # }
/// ```
///
/// Each step is enqueued without waiting for the device: losses are read back every
/// [`log_every`](Recipe::log_every) steps. Batches have one size throughout, and the partial batch at the end of an
/// epoch is dropped, so that a GPU tunes its kernels once.
///
/// With a run folder, the run keeps in it
///
/// ```text
/// recipe.toml    the recipe; another one that was there is kept as recipe.before-1.toml
/// log.jsonl      a line for every step, epoch and checkpoint (read_log)
/// losses.svg     the loss terms by epoch
/// scores.svg     the validations by epoch
/// tensorboard/   event files, if they are wanted (with_tensorboard)
/// checkpoints/   the last ones and the best one (CheckpointStore)
/// ```
///
/// and can be taken up again after Ctrl-C, a kill or a power cut with [`Resume::IfPresent`]. On the CPU (Flex) a run that
/// was interrupted and resumed takes the same steps to the last bit as one that was not; on GPUs sums may be taken in
/// another order from run to run.
pub struct Trainer<M> {
    plan: Plan<M>,
}

impl<M: SegmentationModel> Trainer<M> {
    /// Prepares training `model` on `device`. Weights that the network has not initialised yet are drawn from the
    /// recipe's seed when the run starts.
    pub fn new(recipe: Recipe, model: M, device: &Device) -> Self {
        // Left alone where it records gradients already: it may have been told how.
        let device = if device.is_autodiff() {
            device.clone()
        } else {
            device.clone().autodiff()
        };
        Self {
            plan: Plan {
                recipe,
                model,
                device,
                run_folder: None,
                cache_folder: None,
                tensorboard: false,
                resume: Resume::Never,
                progress: Progress::Silent,
                interrupt: Interrupt::new(),
                network: serde_json::Value::Null,
                sampling: None,
                on_epoch: None,
            },
        }
    }

    /// Keeps log and checkpoints in a folder, which is made if need be.
    pub fn with_run_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.plan.run_folder = Some(folder.as_ref().to_path_buf());
        self
    }

    /// Keeps what is computed from the data (the index of class-uniform sampling) in a folder of its own. Without this it
    /// is kept beside the data ([`SegmentationDataset::cache_folder`]), or in the run's folder where that cannot be written.
    pub fn with_cache_folder(mut self, folder: impl AsRef<Path>) -> Self {
        self.plan.cache_folder = Some(folder.as_ref().to_path_buf());
        self
    }

    /// Whether the run's folder also gets `tensorboard/`, event files with losses, learning rate and validations.
    pub fn with_tensorboard(mut self, tensorboard: bool) -> Self {
        self.plan.tensorboard = tensorboard;
        self
    }

    /// Says what to do with checkpoints that are there already.
    pub fn with_resume(mut self, resume: Resume) -> Self {
        self.plan.resume = resume;
        self
    }

    /// Shows progress.
    pub fn with_progress(mut self, progress: Progress) -> Self {
        self.plan.progress = progress;
        self
    }

    /// Stops when asked, for example by [`Interrupt::on_signals`].
    pub fn with_interrupt(mut self, interrupt: Interrupt) -> Self {
        self.plan.interrupt = interrupt;
        self
    }

    /// Writes into each checkpoint how to build the network again, in the caller's own words. Of these the engine asks only
    /// that a resumed run says the same.
    pub fn with_network(mut self, description: serde_json::Value) -> Self {
        self.plan.network = description;
        self
    }

    /// Draws the images of an epoch by a rule of your own, whatever the recipe says
    /// ([`Recipe::class_uniform`]). A resumed run needs the same rule.
    pub fn with_sampling(mut self, sampling: Arc<dyn Sampling>) -> Self {
        self.plan.sampling = Some(sampling);
        self
    }

    /// Calls `hook` at the end of each epoch with what it measured and the network as it was validated: for pictures,
    /// curves elsewhere, or stopping early through an [`Interrupt`].
    pub fn with_epoch_hook(mut self, hook: impl FnMut(&EpochRecord, &M) + 'static) -> Self {
        self.plan.on_epoch = Some(Box::new(hook));
        self
    }

    /// Trains on `train` until the recipe's last epoch or an interrupt, validating on `validation`.
    ///
    /// # Errors
    ///
    /// Returns an error if the recipe does not fit the network or the data, an image cannot be read, a loss is not
    /// finite (its term, the step and the last good checkpoint are named), a checkpoint cannot be written (the last one
    /// stays whole), or, when resuming, the run was made with another recipe or network.
    pub fn fit(
        self,
        train: Arc<dyn SegmentationDataset>,
        validation: Option<&dyn SegmentationDataset>,
    ) -> Result<Trained<M>, EngineError> {
        Session::start(self.plan, train, validation)?.run()
    }
}
