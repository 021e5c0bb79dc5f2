"""Sweeps: one file in the W&B sweep format, searched by Optuna here or by W&B's agent."""
