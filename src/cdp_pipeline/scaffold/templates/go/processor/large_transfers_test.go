package main

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
	"github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/cdpplugintest"
)

func startTestPlugin(t *testing.T, config string) *cdpplugintest.Plugin {
	return cdpplugintest.StartTestPlugin(t, serve, cdpplugintest.WithConfig(json.RawMessage(config)))
}

func transfer(payload string) cdpplugin.Message {
	return cdpplugin.Message{Type: "token_transfers", Payload: json.RawMessage(payload)}
}

func TestALargeTransferIsMarked(t *testing.T) {
	plugin := startTestPlugin(t, `{}`)
	output, err := plugin.Process(context.Background(), transfer(`{"amount":1500.50,"asset":"native"}`))
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
	plugin := startTestPlugin(t, `{"min_amount": 5}`)
	if _, err := plugin.Process(context.Background(), transfer(`{"amount":5}`)); err != nil {
		t.Error(err)
	}
	_, err := plugin.Process(context.Background(), transfer(`{"amount":4.9}`))
	var drop cdpplugin.Drop
	if !errors.As(err, &drop) {
		t.Errorf("expected a drop, got %v", err)
	}
}

func TestATransferWithoutAnAmountIsAnError(t *testing.T) {
	plugin := startTestPlugin(t, `{}`)
	for _, payload := range []string{`{}`, `{"amount":"much"}`, `{"amount":null}`} {
		_, err := plugin.Process(context.Background(), transfer(payload))
		var failure cdpplugin.PluginError
		if !errors.As(err, &failure) || failure.Code != "my_plugin.no_amount" {
			t.Errorf("%s: got %v", payload, err)
		}
	}
}
