"""Structured logs: JSON with Cloud Logging's field names on stdout, or readable lines on a terminal."""

import logging
import sys
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from dataplatform.settings import PlatformSettings

#: Fields that are never written, whoever logs them and however deep they stand.
_SECRET_WORDS = ("password", "secret", "token", "authorization")


def configure(settings: PlatformSettings, *, component: str, stream: TextIO | None = None) -> None:
    """Set up structlog for the whole process. `component` goes into every line."""
    out = stream or sys.stdout
    readable = settings.log_format == "console" or (settings.log_format == "auto" and out.isatty())
    renderer: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=out.isatty())]
        if readable
        else [structlog.processors.format_exc_info, _cloud_logging, structlog.processors.JSONRenderer()]
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="timestamp"),
            _redact,
            *renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, settings.log_level.upper())),
        logger_factory=structlog.PrintLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(component=component)


def logger() -> structlog.typing.FilteringBoundLogger:
    """Return a logger bound to the process's configuration."""
    bound: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return bound


def _redact(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        event[key] = _without_secrets(key, value)
    return event


def _without_secrets(key: object, value: object) -> object:
    """Return `value`, or what stands for it when its name, or a name inside it, is one of a secret."""
    if isinstance(key, str) and any(word in key.lower() for word in _SECRET_WORDS):
        return "[redacted]"
    if isinstance(value, Mapping):
        return {inner: _without_secrets(inner, item) for inner, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(None, item) for item in value]
    return value


def _cloud_logging(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Rename to the fields that Cloud Logging reads: severity, message, trace."""
    event["severity"] = str(event.pop("level", "info")).upper()
    event["message"] = event.pop("event", "")
    if trace := event.pop("trace", None):
        event["logging.googleapis.com/trace"] = trace
    return event
