"""Training: `loop` runs step after step, and writes statistics, samples and checkpoints at the end of an epoch.

A step: `step_inputs` (reals, latents, learning rates by `schedule`) -> `train_step` (`augment`, `losses`), compiled by
`backend_tensorflow` or `backend_jax`, changes `state`. `recovery` handles NaN. `checkpoint` and `resume_point` save and
resume; `observer` shows samples, plots and alarms; `session` and `saved` serve `Dcgan`.
"""
