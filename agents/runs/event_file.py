"""A file of TensorBoard events, written where it is asked for.

The writers of TensorBoard and torch write in a thread of their own. Where that fails, on a full disk or without
permission, the thread prints a traceback, whatever the caller makes of the error.
"""

import os
import socket
import time
from collections.abc import Mapping
from pathlib import Path

from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


class EventFile:
    """Appends scalars to a new file of TensorBoard's format.

    Args:
        folder: where it is made, with a name that TensorBoard knows.
        first_step: events of earlier files in the folder from this step on no longer count.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        now = f"{time.time():.6f}"
        path = folder / f"events.out.tfevents.{now}.{socket.gethostname()}.{os.getpid()}"
        self._file = open(path, "xb")  # noqa: SIM115 (open until `close`)
        self._records = RecordWriter(self._file)
        self._write(Event(step=first_step, file_version="brain.Event:2"))
        self._write(Event(step=first_step, session_log=SessionLog(status=SessionLog.START)))

    def add(self, scalars: Mapping[str, float], step: int) -> None:
        """Append scalars and flush them to disk.

        Args:
            scalars: numbers by tag.
            step: that they belong to.

        Raises:
            OSError: the file cannot be written.
        """
        values = [Summary.Value(tag=tag, simple_value=float(value)) for tag, value in scalars.items()]
        self._write(Event(step=step, summary=Summary(value=values)))

    def close(self) -> None:
        """Close the file; what it holds is on disk."""
        self._file.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self._records.write(event.SerializeToString())
        self._records.flush()
