"""What is done to images: plain functions and classes that know nothing of when they are run."""
