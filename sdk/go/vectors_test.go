package cdpplugin

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"
)

const vectorFolder = "../../spec/vectors"

// vectorMessage is a message as spec/vectors/README.md describes it.
type vectorMessage struct {
	ID            string          `json:"id"`
	Type          string          `json:"type"`
	TraceID       string          `json:"trace_id"`
	Payload       string          `json:"payload"`
	PayloadBase64 []byte          `json:"payload_base64"`
	Metadata      json.RawMessage `json:"metadata"`
	Source        SourceInfo      `json:"source"`
	ContentType   string          `json:"content_type"`
}

type vectorError struct {
	Instruction string   `json:"instruction"`
	Code        string   `json:"code"`
	Message     string   `json:"message"`
	Hint        string   `json:"hint"`
	RetryAfterS *float64 `json:"retry_after_s"`
}

type vector struct {
	Name       string          `json:"name"`
	Rule       string          `json:"rule"`
	Wire       []byte          `json:"wire"`
	Refused    string          `json:"refused"`
	DecodeOnly bool            `json:"decode_only"`
	Encoding   string          `json:"encoding"`
	Messages   []vectorMessage `json:"messages"`
	Rows       int             `json:"rows"`
	Outputs    []vectorMessage `json:"outputs"`
	OutputRows []int           `json:"output_rows"`
	Errors     []struct {
		Row   int         `json:"row"`
		Error vectorError `json:"error"`
	} `json:"errors"`
	// Dropped is a map of reasons in an answer, a flag in a single answer.
	Dropped          json.RawMessage `json:"dropped"`
	Error            *vectorError    `json:"error"`
	Input            vectorMessage   `json:"input"`
	Output           vectorMessage   `json:"output"`
	Sequence         uint64          `json:"sequence"`
	Positions        []int64         `json:"positions"`
	CompletedThrough *int64          `json:"completed_through"`
	Flush            bool            `json:"flush"`
	TokenBase64      []byte          `json:"token_base64"`
	Ended            bool            `json:"ended"`
	Value            string          `json:"value"`
}

