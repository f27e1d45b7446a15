//go:build !wasip1

package cdpplugin

import (
	"fmt"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/protobuf/proto"
)

// envelopeBytes is room for what surrounds an answer: the sequence, the credits, the lengths.
const envelopeBytes = 1024

// fits refuses an answer that the connection would not take: that would break the stream.
func (s *service) fits(answer proto.Message) error {
	size := proto.Size(answer)
	if size <= s.maxMessageBytes-envelopeBytes {
		return nil
	}
	return PluginError{
		Message: fmt.Sprintf("expected an answer of at most %d bytes, got one of %d", s.maxMessageBytes, size),
		Code:    CodeTooLarge,
		Hint:    "answer less for each message, or raise the host's limit on message size",
	}
}

// cutToFit hands what a source read to send, in as few messages as fit the limit. It fails where a
// single row, or an Arrow stream, exceeds it.
func (s *service) cutToFit(found SourceBatch, send func(*pb.ReadResponse) error) error {
	message := readingProto(found)
	size := proto.Size(message)
	if size <= s.maxMessageBytes-envelopeBytes {
		return send(message)
	}
	if found.Batch.Len() < 2 || found.Batch.Encoding == EncodingArrow {
		return Fatal{
			Message: fmt.Sprintf("expected rows of at most %d bytes, got one of %d", s.maxMessageBytes, size),
			Code:    CodeTooLarge,
			Hint:    "raise the host's limit on message size",
		}
	}
	first, second := halves(found)
	if err := s.cutToFit(first, send); err != nil {
		return err
	}
	return s.cutToFit(second, send)
}

// halves cuts in two; the first half is complete only through what the second does not hold.
func halves(found SourceBatch) (first, second SourceBatch) {
	rows := found.Batch.Len()
	middle := rows / 2
	mark := found.CompletedThrough
	if mark == nil {
		mark = Position(found.Positions[rows-1])
	}
	first = SourceBatch{
		Batch: found.Batch.Slice(0, middle), Positions: found.Positions[:middle],
		CompletedThrough: Position(found.Positions[middle] - 1),
	}
	return first, SourceBatch{
		Batch: found.Batch.Slice(middle, rows), Positions: found.Positions[middle:],
		CompletedThrough: mark, Token: found.Token,
	}
}
