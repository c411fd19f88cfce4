"""Training a GAN: `loop` runs step after step; after an epoch it writes statistics, sample sheets and checkpoints.

A step: `step_inputs` (reals, latents, learning rates from `schedule`) -> `train_step` (`augment`, `losses`), compiled
by `backend_tensorflow` or `backend_jax`, updates `state`. `plateau_drops` lowers learning rates at plateaus; `recovery`
handles NaN and lack of memory. `checkpoint`, `checkpoint_outline` and `resume_point` save and resume; `saved` has the
folder of a training, `session` the training behind `Dcgan`; `observer` shows samples, scores and plots.
"""
