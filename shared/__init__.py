"""Helpers of Lost & Found: one sub-package per stage, and the base modules they stand on."""
