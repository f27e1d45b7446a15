// Command my-plugin is a consumer: it appends messages to a file, one line of JSON each.
package main

import (
	"log/slog"
	"os"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

var metadata = cdpplugin.PluginMetadata{
	Name:        "my-plugin",
	Version:     "0.1.0",
	Type:        cdpplugin.PluginTypeConsumer,
	Description: "Appends messages to a file, one line of JSON each",
}

func main() {
	lines := &jsonLines{}
	err := cdpplugin.ServeConsumer(metadata, lines.consume,
		cdpplugin.WithConfigure(lines.configure), cdpplugin.WithStart(lines.start), cdpplugin.WithStop(lines.stop))
	if err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
