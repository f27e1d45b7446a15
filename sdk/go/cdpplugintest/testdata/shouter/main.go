// Command shouter is a plugin that a test runs as a process.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"log"
	"os"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

func main() {
	var settings struct{ Mark string }
	shout := func(_ context.Context, message cdpplugin.Message) (cdpplugin.Message, error) {
		if message.Type == "exit" {
			os.Exit(3)
		}
		text := bytes.TrimSuffix(bytes.ToUpper(message.Payload), []byte(`"`))
		message.Payload = append(text, settings.Mark+`"`...)
		return message, nil
	}
	configure := cdpplugin.WithConfigure(func(_ context.Context, config json.RawMessage) error {
		return cdpplugin.DecodeConfig(config, &settings)
	})
	if err := cdpplugin.ServeProcessor(cdpplugin.PluginMetadata{Name: "shouter", Version: "1.0.0"}, shout, configure); err != nil {
		log.Fatal(err)
	}
}
