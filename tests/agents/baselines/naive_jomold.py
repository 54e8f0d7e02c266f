"""JoMoLD's ratios and removals as loops over videos and classes (Cheng et al., ECCV 2022)."""

import numpy as np


def cross_entropy(probability: float, target: float) -> float:
    probability = np.float32(min(max(probability, np.float32(1e-7)), np.float32(1 - 1e-7)))
    return -(target * np.log(probability) + (1 - target) * np.log(1 - probability))


def naive_ratios(audio, visual, labels, batch_size):
    ratios = []
    for probability, target, threshold in ((audio, 1.0, 0.6), (visual, 0.95, 1.8)):
        starts = range(0, len(labels), batch_size)
        mean = np.mean([probability[start : start + batch_size].mean(0) for start in starts], axis=0)
        ratio = np.zeros(labels.shape[1])
        for label in range(labels.shape[1]):
            rows = [row for row in range(len(labels)) if labels[row, label]]
            noisy = [row for row in rows if target * probability[row, label] / mean[label] < threshold]
            ratio[label] = len(noisy) / len(rows) if rows else 0.0
        ratios.append(ratio)
    return ratios


def naive_epoch(audio, visual, labels, ratios, *, epoch, batch_size, warm_up_epochs=0.9, linear=False):
    audio_targets, visual_targets = labels * 1.0, labels * 0.9 + 0.05
    batches = -(-len(labels) // batch_size)
    carried = [np.array(ratio) for ratio in ratios]
    for batch in range(batches):
        factor = ((epoch - 1) * batches + batch) / (warm_up_epochs * batches)
        start = [np.array(ratio) for ratio in ratios] if linear else carried
        carried = [np.minimum(ratio, ratio * factor) for ratio in start]
        rows = range(batch * batch_size, min((batch + 1) * batch_size, len(labels)))
        for label in range(labels.shape[1]):
            present = [row for row in rows if labels[row, label]]
            by_audio = sorted(present, key=lambda row: cross_entropy(audio[row, label], 1.0))
            by_visual = sorted(present, key=lambda row: cross_entropy(visual[row, label], 0.95))
            suspects = [int(ratio[label] * len(present)) for ratio in carried]
            audio_high = by_audio[len(present) - suspects[0] :]
            visual_high = by_visual[len(present) - suspects[1] :]
            for row in set(by_audio[: suspects[1]]) & set(visual_high):
                visual_targets[row, label] = 0.0
            for row in set(by_visual[: suspects[0]]) & set(audio_high):
                audio_targets[row, label] = 0.0
    return audio_targets.astype(np.float32), visual_targets.astype(np.float32)
