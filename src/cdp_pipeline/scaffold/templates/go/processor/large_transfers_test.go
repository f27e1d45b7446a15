package main

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

func processed(t *testing.T, config, payload string) (cdpplugin.Message, error) {
	t.Helper()
	transfers := newLargeTransfers()
	if err := transfers.configure(context.Background(), json.RawMessage(config)); err != nil {
		t.Fatal(err)
	}
	return transfers.process(context.Background(), cdpplugin.Message{
		Type: "token_transfers", Payload: json.RawMessage(payload), Metadata: map[string]any{},
	})
}

func TestALargeTransferIsMarked(t *testing.T) {
	output, err := processed(t, `{}`, `{"amount":1500.50,"asset":"native"}`)
	if err != nil {
		t.Fatal(err)
	}
	if expected := `{"amount":1500.50,"asset":"native","large":true}`; expected != string(output.Payload) {
		t.Errorf("expected %s, got %s", expected, output.Payload)
	}
	if output.Metadata["marked_by"] != "my-plugin" {
		t.Errorf("got the metadata %v", output.Metadata)
	}
}

func TestTheConfigurationSaysWhatIsLarge(t *testing.T) {
	if _, err := processed(t, `{"min_amount": 5}`, `{"amount":5}`); err != nil {
		t.Error(err)
	}
	_, err := processed(t, `{"min_amount": 5}`, `{"amount":4.9}`)
	var drop cdpplugin.Drop
	if !errors.As(err, &drop) {
		t.Errorf("expected a drop, got %v", err)
	}
}

func TestATransferWithoutAnAmountIsAnError(t *testing.T) {
	for _, payload := range []string{`{}`, `{"amount":"much"}`, `{"amount":null}`} {
		_, err := processed(t, `{}`, payload)
		var failure cdpplugin.PluginError
		if !errors.As(err, &failure) || failure.Code != "my_plugin.no_amount" {
			t.Errorf("%s: got %v", payload, err)
		}
	}
}
