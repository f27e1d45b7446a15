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
	Status      string         `json:"status,omitempty"`
	Code        string         `json:"code,omitempty"`
	Instruction string         `json:"instruction,omitempty"`
	Characters  int            `json:"characters,omitempty"`
	Row         int            `json:"row,omitempty"`
	Rows        []uint32       `json:"rows,omitempty"`
	Dropped     map[string]int `json:"dropped,omitempty"`
	Bytes       int            `json:"bytes,omitempty"`
	Stops       *int           `json:"stops,omitempty"`
	Health      string         `json:"health,omitempty"`
	Details     *[]string      `json:"details,omitempty"`
}

const faultLimit = 100_000

// bad is the payload of the row that is to fail.
const bad = `"bad"`

var (
	errUnknown = errors.New("oops")
	errBad     = PluginError{Message: "bad row", Code: "test.bad"}
	errLong    = PluginError{Message: strings.Repeat("x", faultLimit), Code: "test.long"}
)

// situations make what the table tells, by name.
var situations = map[string]func(t *testing.T) fault{
	"default-limit": func(t *testing.T) fault {
		found, err := endpointFrom(func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		return fault{Bytes: found.maxMessageBytes}
	},
	"port-zero":      invalidEnvironment("PLUGIN_PORT", "0"),
	"port-too-high":  invalidEnvironment("PLUGIN_PORT", "65536"),
	"port-no-number": invalidEnvironment("PLUGIN_PORT", "many"),
	"limit-zero":     invalidEnvironment("PLUGIN_MAX_MESSAGE_BYTES", "0"),
	"limit-too-high": invalidEnvironment("PLUGIN_MAX_MESSAGE_BYTES", "2147483648"),

	"answer-too-large":        func(t *testing.T) fault { return refusedBatch(t, ofMessages(grow), rowsOfJSON("1")) },
	"single-answer-too-large": func(t *testing.T) fault { return refusedSingle(t, grow) },
	"source-row-too-large": func(t *testing.T) fault {
		return failedReading(t, SourceBatch{Batch: batchWith(t, Message{Payload: tooLarge()}), Positions: []int64{1}})
	},
	"row-error-too-long": func(t *testing.T) fault {
		return badRow(t, returning(errLong), withCharacters)
	},
	"call-error-too-long": func(t *testing.T) fault {
		return refusedSingle(t, returning(errLong), withCharacters)
	},

	"payload-no-json": func(t *testing.T) fault {
		return onlyRow(t, ofMessages(func(_ context.Context, message Message) (Message, error) {
			var value any
			return message, json.Unmarshal(message.Payload, &value)
		}), rowsOfJSON("1", "{broken", "3"))
	},
	"metadata-no-json":   invalidMetadata("{broken"),
	"metadata-no-object": invalidMetadata("[1]"),
	"unknown-error": func(t *testing.T) fault {
		return badRow(t, func(context.Context, Message) (Message, error) { panic("oops") })
	},
	"single-unknown-error": func(t *testing.T) fault { return refusedSingle(t, returning(errUnknown)) },
	"drop-without-reason":  func(t *testing.T) fault { return droppedRows(t, ofMessages(returning(Drop(""))), rowsOfJSON("1")) },

	"batch-unknown-error": func(t *testing.T) fault {
		return onlyRow(t, ofBatches(false, func(*Batch) (*Outputs, error) { return nil, errUnknown }), badRows())
	},
	"batch-error": func(t *testing.T) fault {
		return onlyRow(t, ofBatches(false, func(*Batch) (*Outputs, error) { return nil, errBad }), badRows())
	},
	"batch-answer-invalid": func(t *testing.T) fault {
		return onlyRow(t, ofBatches(false, func(batch *Batch) (*Outputs, error) {
			return &Outputs{Batch: batch, Rows: []int{batch.Rows}}, nil
		}), badRows())
	},
	"batch-error-of-stateful": func(t *testing.T) fault {
		answer := askedFor(t, ofBatches(true, func(*Batch) (*Outputs, error) { return nil, errBad }), badRows())
		found := toldFault(answer.GetErrors()[0].GetError())
		for _, failed := range answer.GetErrors() {
			found.Rows = append(found.Rows, failed.GetRow())
		}
		return found
	},
	"batch-drop": func(t *testing.T) fault {
		return droppedRows(t, ofBatches(false, func(*Batch) (*Outputs, error) { return nil, Drop("not mine") }), badRows())
	},
	"batch-retry": func(t *testing.T) fault {
		return refusedBatch(t, ofBatches(false, func(*Batch) (*Outputs, error) { return nil, Retry{} }), badRows())
	},
	"batch-fatal": func(t *testing.T) fault {
		return refusedBatch(t, ofBatches(false, func(*Batch) (*Outputs, error) { return nil, Fatal{} }), badRows())
	},
	"payloads-that-do-not-mix": func(t *testing.T) fault {
		raw := rowsOfJSON("\x00\x01", "\x00\x02", "\x00\x03")
		raw.Encoding = string(EncodingXDR)
		return refusedBatch(t, ofMessages(func(_ context.Context, message Message) (Message, error) {
			if message.ID == "1" {
				message.Payload = json.RawMessage("1")
			}
			return message, nil
		}), raw)
	},

	"credits-exceeded": func(t *testing.T) fault {
		plugin := limited(t, func(options ...Option) error {
			return ServeProcessor(echoMetadata, func(ctx context.Context, message Message) (Message, error) {
				<-ctx.Done()
				return message, nil
			}, append(options, WithWorkers(1))...)
		})
		stream := openStream(t, plugin)
		for sequence := range stream.credits + 1 {
			stream.send(uint64(sequence+1), rowsOfJSON("1"))
		}
		var err error
		for err == nil { // what is cancelled may be answered before
			_, err = stream.stream.Recv()
		}
		return refusedWith(t, err, stream.stream.Trailer())
	},
	"positions-missing": func(t *testing.T) fault {
		return failedReading(t, SourceBatch{Batch: batchWith(t, Message{}, Message{}), Positions: []int64{1}})
	},
	"positions-decrease": func(t *testing.T) fault {
		return failedReading(t, SourceBatch{Batch: batchWith(t, Message{}, Message{}), Positions: []int64{2, 1}})
	},
	"positions-decrease-later": func(t *testing.T) fault {
		return failedReading(t,
			SourceBatch{Batch: batchWith(t, Message{}), Positions: []int64{2}},
			SourceBatch{Batch: batchWith(t, Message{}), Positions: []int64{1}})
	},
	"stream-stopping": func(t *testing.T) fault {
		plugin := limited(t, ofMessages(echo))
		stream := openStream(t, plugin)
		return stopped(t, plugin, func() error { _, err := stream.stream.Recv(); return err })
	},
	"read-stopping": func(t *testing.T) fault {
		plugin := limited(t, ofPlugin(&listed{batches: make([]SourceBatch, 2)}))
		stream := reads(t, plugin, &pb.ReadRequest{Credits: 1})
		readNext(t, stream)
		return stopped(t, plugin, func() error { _, err := stream.Recv(); return err })
	},
	"read-ended-stopping": func(t *testing.T) fault {
		plugin := limited(t, ofPlugin(&listed{}))
		stream := reads(t, plugin, &pb.ReadRequest{Credits: 1})
		if !readNext(t, stream).GetEnded() {
			t.Fatal("expected the end")
		}
		return stopped(t, plugin, func() error { _, err := stream.Recv(); return err })
	},
	"consume-stopping": func(t *testing.T) fault {
		plugin := limited(t, func(options ...Option) error {
			return ServeConsumer(echoMetadata, func(context.Context, Message) error { return nil }, options...)
		})
		stream, err := plugin.Consume(testContext(t))
		if err == nil {
			err = stream.Send(&pb.ConsumeRequest{Sequence: 1})
		}
		if _, received := stream.Recv(); err != nil || received != nil {
			t.Fatal(err, received)
		}
		return stopped(t, plugin, func() error { _, err := stream.Recv(); return err })
	},

	"config-no-json":   func(t *testing.T) fault { return refusedConfig(t, &faulty{}, "{broken") },
	"config-no-object": func(t *testing.T) fault { return refusedConfig(t, &faulty{}, "[1]") },
	"config-refused": func(t *testing.T) fault {
		return refusedConfig(t, &faulty{fault: ConfigInvalid{Message: "no"}}, "{}")
	},
	"config-unknown-error": func(t *testing.T) fault { return refusedConfig(t, &faulty{fault: errUnknown}, "{}") },
	"start-error":          func(t *testing.T) fault { return refusedStart(t, &faulty{fault: errBad}, "") },
	"start-unknown-error":  func(t *testing.T) fault { return refusedStart(t, &faulty{fault: errUnknown}, "") },
	"start-retry":          func(t *testing.T) fault { return refusedStart(t, &faulty{fault: Retry{}}, "") },
	"start-fatal":          func(t *testing.T) fault { return refusedStart(t, &faulty{fault: Fatal{}}, "") },
	"state-nobody-keeps":   func(t *testing.T) fault { return refusedStart(t, &faulty{}, "state") },
	"stopped-twice": func(t *testing.T) fault {
		plugin := &faulty{}
		return stops(t, plugin, &plugin.stops, &pb.StartRequest{}, 2)
	},
	"stopped-unstarted": func(t *testing.T) fault {
		plugin := &faulty{}
		return stops(t, plugin, &plugin.stops, nil, 1)
	},
	"start-failed-and-stopped": func(t *testing.T) fault {
		plugin := &faulty{fault: errBad}
		return stops(t, plugin, &plugin.stops, &pb.StartRequest{}, 1)
	},
	"export-fails": func(t *testing.T) fault {
		kept := &exportFails{}
		plugin := limited(t, ofPlugin(kept))
		if _, err := plugin.Start(testContext(t), &pb.StartRequest{}); err != nil {
			t.Fatal(err)
		}
		found := refusal(t, func(options ...grpc.CallOption) error {
			_, err := plugin.Stop(testContext(t), &pb.StopRequest{ExportState: true}, options...)
			return err
		})
		found.Stops = &kept.stops
		return found
	},
	"health-unknown-error": func(t *testing.T) fault {
		return told(t, func(context.Context) HealthStatus { panic("oops") })
	},
	"health-details-nan": func(t *testing.T) fault {
		return told(t, func(context.Context) HealthStatus {
			return HealthStatus{Status: Degraded, Details: map[string]any{"n": math.NaN()}}
		})
	},
}

func init() {
	numbers := map[string]float64{"nan": math.NaN(), "infinity": math.Inf(1), "minus-infinity": math.Inf(-1)}
	for name, number := range numbers {
		nested := map[string]any{"deep": []any{nil, map[string]any{"n": number}}}
		for held, value := range map[string]any{"": number, "nested-": nested} {
			situations[held+"payload-"+name] = func(t *testing.T) fault {
				return badRow(t, func(_ context.Context, message Message) (Message, error) {
					payload, err := json.Marshal(value)
					message.Payload = payload
					return message, err
				})
			}
			situations[held+"metadata-"+name] = func(t *testing.T) fault {
				return badRow(t, func(_ context.Context, message Message) (Message, error) {
					message.Metadata["n"] = value
					return message, nil
				})
			}
		}
	}
}

// serving is what serves a plugin until it is told to end.
type serving func(options ...Option) error

func ofPlugin(plugin Plugin) serving {
	return func(options ...Option) error { return Serve(plugin, options...) }
}

func ofMessages(function ProcessorFunc) serving {
	return func(options ...Option) error { return ServeProcessor(echoMetadata, function, options...) }
}

// ofBatches answers row for row, but a batch that holds the bad row as function does.
func ofBatches(stateful bool, function func(*Batch) (*Outputs, error)) serving {
	identity := echoMetadata
	identity.Stateful = stateful
	return func(options ...Option) error {
		return ServeBatchProcessor(identity, func(_ context.Context, batch *Batch) (*Outputs, error) {
			for row := range batch.Rows {
				if string(batch.Payloads.At(row)) == bad {
					return function(batch)
				}
			}
			return Each(batch), nil
		}, options...)
	}
}

// limited serves behind the limit of these tests.
func limited(t *testing.T, run serving) *served {
	t.Helper()
	return serveOn(t, run, map[string]string{"PLUGIN_MAX_MESSAGE_BYTES": "100000"})
}

func badRows() *pb.MessageBatch { return rowsOfJSON("1", bad, "3") }

func returning(err error) ProcessorFunc {
	return func(context.Context, Message) (Message, error) { return Message{}, err }
}

func tooLarge() json.RawMessage { return json.RawMessage(`"` + strings.Repeat("x", faultLimit) + `"`) }

func grow(_ context.Context, message Message) (Message, error) {
	message.Payload = tooLarge()
	return message, nil
}

func batchWith(t *testing.T, messages ...Message) *Batch {
	t.Helper()
	batch, err := BatchOf(messages...)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

// telling is what of an error is told beside its code and instruction.
type telling func(found *fault, err *pb.Error)

func withCharacters(found *fault, err *pb.Error) { found.Characters = len([]rune(err.GetMessage())) }

// toldFault returns an error as the table tells it.
func toldFault(err *pb.Error, more ...telling) fault {
	found := fault{Code: err.GetCode()}
	if err.GetInstruction() != pb.Error_INSTRUCTION_UNSPECIFIED {
		found.Instruction = strings.ToLower(strings.TrimPrefix(err.GetInstruction().String(), "INSTRUCTION_"))
	}
	for _, tell := range more {
		tell(&found, err)
	}
	return found
}

func invalidEnvironment(name, value string) func(t *testing.T) fault {
	return func(t *testing.T) fault {
		_, err := endpointFrom(func(asked string) string {
			if asked == name {
				return value
			}
			return ""
		})
		return fault{Code: codeOf(err)}
	}
}

// refusal returns how a call is refused.
func refusal(t *testing.T, call func(options ...grpc.CallOption) error, more ...telling) fault {
	t.Helper()
	var trailer metadata.MD
	err := call(grpc.Trailer(&trailer))
	return refusedWith(t, err, trailer, more...)
}

func refusedWith(t *testing.T, err error, trailer metadata.MD, more ...telling) fault {
	t.Helper()
	if err == nil || len(trailer[errorKey]) != 1 {
		t.Fatalf("expected a refusal with its details, got %v with %v", err, trailer)
	}
	detail := &pb.Error{}
	if err := proto.Unmarshal([]byte(trailer[errorKey][0]), detail); err != nil {
		t.Fatal(err)
	}
	found := toldFault(detail, more...)
	found.Status = statusName(err)
	return found
}

// statusName returns the protocol's name of a status: INVALID_ARGUMENT, not InvalidArgument.
func statusName(err error) string {
	var name strings.Builder
	for at, letter := range status.Code(err).String() {
		if at > 0 && letter >= 'A' && letter <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(letter)
	}
	return strings.ToUpper(name.String())
}

func refusedBatch(t *testing.T, run serving, batch *pb.MessageBatch) fault {
	t.Helper()
	plugin := limited(t, run)
	return refusal(t, func(options ...grpc.CallOption) error {
		_, err := plugin.ProcessBatch(testContext(t), &pb.ProcessBatchRequest{Batch: batch}, options...)
		return err
	})
}

func refusedSingle(t *testing.T, function ProcessorFunc, more ...telling) fault {
	t.Helper()
	plugin := limited(t, ofMessages(function))
	return refusal(t, func(options ...grpc.CallOption) error {
		_, err := plugin.Process(testContext(t), &pb.ProcessRequest{Payload: []byte("1")}, options...)
		return err
	}, more...)
}

func askedFor(t *testing.T, run serving, batch *pb.MessageBatch) *pb.ProcessBatchResponse {
	t.Helper()
	answer, err := limited(t, run).ProcessBatch(testContext(t), &pb.ProcessBatchRequest{Batch: batch})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// onlyRow returns what fails of three rows, where it is the one in the middle alone.
func onlyRow(t *testing.T, run serving, batch *pb.MessageBatch, more ...telling) fault {
	t.Helper()
	answer := askedFor(t, run, batch)
	if len(answer.GetErrors()) != 1 || !slices.Equal([]uint32{0, 2}, answer.GetOutputRows()) {
		t.Fatalf("expected two outputs and an error, got %v", answer)
	}
	found := toldFault(answer.GetErrors()[0].GetError(), more...)
	found.Row = int(answer.GetErrors()[0].GetRow())
	return found
}

// badRow returns what comes of what a function does with the bad one of three rows.
func badRow(t *testing.T, function ProcessorFunc, more ...telling) fault {
	t.Helper()
	return onlyRow(t, ofMessages(func(ctx context.Context, message Message) (Message, error) {
		if string(message.Payload) == bad {
			return function(ctx, message)
		}
		return message, nil
	}), badRows(), more...)
}

func invalidMetadata(text string) func(t *testing.T) fault {
	return func(t *testing.T) fault {
		batch := rowsOfJSON("1", "2", "3")
		batch.Metadata = [][]byte{[]byte(`{"n":1}`), []byte(text), nil}
		return onlyRow(t, ofMessages(echo), batch)
	}
}

func droppedRows(t *testing.T, run serving, batch *pb.MessageBatch) fault {
	t.Helper()
	found := fault{Dropped: map[string]int{}}
	for reason, rows := range askedFor(t, run, batch).GetDropped() {
		found.Dropped[reason] = int(rows)
	}
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
	stream := reads(t, limited(t, ofPlugin(&listed{batches: batches})), &pb.ReadRequest{Credits: uint32(len(batches))})
	for {
		if got := readNext(t, stream); got.GetError() != nil {
			return toldFault(got.GetError())
		} else if got.GetEnded() {
			t.Fatal("expected an error, got the end")
		}
	}
}

// stopped tells a plugin to end and returns how a stream ends with it.
func stopped(t *testing.T, plugin *served, receive func() error) fault {
	t.Helper()
	plugin.end()
	return fault{Status: statusName(receive())}
}

// faulty is a plugin that fails at whatever it is asked first, and counts how often it is stopped.
type faulty struct {
	Base
	fault error
	stops int
}

func (f *faulty) Metadata() PluginMetadata { return echoMetadata }

func (f *faulty) Configure(context.Context, json.RawMessage) error { return f.fault }

func (f *faulty) Start(context.Context, StageContext) error { return f.fault }

func (f *faulty) Stop(context.Context) error {
	f.stops++
	return nil
}

func (f *faulty) ProcessBatch(_ context.Context, batch *Batch) (*Outputs, error) {
	return Each(batch), nil
}

// exportFails keeps a state, and cannot give it.
type exportFails struct{ faulty }

func (e *exportFails) ExportState(context.Context) ([]byte, error) { return nil, errUnknown }

func (e *exportFails) ImportState(context.Context, []byte) error { return nil }

func refusedConfig(t *testing.T, held *faulty, config string) fault {
	t.Helper()
	plugin := limited(t, ofPlugin(held))
	return refusal(t, func(options ...grpc.CallOption) error {
		_, err := plugin.Configure(testContext(t), &pb.ConfigureRequest{Config: []byte(config)}, options...)
		return err
	})
}

func refusedStart(t *testing.T, held *faulty, state string) fault {
	t.Helper()
	plugin := limited(t, ofPlugin(held))
	return refusal(t, func(options ...grpc.CallOption) error {
		_, err := plugin.Start(testContext(t), &pb.StartRequest{ImportedState: []byte(state)}, options...)
		return err
	})
}

// stops returns how often a plugin is stopped that is started, if it is, and told to stop.
func stops(t *testing.T, held Plugin, count *int, start *pb.StartRequest, times int) fault {
	t.Helper()
	plugin := limited(t, ofPlugin(held))
	if start != nil {
		_, _ = plugin.Start(testContext(t), start)
	}
	for range times {
		if _, err := plugin.Stop(testContext(t), &pb.StopRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	plugin.end()
	<-plugin.ended
	return fault{Stops: count}
}

// told returns how a plugin says that it is.
func told(t *testing.T, health func(context.Context) HealthStatus) fault {
	t.Helper()
	plugin := serveFunction(t, echo, WithHealth(health))
	answer, err := plugin.Health(testContext(t), &pb.HealthRequest{})
	if err != nil {
		t.Fatal(err)
	}
	details := slices.AppendSeq([]string{}, maps.Keys(answer.GetDetails().GetFields()))
	return fault{Health: answer.GetStatus(), Details: &details}
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
