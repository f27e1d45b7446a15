// Command my-plugin is a processor: it marks large transfers and leaves out the others.
package main

import (
	"log/slog"
	"os"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

var metadata = cdpplugin.PluginMetadata{
	Name:        "my-plugin",
	Version:     "0.1.0",
	Type:        cdpplugin.PluginTypeProcessor,
	Description: "Marks large transfers and leaves out the others",
	InputTypes:  []string{"token_transfers"},
	OutputTypes: []string{"token_transfers"},
}

// serve serves the plugin; a test hands over options of its own.
func serve(options ...cdpplugin.Option) error {
	transfers := newLargeTransfers()
	options = append(options, cdpplugin.WithConfigure(transfers.configure))
	return cdpplugin.ServeProcessor(metadata, transfers.process, options...)
}

func main() {
	if err := serve(); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
