"""What goes wrong between host and guest, as the stage's policy sees it.

PluginError
└── GuestFault                                       the instance is ended
    ├── GuestTrapped     plugin.trapped              it trapped, or called `proc_exit`
    ├── MemoryExceeded   plugin.memory_exceeded      it asked for more than `limits.memory`
    ├── GuestTimeout     plugin.timeout              it took longer than `limits.timeout`
    ├── FuelExhausted    plugin.fuel_exhausted       it took more steps than `limits.fuel`
    ├── NetworkRefused   plugin.network_refused      it asked for the network
    ├── StackExhausted   plugin.stack_exhausted      it called itself too deeply
    ├── OutputTooLarge   plugin.output_too_large     an answer exceeds `limits.output`
    └── AnswerInvalid    plugin.answer_invalid       an answer is not what the ABI allows
Fatal
├── PluginLost                                       in `runtimes/lost.py`
│   ├── GuestsHung       plugin.hung                 too many of its calls never came back
│   └── StateLost        plugin.state_lost           its only instance was ended, with its state
└── StartRefused         plugin.start_failed         it cannot be loaded, or does not start
"""

from __future__ import annotations

from cdp_pipeline.runtimes.lost import PluginLost
from cdpplugin import Fatal, PluginError


class GuestFault(PluginError):
    """The guest did what it may not; its instance is ended, and another takes its place."""


class GuestTrapped(GuestFault):
    """The guest trapped, or ended itself."""

    code = "plugin.trapped"
    hint = "this is a fault of the plugin; tell its author"


class MemoryExceeded(GuestFault):
    """The guest asked for more memory than it may have."""

    code = "plugin.memory_exceeded"
    hint = "raise `limits.memory` of the plugin, or make batches smaller"


class GuestTimeout(GuestFault):
    """The guest did not answer in time."""

    code = "plugin.timeout"
    hint = "raise `limits.timeout` of the plugin, or find out what keeps it busy"


class FuelExhausted(GuestFault):
    """The guest took more steps than it may."""

    code = "plugin.fuel_exhausted"
    hint = "raise `limits.fuel` of the plugin, or find out what keeps it busy"


class StackExhausted(GuestFault):
    """The guest called itself too deeply."""

    code = "plugin.stack_exhausted"
    hint = "this is a fault of the plugin; tell its author"


class NetworkRefused(GuestFault):
    """The guest asked for the network, which no WebAssembly plugin reaches."""

    code = "plugin.network_refused"
    hint = "let a gRPC plugin do what needs the network"


class OutputTooLarge(GuestFault):
    """An answer is larger than it may be."""

    code = "plugin.output_too_large"
    hint = "raise `limits.output` of the plugin, or make batches smaller"


class AnswerInvalid(GuestFault):
    """An answer is not what the ABI allows."""

    code = "plugin.answer_invalid"
    hint = "this is a fault of the plugin, or of what it was built with; tell its author"


class StartRefused(Fatal):
    """A plugin cannot be loaded, or does not start."""

    code = "plugin.start_failed"


class GuestsHung(PluginLost):
    """Too many calls of a plugin never came back."""

    code = "plugin.hung"


class StateLost(PluginLost):
    """The instance of a stateful plugin was ended, and what it had gathered is gone."""

    code = "plugin.state_lost"
    hint = "run the pipeline again: it goes on from the checkpoint"