// replay runs check for every case of a vector file.
func replay(t *testing.T, file string, check func(t *testing.T, c vector)) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(vectorFolder, file))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the golden vectors are part of the repository, not of the module")
	}
	if err != nil {
		t.Fatal(err)
	}
	var document struct {
		Version int      `json:"version"`
		Cases   []vector `json:"cases"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		t.Fatal(err)
	}
	if document.Version != 1 || len(document.Cases) == 0 {
		t.Fatalf("expected cases of version 1, got %d of version %d", len(document.Cases), document.Version)
	}
	for _, c := range document.Cases {
		t.Run(c.Name, func(t *testing.T) {
			t.Log(c.Rule)
			check(t, c)
		})
	}
}

// received reads bytes as the server does, without copying payloads.
func received[T any, P interface {
	*T
	proto.Message
}](t *testing.T, wire []byte) P {
	t.Helper()
	message := P(new(T))
	if err := newCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, message); err != nil {
		t.Fatal(err)
	}
	return message
}

func wrapped(t *testing.T, wire []byte) *pb.MessageBatch {
	t.Helper()
	request := []byte{10}
	request = appendLength(request, len(wire))
	return received[pb.ProcessBatchRequest](t, append(request, wire...)).GetBatch()
}

func appendLength(text []byte, size int) []byte {
	for ; size >= 0x80; size >>= 7 {
		text = append(text, byte(size)|0x80)
	}
	return append(text, byte(size))
}

func codeOf(err error) string {
	if err == nil {
		return ""
	}
	return errorProto(err).GetCode()
}

func (v vectorMessage) message() Message {
	message := Message{
		ID: v.ID, Type: v.Type, TraceID: v.TraceID, Payload: json.RawMessage(v.Payload),
		Source: v.Source, ContentType: v.ContentType, Metadata: map[string]interface{}{},
	}
	if v.PayloadBase64 != nil {
		message.Payload = v.PayloadBase64
	}
	if v.Metadata != nil {
		_ = json.Unmarshal(v.Metadata, &message.Metadata)
	}
	return message
}

func sameMessages(t *testing.T, expected []vectorMessage, batch *Batch) {
	t.Helper()
	if len(expected) != batch.Len() {
		t.Fatalf("expected %d messages, got %d", len(expected), batch.Len())
	}
	for row, want := range expected {
		got, err := batch.Message(row)
		if err != nil {
			t.Fatal(err)
		}
		if want := want.message(); !reflect.DeepEqual(want, got) {
			t.Errorf("row %d: expected %+v, got %+v", row, want, got)
		}
	}
}

func (v *vectorError) error() error {
	var after time.Duration
	if v.RetryAfterS != nil {
		after = time.Duration(*v.RetryAfterS * float64(time.Second))
	}
	switch v.Instruction {
	case "retry":
		return Retry{Message: v.Message, Code: v.Code, Hint: v.Hint, After: after}
	case "drop":
		return Drop(v.Message)
	case "fatal":
		return Fatal{Message: v.Message, Code: v.Code, Hint: v.Hint}
	}
	return PluginError{Message: v.Message, Code: v.Code, Hint: v.Hint}
}

func parsed[T any, P interface {
	*T
	proto.Message
}](t *testing.T, wire []byte) P {
	t.Helper()
	message := P(new(T))
	if err := proto.Unmarshal(wire, message); err != nil {
		t.Fatal(err)
	}
	return message
}

// sameProto compares two messages through the bytes of the one that was made here.
func sameProto(t *testing.T, expected, got proto.Message) {
	t.Helper()
	encoded, err := proto.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	again := got.ProtoReflect().New().Interface()
	if err := proto.Unmarshal(encoded, again); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(expected, again) {
		t.Errorf("expected %v\ngot %v", expected, again)
	}
}

func TestVectorBatches(t *testing.T) {
	replay(t, "batches.json", func(t *testing.T, c vector) {
		batch, err := batchFrom(wrapped(t, c.Wire))
		if c.Refused != "" || err != nil {
			if c.Refused != codeOf(err) {
				t.Fatalf("expected %q, got %v", c.Refused, err)
			}
			return
		}
		if Encoding(c.Encoding) != batch.Encoding {
			t.Errorf("expected %q, got %q", c.Encoding, batch.Encoding)
		}
		sameMessages(t, c.Messages, batch)
		encoded, err := proto.Marshal(batchProto(batch))
		if err != nil {
			t.Fatal(err)
		}
		again, err := batchFrom(wrapped(t, encoded))
		if err != nil {
			t.Fatal(err)
		}
		sameMessages(t, c.Messages, again)
		collected, err := eachMessage(func(_ context.Context, message Message) (Message, error) {
			message.Metadata["kept"] = true
			delete(message.Metadata, "kept")
			if message.nothing() {
				t.Error("expected a message, got nothing")
			}
			return message, nil
		})(context.Background(), batch)
		if err != nil {
			t.Fatal(err)
		}
		sameMessages(t, c.Messages, collected.Batch)
	})
}

// outputsOf returns what a case's author would have answered with the public API.
func outputsOf(t *testing.T, c vector) *Outputs {
	t.Helper()
	collector := NewOutputCollector(&Batch{Rows: c.Rows})
	for at, output := range c.Outputs {
		if err := collector.Add(c.OutputRows[at], output.message()); err != nil {
			t.Fatal(err)
		}
	}
	for _, failed := range c.Errors {
		collector.Fail(failed.Row, failed.Error.error())
	}
	dropped := map[string]int{}
	if len(c.Dropped) > 0 {
		if err := json.Unmarshal(c.Dropped, &dropped); err != nil {
			t.Fatal(err)
		}
	}
	for reason, count := range dropped {
		for range count {
			collector.Drop(reason)
		}
	}
	outputs, err := collector.Outputs()
	if err != nil {
		t.Fatal(err)
	}
	return outputs
}

// outputsFrom returns a parsed answer as an author's, to be refused as one.
func outputsFrom(t *testing.T, answer *pb.ProcessBatchResponse) *Outputs {
	t.Helper()
	batch, err := batchFrom(answer.GetOutputs())
	if err != nil {
		t.Fatal(err)
	}
	outputs := &Outputs{Batch: batch, Errors: map[int]error{}}
	for _, row := range answer.GetOutputRows() {
		outputs.Rows = append(outputs.Rows, int(row))
	}
	for _, failed := range answer.GetErrors() {
		outputs.Errors[int(failed.GetRow())] = errors.New(failed.GetError().GetMessage())
	}
	return outputs
}

func TestVectorAnswers(t *testing.T) {
	replay(t, "answers.json", func(t *testing.T, c vector) {
		expected := parsed[pb.ProcessBatchResponse](t, c.Wire)
		if c.Refused != "" {
			err := outputsFrom(t, expected).check(c.Rows)
			if c.Refused != codeOf(err) {
				t.Fatalf("expected %q, got %v", c.Refused, err)
			}
			return
		}
		outputs := outputsOf(t, c)
		if err := outputs.check(c.Rows); err != nil {
			t.Fatal(err)
		}
		got := answerProto(outputs, c.Rows)
		batch, err := batchFrom(got.GetOutputs())
		if err != nil {
			t.Fatal(err)
		}
		sameMessages(t, c.Outputs, batch)
		rows := rowsOf(expected, batch.Len())
		if got := rowsOf(got, batch.Len()); !slices.Equal(rows, got) {
			t.Errorf("expected output rows %v, got %v", rows, got)
		}
		got.Outputs, got.OutputRows, expected.Outputs, expected.OutputRows = nil, nil, nil, nil
		sameProto(t, expected, got)
	})
}

func rowsOf(answer *pb.ProcessBatchResponse, outputs int) []uint32 {
	if len(answer.GetOutputRows()) > 0 {
		return answer.GetOutputRows()
	}
	rows := make([]uint32, outputs)
	for row := range rows {
		rows[row] = uint32(row)
	}
	return rows
}

func TestVectorErrors(t *testing.T) {
	replay(t, "errors.json", func(t *testing.T, c vector) {
		expected := parsed[pb.Error](t, c.Wire)
		if c.DecodeOnly {
			expected.Code = c.Error.Code
		}
		sameProto(t, expected, errorProto(c.Error.error()))
	})
}

func TestVectorRequests(t *testing.T) {
	replay(t, "requests.json", func(t *testing.T, c vector) {
		batch, err := batchOfOne(received[pb.ProcessRequest](t, c.Wire))
		if err != nil {
			t.Fatal(err)
		}
		sameMessages(t, []vectorMessage{c.Input}, batch)
	})
}

func TestVectorResponses(t *testing.T) {
	replay(t, "responses.json", func(t *testing.T, c vector) {
		expected := parsed[pb.ProcessResponse](t, c.Wire)
		var dropped bool
		if err := json.Unmarshal(c.Dropped, &dropped); err != nil {
			t.Fatal(err)
		}
		outputs := &Outputs{}
		if !dropped {
			batch, err := BatchOf(c.Output.message())
			if err != nil {
				t.Fatal(err)
			}
			outputs = Each(batch)
		}
		got, err := singleAnswer(outputs)
		if err != nil {
			t.Fatal(err)
		}
		if dropped {
			expected = &pb.ProcessResponse{Dropped: true}
		} else {
			expected.ContentType = or(expected.GetContentType(), ContentTypeJSON)
			expected.Payload = []byte(or(string(expected.GetPayload()), "null"))
			expected.Source = sourceProto(sourceFrom(expected.GetSource()))
		}
		sameProto(t, expected, got)
	})
}

func TestVectorDeliveries(t *testing.T) {
	replay(t, "deliveries.json", func(t *testing.T, c vector) {
		request := received[pb.ConsumeRequest](t, c.Wire)
		delivery, err := deliveryFrom(request)
		if err != nil {
			t.Fatal(err)
		}
		sameMessages(t, c.Messages, delivery.Batch)
		if c.Sequence != request.GetSequence() || c.Flush != request.GetFlush() {
			t.Errorf("expected %d %v, got %d %v", c.Sequence, c.Flush, request.GetSequence(), request.GetFlush())
		}
		if !slices.Equal(c.Positions, delivery.Positions) || *c.CompletedThrough != delivery.CompletedThrough {
			t.Errorf("expected %v through %d, got %v through %d", c.Positions, *c.CompletedThrough, delivery.Positions, delivery.CompletedThrough)
		}
		sameProto(t, parsed[pb.ConsumeRequest](t, c.Wire), request)
	})
}

func TestVectorReadings(t *testing.T) {
	replay(t, "readings.json", func(t *testing.T, c vector) {
		expected := parsed[pb.ReadResponse](t, c.Wire)
		if c.Error != nil {
			sameProto(t, expected, &pb.ReadResponse{Error: errorProto(c.Error.error())})
			return
		}
		if c.Ended {
			sameProto(t, expected, endedProto())
			return
		}
		messages := make([]Message, len(c.Messages))
		for at, message := range c.Messages {
			messages[at] = message.message()
		}
		batch, err := BatchOf(messages...)
		if err != nil {
			t.Fatal(err)
		}
		found := SourceBatch{
			Batch: batch, Positions: c.Positions, CompletedThrough: c.CompletedThrough, Token: c.TokenBase64,
		}
		if err := new(reading).check(found); err != nil {
			t.Fatal(err)
		}
		got := readingProto(found)
		held, err := batchFrom(got.GetBatch())
		if err != nil {
			t.Fatal(err)
		}
		sameMessages(t, c.Messages, held)
		got.Batch, expected.Batch = nil, nil
		sameProto(t, expected, got)
	})
}

func TestVectorNumbers(t *testing.T) {
	replay(t, "numbers.json", func(t *testing.T, c vector) {
		metadata, err := decodeMetadata([]byte(c.Value))
		if err != nil {
			t.Fatal(err)
		}
		text, err := encodeMetadata(metadata)
		if err != nil {
			t.Fatal(err)
		}
		held, err := structOf(text)
		if c.Refused != "" || err != nil {
			if c.Refused != codeOf(err) {
				t.Fatalf("expected %q, got %v", c.Refused, err)
			}
			return
		}
		if got := held.AsMap(); !reflect.DeepEqual(metadata, got) {
			t.Errorf("expected %v, got %v", metadata, got)
		}
	})
}

func TestEveryVectorFileIsReplayed(t *testing.T) {
	replayed := []string{
		"answers.json", "batches.json", "deliveries.json", "errors.json", "faults.json", "numbers.json",
		"readings.json", "requests.json", "responses.json",
	}
	files, err := filepath.Glob(filepath.Join(vectorFolder, "*.json"))
	if err != nil || len(files) == 0 {
		t.Skip("the golden vectors are part of the repository, not of the module")
	}
	for at, file := range files {
		files[at] = filepath.Base(file)
	}
	if !slices.Equal(replayed, files) {
		t.Errorf("expected %v, got %v", replayed, files)
	}
}
