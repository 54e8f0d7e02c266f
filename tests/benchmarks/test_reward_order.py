"""The default environment pays for the truth: what the whole project rests on."""

from benchmarks.reward_order import measure


def test_returns_rank_the_truth_above_the_rule_above_keeping_above_chance() -> None:
    """One episode each, on equal seeds; removing right labels pays least."""
    found = {row["decider"]: row["return"] for row in measure("twin-tiny", seeds=[0])}
    assert found["truth"] > found["rule"] > found["keep"] > found["random"]
    assert found["keep"] > found["wrong"]
