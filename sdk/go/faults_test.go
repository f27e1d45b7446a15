package cdpplugin

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// fault is a row of the table of spec/vectors/faults.json, and what comes of a situation.
type fault struct {
	Status      string `json:"status,omitempty"`
	Code        string `json:"code,omitempty"`
	Instruction string `json:"instruction,omitempty"`
	Row         int    `json:"row,omitempty"`
	Bytes       int    `json:"bytes,omitempty"`
}

const faultLimit = 100_000

// situations make what the table tells, by name.
var situations = map[string]func(t *testing.T) fault{
	"default-limit": func(t *testing.T) fault {
		found, err := endpointFrom(func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		return fault{Bytes: found.maxMessageBytes}
	},
	"answer-too-large": func(t *testing.T) fault {
		return refusal(t, limited(t, grow), func(plugin *served, options ...grpc.CallOption) error {
			_, err := plugin.ProcessBatch(testContext(t), &pb.ProcessBatchRequest{Batch: rowsOfJSON("1")}, options...)
			return err
		})
	},
	"single-answer-too-large": func(t *testing.T) fault {
		return refusal(t, limited(t, grow), func(plugin *served, options ...grpc.CallOption) error {
			_, err := plugin.Process(testContext(t), &pb.ProcessRequest{Payload: []byte("1")}, options...)
			return err
		})
	},
	"source-row-too-large": func(t *testing.T) fault {
		batch, err := BatchOf(Message{Payload: tooLarge()})
		if err != nil {
			t.Fatal(err)
		}
		return failedReading(t, SourceBatch{Batch: batch, Positions: []int64{1}})
	},
}

func init() {
	numbers := map[string]float64{"nan": math.NaN(), "infinity": math.Inf(1), "minus-infinity": math.Inf(-1)}
	for name, number := range numbers {
		nested := map[string]any{"deep": []any{nil, map[string]any{"n": number}}}
		for held, value := range map[string]any{"": number, "nested-": nested} {
			situations[held+"payload-"+name] = badRow(func(message Message) (Message, error) {
				payload, err := json.Marshal(value)
				message.Payload = payload
				return message, err
			})
			situations[held+"metadata-"+name] = badRow(func(message Message) (Message, error) {
				message.Metadata["n"] = value
				return message, nil
			})
		}
	}
}

func tooLarge() json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", faultLimit) + `"`) }

func grow(_ context.Context, message Message) (Message, error) {
	message.Payload = tooLarge()
	return message, nil
}

// limited serves a function for a message behind the limit of these tests.
func limited(t *testing.T, function ProcessorFunc) *served {
	return serveOn(t, func(options ...Option) error {
		return ServeProcessor(echoMetadata, function, options...)
	}, map[string]string{"PLUGIN_MAX_MESSAGE_BYTES": "100000"})
}

// toldFault returns an error as the table tells it.
func toldFault(err *pb.Error) fault {
	found := fault{Code: err.GetCode()}
	if err.GetInstruction() != pb.Error_INSTRUCTION_UNSPECIFIED {
		found.Instruction = strings.ToLower(strings.TrimPrefix(err.GetInstruction().String(), "INSTRUCTION_"))
	}
	return found
}

// refusal returns how a call is refused.
func refusal(t *testing.T, plugin *served, call func(plugin *served, options ...grpc.CallOption) error) fault {
	t.Helper()
	var trailer metadata.MD
	err := call(plugin, grpc.Trailer(&trailer))
	if err == nil || len(trailer[errorKey]) != 1 {
		t.Fatalf("expected a refusal with its details, got %v with %v", err, trailer)
	}
	return refusedWith(t, err, trailer)
}

func refusedWith(t *testing.T, err error, trailer metadata.MD) fault {
	t.Helper()
	detail := &pb.Error{}
	if err := proto.Unmarshal([]byte(trailer[errorKey][0]), detail); err != nil {
		t.Fatal(err)
	}
	found := toldFault(detail)
	// The names of the table are those of the protocol: INVALID_ARGUMENT, not InvalidArgument.
	for at, letter := range status.Code(err).String() {
		if at > 0 && letter >= 'A' && letter <= 'Z' {
			found.Status += "_"
		}
		found.Status += strings.ToUpper(string(letter))
	}
	return found
}

// badRow makes a situation of what a function does with the one in the middle of three rows.
func badRow(function func(Message) (Message, error)) func(t *testing.T) fault {
	return func(t *testing.T) fault {
		plugin := limited(t, func(_ context.Context, message Message) (Message, error) {
			if string(message.Payload) == `"bad"` {
				return function(message)
			}
			return message, nil
		})
		return onlyRow(t, plugin)
	}
}

// onlyRow returns what fails of three rows, the one in the middle of which is bad.
func onlyRow(t *testing.T, plugin *served) fault {
	t.Helper()
	answer, err := plugin.ProcessBatch(testContext(t), &pb.ProcessBatchRequest{Batch: rowsOfJSON("1", `"bad"`, "3")})
	if err != nil || len(answer.GetErrors()) != 1 || !slices.Equal([]uint32{0, 2}, answer.GetOutputRows()) {
		t.Fatalf("expected two outputs and an error, got %v %v", answer, err)
	}
	found := toldFault(answer.GetErrors()[0].GetError())
	found.Row = int(answer.GetErrors()[0].GetRow())
	return found
}

// listed is a source of the batches that it is given.
type listed struct {
	Base
	batches []SourceBatch
}

func (l *listed) Metadata() PluginMetadata { return PluginMetadata{Name: "listed", Version: "1.0.0"} }

func (l *listed) Describe(context.Context) (SourceDescription, error) {
	return SourceDescription{Identity: "listed"}, nil
}

func (l *listed) Read(_ context.Context, _ *Resume, yield func(SourceBatch) error) error {
	for _, batch := range l.batches {
		if err := yield(batch); err != nil {
			return err
		}
	}
	return nil
}

// failedReading returns the error of a source that gives batches.
func failedReading(t *testing.T, batches ...SourceBatch) fault {
	t.Helper()
	plugin := serveOn(t, func(options ...Option) error {
		return Serve(&listed{batches: batches}, options...)
	}, map[string]string{"PLUGIN_MAX_MESSAGE_BYTES": "100000"})
	stream := reads(t, plugin, &pb.ReadRequest{Credits: uint32(len(batches))})
	for {
		if got := readNext(t, stream); got.GetError() != nil {
			return toldFault(got.GetError())
		} else if got.GetEnded() {
			t.Fatal("expected an error, got the end")
		}
	}
}

// What comes of a fault, a limit or a silence is what the table for all SDKs says.
func TestFaults(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(vectorFolder, "faults.json"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the golden vectors are part of the repository, not of the module")
	}
	var table struct {
		Cases []struct {
			Name, Rule string
			Expected   json.RawMessage
		}
	}
	if err != nil || json.Unmarshal(text, &table) != nil {
		t.Fatal("the table cannot be read", err)
	}
	var names []string
	for _, c := range table.Cases {
		names = append(names, c.Name)
		t.Run(c.Name, func(t *testing.T) {
			situation, known := situations[c.Name]
			if !known {
				t.Fatal("nobody makes this situation")
			}
			got, err := json.Marshal(situation(t))
			if err != nil {
				t.Fatal(err)
			}
			if !sameJSON(t, c.Expected, got) {
				t.Errorf("%s: expected %s, got %s", c.Rule, c.Expected, got)
			}
		})
	}
	slices.Sort(names)
	if made := slices.Sorted(maps.Keys(situations)); !slices.Equal(names, made) {
		t.Errorf("expected the situations %v, got %v", names, made)
	}
}

func sameJSON(t *testing.T, one, other []byte) bool {
	t.Helper()
	var first, second any
	if err := errors.Join(json.Unmarshal(one, &first), json.Unmarshal(other, &second)); err != nil {
		t.Fatal(err)
	}
	return reflect.DeepEqual(first, second)
}
