"""The default environment pays for the truth: what the whole project rests on."""

from benchmarks.reward_order import measure


def test_returns_rank_the_truth_above_the_rule_above_keeping_above_chance() -> None:
    """One episode of each for each of three seeds; removing right labels pays least."""
    found = {(row["decider"], row["seed"]): row["return"] for row in measure("twin-tiny", seeds=[0, 1, 2])}
    for seed in range(3):
        returns = {decider: found[decider, seed] for decider in ("truth", "rule", "keep", "random", "wrong")}
        assert returns["truth"] > returns["rule"] > returns["keep"] > returns["random"]
        assert returns["keep"] > returns["wrong"]
