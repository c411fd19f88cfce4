"""How much one question to the sampler may ask for; the web server checks it without loading a network library."""

MAX_NUMBER = 65_536  # of a sample: all latents before it are drawn too, as they are one sequence of random numbers
MAX_COUNT = 256  # samples of one question
MAX_FRAMES = 240  # of a walk
MAX_SIDE = 16  # samples in a row of a tile
MAX_SEED = 2**53 - 1  # what a script of a page counts exactly
MAX_TRUNCATION = 8.0  # beyond it nothing is cut off
