// A ledger in, its number of operations out: the smallest useful Go plugin.
package main

import (
	"context"
	"encoding/json"
	"log"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

func main() {
	metadata := cdpplugin.PluginMetadata{
		Name:        "example-processor",
		Version:     "1.0.0",
		Type:        cdpplugin.PluginTypeProcessor,
		Description: "Example processor plugin",
		InputTypes:  []string{"LedgerCloseMeta"},
		OutputTypes: []string{"ProcessedData"},
	}

	processor := func(ctx context.Context, msg cdpplugin.Message) (cdpplugin.Message, error) {
		// Process the message
		var ledgerData map[string]interface{}
		if err := json.Unmarshal(msg.Payload, &ledgerData); err != nil {
			return cdpplugin.Message{}, err
		}

		// Transform data
		processed := map[string]interface{}{
			"ledger_seq": ledgerData["sequence"],
			"op_count":   len(ledgerData["operations"].([]interface{})),
			"processed":  true,
		}

		// Create output message
		outputPayload, _ := json.Marshal(processed)
		output := cdpplugin.Message{
			ID:       cdpplugin.GenerateID(),
			Type:     "ProcessedData",
			Payload:  outputPayload,
			Metadata: msg.Metadata,
			TraceID:  msg.TraceID,
		}

		return output, nil
	}

	if err := cdpplugin.ServeProcessor(metadata, processor); err != nil {
		log.Fatal(err)
	}
}
