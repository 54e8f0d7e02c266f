"""From raw videos to features in LLP's npy layout: decoding, sampling, networks.

`run.extract` does it for a folder of videos; `worker.FeatureExtractor` for a list of paths, anywhere.
"""
