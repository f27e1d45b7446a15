// Command reference-go serves the reference plugins in Go: they do what spec/conformance.md says,
// and nothing else.
//
//	reference-go [processor | source | consumer]
//
// As WebAssembly, where there are no arguments, it is the processor.
package main

import (
	"log/slog"
	"os"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

const version = "1.0.0"

var plugins = map[string]func() cdpplugin.Plugin{
	"processor": func() cdpplugin.Plugin { return newProcessor() },
	"source":    func() cdpplugin.Plugin { return newSource() },
	"consumer":  func() cdpplugin.Plugin { return newConsumer() },
}

func main() {
	kind := "processor"
	if len(os.Args) > 1 {
		kind = os.Args[1]
	}
	if plugins[kind] == nil {
		slog.Error("expected the kind of plugin: processor, source or consumer")
		os.Exit(2)
	}
	if err := cdpplugin.Serve(plugins[kind](), cdpplugin.WithWorkers(4)); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
