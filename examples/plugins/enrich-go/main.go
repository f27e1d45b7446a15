// Command enrich-go is a processor plugin of CDP Pipeline: it adds to each operation its family
// and whether it succeeded.
package main

import (
	"encoding/json"
	"log/slog"
	"os"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

const configSchema = `{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "families": {
      "description": "Families of operations to keep; none keeps all.",
      "type": "array",
      "items": {"enum": ["account", "claimable", "data", "liquidity", "offer", "payment", "soroban", "sponsorship", "trust"]},
      "default": []
    },
    "keep_failed": {"description": "Whether operations that failed are kept.", "type": "boolean", "default": true}
  }
}`

const outputSchema = `{
  "type": "object",
  "required": ["family", "operation_succeeded"],
  "properties": {"family": {"type": "string"}, "operation_succeeded": {"type": "boolean"}}
}`

var metadata = cdpplugin.PluginMetadata{
	Name:         "enrich-go",
	Version:      version,
	Type:         cdpplugin.PluginTypeProcessor,
	Description:  "Adds family and success to operations",
	Author:       "CDP Pipeline",
	License:      "Apache-2.0",
	InputTypes:   []string{"operations"},
	OutputTypes:  []string{"enriched_operation"},
	ConfigSchema: json.RawMessage(configSchema),
	OutputSchema: map[string]json.RawMessage{"enriched_operation": json.RawMessage(outputSchema)},
}

// serve serves the plugin; a test hands over options of its own.
func serve(options ...cdpplugin.Option) error {
	enricher := newEnricher()
	return cdpplugin.ServeProcessor(metadata, enricher.process, append(options, cdpplugin.WithConfigure(enricher.configure))...)
}

func main() {
	if err := serve(); err != nil {
		slog.Error(err.Error())
		os.Exit(1)
	}
}
