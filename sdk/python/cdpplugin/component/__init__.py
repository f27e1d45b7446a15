"""A plugin as a WebAssembly component: the exports of the world `cdp:plugin/plugin@1.0.0`.

`python -m cdpplugin.componentize` makes one of the file that a process would run. What is
here is pure Python and needs nothing but the standard library: it runs within the component.
"""

from cdpplugin.component.loading import load_plugin, prepare
from cdpplugin.component.world import World, exports_of

__all__ = ["World", "exports_of", "load_plugin", "prepare"]
