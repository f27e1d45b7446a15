//go:build !wasip1

package cdpplugin

import (
	"unicode/utf8"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc/encoding"
	_ "google.golang.org/grpc/encoding/proto" // registers the codec that this one rests on
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// codec reads requests that carry a batch without copying its payloads: they are slices of the
// bytes that came. All other messages are left to protobuf.
type codec struct {
	encoding.CodecV2
}

func newCodec() codec {
	return codec{encoding.GetCodecV2("proto")}
}

// batchField is the number of the field `batch` in every request that has one but
// ProcessBatchRequest.
const batchField = 2

// Unmarshal reads data into v.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	switch request := v.(type) {
	case *pb.StreamRequest:
		batch, err := unmarshalAround(data.Materialize(), request, batchField)
		request.Batch = batch
		return err
	case *pb.ProcessBatchRequest:
		batch, err := unmarshalAround(data.Materialize(), request, 1)
		request.Batch = batch
		return err
	case *pb.ConsumeRequest:
		batch, err := unmarshalAround(data.Materialize(), request, batchField)
		request.Batch = batch
		return err
	}
	return c.CodecV2.Unmarshal(data, v)
}

// unmarshalAround reads everything but the batch into request and returns the batch, or nil.
func unmarshalAround(data []byte, request proto.Message, number protowire.Number) (*pb.MessageBatch, error) {
	var batch *pb.MessageBatch
	var rest []byte
	err := eachField(data, func(field protowire.Number, value, whole []byte) error {
		if field != number || value == nil {
			rest = append(rest, whole...)
			return nil
		}
		if batch == nil {
			batch = &pb.MessageBatch{}
		}
		return unmarshalBatch(value, batch)
	})
	if err != nil {
		return nil, err
	}
	return batch, proto.Unmarshal(rest, request)
}

// eachField calls visit with every field: its number, its bytes where it is length-delimited
// (else nil), and the whole of it.
func eachField(data []byte, visit func(field protowire.Number, value, whole []byte) error) error {
	for len(data) > 0 {
		number, kind, tagSize := protowire.ConsumeTag(data)
		if tagSize < 0 {
			return protowire.ParseError(tagSize)
		}
		var value []byte
		var size int
		if kind == protowire.BytesType {
			value, size = protowire.ConsumeBytes(data[tagSize:])
		} else {
			size = protowire.ConsumeFieldValue(number, kind, data[tagSize:])
		}
		if size < 0 {
			return protowire.ParseError(size)
		}
		size += tagSize
		if kind == protowire.BytesType {
			// The capacity ends with the value: whoever appends to it writes elsewhere.
			value = value[:len(value):len(value)]
			if value == nil {
				value = []byte{}
			}
		}
		if err := visit(number, value, data[:size]); err != nil {
			return err
		}
		data = data[size:]
	}
	return nil
}

// unmarshalBatch reads the columns of data into batch, as readBatch does without a library; payloads, metadata and arrow share its memory.
func unmarshalBatch(data []byte, batch *pb.MessageBatch) error {
	var rest []byte
	size := len(data)
	err := eachField(data, func(field protowire.Number, value, whole []byte) error {
		if value == nil {
			if field == 1 {
				_, _, tag := protowire.ConsumeTag(whole)
				if rows, length := protowire.ConsumeVarint(whole[tag:]); length == len(whole)-tag {
					batch.Rows = uint32(rows)
				}
			}
			return nil
		}
		room := min(int(batch.Rows), size/2)
		var err error
		switch field {
		case 2:
			batch.Ids, err = appendText(batch.Ids, value, room)
		case 3:
			batch.Types, err = appendText(batch.Types, value, room)
		case 4:
			batch.Payloads = appendEntry(batch.Payloads, value, room)
		case 5:
			batch.Metadata = appendEntry(batch.Metadata, value, room)
		case 7:
			batch.TraceIds, err = appendText(batch.TraceIds, value, room)
		case 8:
			batch.ContentTypes, err = appendText(batch.ContentTypes, value, room)
		case 10:
			batch.Arrow = value
		default: // sources and encoding, few and small
			rest = append(rest, whole...)
		}
		return err
	})
	if err != nil || rest == nil {
		return err
	}
	return proto.UnmarshalOptions{Merge: true}.Unmarshal(rest, batch)
}

func appendText(column []string, value []byte, room int) ([]string, error) {
	if last := len(column); last > 0 && column[last-1] == string(value) {
		return appendEntry(column, column[last-1], room), nil
	}
	if !utf8.Valid(value) {
		return nil, errText
	}
	return appendEntry(column, string(value), room), nil
}
