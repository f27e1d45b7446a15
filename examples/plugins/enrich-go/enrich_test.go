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
	t.Helper()
	return cdpplugintest.StartTestPlugin(t, serve, cdpplugintest.WithConfig(config))
}

// Over the wire as in the function: a message enriched, one dropped with the reason, one an error.
func TestPlugin(t *testing.T) {
	plugin := startTestPlugin(t, `{"families": ["payment"]}`)
	defer plugin.Stop()
	answer, err := plugin.ProcessAll(context.Background(),
		operation(`{"id":132379546421870594,"operation_trace_code":"PaymentResultCodePaymentSuccess","type_string":"payment"}`),
		operation(`{"type_string":"invoke_host_function"}`),
		operation(`{"type_string":"dance"}`),
	)
	if err != nil || len(answer.Outputs) != 1 {
		t.Fatalf("expected one output, got %+v, %v", answer, err)
	}
	expected := `{"id":132379546421870594,"operation_trace_code":"PaymentResultCodePaymentSuccess","type_string":"payment","family":"payment","operation_succeeded":true}`
	if got := answer.Outputs[0]; got.Type != "enriched_operation" || expected != string(got.Payload) || got.Metadata["k"] != 1.0 {
		t.Errorf("expected %s, got %+v", expected, got)
	}
	if answer.Dropped["another family"] != 1 {
		t.Errorf("expected a drop, got %v", answer.Dropped)
	}
	var unknown cdpplugin.PluginError
	if !errors.As(answer.Errors[2], &unknown) || unknown.Code != "enrich.type_unknown" || unknown.Hint == "" {
		t.Errorf("expected an error with a hint, got %v", answer.Errors)
	}
}

// A configuration is refused before any message comes.
func TestPluginRefusesConfiguration(t *testing.T) {
	_, err := cdpplugintest.TryStartTestPlugin(t, serve, cdpplugintest.WithConfig(`{"families":["sorobn"]}`))
	var invalid cdpplugin.ConfigInvalid
	if !errors.As(err, &invalid) {
		t.Errorf("expected a refusal, got %v", err)
	}
}

// operation returns a message as the stage `rows` gives it.
func operation(payload string) cdpplugin.Message {
	return cdpplugin.Message{ID: "a", Type: "operations", Payload: json.RawMessage(payload), Metadata: map[string]interface{}{"k": 1.0}}
}

func configured(t *testing.T, config string) *enricher {
	t.Helper()
	enricher := newEnricher()
	if err := enricher.configure(context.Background(), json.RawMessage(config)); err != nil {
		t.Fatal(err)
	}
	return enricher
}

// Two fields are added, everything else keeps its digits and its order.
func TestEnrich(t *testing.T) {
	cases := map[string]string{
		`{"id":132379546421870594,"operation_trace_code":"PaymentResultCodePaymentSuccess","type_string":"payment"}`:            `{"id":132379546421870594,"operation_trace_code":"PaymentResultCodePaymentSuccess","type_string":"payment","family":"payment","operation_succeeded":true}`,
		`{"operation_trace_code":"PaymentResultCodePaymentUnderfunded","type_string":"payment","amount":0.00374920}`:            `{"operation_trace_code":"PaymentResultCodePaymentUnderfunded","type_string":"payment","amount":0.00374920,"family":"payment","operation_succeeded":false}`,
		`{"type_string":"invoke_host_function","operation_trace_code":"InvokeHostFunctionResultCodeInvokeHostFunctionSuccess"}`: `{"type_string":"invoke_host_function","operation_trace_code":"InvokeHostFunctionResultCodeInvokeHostFunctionSuccess","family":"soroban","operation_succeeded":true}`,
	}
	for payload, expected := range cases {
		got, err := configured(t, `{}`).process(context.Background(), operation(payload))
		if err != nil {
			t.Fatal(err)
		}
		if expected != string(got.Payload) {
			t.Errorf("expected %s, got %s", expected, got.Payload)
		}
		if got.ID != "a" || got.Type != "enriched_operation" || got.Metadata["enriched_by"] != "enrich-go@0.1.0" || got.Metadata["k"] != 1.0 {
			t.Errorf("got %+v", got)
		}
	}
}

// What the configuration leaves out is dropped, with the reason.
func TestDrops(t *testing.T) {
	failed := `{"operation_trace_code":"PaymentResultCodePaymentUnderfunded","type_string":"payment"}`
	for config, expected := range map[string]cdpplugin.Drop{
		`{"keep_failed":false}`:    "failed",
		`{"families":["soroban"]}`: "another family",
	} {
		_, err := configured(t, config).process(context.Background(), operation(failed))
		var drop cdpplugin.Drop
		if !errors.As(err, &drop) || expected != drop {
			t.Errorf("%s: expected %q, got %v", config, expected, err)
		}
	}
}

// A message that is no operation is an error of its own, which says what came.
func TestNoOperation(t *testing.T) {
	for payload, expected := range map[string]string{
		`{"type_string":"dance"}`: "expected `type_string` to be a type of operation, got `\"dance\"`",
		`{"type_string":7}`:       "expected `type_string` to be a type of operation, got `7`",
		`{}`:                      "expected `type_string` to be a type of operation, got nothing",
	} {
		_, err := configured(t, `{}`).process(context.Background(), operation(payload))
		if err == nil || expected != err.Error() {
			t.Errorf("expected %q, got %v", expected, err)
		}
	}
	if _, err := configured(t, `{}`).process(context.Background(), operation(`[]`)); err == nil {
		t.Error("expected an error for a payload that is no object")
	}
}

// A configuration that cannot be used is refused, with what can be.
func TestConfiguration(t *testing.T) {
	for _, config := range []string{`{"family":["soroban"]}`, `{"families":["sorobn"]}`, `{"keep_failed":"no"}`} {
		err := newEnricher().configure(context.Background(), json.RawMessage(config))
		var invalid cdpplugin.ConfigInvalid
		if !errors.As(err, &invalid) || invalid.Hint == "" {
			t.Errorf("%s: expected a refusal with a hint, got %v", config, err)
		}
	}
}

// What the plugin says of its configuration is what it takes: each family of the schema is one.
func TestSchema(t *testing.T) {
	var schema struct {
		Properties struct {
			Families struct {
				Items struct {
					Enum []string `json:"enum"`
				} `json:"items"`
			} `json:"families"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(metadata.ConfigSchema, &schema); err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(map[string]any{"families": schema.Properties.Families.Items.Enum})
	if got := configured(t, string(text)); len(got.settings.Families) != len(names()) {
		t.Errorf("expected %v, got %v", names(), got.settings.Families)
	}
}
