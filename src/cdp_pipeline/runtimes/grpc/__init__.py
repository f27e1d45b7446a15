"""Run plugins in other processes: started here, in a container, or somewhere else.

Whatever the language, the host speaks `plugin.v1.PluginService` to them; see
`spec/handshake.md`. What is started here ends with its host.
"""
