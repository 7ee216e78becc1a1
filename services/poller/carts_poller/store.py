"""Where the state lives: one object in the bucket, replaced only by whoever read its last generation."""

from dataclasses import dataclass

from carts_poller.state import State, decode, encode
from dataplatform.clock import Clock
from dataplatform.errors import BusyError, InvalidDataError
from dataplatform.logs import logger
from dataplatform.rawzone import RawZone


class CorruptStateError(InvalidDataError):
    """The state can't be used; no poll can succeed before a person has mended it."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A state and the generation of the object that holds it; 0 when it was never written."""

    state: State
    generation: int


class StateStore:
    """The state of one source."""

    def __init__(self, zone: RawZone, source: str, clock: Clock) -> None:
        self._zone = zone
        self._source = source
        self._clock = clock
        self.name = f"_state/poller/{source}.json.gz"

    async def load(self) -> Stored:
        """Return the state, a new one with its own epoch when there is none.

        Raises:
            CorruptStateError: the object is there and can't be read; the sentence says how to mend it.
            UnavailableError: the bucket did not answer within the retry deadline.
        """
        found = await self._zone.read(self.name)
        uri = self._zone.uri(self.name)
        if found is None:
            epoch = int(self._clock.now().timestamp() * 1000)
            logger().warning("no state found, a new epoch begins with every cart as created", state=uri, epoch=epoch)
            return Stored(State(self._source, epoch), 0)
        try:
            state = decode(found.data)
            if state.source != self._source:
                raise ValueError(f"it belongs to the source {state.source!r}")  # noqa: TRY301 - one sentence for all
        except ValueError as error:
            # pydantic's message quotes what it read; its first line does not.
            raise CorruptStateError(
                f"the poller's state {uri} can't be used ({str(error).splitlines()[0]}): restore an older generation, "
                f"or begin a new epoch, in which every cart is published anew, with "
                f"`gcloud storage mv {uri} {uri}.corrupt`"
            ) from error
        return Stored(state, found.generation)

    async def save(self, state: State, generation: int) -> Stored:
        """Replace the state that was loaded or saved as `generation`.

        Raises:
            BusyError: another poller has written since; nothing was changed.
            UnavailableError: the bucket did not answer within the retry deadline.
        """
        data = encode(state)
        written = await self._zone.replace(self.name, data, generation=generation)
        if written is None:
            # It may have been this very write, when its answer was lost and the retry met its own success.
            found = await self._zone.read(self.name)
            if found is None or found.data != data:
                raise BusyError(
                    f"another poller of {self._source} has changed {self._zone.uri(self.name)}: this one stands by; "
                    "run one poller a source"
                )
            written = found.generation
        return Stored(state, written)
