package cdpplugin

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"unsafe"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// A guest reads batches as the golden vectors say, and what it writes is read the same.
func TestGuestVectorBatches(t *testing.T) {
	replay(t, "batches.json", func(t *testing.T, c vector) {
		batch, err := readBatch(c.Wire)
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
		again, err := readBatch(appendBatch(nil, batch))
		if err != nil {
			t.Fatal(err)
		}
		sameMessages(t, c.Messages, again)
	})
}

// A guest writes answers as the golden vectors say.
func TestGuestVectorAnswers(t *testing.T) {
	replay(t, "answers.json", func(t *testing.T, c vector) {
		expected := parsed[pb.ProcessBatchResponse](t, c.Wire)
		if c.Refused != "" {
			_, _, err := appendAnswer(nil, outputsFrom(t, expected), c.Rows)
			if c.Refused != codeOf(err) {
				t.Fatalf("expected %q, got %v", c.Refused, err)
			}
			return
		}
		_, wire, err := appendAnswer(nil, outputsOf(t, c), c.Rows)
		if err != nil {
			t.Fatal(err)
		}
		sameProto(t, parsed[pb.ProcessBatchResponse](t, wire), answerProto(outputsOf(t, c), c.Rows))
	})
}

// A guest writes errors as the golden vectors say, within a batch and alone.
func TestGuestVectorErrors(t *testing.T) {
	replay(t, "errors.json", func(t *testing.T, c vector) {
		told := reportOf(c.Error.error())
		expected := parsed[pb.Error](t, c.Wire)
		if c.DecodeOnly {
			expected.Code = c.Error.Code
		}
		sameProto(t, expected, parsed[pb.Error](t, told.append(nil)))
		var alone struct {
			Code        string   `json:"code"`
			Message     string   `json:"message"`
			Hint        string   `json:"hint"`
			RetryAfterS *float64 `json:"retry_after_s"`
		}
		if err := json.Unmarshal(told.json(), &alone); err != nil {
			t.Fatal(err)
		}
		if told.code != alone.Code || told.message != alone.Message || told.hint != alone.Hint {
			t.Errorf("expected %+v, got %+v", told, alone)
		}
		if after := c.Error.RetryAfterS; after != nil && *after > 0 && (alone.RetryAfterS == nil || *after != *alone.RetryAfterS) {
			t.Errorf("expected a wait of %v s, got %v", *after, alone.RetryAfterS)
		}
	})
}

// A guest reads and writes single messages as the golden vectors say, with every digit.
func TestGuestVectorMessages(t *testing.T) {
	written := func(t *testing.T, message vectorMessage) []byte {
		t.Helper()
		batch, err := BatchOf(message.message())
		if err != nil {
			t.Fatal(err)
		}
		status, text := singleJSON(Each(batch))
		if status != statusOK {
			t.Fatalf("got %d %s", status, text)
		}
		return text
	}
	check := func(t *testing.T, message vectorMessage) {
		t.Helper()
		batch, err := readMessage(written(t, message), "")
		if err != nil {
			t.Fatal(err)
		}
		sameMessages(t, []vectorMessage{message}, batch)
	}
	replay(t, "requests.json", func(t *testing.T, c vector) { check(t, c.Input) })
	replay(t, "responses.json", func(t *testing.T, c vector) {
		if string(c.Dropped) != "true" {
			check(t, c.Output)
		}
	})
}

// Payloads are slices of the bytes that came, texts are not: an author may keep them.
func TestGuestMemory(t *testing.T) {
	wire, err := proto.Marshal(&pb.MessageBatch{
		Rows: 3, Ids: []string{"first", "second", strings.Repeat("long", 100)}, Payloads: [][]byte{[]byte("1"), []byte("2"), []byte("3")},
	})
	if err != nil {
		t.Fatal(err)
	}
	batch, err := readBatch(wire)
	if err != nil {
		t.Fatal(err)
	}
	if at := bytes.IndexByte(wire, '2'); unsafe.SliceData(batch.Payloads[1]) != &wire[at] {
		t.Error("expected the payload to share the memory of what came")
	}
	_ = append(batch.Payloads[0], "overwritten"...)
	if string(batch.Payloads[1]) != "2" {
		t.Errorf("expected 2, got %s", batch.Payloads[1])
	}
	clear(wire)
	if got := batch.IDs; got[0] != "first" || got[1] != "second" || got[2] != strings.Repeat("long", 100) {
		t.Errorf("expected ids of their own, got %q", got)
	}
}

// The room before an answer's outputs is enough for any size, and what follows them is whole.
func TestAnswerSizes(t *testing.T) {
	var buffer []byte
	for _, size := range []int{0, 100, 127, 128, 16_000, 16_500, 2 << 20, 3 << 20} {
		batch := &Batch{Rows: 2, Payloads: [][]byte{bytes.Repeat([]byte("x"), size), []byte("7")}}
		outputs := &Outputs{Batch: batch, Rows: []int{0, 2}, Errors: map[int]error{1: Fatal{Message: strings.Repeat("m", size/9)}}}
		var wire []byte
		var err error
		if buffer, wire, err = appendAnswer(buffer, outputs, 3); err != nil {
			t.Fatal(err)
		}
		expected := answerProto(outputs, 3)
		sameProto(t, parsed[pb.ProcessBatchResponse](t, wire), expected)
	}
}

// Whatever bytes come, they are read as protobuf reads them, or refused as it refuses them; only
// groups, which no message of the contract has, are refused too.
func FuzzReadBatch(f *testing.F) {
	for _, message := range []*pb.MessageBatch{
		rowsOfJSON("1", "2", "3"),
		{Rows: math.MaxUint32, Payloads: [][]byte{{}, {}}, Encoding: "json"},
		{Metadata: [][]byte{[]byte("{}")}, Sources: []*pb.SourceInfo{{Name: "n", Network: "w", Uri: "u"}}, TraceIds: []string{"t"}, ContentTypes: []string{"c"}, Arrow: []byte("x")},
	} {
		wire, err := proto.Marshal(message)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		got, failed := readBatch(bytes.Clone(wire))
		message := &pb.MessageBatch{}
		if err := proto.Unmarshal(wire, message); err != nil {
			if failed == nil {
				t.Fatalf("expected %v, got %v", err, got)
			}
			return
		}
		expected, err := batchFrom(message)
		if (err == nil) != (failed == nil) {
			if holdsGroup(wire) {
				return
			}
			t.Fatalf("expected %v, got %v", err, failed)
		}
		if err == nil && !proto.Equal(batchProto(expected), batchProto(got)) {
			t.Fatalf("expected %v, got %v", expected, got)
		}
	})
}

// holdsGroup tells whether a message that protobuf can read has a group, or a source with one.
func holdsGroup(wire []byte) bool {
	for len(wire) > 0 {
		number, kind, size := protowire.ConsumeTag(wire)
		if kind == protowire.StartGroupType {
			return true
		}
		value := protowire.ConsumeFieldValue(number, kind, wire[size:])
		if kind == protowire.BytesType && number == 6 {
			if source, _ := protowire.ConsumeBytes(wire[size:]); holdsGroup(source) {
				return true
			}
		}
		wire = wire[size+value:]
	}
	return false
}
