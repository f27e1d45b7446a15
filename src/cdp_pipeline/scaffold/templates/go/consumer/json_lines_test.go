package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
	"github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/cdpplugintest"
)

func TestEachMessageIsALine(t *testing.T) {
	folder := t.TempDir()
	plugin := cdpplugintest.StartTestPlugin(t, serve,
		cdpplugintest.WithConfig(map[string]string{"path": folder}),
		cdpplugintest.WithStage(cdpplugin.StageContext{Pipeline: "test", Stage: "lines"}))
	_, err := plugin.Consume(context.Background(),
		cdpplugin.Message{ID: "a", Type: "number", Payload: json.RawMessage(`{"number":1}`)},
		cdpplugin.Message{ID: "b", Type: "number", Payload: json.RawMessage(`{"number":2}`)})
	if err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(folder, "test.lines.jsonl"))
	expected := `{"id":"a","type":"number","payload":{"number":1}}` + "\n" + `{"id":"b","type":"number","payload":{"number":2}}` + "\n"
	if err != nil || expected != string(written) {
		t.Errorf("expected %s, got %s, %v", expected, written, err)
	}
}
