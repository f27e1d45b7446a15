package cdpplugin

import (
	"fmt"
	"log/slog"
	"runtime/debug"
)

// guard calls work and turns a panic into an error: a fault in a plugin's code costs the message
// it was working on, never the process.
func guard(work func() error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = panicked(cause)
		}
	}()
	return work()
}

func panicked(cause any) error {
	slog.Error("the plugin's code panicked", "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
	return PluginError{Message: fmt.Sprintf("panic: %v", cause), Code: CodePanic}
}
