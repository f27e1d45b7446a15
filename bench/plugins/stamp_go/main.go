// Command stamp-go writes its version into every message, with the Go SDK.
package main

import (
	"context"
	"log/slog"
	"os"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

// The linker sets it: -ldflags "-X main.version=1.0.1".
var version = "1.0.0"

func stamp(_ context.Context, message cdpplugin.Message) (cdpplugin.Message, error) {
	object, err := cdpplugin.ParseObject(message.Payload)
	if err != nil {
		return cdpplugin.Message{}, err
	}
	if err := object.Set("version", version); err != nil {
		return cdpplugin.Message{}, err
	}
	message.Payload = object.JSON()
	return message, nil
}

func main() {
	metadata := cdpplugin.PluginMetadata{
		Name: "stamp", Version: version, Type: cdpplugin.PluginTypeProcessor,
	}
	if err := cdpplugin.ServeProcessor(metadata, stamp); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
