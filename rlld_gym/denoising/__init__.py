"""The decision process of label denoising: sampling, label revision, rewards (pure torch, no Gymnasium)."""
