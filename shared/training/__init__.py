"""Stage 3: decoded images, augmentation, backbones, objectives, and the training itself."""
