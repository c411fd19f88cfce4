"""Figures and one page made from what the stages of a run left behind; nothing is measured here."""
