package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

func TestEachMessageIsALine(t *testing.T) {
	folder, ctx := t.TempDir(), context.Background()
	lines := &jsonLines{}
	config, _ := json.Marshal(map[string]string{"path": folder})
	if err := lines.configure(ctx, config); err != nil {
		t.Fatal(err)
	}
	if err := lines.start(ctx, cdpplugin.StageContext{Pipeline: "test", Stage: "lines"}); err != nil {
		t.Fatal(err)
	}
	for _, payload := range []string{`{"number":1}`, `{"number":2}`} {
		message := cdpplugin.Message{ID: "a", Type: "number", Payload: json.RawMessage(payload)}
		if err := lines.consume(ctx, message); err != nil {
			t.Fatal(err)
		}
	}
	if err := lines.stop(ctx); err != nil {
		t.Fatal(err)
	}
	written, err := os.ReadFile(filepath.Join(folder, "test.lines.jsonl"))
	expected := `{"id":"a","type":"number","payload":{"number":1}}` + "\n" + `{"id":"a","type":"number","payload":{"number":2}}` + "\n"
	if err != nil || expected != string(written) {
		t.Errorf("expected %s, got %s, %v", expected, written, err)
	}
}
