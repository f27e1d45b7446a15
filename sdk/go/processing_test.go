package cdpplugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"
)

// rowsOfJSON returns a batch of the given payloads, each row with its number as id.
func rowsOfJSON(payloads ...string) *pb.MessageBatch {
	batch := &pb.MessageBatch{Rows: uint32(len(payloads)), Types: []string{"T"}}
	for row, payload := range payloads {
		batch.Ids = append(batch.Ids, fmt.Sprint(row))
		batch.Payloads = append(batch.Payloads, []byte(payload))
	}
	return batch
}

// obedient does what the payload, a JSON text, tells it.
func obedient(_ context.Context, message Message) (Message, error) {
	var order string
	if err := json.Unmarshal(message.Payload, &order); err != nil {
		return Message{}, err
	}
	switch order {
	case "retry":
		return Message{}, fmt.Errorf("asking: %w", Retry{Message: "busy", After: 1500 * time.Millisecond})
	case "drop":
		return Message{}, Drop("small")
	case "fatal":
		return Message{}, &Fatal{Message: "corrupt", Code: "lake.gap", Hint: "repair it"}
	case "plain":
		return Message{}, errors.New("something \xff else")
	case "panic":
		panic("boom")
	case "nothing":
		return Message{}, nil
	case "large":
		return Message{ID: "a", Metadata: map[string]interface{}{"n": int64(1<<53 + 1)}}, nil
	case "unwritable":
		return Message{ID: "a", Metadata: map[string]interface{}{"n": make(chan int)}}, nil
	case "text":
		return Message{ID: "\xff"}, nil
	}
	return message, nil
}

// The instructions of a single call travel as status codes, their details beside them.
func TestProcess(t *testing.T) {
	plugin := serveFunction(t, obedient)
	retry := proto.Clone(errorProto(Retry{Message: "busy", After: 1500 * time.Millisecond})).(*pb.Error)
	retry.Message = "asking: busy"
	cases := []struct {
		order  string
		code   codes.Code
		detail *pb.Error
	}{
		{"retry", codes.Unavailable, retry},
		{"fatal", codes.FailedPrecondition, &pb.Error{Instruction: pb.Error_INSTRUCTION_FATAL, Code: "lake.gap", Message: "corrupt", Hint: "repair it"}},
		{"plain", codes.InvalidArgument, &pb.Error{Code: CodeFailed, Message: "something \uFFFD else"}},
		{"panic", codes.InvalidArgument, &pb.Error{Code: CodeFailed, Message: "panic: boom"}},
		{"large", codes.InvalidArgument, &pb.Error{Code: CodeNumberTooLarge}},
		{"unwritable", codes.InvalidArgument, &pb.Error{Code: CodePayloadInvalid}},
		{"text", codes.InvalidArgument, &pb.Error{Code: CodeBatchInvalid}},
	}
	for _, c := range cases {
		var trailer metadata.MD
		_, err := plugin.Process(testContext(t), &pb.ProcessRequest{Payload: []byte(`"` + c.order + `"`)}, grpc.Trailer(&trailer))
		if c.code != status.Code(err) {
			t.Errorf("%s: expected %v, got %v", c.order, c.code, err)
			continue
		}
		got := parsed[pb.Error](t, []byte(trailer.Get("cdp-error-bin")[0]))
		if c.detail.Message == "" {
			c.detail.Message, c.detail.Hint = got.Message, got.Hint
		}
		sameProto(t, c.detail, got)
	}
	for _, order := range []string{"drop", "nothing"} {
		got, err := plugin.Process(testContext(t), &pb.ProcessRequest{Payload: []byte(`"` + order + `"`)})
		if err != nil || !got.GetDropped() {
			t.Errorf("%s: expected a drop, got %v %v", order, got, err)
		}
	}
}

// A single message comes through whole.
func TestProcessWhole(t *testing.T) {
	plugin := serveFunction(t, echo)
	fields, _ := structpb.NewStruct(map[string]any{"score": 0.5, "count": 3, "tags": []any{"x", nil}})
	request := &pb.ProcessRequest{
		Id: "a", Type: "T", Payload: []byte(`{"n":9007199254740993}`), Metadata: fields,
		Source: &pb.SourceInfo{Name: "s", Network: "n", Uri: "u"}, TraceId: "t", ContentType: ContentTypeJSON,
	}
	got, err := plugin.Process(testContext(t), request)
	if err != nil {
		t.Fatal(err)
	}
	sameProto(t, &pb.ProcessResponse{
		Id: "a", Type: "T", Payload: request.Payload, Metadata: fields, Source: request.Source, TraceId: "t", ContentType: ContentTypeJSON,
	}, got)
}

