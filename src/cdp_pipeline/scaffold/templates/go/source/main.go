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

func main() {
	counter := newCounter()
	err := cdpplugin.ServeSource(metadata, counter.read, cdpplugin.WithConfigure(counter.configure))
	if err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
