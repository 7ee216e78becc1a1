"""Update masks: which fields of a resource an update replaces."""

from collections.abc import Collection

from localcloud.pubsub.errors import invalid
from localcloud.pubsub.protos import Proto


def merged(current: Proto, given: Proto, paths: Collection[str], fixed: Collection[str]) -> Proto:
    """Return a copy of `current` in which the fields of the mask have the values of `given`.

    A field that `given` lacks is cleared. Only whole fields can be named, as in the service.

    Args:
        current: the resource as it is.
        given: the resource in the request.
        paths: the mask.
        fixed: fields that can't be changed.

    Raises:
        PubsubError: `INVALID_ARGUMENT` for an empty mask, an unknown field or a fixed one.
    """
    kind = current.DESCRIPTOR.name
    request = f"Update{kind}Request"
    if not paths:
        raise invalid(f"The update_mask in the {request} must be set, and must contain a non-empty paths list.")
    result = type(current)()
    result.CopyFrom(current)
    for path in paths:
        if path not in current.DESCRIPTOR.fields_by_name:
            raise invalid(
                f"Invalid update_mask provided in the {request}: {path} is not a known {kind} field. "
                "Note that field paths must be of the form 'push_config' rather than 'pushConfig'."
            )
        if path in fixed:
            raise invalid(
                f"Invalid update_mask provided in the {request}: the {path} field in the {kind} is not mutable."
            )
        _copy_field(given, result, path)
    return result


def _copy_field(source: Proto, target: Proto, name: str) -> None:
    field = source.DESCRIPTOR.fields_by_name[name]
    target.ClearField(name)
    if field.is_repeated:
        getattr(target, name).MergeFrom(getattr(source, name))
    elif field.message_type is not None:
        if source.HasField(name):
            getattr(target, name).CopyFrom(getattr(source, name))
    else:
        setattr(target, name, getattr(source, name))
