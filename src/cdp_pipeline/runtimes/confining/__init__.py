"""Bound what a process may use and reach: cgroups, rlimits, a watchdog, Landlock.

`reach` and `bounds` say what shall hold, on the host's side. `inside` and `landlock` make it
hold, in the process that becomes the plugin; they and `watching` are read by the keeper, which
has the standard library only.
"""
