package main

import (
	"context"
	"encoding/json"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

// largeTransfers knows from which amount on a transfer is large.
type largeTransfers struct {
	MinAmount float64 `json:"min_amount"`
}

func newLargeTransfers() *largeTransfers {
	return &largeTransfers{MinAmount: 1000}
}

// configure takes the configuration; the host has checked it against the schema in plugin.yaml.
func (l *largeTransfers) configure(_ context.Context, config json.RawMessage) error {
	*l = *newLargeTransfers()
	return cdpplugin.DecodeConfig(config, l)
}

// process marks a large transfer; an error costs this message only. Several goroutines call it at once.
func (l *largeTransfers) process(_ context.Context, message cdpplugin.Message) (cdpplugin.Message, error) {
	transfer, err := cdpplugin.ParseObject(message.Payload)
	if err != nil {
		return cdpplugin.Message{}, err
	}
	var amount *float64
	if err := json.Unmarshal(orNull(transfer.Get("amount")), &amount); err != nil || amount == nil {
		return cdpplugin.Message{}, cdpplugin.PluginError{
			Message: "expected `amount` to be a number, got `" + string(orNull(transfer.Get("amount"))) + "`",
			Code:    "my_plugin.no_amount",
			Hint:    "put `rows` with the table token_transfers before this stage",
		}
	}
	if *amount < l.MinAmount {
		return cdpplugin.Message{}, cdpplugin.Drop("small")
	}
	if err := transfer.Set("large", true); err != nil {
		return cdpplugin.Message{}, err
	}
	message.Payload = transfer.JSON()
	message.Metadata["marked_by"] = metadata.Name
	return message, nil
}

func orNull(text json.RawMessage) json.RawMessage {
	if text == nil {
		return json.RawMessage("null")
	}
	return text
}