// One bad row never fails its batch; drops are counted; outputs name their rows.
func TestProcessBatch(t *testing.T) {
	plugin := serveFunction(t, obedient)
	orders := []string{`"a"`, `"retry"`, `"drop"`, `"fatal"`, `"plain"`, `"panic"`, `"nothing"`, `"drop"`, `"b"`, `"large"`}
	got, err := plugin.ProcessBatch(testContext(t), &pb.ProcessBatchRequest{Batch: rowsOfJSON(orders...)})
	if err != nil {
		t.Fatal(err)
	}
	if expected := []uint32{0, 8, 9}; !slices.Equal(expected, got.GetOutputRows()) {
		t.Errorf("expected %v, got %v", expected, got.GetOutputRows())
	}
	if string(got.GetOutputs().GetMetadata()[2]) != `{"n":9007199254740993}` {
		t.Errorf("expected the number whole, got %s", got.GetOutputs().GetMetadata()[2])
	}
	var failed []string
	for _, row := range got.GetErrors() {
		failed = append(failed, fmt.Sprint(row.GetRow(), " ", row.GetError().GetCode(), " ", int(row.GetError().GetInstruction())))
	}
	if expected := []string{"1 plugin.retry 1", "3 lake.gap 3", "4 plugin.failed 0", "5 plugin.failed 0"}; !slices.Equal(expected, failed) {
		t.Errorf("expected %v, got %v", expected, failed)
	}
	if got.GetDropped()["small"] != 2 {
		t.Errorf("expected two drops, got %v", got.GetDropped())
	}
}

// A function may give several outputs, all of which derive from their row; or none.
func TestFlatProcessor(t *testing.T) {
	plugin := serveOn(t, func(options ...Option) error {
		return ServeFlatProcessor(echoMetadata, func(_ context.Context, message Message) ([]Message, error) {
			var count int
			if err := json.Unmarshal(message.Payload, &count); err != nil {
				return nil, err
			}
			outputs := slices.Repeat([]Message{{Type: "U"}}, count)
			if count == 3 {
				outputs[2].ID = "\xff"
			}
			return outputs, nil
		}, options...)
	}, nil)
	got, err := plugin.ProcessBatch(testContext(t), &pb.ProcessBatchRequest{Batch: rowsOfJSON("2", "0", "3", "1")})
	if err != nil {
		t.Fatal(err)
	}
	if expected := []uint32{0, 0, 3}; !slices.Equal(expected, got.GetOutputRows()) || len(got.GetErrors()) != 1 {
		t.Errorf("expected %v and an error, got %v", expected, got)
	}
	if string(got.GetOutputs().GetPayloads()[0]) != "null" {
		t.Errorf("expected null, got %v", got.GetOutputs())
	}
	_, err = plugin.Process(testContext(t), &pb.ProcessRequest{Payload: []byte("2")})
	if status.Code(err) != codes.InvalidArgument {
		t.Errorf("expected a refusal of two outputs in a single call, got %v", err)
	}
}

// A batch function answers a batch; an error, and an answer that does not fit, fail the rows that
// are to blame, a drop leaves all of it out, a retry is for all of it.
func TestBatchProcessor(t *testing.T) {
	plugin := serveOn(t, func(options ...Option) error {
		return ServeBatchProcessor(echoMetadata, func(_ context.Context, batch *Batch) (*Outputs, error) {
			switch string(batch.Payloads.At(0)) {
			case "1":
				return Each(batch), nil
			case "2":
				return &Outputs{Batch: batch, Rows: []int{1, 0}}, nil
			case "3":
				return nil, Drop("all")
			case "4":
				return nil, nil
			case "5":
				panic("boom")
			}
			return nil, Retry{Message: "busy"}
		}, options...)
	}, nil)
	call := func(payload string) (*pb.ProcessBatchResponse, error) {
		return plugin.ProcessBatch(testContext(t), &pb.ProcessBatchRequest{Batch: rowsOfJSON(payload, payload)})
	}
	if got, err := call("1"); err != nil || got.GetOutputs().GetRows() != 2 || len(got.GetOutputRows()) != 0 {
		t.Errorf("expected row for row, got %v %v", got, err)
	}
	for payload, code := range map[string]string{"2": CodeOutputInvalid, "5": CodeFailed} {
		got, err := call(payload)
		if err != nil || len(got.GetErrors()) != 2 || got.GetErrors()[1].GetError().GetCode() != code {
			t.Errorf("expected both rows to fail with %s, got %v %v", code, got, err)
		}
	}
	if got, err := call("3"); err != nil || got.GetDropped()["all"] != 2 {
		t.Errorf("expected two drops, got %v %v", got, err)
	}
	if got, err := call("4"); err != nil || got.GetOutputs().GetRows() != 0 {
		t.Errorf("expected nothing, got %v %v", got, err)
	}
	if _, err := call("6"); status.Code(err) != codes.Unavailable {
		t.Errorf("expected Unavailable, got %v", err)
	}
}

