from rlld_agents.runs.progress import EpochProgress


def test_parts_and_single_epochs_add_up() -> None:
    calls: list[tuple[int, int]] = []
    progress = EpochProgress(9, lambda done, total: calls.append((done, total)))
    progress.advance()
    part = progress.part(3)
    assert part is not None
    for epoch in (1, 2):  # it stops early
        part(epoch, 3)
    progress.advance()
    progress.finish()
    progress.finish()
    assert calls == [(done, 9) for done in (1, 2, 3, 5, 9)]


def test_nobody_needs_to_listen() -> None:
    progress = EpochProgress(2, None)
    progress.advance()
    assert progress.part(1) is None
    progress.finish()
