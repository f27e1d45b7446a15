// Command my-plugin is a source: it counts.
package main

import (
	"log/slog"
	"os"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

var metadata = cdpplugin.PluginMetadata{
	Name:        "my-plugin",
	Version:     "0.1.0",
	Type:        cdpplugin.PluginTypeSource,
	Description: "Counts",
	OutputTypes: []string{"number"},
}

// serve serves the plugin; a test hands over options of its own.
func serve(options ...cdpplugin.Option) error {
	counter := newCounter()
	options = append(options, cdpplugin.WithConfigure(counter.configure))
	return cdpplugin.ServeSource(metadata, counter.read, options...)
}

func main() {
	if err := serve(); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
