package main

import (
	"context"
	"encoding/json"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

// counter counts from 1.
type counter struct {
	Count int64 `json:"count"`
}

type number struct {
	Number int64 `json:"number"`
	Square int64 `json:"square"`
}

func newCounter() *counter {
	return &counter{Count: 10}
}

// configure takes the configuration; the host has checked it against the schema in plugin.yaml.
func (c *counter) configure(_ context.Context, config json.RawMessage) error {
	*c = *newCounter()
	return cdpplugin.DecodeConfig(config, c)
}

// read yields the same messages at every run: the host leaves out those that are durable.
func (c *counter) read(ctx context.Context, yield func(cdpplugin.Message) error) error {
	for n := int64(1); n <= c.Count; n++ {
		payload, err := json.Marshal(number{n, n * n})
		if err != nil {
			return err
		}
		if err := yield(cdpplugin.Message{Type: "number", Payload: payload}); err != nil {
			return err
		}
	}
	return ctx.Err()
}
