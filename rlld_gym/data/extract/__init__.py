"""From raw videos to features in LLP's npy layout: decoding, sampling, networks.

`run.extract` does it for a folder of videos; `into_store.extract_into_store` makes a store of them and of their
annotation files; `worker.FeatureExtractor` does it for a list of paths, anywhere.
"""
