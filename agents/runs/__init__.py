"""What a run needs beside its work: its folder, log, checkpoint, progress and processes."""
