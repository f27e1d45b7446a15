// Command change-go reads and changes every message, with the Go SDK.
package main

import (
	"context"
	"log/slog"
	"os"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

func change(_ context.Context, message cdpplugin.Message) (cdpplugin.Message, error) {
	object, err := cdpplugin.ParseObject(message.Payload)
	if err != nil {
		return cdpplugin.Message{}, err
	}
	if err := object.Set("processed", true); err != nil {
		return cdpplugin.Message{}, err
	}
	message.Payload = object.JSON()
	return message, nil
}

func main() {
	metadata := cdpplugin.PluginMetadata{
		Name: "change-go", Version: "1.0.0", Type: cdpplugin.PluginTypeProcessor,
	}
	if err := cdpplugin.ServeProcessor(metadata, change); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
