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

func main() {
	transfers := newLargeTransfers()
	err := cdpplugin.ServeProcessor(metadata, transfers.process, cdpplugin.WithConfigure(transfers.configure))
	if err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