// A batch whose columns do not fit is refused, and so is an answer that is larger than the host takes.
func TestLimits(t *testing.T) {
	environment := map[string]string{"PLUGIN_MAX_MESSAGE_BYTES": "100000"}
	plugin := serveOn(t, func(options ...Option) error {
		return ServeProcessor(echoMetadata, func(_ context.Context, message Message) (Message, error) {
			message.Payload = []byte(`"` + strings.Repeat("x", 60000) + `"`)
			return message, nil
		}, options...)
	}, environment)
	_, err := plugin.ProcessBatch(testContext(t), &pb.ProcessBatchRequest{Batch: &pb.MessageBatch{Rows: 3, Ids: []string{"a", "b"}}})
	if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "ids") {
		t.Errorf("expected a refusal of the column, got %v", err)
	}
	stream := openStream(t, plugin)
	stream.send(1, rowsOfJSON("1", "2"))
	if got := stream.receive(); got.GetError().GetCode() != CodeTooLarge {
		t.Errorf("expected %s, got %v", CodeTooLarge, got)
	}
	stream.send(2, rowsOfJSON("1"))
	if got := stream.receive(); got.GetAnswer().GetOutputs().GetRows() != 1 {
		t.Errorf("expected the stream to go on, got %v", got)
	}
	_, err = plugin.ProcessBatch(testContext(t), &pb.ProcessBatchRequest{Batch: rowsOfJSON(`"` + strings.Repeat("x", 100000) + `"`)})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("expected ResourceExhausted, got %v", err)
	}
}

// A message of 100 MB passes both ways without a limit being set.
func TestLargeMessage(t *testing.T) {
	if testing.Short() {
		t.Skip("allocates several hundred megabytes")
	}
	plugin := serveFunction(t, echo)
	payload := `"` + strings.Repeat("x", 100_000_000) + `"`
	got, err := plugin.ProcessBatch(testContext(t), &pb.ProcessBatchRequest{Batch: rowsOfJSON(payload)})
	if err != nil || string(got.GetOutputs().GetPayloads()[0]) != payload {
		t.Errorf("expected it back, got %v", err)
	}
}

// A cancelled call ends its work between two messages.
func TestDeadline(t *testing.T) {
	var seen atomic.Int64
	plugin := serveFunction(t, func(ctx context.Context, message Message) (Message, error) {
		seen.Add(1)
		<-ctx.Done()
		return message, nil
	}, WithWorkers(1))
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := plugin.ProcessBatch(ctx, &pb.ProcessBatchRequest{Batch: rowsOfJSON("1", "2", "3")}); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("expected DeadlineExceeded, got %v", err)
	}
	plugin.end()
	<-plugin.ended
	if seen.Load() != 1 {
		t.Errorf("expected 1 message, got %d", seen.Load())
	}
}

// The trace context of a call reaches the function.
func TestTraceParent(t *testing.T) {
	seen := make(chan string, 1)
	plugin := serveFunction(t, func(ctx context.Context, message Message) (Message, error) {
		seen <- TraceParent(ctx)
		return message, nil
	})
	ctx := metadata.AppendToOutgoingContext(testContext(t), "traceparent", "00-a-b-01")
	if _, err := plugin.Process(ctx, &pb.ProcessRequest{Payload: []byte("1")}); err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got != "00-a-b-01" {
		t.Errorf("got %q", got)
	}
}

// testStream is a stream of batches that fails its test where it breaks.
type testStream struct {
	t       testing.TB
	stream  grpc.BidiStreamingClient[pb.StreamRequest, pb.StreamResponse]
	credits uint32
}

func openStream(t testing.TB, plugin *served) *testStream {
	t.Helper()
	stream, err := plugin.Stream(testContext(t))
	if err != nil {
		t.Fatal(err)
	}
	opened := &testStream{t: t, stream: stream}
	first := opened.receive()
	if first.GetSequence() != 0 || first.GetCredits() == 0 {
		t.Fatalf("expected credits first, got %v", first)
	}
	opened.credits = first.GetCredits()
	return opened
}

func (s *testStream) send(sequence uint64, batch *pb.MessageBatch) {
	s.t.Helper()
	if err := s.stream.Send(&pb.StreamRequest{Sequence: sequence, Batch: batch}); err != nil {
		s.t.Fatal(err)
	}
}

func (s *testStream) receive() *pb.StreamResponse {
	s.t.Helper()
	response, err := s.stream.Recv()
	if err != nil {
		s.t.Fatal(err)
	}
	return response
}

