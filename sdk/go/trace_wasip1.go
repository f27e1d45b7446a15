package cdpplugin

import "context"

// TraceParent returns the W3C trace context of the call that ctx belongs to: none, since a
// WebAssembly plugin is called without one. Messages carry theirs in TraceID.
func TraceParent(context.Context) string { return "" }
