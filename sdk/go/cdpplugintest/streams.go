//go:build !wasip1

package cdpplugintest

import (
	"context"
	"errors"
	"io"
	"time"

	cdpplugin "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go"
	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
)

// grace is how long a source may take to end a reading of which no more is wanted.
const grace = 5 * time.Second

// Reading is what was read of a source.
type Reading struct {
	// Messages are the messages, in order.
	Messages []cdpplugin.Message
	// Positions are the position of each, which the source gave it.
	Positions []int64
	// Token is the last one that the source gave, for ReadAfter.
	Token []byte
	// Ended tells whether the source has come to its end.
	Ended bool
}

// Read reads from the start of a source until there are limit messages or it ends.
func (p *Plugin) Read(ctx context.Context, limit int) (*Reading, error) {
	return p.ReadAfter(ctx, nil, limit)
}

// ReadAfter reads on after a position, as a host does that was started again. A source may give rows at
// or before it again: a host leaves those out, and so does this.
func (p *Plugin) ReadAfter(ctx context.Context, after *cdpplugin.Resume, limit int) (*Reading, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := p.client.Read(ctx)
	if err != nil {
		return nil, err
	}
	request := &pb.ReadRequest{}
	if after != nil {
		request.AfterPosition, request.AfterToken = &after.Position, after.Token
	}
	defer conclude(stream, cancel)
	reading := &Reading{}
	for {
		request.Credits = 1
		if err := stream.Send(request); err != nil && !errors.Is(err, io.EOF) {
			return reading, err
		}
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			reading.Ended = true // a plugin that ends the call has ended its stream
			return reading, nil
		}
		if err != nil {
			return reading, failure(err, stream.Trailer())
		}
		if err := reading.take(response, after, limit); err != nil || reading.Ended || len(reading.Messages) >= limit {
			return reading, err
		}
		request = &pb.ReadRequest{}
	}
}

// conclude ends a reading and waits for the source, which may be read again only then.
func conclude(stream grpc.BidiStreamingClient[pb.ReadRequest, pb.ReadResponse], cancel context.CancelFunc) {
	_ = stream.CloseSend()
	impatience := time.AfterFunc(grace, cancel)
	defer impatience.Stop()
	for {
		if _, err := stream.Recv(); err != nil {
			return
		}
	}
}

func (r *Reading) take(response *pb.ReadResponse, after *cdpplugin.Resume, limit int) error {
	if response.GetError() != nil {
		return errorFrom(response.GetError())
	}
	messages, err := messagesFrom(response.GetBatch())
	if err != nil {
		return err
	}
	for row, message := range messages {
		position := response.GetPositions()[row]
		if after != nil && position <= after.Position {
			continue
		}
		if len(r.Messages) == limit {
			return nil
		}
		r.Messages = append(r.Messages, message)
		r.Positions = append(r.Positions, position)
	}
	if len(response.GetToken()) > 0 {
		r.Token = response.GetToken()
	}
	r.Ended = response.GetEnded()
	return nil
}

// Consume hands a consumer messages as one delivery, at positions that count all messages from 1, and
// has it make everything durable. It returns the position through which everything is durable; nil: the
// consumer did not say. After an error the same messages may be handed over again, at the same positions.
func (p *Plugin) Consume(ctx context.Context, messages ...cdpplugin.Message) (*int64, error) {
	p.consuming.Lock()
	defer p.consuming.Unlock()
	batch, err := p.batchProto(messages)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := p.client.Consume(ctx)
	if err != nil {
		return nil, err
	}
	p.sequence++
	request := &pb.ConsumeRequest{Sequence: p.sequence, Batch: batch, Flush: true, CompletedThrough: p.position + int64(len(messages))}
	for row := range messages {
		request.Positions = append(request.Positions, p.position+int64(row)+1)
	}
	if err := stream.Send(request); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	response, err := stream.Recv()
	if err != nil {
		return nil, failure(err, stream.Trailer())
	}
	if response.GetError() != nil {
		return nil, errorFrom(response.GetError())
	}
	p.position = request.GetCompletedThrough()
	return response.DurableThrough, nil
}