// Every batch of a stream is answered under its sequence and gives its credit back.
func TestStream(t *testing.T) {
	plugin := serveFunction(t, obedient, WithWorkers(3))
	stream := openStream(t, plugin)
	if stream.credits != 6 {
		t.Errorf("expected two credits a worker, got %d", stream.credits)
	}
	answered := map[uint64]bool{}
	for sequence := uint64(1); sequence <= 100; sequence++ {
		if sequence > uint64(stream.credits) {
			response := stream.receive()
			answered[response.GetSequence()] = response.GetCredits() == 1 && response.GetAnswer().GetOutputs().GetRows() == 2
		}
		stream.send(sequence, rowsOfJSON(`"a"`, `"panic"`, `"b"`))
	}
	if err := stream.stream.CloseSend(); err != nil {
		t.Fatal(err)
	}
	for {
		response, err := stream.stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		answered[response.GetSequence()] = response.GetCredits() == 1
	}
	for sequence := uint64(1); sequence <= 100; sequence++ {
		if !answered[sequence] {
			t.Errorf("batch %d was not answered", sequence)
		}
	}
}

// No more batches than workers are in work at once, over all calls; a stateful plugin has one worker.
func TestWorkers(t *testing.T) {
	for _, c := range []struct {
		metadata PluginMetadata
		expected int64
	}{{echoMetadata, 2}, {PluginMetadata{Name: "s", Version: "1.0.0", Stateful: true}, 1}} {
		var running, most atomic.Int64
		var order []string
		plugin := serveOn(t, func(options ...Option) error {
			return ServeProcessor(c.metadata, func(_ context.Context, message Message) (Message, error) {
				now := running.Add(1)
				for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}
				if c.expected == 1 {
					order = append(order, string(message.Payload))
				}
				running.Add(-1)
				return message, nil
			}, append(options, WithWorkers(2))...)
		}, nil)
		stream := openStream(t, plugin)
		other := openStream(t, plugin)
		for sequence := uint64(1); sequence <= 50; sequence++ {
			stream.send(sequence, rowsOfJSON(fmt.Sprint(sequence)))
			if c.expected > 1 {
				other.send(sequence, rowsOfJSON("0"))
				other.receive()
			}
			stream.receive()
		}
		if most.Load() > c.expected {
			t.Errorf("expected at most %d at once, got %d", c.expected, most.Load())
		}
		for at, payload := range order {
			if fmt.Sprint(at+1) != payload {
				t.Fatalf("expected order, got %v", order)
			}
		}
	}
}

// A plugin that is told to end answers the batches that have come, then ends the stream.
func TestStreamDrains(t *testing.T) {
	entered, leave := make(chan struct{}, 10), make(chan struct{})
	plugin := serveFunction(t, func(_ context.Context, message Message) (Message, error) {
		entered <- struct{}{}
		<-leave
		return message, nil
	}, WithWorkers(1))
	stream := openStream(t, plugin)
	stream.send(1, rowsOfJSON("1"))
	<-entered
	plugin.end()
	close(leave)
	if got := stream.receive(); got.GetSequence() != 1 {
		t.Errorf("expected an answer, got %v", got)
	}
	if _, err := stream.stream.Recv(); status.Code(err) != codes.Unavailable {
		t.Errorf("expected Unavailable, got %v", err)
	}
	if err := <-plugin.ended; err != nil {
		t.Errorf("expected a clean end, got %v", err)
	}
}

// XDR payloads that were left alone stay XDR; beside JSON payloads they are refused.
func TestEncodings(t *testing.T) {
	answer := func(change ...bool) (*Outputs, error) {
		batch := &Batch{Rows: len(change), Payloads: Column[[]byte]{{0, 1}, {0, 2}}, Encoding: EncodingXDR}
		row := 0
		return eachMessage(func(_ context.Context, message Message) (Message, error) {
			if change[row] {
				message.Payload = []byte("1")
			}
			row++
			message.Type = "T"
			return message, nil
		})(context.Background(), batch)
	}
	if got, err := answer(false, false); err != nil || got.Batch.Encoding != EncodingXDR {
		t.Errorf("expected xdr, got %v %v", got, err)
	}
	if got, err := answer(true, true); err != nil || got.Batch.Encoding != EncodingJSON {
		t.Errorf("expected json, got %v %v", got, err)
	}
	if _, err := answer(true, false); codeOf(err) != CodeEncodingUnsupported {
		t.Errorf("expected %s, got %v", CodeEncodingUnsupported, err)
	}
	if _, err := (&Batch{Rows: 1, Encoding: EncodingArrow}).Message(0); codeOf(err) != CodeEncodingUnsupported {
		t.Errorf("expected %s, got %v", CodeEncodingUnsupported, err)
	}
}
