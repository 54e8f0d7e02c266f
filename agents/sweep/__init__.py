"""Many independent pieces of work of one study: side by side, resumable, one failure does not stop the rest."""
