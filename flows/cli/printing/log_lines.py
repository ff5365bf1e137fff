"""Log messages as lines on stderr, above the progress bars of a terminal."""

import logging

from flows.cli.printing.tables import err, plain


class LogLines(logging.Handler):
    """A handler that prints each message as it is: in a file or a pipe one line each, without padding."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a message.

        Parameters
        ----------
        record : LogRecord
            The message, with its traceback if it has one.
        """
        err.print(plain(self.format(record)), soft_wrap=not err.is_terminal)
