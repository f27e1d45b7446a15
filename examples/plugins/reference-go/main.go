// Command reference-go serves the reference plugins in Go: they do what spec/conformance.md says,
// and nothing else.
//
//	reference-go processor | source | consumer
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
	if len(os.Args) != 2 || plugins[os.Args[1]] == nil {
		slog.Error("expected the kind of plugin: processor, source or consumer")
		os.Exit(2)
	}
	if err := cdpplugin.Serve(plugins[os.Args[1]](), cdpplugin.WithWorkers(4)); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
