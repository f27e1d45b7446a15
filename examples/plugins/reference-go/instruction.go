package main

import (
	"fmt"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
)

// wish is what a payload or a configuration says of the error it asks for.
type wish struct {
	Message string   `json:"message"`
	Code    string   `json:"code"`
	Hint    string   `json:"hint"`
	AfterS  *float64 `json:"after_s"`
}

func isInstruction(kind string) bool {
	return kind == "fail" || kind == "retry" || kind == "fatal" || kind == "panic"
}

// instruct returns the error that kind names, or panics.
func instruct(kind string, wanted wish) error {
	switch kind {
	case "retry":
		retry := cdpplugin.Retry{Message: or(wanted.Message, "busy"), Code: wanted.Code, Hint: wanted.Hint}
		if wanted.AfterS != nil {
			retry.After = time.Duration(*wanted.AfterS * float64(time.Second))
		}
		return retry
	case "fatal":
		return cdpplugin.Fatal{Message: or(wanted.Message, "failed"), Code: wanted.Code, Hint: wanted.Hint}
	case "panic":
		panic(or(wanted.Message, "panicked"))
	}
	return cdpplugin.PluginError{Message: or(wanted.Message, "failed"), Code: wanted.Code, Hint: wanted.Hint}
}

// failStart returns what the key `start` of a configuration asks for.
func failStart(kind string) error {
	if kind == "panic" {
		panic("start panicked")
	}
	return instruct(kind, wish{Message: "cannot start", Code: "reference.start", Hint: "start it otherwise"})
}

// failReading returns what a source fails with at position.
func failReading(kind string, position int64) error {
	if kind == "panic" {
		panic(fmt.Sprintf("reading panicked at %d", position))
	}
	message := fmt.Sprintf("cannot read position %d", position)
	return instruct(kind, wish{Message: message, Code: "reference.read", Hint: "read it later"})
}

// checkInstruction refuses a value of key that is no instruction; empty is fine where it may be.
func checkInstruction(key, value string, empty bool) error {
	if isInstruction(value) || value == "" && empty {
		return nil
	}
	return cdpplugin.ConfigInvalid{
		Message: fmt.Sprintf("expected `%s` to be fail, retry, fatal or panic, got `%s`", key, value),
		Hint:    fmt.Sprintf("change `%s`", key),
	}
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
