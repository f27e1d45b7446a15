package cdpplugin

import (
	"bytes"
	"math"
	"testing"
	"unsafe"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

func unmarshal(wire []byte, message proto.Message) error {
	return newCodec().Unmarshal(mem.BufferSlice{mem.SliceBuffer(wire)}, message)
}

// Payloads are slices of the bytes that came; appending to one leaves its neighbour alone.
func TestPayloadsAreNotCopied(t *testing.T) {
	wire, err := proto.Marshal(&pb.ProcessBatchRequest{Batch: rowsOfJSON("7", "2")})
	if err != nil {
		t.Fatal(err)
	}
	materialized := mem.BufferSlice{mem.SliceBuffer(wire)}.Materialize()
	request := &pb.ProcessBatchRequest{}
	batch, err := unmarshalAround(materialized, request, 1)
	if err != nil {
		t.Fatal(err)
	}
	first := batch.GetPayloads()[0]
	at := bytes.IndexByte(materialized, '7')
	if unsafe.SliceData(first) != &materialized[at] {
		t.Error("expected the payload to share the memory of what came")
	}
	_ = append(first, "overwritten"...)
	if string(batch.GetPayloads()[1]) != "2" {
		t.Errorf("expected 2, got %s", batch.GetPayloads()[1])
	}
}

// A batch in several pieces, which protobuf allows, is merged; what is unknown is left out.
func TestMergedBatch(t *testing.T) {
	var wire []byte
	for sequence, batch := range []*pb.MessageBatch{
		{Rows: 3, Ids: []string{"a"}, Sources: []*pb.SourceInfo{{Name: "s"}}},
		{Rows: 3, Ids: []string{"b"}, Encoding: "xdr"}, {Ids: []string{"b"}, Arrow: []byte("x")},
	} {
		piece, err := proto.Marshal(&pb.StreamRequest{Sequence: uint64(sequence), Batch: batch})
		if err != nil {
			t.Fatal(err)
		}
		wire = append(wire, piece...)
	}
	wire = protowire.AppendTag(wire, 99, protowire.Fixed64Type)
	wire = protowire.AppendFixed64(wire, math.MaxUint64)
	got, expected := &pb.StreamRequest{}, &pb.StreamRequest{}
	if err := unmarshal(wire, got); err != nil {
		t.Fatal(err)
	}
	if err := (proto.UnmarshalOptions{DiscardUnknown: true}).Unmarshal(wire, expected); err != nil {
		t.Fatal(err)
	}
	got.ProtoReflect().SetUnknown(nil)
	if !proto.Equal(expected, got) {
		t.Errorf("expected %v, got %v", expected, got)
	}
}

// Whatever bytes come, they are read as protobuf reads them, or refused as it refuses them.
func FuzzCodec(f *testing.F) {
	for _, message := range []proto.Message{
		&pb.StreamRequest{Sequence: 1, Batch: rowsOfJSON("1", "2", "3")},
		&pb.StreamRequest{Batch: &pb.MessageBatch{Rows: 1 << 31, Payloads: [][]byte{{}, {}}, Encoding: "json"}},
		&pb.StreamRequest{Batch: &pb.MessageBatch{Metadata: [][]byte{[]byte("{}")}, Sources: []*pb.SourceInfo{{Name: "n"}}, TraceIds: []string{"t"}, ContentTypes: []string{"c"}, Arrow: []byte("x")}},
	} {
		wire, err := proto.Marshal(message)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		got, expected := &pb.StreamRequest{}, &pb.StreamRequest{}
		failed := unmarshal(bytes.Clone(wire), got)
		if err := proto.Unmarshal(wire, expected); err != nil {
			if failed == nil {
				t.Fatalf("expected %v, got %v", err, got)
			}
			return
		}
		if failed != nil {
			t.Fatalf("expected %v, got %v", expected, failed)
		}
		forget(expected)
		forget(got)
		if !proto.Equal(expected, got) {
			t.Fatalf("expected %v, got %v", expected, got)
		}
	})
}

// forget drops what is unknown, which the codec does not keep.
func forget(request *pb.StreamRequest) {
	request.ProtoReflect().SetUnknown(nil)
	if request.Batch != nil {
		request.Batch.ProtoReflect().SetUnknown(nil)
		for _, source := range request.Batch.Sources {
			source.ProtoReflect().SetUnknown(nil)
		}
	}
}
