package cdpplugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Codes of the errors that this SDK itself gives.
const (
	CodeFailed              = "plugin.failed"
	CodeConfigInvalid       = "plugin.config_invalid"
	CodeEncodingUnsupported = "plugin.encoding_unsupported"
	CodeRetry               = "plugin.retry"
	CodeDrop                = "plugin.drop"
	CodeFatal               = "plugin.fatal"
	CodeOutputInvalid       = "plugin.output_invalid"
	CodeCreditsExceeded     = "plugin.credits_exceeded"
	CodeStateUnsupported    = "plugin.state_unsupported"
	CodeEnvironmentInvalid  = "plugin.environment_invalid"
	CodeAddressUnavailable  = "plugin.address_unavailable"
	CodeBatchInvalid        = "message.batch_invalid"
	CodePayloadInvalid      = "message.payload_invalid"
	CodeNumberTooLarge      = "message.number_too_large"
	CodeTooLarge            = "message.too_large"
)

// PluginError is a failure with a stable code; the stage's `on_error` policy decides what happens.
// An error of any other type, and a panic, is treated as a PluginError of code [CodeFailed]; one by which encoding/json
// says that a text is no JSON, or that a value has no form in it, of code [CodePayloadInvalid].
type PluginError struct {
	Message string
	// Code is the stable dotted name of the kind of error, e.g. "lake.gap".
	Code string
	// Hint is what the user can do about it, one sentence, or empty.
	Hint string
	// Err is the cause, or nil.
	Err error
}

// ConfigInvalid is returned by Configure for a configuration that cannot be used.
type ConfigInvalid struct {
	Message string
	// Code is [CodeConfigInvalid] where it is empty.
	Code string
	// Hint is what the user can do about it, one sentence, or empty.
	Hint string
	// Err is the cause, or nil.
	Err error
}

// Retry tells the host to try again: the failure is expected to pass. The stage waits, since
// order is kept.
type Retry struct {
	Message string
	// After is the wait before the next try; 0 leaves it to the stage's back-off.
	After time.Duration
	// Code is [CodeRetry] where it is empty.
	Code string
	// Hint is what the user can do about it, one sentence, or empty.
	Hint string
	// Err is the cause, or nil.
	Err error
}

// Drop tells the host to leave this message out on purpose; counted by its reason, never an error:
//
//	return cdpplugin.Message{}, cdpplugin.Drop("below the threshold")
type Drop string

// Fatal tells the host to stop the pipeline: going on would lose or corrupt data.
type Fatal struct {
	Message string
	// Code is [CodeFatal] where it is empty.
	Code string
	// Hint is what the user can do about it, one sentence, or empty.
	Hint string
	// Err is the cause, or nil.
	Err error
}

func (e PluginError) Error() string   { return sentence(e.Message, e.Err, "failed") }
func (e ConfigInvalid) Error() string { return sentence(e.Message, e.Err, "configuration invalid") }
func (e Retry) Error() string         { return sentence(e.Message, e.Err, "try again") }
func (e Drop) Error() string          { return sentence(string(e), nil, "dropped") }
func (e Fatal) Error() string         { return sentence(e.Message, e.Err, "stop") }

func (e PluginError) Unwrap() error   { return e.Err }
func (e ConfigInvalid) Unwrap() error { return e.Err }
func (e Retry) Unwrap() error         { return e.Err }
func (e Fatal) Unwrap() error         { return e.Err }

// instruction is what an error asks of the host, numbered as in plugin.proto.
type instruction int

const (
	instructionNone instruction = iota
	instructionRetry
	instructionDrop
	instructionFatal
)

// errorReport is an error as the host is told of it.
type errorReport struct {
	instruction instruction
	code        string
	message     string
	hint        string
	// after is the least wait before a retry.
	after time.Duration
}

func (e PluginError) report() errorReport {
	return errorReport{code: or(e.Code, CodeFailed), hint: e.Hint}
}

func (e ConfigInvalid) report() errorReport {
	return errorReport{code: or(e.Code, CodeConfigInvalid), hint: e.Hint}
}

func (e Retry) report() errorReport {
	return errorReport{instruction: instructionRetry, code: or(e.Code, CodeRetry), hint: e.Hint, after: max(e.After, 0)}
}

func (e Drop) report() errorReport {
	return errorReport{instruction: instructionDrop, code: CodeDrop}
}

func (e Fatal) report() errorReport {
	return errorReport{instruction: instructionFatal, code: or(e.Code, CodeFatal), hint: e.Hint}
}

// known is one of the error types above, by value or by pointer.
type known interface {
	error
	report() errorReport
}

// reportOf returns err as the host is told of it; the message is that of the whole chain.
func reportOf(err error) errorReport {
	told := errorReport{code: CodeFailed}
	var instruction known
	if errors.As(err, &instruction) {
		told = instruction.report()
	} else if isOfJSON(err) {
		told.code = CodePayloadInvalid
	}
	told.message = cutCharacters(valid(err.Error()))
	told.code, told.hint = valid(told.code), cutCharacters(valid(told.hint))
	return told
}

// valid returns text as UTF-8, which every text of a message is.
func valid(text string) string {
	return strings.ToValidUTF8(text, "\uFFFD")
}

// textCharacters is the longest message or hint that travels.
const textCharacters = 4000

func cutCharacters(text string) string {
	if len(text) <= textCharacters {
		return text
	}
	if characters := []rune(text); len(characters) > textCharacters {
		return string(characters[:textCharacters-4]) + " ..."
	}
	return text
}

// What of an error stands in the end of a call, where an HTTP/2 peer takes 8 KB in all.
const (
	trailerMessageBytes = 2000
	trailerHintBytes    = 500
	statusMessageBytes  = 800
)

func cutBytes(text string, size int) string {
	if len(text) <= size {
		return text
	}
	return strings.ToValidUTF8(text[:size-4], "") + " ..."
}

// isOfJSON tells whether encoding/json refused a text that is no JSON, or a value that has no form in
// it, such as NaN.
func isOfJSON(err error) bool {
	var text *json.SyntaxError
	var value *json.UnsupportedValueError
	var kind *json.UnsupportedTypeError
	return errors.As(err, &text) || errors.As(err, &value) || errors.As(err, &kind)
}

// asDrop tells whether err says that a message be left out, and why. The outermost instruction of
// a chain counts.
func asDrop(err error) (reason string, dropped bool) {
	var instruction known
	if !errors.As(err, &instruction) {
		return "", false
	}
	switch drop := instruction.(type) {
	case Drop:
		return drop.Error(), true
	case *Drop:
		return drop.Error(), true
	}
	return "", false
}

func outputInvalid(format string, arguments ...any) error {
	return PluginError{Message: fmt.Sprintf(format, arguments...), Code: CodeOutputInvalid}
}

func sentence(message string, cause error, fallback string) string {
	switch {
	case message == "" && cause != nil:
		return cause.Error()
	case message == "":
		return fallback
	case cause != nil:
		return message + ": " + cause.Error()
	}
	return message
}

func or(value, fallback string) string {
	if value == "" {
		return fallback
	}
	return value
}
