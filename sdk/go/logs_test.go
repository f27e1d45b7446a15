package cdpplugin

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"regexp"
	"testing"
)

// A log line is a JSON object with `level` and `message`; what an author adds cannot hide them.
func TestLogLines(t *testing.T) {
	var lines bytes.Buffer
	logger := slog.New(NewLogHandler(&lines))
	LogLevel.Set(slog.LevelDebug)
	defer LogLevel.Set(slog.LevelInfo)
	logger.Debug("a", "ledger", 7)
	logger.Info("b", "message", "mine", "level", "mine")
	logger.Warn("c", slog.Group("at", "level", 1))
	logger.Error("d\nline")
	expected := []map[string]any{
		{"level": "debug", "message": "a", "ledger": 7.0},
		{"level": "info", "message": "b", "field_message": "mine", "field_level": "mine"},
		{"level": "warning", "message": "c", "at": map[string]any{"level": 1.0}},
		{"level": "error", "message": "d\nline"},
	}
	for _, want := range expected {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatal(err)
		}
		wanted, _ := json.Marshal(want)
		found, _ := json.Marshal(got)
		if !bytes.Equal(wanted, found) {
			t.Errorf("expected %s, got %s", wanted, found)
		}
	}
}

// An id is a version 4 UUID, and no two are alike.
func TestGenerateID(t *testing.T) {
	pattern := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	one, other := GenerateID(), GenerateID()
	if !pattern.MatchString(one) || one == other {
		t.Errorf("got %s and %s", one, other)
	}
}
