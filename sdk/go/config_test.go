package cdpplugin

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

type exampleConfig struct {
	Threshold float64 `json:"threshold"`
	Nested    struct {
		Asset string `json:"asset"`
	} `json:"nested"`
	Hidden string `json:"-"`
}

// A configuration is read strictly: what the struct does not have is named, beside what it has.
func TestDecodeConfig(t *testing.T) {
	cases := []struct {
		config, message, hint string
	}{
		{`{"threshold":2,"nested":{"asset":"XLM"}}`, "", ""},
		{`{}`, "", ""},
		{``, "", ""},
		{`{"treshold":2}`, "unknown key `treshold`", "known keys: `threshold`, `nested`"},
		{`{"threshold":"2"}`, "`threshold`: expected float64, got string", "known keys: `threshold`, `nested`"},
		{`{"nested":{"asset":1}}`, "`nested.asset`: expected string, got number", "known keys: `threshold`, `nested`"},
		{`{} {}`, "something stands after the configuration's end", "known keys: `threshold`, `nested`"},
		{`[`, "unexpected EOF", "known keys: `threshold`, `nested`"},
	}
	for _, c := range cases {
		config := exampleConfig{Threshold: 0.5}
		err := DecodeConfig(json.RawMessage(c.config), &config)
		if c.message == "" {
			if err != nil || strings.Contains(c.config, "2") != (config.Threshold == 2) {
				t.Errorf("%s: expected it to be taken, got %+v %v", c.config, config, err)
			}
			continue
		}
		var invalid ConfigInvalid
		if !errors.As(err, &invalid) || c.message != invalid.Message || c.hint != invalid.Hint {
			t.Errorf("%s: expected %q and %q, got %+v", c.config, c.message, c.hint, err)
		}
	}
	var nothing struct{}
	var invalid ConfigInvalid
	if err := DecodeConfig(json.RawMessage(`{"a":1}`), &nothing); !errors.As(err, &invalid) || invalid.Hint != "it takes no configuration" {
		t.Errorf("got %v", err)
	}
}
