package main

import (
	"context"
	"encoding/json"
	"testing"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

func TestItCountsAsFarAsItIsTold(t *testing.T) {
	counter := newCounter()
	if err := counter.configure(context.Background(), json.RawMessage(`{"count": 2}`)); err != nil {
		t.Fatal(err)
	}
	var got []string
	err := counter.read(context.Background(), func(message cdpplugin.Message) error {
		got = append(got, string(message.Payload))
		return nil
	})
	if err != nil || len(got) != 2 || got[1] != `{"number":2,"square":4}` {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestItEndsWhenNobodyReads(t *testing.T) {
	err := newCounter().read(context.Background(), func(cdpplugin.Message) error { return context.Canceled })
	if err != context.Canceled {
		t.Errorf("got %v", err)
	}
}
