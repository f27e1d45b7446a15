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

// serve serves the plugin; a test hands over options of its own.
func serve(options ...cdpplugin.Option) error {
	lines := &jsonLines{}
	options = append(options, cdpplugin.WithConfigure(lines.configure),
		cdpplugin.WithStart(lines.start), cdpplugin.WithStop(lines.stop))
	return cdpplugin.ServeConsumer(metadata, lines.consume, options...)
}

func main() {
	if err := serve(); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
