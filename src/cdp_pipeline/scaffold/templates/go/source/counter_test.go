package main

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/cdpplugintest"
)

func read(t *testing.T, config string) *cdpplugintest.Reading {
	t.Helper()
	plugin := cdpplugintest.StartTestPlugin(t, serve, cdpplugintest.WithConfig(json.RawMessage(config)))
	reading, err := plugin.Read(context.Background(), 100)
	if err != nil {
		t.Fatal(err)
	}
	return reading
}

func TestItCountsAsFarAsItIsTold(t *testing.T) {
	reading := read(t, `{"count": 2}`)
	if len(reading.Messages) != 2 || !reading.Ended {
		t.Fatalf("got %+v", reading)
	}
	if got := string(reading.Messages[1].Payload); got != `{"number":2,"square":4}` {
		t.Errorf("got %s", got)
	}
}

func TestItGivesTheSameAtEveryRun(t *testing.T) {
	first, second := read(t, `{}`), read(t, `{}`)
	for at := range first.Messages {
		if string(first.Messages[at].Payload) != string(second.Messages[at].Payload) {
			t.Errorf("message %d differs", at)
		}
	}
	if len(first.Messages) != 10 || len(second.Messages) != 10 {
		t.Errorf("expected 10 messages, got %d and %d", len(first.Messages), len(second.Messages))
	}
}
