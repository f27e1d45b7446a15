"""A consumer whose instance can be replaced while it works."""

from __future__ import annotations

from collections.abc import Sequence

from cdp_pipeline.manager.compatible import ReloadRefused
from cdp_pipeline.manager.instance import Instance
from cdp_pipeline.manager.managed import Managed
from cdpplugin import Context, Delivery, Drop


class ManagedConsumer(Managed):
    """A consumer: one call at a time.

    A new version makes each delivery durable while it may still be rolled back: so nothing that
    it has taken is lost with it.
    """

    _durable: int | None = None
    _owes = False
    """Whether the present instance has taken what it has not yet made durable."""

    async def durable_position(self) -> int | None:
        """Ask how far it is durable."""
        position: int | None = await self.current.handle.durable_position()
        return position

    async def consume(self, delivery: Delivery) -> int | None:
        """Hand over *delivery*; see `cdpplugin.Consumer`."""
        rows = len(delivery.batch)
        self.rows += rows
        while True:
            async with self.held() as instance:
                try:
                    position = await self._consumed(instance, delivery)
                except Exception as error:
                    if self._has_given_up(instance, error):
                        continue
                    if not await self.brought_back(instance, error):
                        self.failed_rows += rows * (not isinstance(error, Drop))
                        if self.recording is not None:
                            self.recording.failed(delivery.batch, error)
                        raise
                    continue
            self.calls += 1
            if self.recording is not None:
                self.recording.accepted(delivery.batch)
            return self._newest(position)

    async def _consumed(self, instance: Instance, delivery: Delivery) -> int | None:
        position: int | None = await instance.handle.consume(delivery)
        probation = self.probation
        is_new = probation is not None and instance is probation.new
        if is_new or instance is not self.current:
            return _later(position, await instance.handle.flush())
        self._owes = position is None or position < delivery.completed_through
        return position

    async def flush(self) -> int | None:
        """Make everything taken so far durable; return the position."""
        while True:
            async with self.held() as instance:
                try:
                    position: int | None = await instance.handle.flush()
                except Exception as error:
                    if self._has_given_up(instance, error):
                        continue
                    raise
                self._owes = False
            return self._newest(position)

    async def flush_now(self, instance: Instance) -> None:
        """Make durable what *instance* has taken, before another one takes over.

        Raises:
            ReloadRefused: It is out of service, and what it has taken is lost with it.
        """
        if not self._owes:
            return
        if not instance.is_serving:
            raise ReloadRefused(
                "the consumer has taken what it did not make durable, a new version cannot go on",
                hint="run the pipeline again: it goes on from the checkpoint",
            )
        self._durable = self._newest(await instance.handle.flush())
        self._owes = False

    @property
    def can_be_brought_back(self) -> bool:
        """Whether nothing is lost with the present instance."""
        return super().can_be_brought_back and not self._owes

    async def forget(self, context: Context) -> Sequence[str]:
        """Let it forget its position."""
        done: Sequence[str] = await self.current.handle.forget(context)
        return done

    def _has_given_up(self, instance: Instance, error: Exception) -> bool:
        """Tell whether a new version failed, and the old one is to be asked instead."""
        if isinstance(error, Drop):
            return False
        if instance is not self.current:
            return instance.is_given_up or instance.is_ending
        probation = self.probation
        if probation is None or instance is not probation.new:
            return False
        probation.fail(getattr(error, "code", "plugin.failed"), str(error))
        return True

    def _newest(self, position: int | None) -> int | None:
        """Return the newest of this and of what the instance before had made durable."""
        before, self._durable = self._durable, None
        return _later(before, position)


def _later(*positions: int | None) -> int | None:
    return max((each for each in positions if each is not None), default=None)
