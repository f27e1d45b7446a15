package cdpplugin

import (
	"errors"
	"fmt"
	"io"
	"testing"
	"time"
)

// The instructions are found in a chain of errors, by value and by pointer, with their causes.
func TestErrorChains(t *testing.T) {
	err := fmt.Errorf("reading: %w", Retry{Message: "busy", After: time.Second, Err: io.ErrUnexpectedEOF})
	var retry Retry
	if !errors.As(err, &retry) || retry.After != time.Second || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("expected a retry after 1 s with its cause, got %v", err)
	}
	if expected := "reading: busy: unexpected EOF"; expected != err.Error() {
		t.Errorf("expected %q, got %q", expected, err)
	}
	drop := Drop("small")
	for _, dropped := range []error{drop, &drop, fmt.Errorf("row: %w", drop)} {
		if _, found := asDrop(dropped); !found {
			t.Errorf("expected a drop, got %v", dropped)
		}
	}
	for _, other := range []error{nil, io.EOF, Retry{Err: drop}, PluginError{Err: drop}} {
		if _, found := asDrop(other); found {
			t.Errorf("expected no drop: %v", other)
		}
	}
}

// Every error says something, whatever was left out.
func TestErrorTexts(t *testing.T) {
	cases := map[string]error{
		"failed": PluginError{}, "configuration invalid": ConfigInvalid{}, "try again": Retry{},
		"dropped": Drop(""), "stop": Fatal{}, "EOF": Fatal{Err: io.EOF}, "a: EOF": PluginError{Message: "a", Err: io.EOF},
	}
	for expected, err := range cases {
		if expected != err.Error() {
			t.Errorf("expected %q, got %q", expected, err)
		}
	}
	codes := map[string]error{
		CodeFailed: io.EOF, CodeConfigInvalid: ConfigInvalid{}, CodeRetry: Retry{}, CodeDrop: Drop(""),
		CodeFatal: &Fatal{}, "lake.gap": PluginError{Code: "lake.gap"},
	}
	for expected, err := range codes {
		if got := codeOf(err); expected != got {
			t.Errorf("expected %q, got %q", expected, got)
		}
	}
}
