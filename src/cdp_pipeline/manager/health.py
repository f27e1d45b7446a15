"""Ask plugins how they are, from time to time, and believe only what they say more than once."""

from __future__ import annotations

import asyncio

from cdp_pipeline.manager.instance import Instance
from cdp_pipeline.manager.managed import Managed
from cdp_pipeline.manager.settings import ManagerSettings
from cdpplugin import HealthStatus


class HealthWatch:
    """The health of one plugin."""

    def __init__(self, managed: Managed, settings: ManagerSettings) -> None:
        self._managed = managed
        self._settings = settings
        self._of: Instance | None = None
        self._bad = self._good = 0

    async def check(self) -> bool:
        """Ask once; tell whether the plugin has become unhealthy by that."""
        instance = self._managed.current
        if instance is not self._of:
            self._of, self._bad, self._good = instance, 0, 0
        if not instance.is_serving:
            return False
        status = await self._asked(instance)
        if status is None or instance is not self._managed.current or not instance.is_serving:
            return False
        self._managed.health_status = status
        return self._noted(instance, status)

    async def _asked(self, instance: Instance) -> HealthStatus | None:
        """Return what it says; None where it is only too busy to say anything."""
        calls = self._managed.calls
        try:
            async with asyncio.timeout(self._settings.health_timeout_s):
                status: HealthStatus = await instance.handle.health()
                return status
        except TimeoutError:
            if instance.in_flight or self._managed.calls > calls:
                return None
            limit_s = self._settings.health_timeout_s
            return HealthStatus("unhealthy", f"it did not say how it is within {limit_s:g} s")
        except Exception as error:
            return HealthStatus("unhealthy", f"it could not say how it is: {error}")

    def _noted(self, instance: Instance, status: HealthStatus) -> bool:
        is_bad = status.status == "unhealthy"
        self._bad = self._bad + 1 if is_bad else 0
        self._good = 0 if is_bad else self._good + 1
        if instance.state == "running" and self._bad >= self._settings.unhealthy_threshold:
            instance.move("unhealthy", status.message)
            self._managed.note("health", "the plugin is unhealthy", reason=status.message)
            return True
        if instance.state == "unhealthy" and self._good >= self._settings.healthy_threshold:
            instance.move("running")
            self._managed.note("health", "the plugin is healthy again")
        return False
