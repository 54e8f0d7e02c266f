"""The one exception that stands for input a user can correct."""


class InputError(ValueError):
    """Input from outside (a file, a folder, a checkpoint, an option) that cannot be used.

    The message is complete on its own: it names the file or option, what was found, what was expected and what
    to do. The command line prints it as one line and exits with status 2.
    """
