package cdpplugin

import (
	"context"
	"encoding/json"
	"log"
	"testing"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
)

// Example plugin implementation
func ExamplePlugin() {
	metadata := PluginMetadata{
		Name:        "example-processor",
		Version:     "1.0.0",
		Type:        PluginTypeProcessor,
		Description: "Example processor plugin",
		InputTypes:  []string{"LedgerCloseMeta"},
		OutputTypes: []string{"ProcessedData"},
	}

	processor := func(ctx context.Context, msg Message) (Message, error) {
		// Process the message
		var ledgerData map[string]interface{}
		if err := json.Unmarshal(msg.Payload, &ledgerData); err != nil {
			return Message{}, err
		}

		// Transform data
		processed := map[string]interface{}{
			"ledger_seq": ledgerData["sequence"],
			"op_count":   len(ledgerData["operations"].([]interface{})),
			"processed":  true,
		}

		// Create output message
		outputPayload, _ := json.Marshal(processed)
		output := Message{
			ID:       GenerateID(),
			Type:     "ProcessedData",
			Payload:  outputPayload,
			Metadata: msg.Metadata,
			TraceID:  msg.TraceID,
		}

		return output, nil
	}

	if err := ServeProcessor(metadata, processor); err != nil {
		log.Fatal(err)
	}
}

// The brief's example plugin runs as it stands: a good row gives its output, a row without
// operations, on which it panics, and a row that is not JSON are row errors.
func TestBriefExample(t *testing.T) {
	plugin := launch(t, "brief")
	answer, err := plugin.ProcessBatch(testContext(t), &pb.ProcessBatchRequest{Batch: &pb.MessageBatch{
		Rows: 3, Types: []string{"LedgerCloseMeta"},
		Payloads: [][]byte{[]byte(`{"sequence":7,"operations":[1,2]}`), []byte(`{"sequence":8}`), []byte(`no`)},
		Metadata: [][]byte{[]byte(`{"k":1}`)}, TraceIds: []string{"trace"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := batchFrom(answer.GetOutputs())
	if err != nil {
		t.Fatal(err)
	}
	message, err := outputs.Message(0)
	if err != nil {
		t.Fatal(err)
	}
	if outputs.Len() != 1 || message.Type != "ProcessedData" || message.TraceID != "trace" ||
		string(message.Payload) != `{"ledger_seq":7,"op_count":2,"processed":true}` || message.Metadata["k"] != 1.0 {
		t.Errorf("got %d outputs, first %+v", outputs.Len(), message)
	}
	errors := answer.GetErrors()
	if len(errors) != 2 || errors[0].GetError().GetCode() != CodeFailed || errors[1].GetError().GetCode() != CodePayloadInvalid {
		t.Errorf("expected a panic and a text that is no JSON, got %v", errors)
	}
	if err := plugin.command.Process.Signal(terminate); err != nil {
		t.Fatal(err)
	}
	if status, log := plugin.exit(t); status != 0 {
		t.Errorf("expected exit status 0, got %d: %s", status, log)
	}
}
