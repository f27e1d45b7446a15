package cdpplugin

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/protobuf/proto"
)

func guestOf(t testing.TB, plugin Plugin, options ...Option) *guest {
	t.Helper()
	made, err := newGuest(plugin, options)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func functionGuest(t testing.TB, function ProcessorFunc) *guest {
	t.Helper()
	return guestOf(t, &functionProcessor{identity: identity{metadata: echoMetadata}, process: eachMessage(function)})
}

// expectAnswer compares the answer of a call; JSON is compared by what it means.
func expectAnswer(t *testing.T, status answerStatus, text string, gotStatus answerStatus, got []byte) {
	t.Helper()
	if status != gotStatus || text != string(got) && !equalJSON(text, got) {
		t.Errorf("expected %d %s, got %d %s", status, text, gotStatus, got)
	}
}

func equalJSON(expected string, got []byte) bool {
	var one, other any
	return json.Unmarshal([]byte(expected), &one) == nil && json.Unmarshal(got, &other) == nil && reflect.DeepEqual(one, other)
}

// The calls of a life reach the plugin in order, with what they carry, and Stop only once.
func TestGuestLife(t *testing.T) {
	kept := &keeper{}
	guest := guestOf(t, kept)
	status, text := guest.describe()
	expectAnswer(t, statusOK, `{"name":"keeper","version":"1.0.0","type":"processor","stateful":true,"sdk":"go/`+Version+`","abi":1}`, status, text)
	status, text = guest.configure([]byte(`{"siz":1}`))
	expectAnswer(t, statusInvalid, `{"code":"plugin.config_invalid","message":"unknown key `+"`siz`"+`","hint":"known keys: `+"`size`"+`"}`, status, text)
	for _, config := range []string{`{"size":1}`, ``} {
		status, text = guest.configure([]byte(config))
		expectAnswer(t, statusOK, "", status, text)
	}
	status, text = guest.start([]byte(`{"pipeline":"p","stage":"s","network":"n","schemas":{"T":{"maximum":9223372036854775807}}}`))
	expectAnswer(t, statusOK, "", status, text)
	status, text = guest.importState([]byte("old"))
	expectAnswer(t, statusOK, "", status, text)
	status, text = guest.health()
	expectAnswer(t, statusOK, `{"status":"degraded","message":"slow","details":{"lag":3}}`, status, text)
	status, text = guest.exportState()
	expectAnswer(t, statusOK, "kept", status, text)
	for range 2 {
		status, text = guest.stop()
		expectAnswer(t, statusOK, "", status, text)
	}
	expected := []string{
		`configure {"siz":1}`, `configure {"size":1}`, "configure {}", `start p s n {"maximum":9223372036854775807}`, "import old", "stop",
	}
	if !reflect.DeepEqual(expected, kept.calls) {
		t.Errorf("expected %v, got %v", expected, kept.calls)
	}
}

// What goes wrong in a life is said, as the instruction it is; a plugin that cannot say how it is is unhealthy.
func TestGuestLifeFailing(t *testing.T) {
	guest := guestOf(t, &keeper{fail: true})
	status, text := guest.start([]byte(`{}`))
	expectAnswer(t, statusRetry, `{"code":"plugin.retry","message":"not yet"}`, status, text)
	status, text = guest.start([]byte(`[`))
	expectAnswer(t, statusError, `{"code":"plugin.failed","message":"the context of the start is no JSON object: unexpected end of JSON input"}`, status, text)
	status, text = guest.health()
	expectAnswer(t, statusOK, `{"status":"unhealthy","message":"panic: ill"}`, status, text)
	for expected, err := range map[answerStatus]error{
		statusInvalid: errors.New("no"), statusFatal: Fatal{Message: "no"}, statusRetry: Retry{Message: "no"},
	} {
		refusing := guestOf(t, &keeper{}, WithConfigure(func(context.Context, json.RawMessage) error { return err }))
		if status, _ := refusing.configure([]byte("{}")); expected != status {
			t.Errorf("%v: expected %d, got %d", err, expected, status)
		}
	}
}

// Metadata are told with everything in them.
func TestGuestMetadata(t *testing.T) {
	metadata := PluginMetadata{
		Name: "n", Version: "1.0.0", Description: "<d>", Author: "a", License: "l", InputTypes: []string{"I"},
		OutputTypes: []string{"O"}, ConfigSchema: json.RawMessage(`{"type":"object"}`),
		OutputSchema:  map[string]json.RawMessage{"O": json.RawMessage(`{"maximum":9223372036854775807}`)},
		InputEncoding: EncodingSEP51, Resources: ResourceRequirements{MinMemoryMB: 1, MaxMemoryMB: 2, CPUShares: 3, GPURequired: true},
	}
	_, text := guestOf(t, &functionProcessor{identity: identity{metadata: metadata}}).describe()
	expected := `{"name":"n","version":"1.0.0","type":"processor","description":"<d>","author":"a","license":"l",` +
		`"input_types":["I"],"output_types":["O"],"config_schema":{"type":"object"},"output_schema":{"O":{"maximum":9223372036854775807}},` +
		`"input_encoding":"sep51","resources":{"min_memory_mb":1,"max_memory_mb":2,"cpu_shares":3,"gpu_required":true},"sdk":"go/` + Version + `","abi":1}`
	if expected != string(text) {
		t.Errorf("expected %s, got %s", expected, text)
	}
}

// A plugin without a state hands over none; one that says it has one and does not is refused.
func TestGuestWithoutState(t *testing.T) {
	guest := functionGuest(t, echo)
	status, text := guest.exportState()
	expectAnswer(t, statusOK, "", status, text)
	status, text = guest.importState(nil)
	expectAnswer(t, statusOK, "", status, text)
	refused := `{"code":"plugin.state_unsupported","message":"` + "`echo`" + ` hands over no state"}`
	status, text = guest.importState([]byte("x"))
	expectAnswer(t, statusFatal, refused, status, text)
	guest.metadata.Stateful = true
	status, text = guest.exportState()
	expectAnswer(t, statusFatal, refused, status, text)
}

// Sources, and consumers that need positions, are refused with what to do.
func TestGuestKinds(t *testing.T) {
	for name, plugin := range map[string]Plugin{
		"source":   &functionSource{identity: identity{metadata: echoMetadata}},
		"consumer": &positioned{identity: identity{metadata: echoMetadata}},
	} {
		_, err := newGuest(plugin, nil)
		if codeOf(err) != CodeKindUnsupported || !strings.Contains(err.Error(), name) || reportOf(err).hint == "" {
			t.Errorf("%s: expected %s, got %v", name, CodeKindUnsupported, err)
		}
	}
	if _, err := newGuest(&functionProcessor{}, nil); err == nil {
		t.Error("expected a refusal of metadata without a name")
	}
}

// positioned is a consumer with positions of its own.
type positioned struct{ identity }

func (positioned) Consume(context.Context, Delivery) (*int64, error) { return nil, nil }

// orders are what an author's function can end with, as the payload of a message, with the answer.
var orders = map[string]struct {
	status answerStatus
	text   string
}{
	"retry":      {statusRetry, `{"code":"plugin.retry","message":"asking: busy","retry_after_s":1.5}`},
	"drop":       {statusDropped, "small"},
	"fatal":      {statusFatal, `{"code":"lake.gap","message":"corrupt","hint":"repair it"}`},
	"plain":      {statusError, `{"code":"plugin.failed","message":"something ` + "\uFFFD" + ` else"}`},
	"panic":      {statusError, `{"code":"plugin.failed","message":"panic: boom"}`},
	"nothing":    {statusOK, ""},
	"text":       {statusError, `{"code":"message.batch_invalid","message":"expected text in UTF-8, got \"\\xff\""}`},
	"large":      {statusOK, `{"id":"a","type":"","trace_id":"","content_type":"application/json","payload":null,"metadata":{"n":9007199254740993},"source":{"name":"","network":"","uri":""}}`},
	"unwritable": {statusError, `{"code":"message.payload_invalid","message":"the metadata cannot be written as JSON: json: unsupported type: chan int","hint":"use plain numbers, strings, slices and maps with string keys"}`},
}

// A single message is answered by the status that its function's error stands for.
func TestGuestProcess(t *testing.T) {
	guest := functionGuest(t, obedient)
	for order, expected := range orders {
		status, text := guest.process([]byte(`{"id":"1","type":"T","payload":"` + order + `","metadata":{},"source":{"name":"s","network":"","uri":""},"trace_id":"","content_type":"application/json"}`))
		t.Log(order)
		expectAnswer(t, expected.status, expected.text, status, text)
	}
	status, text := guest.process([]byte(`{"id":"1"`))
	expectAnswer(t, statusError, `{"code":"message.batch_invalid","message":"the message cannot be read: unexpected end of JSON input"}`, status, text)
}

// In a batch the same errors cost their own row only, as over gRPC.
func TestGuestProcessBatch(t *testing.T) {
	guest := functionGuest(t, obedient)
	payloads, expected := []string{`"pass"`}, &pb.ProcessBatchResponse{OutputRows: []uint32{0}}
	for order, told := range orders {
		row := uint32(len(payloads))
		payloads = append(payloads, `"`+order+`"`)
		switch told.status {
		case statusDropped:
			expected.Dropped = map[string]uint64{told.text: 1}
		case statusOK:
			if told.text != "" {
				expected.OutputRows = append(expected.OutputRows, row)
			}
		default:
			_, err := functionGuestRow(t, order)
			expected.Errors = append(expected.Errors, &pb.RowError{Row: row, Error: errorProto(err)})
		}
	}
	got := guestAnswer(t, guest, rowsOfJSON(payloads...))
	if rows := got.GetOutputs().GetRows(); rows != 2 {
		t.Errorf("expected 2 outputs, got %d", rows)
	}
	got.Outputs = nil
	sameProto(t, expected, got)
}

// functionGuestRow returns what a function gives for an order.
func functionGuestRow(t *testing.T, order string) (output Message, err error) {
	t.Helper()
	outputs, err := eachMessage(obedient)(context.Background(), &Batch{Rows: 1, Payloads: [][]byte{[]byte(`"` + order + `"`)}})
	if err != nil {
		t.Fatal(err)
	}
	return Message{}, outputs.Errors[0]
}

// guestAnswer has a guest process a batch.
func guestAnswer(t testing.TB, guest *guest, batch *pb.MessageBatch) *pb.ProcessBatchResponse {
	t.Helper()
	wire, err := proto.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	status, text := guest.processBatch(wire)
	if status != statusOK {
		t.Fatalf("expected %d, got %d %s", statusOK, status, text)
	}
	answer := &pb.ProcessBatchResponse{}
	if err := proto.Unmarshal(text, answer); err != nil {
		t.Fatal(err)
	}
	return answer
}

// An error of a batch function is about the whole batch; a drop leaves the whole of it out.
func TestGuestWholeBatch(t *testing.T) {
	var give error
	guest := guestOf(t, &functionProcessor{
		identity: identity{metadata: echoMetadata},
		process:  func(context.Context, *Batch) (*Outputs, error) { return nil, give },
	})
	wire, _ := proto.Marshal(rowsOfJSON("1", "2"))
	status, text := guest.processBatch(wire)
	expectAnswer(t, statusOK, "", status, text)
	give = Retry{Message: "later"}
	status, text = guest.processBatch(wire)
	expectAnswer(t, statusRetry, `{"code":"plugin.retry","message":"later"}`, status, text)
	give = Drop("all")
	sameProto(t, &pb.ProcessBatchResponse{Dropped: map[string]uint64{"all": 2}}, guestAnswer(t, guest, rowsOfJSON("1", "2")))
	status, text = guest.processBatch([]byte{0xff})
	expectAnswer(t, statusError, `{"code":"message.batch_invalid","message":"the batch cannot be read: the bytes are no protobuf message"}`, status, text)
}

// Of several outputs of one message an array is answered, in order.
func TestGuestProcessMany(t *testing.T) {
	guest := guestOf(t, &functionProcessor{
		identity: identity{metadata: echoMetadata},
		process: eachFlat(func(_ context.Context, message Message) ([]Message, error) {
			return []Message{{Type: "A", Payload: message.Payload}, {Type: "B", Payload: json.RawMessage("1e400"), ContentType: "text/plain"}}, nil
		}),
	})
	status, text := guest.process([]byte(`{"id":"1","type":"T","payload":{"n":9007199254740993},"metadata":{"k":1}}`))
	rest := `,"metadata":{},"source":{"name":"","network":"","uri":""}}`
	expected := `[{"id":"","type":"A","trace_id":"","content_type":"application/json","payload":{"n":9007199254740993}` + rest +
		`,{"id":"","type":"B","trace_id":"","content_type":"text/plain","payload":1e400` + rest + `]`
	expectAnswer(t, statusOK, expected, status, text)
	broken := functionGuest(t, func(context.Context, Message) (Message, error) {
		return Message{ID: "a", Payload: json.RawMessage("{")}, nil
	})
	status, text = broken.process([]byte(`{"payload":1}`))
	expectAnswer(t, statusError, `{"code":"plugin.output_invalid","message":"expected the payload of an output to be JSON, got something else"}`, status, text)
}

// A consumer of one function has made durable what it answers; its first error is that of the batch.
func TestGuestConsumer(t *testing.T) {
	var taken []string
	guest := guestOf(t, &functionConsumer{
		identity: identity{metadata: echoMetadata},
		consume: func(_ context.Context, message Message) error {
			if _, err := obedient(context.Background(), message); err != nil {
				return err
			}
			taken = append(taken, message.ID)
			return nil
		},
	})
	_, text := guest.describe()
	if !strings.Contains(string(text), `"type":"consumer"`) {
		t.Errorf("expected a consumer, got %s", text)
	}
	got := guestAnswer(t, guest, rowsOfJSON(`"a"`, `"drop"`, `"b"`))
	sameProto(t, &pb.ProcessBatchResponse{Dropped: map[string]uint64{"small": 1}}, got)
	wire, _ := proto.Marshal(rowsOfJSON(`"a"`, `"panic"`, `"b"`))
	status, answer := guest.processBatch(wire)
	expectAnswer(t, statusError, `{"code":"plugin.failed","message":"panic: boom"}`, status, answer)
	status, answer = guest.process([]byte(`{"id":"x","payload":"a"}`))
	expectAnswer(t, statusOK, "", status, answer)
	if expected := []string{"0", "2", "0", "x"}; !reflect.DeepEqual(expected, taken) {
		t.Errorf("expected %v, got %v", expected, taken)
	}
}
