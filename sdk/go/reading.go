//go:build !wasip1

package cdpplugin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Read sends the stream of a source, a batch a credit.
func (s *service) Read(stream grpc.BidiStreamingServer[pb.ReadRequest, pb.ReadResponse]) error {
	source, reads := s.plugin.(Source)
	if !reads {
		return s.unimplemented("Read")
	}
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	reading := &reading{service: s, source: source, stream: stream, granted: make(chan struct{}, 1)}
	reading.take(ctx, first)
	go reading.receive(ctx)
	go func() {
		select {
		case <-s.draining:
			cancel(errDraining)
		case <-ctx.Done():
		}
	}()
	err = guard(func() error {
		return source.Read(ctx, resumeFrom(first), func(batch SourceBatch) error {
			reading.refused = reading.yield(ctx, batch)
			return reading.refused
		})
	})
	return reading.end(ctx, err)
}

func resumeFrom(first *pb.ReadRequest) *Resume {
	if first.AfterPosition == nil {
		return nil
	}
	return &Resume{Position: first.GetAfterPosition(), Token: first.GetAfterToken()}
}

// reading is one stream of a source in progress.
type reading struct {
	service *service
	source  Source
	stream  grpc.BidiStreamingServer[pb.ReadRequest, pb.ReadResponse]
	// granted wakes yield when there are new credits.
	granted chan struct{}

	counting sync.Mutex
	credits  uint64

	last    int64
	yielded bool
	// refused is why the last batch was not sent; a source that goes on regardless has not ended.
	refused error
}

// receive takes credits and acknowledgements until the host has no more to say.
func (r *reading) receive(ctx context.Context) {
	for {
		request, err := r.stream.Recv()
		if err != nil {
			if !errors.Is(err, io.EOF) && status.Code(err) != codes.Canceled && ctx.Err() == nil {
				slog.Warn("the stream to the host broke", "error", err.Error())
			}
			return
		}
		r.take(ctx, request)
	}
}

func (r *reading) take(ctx context.Context, request *pb.ReadRequest) {
	if request.GetCredits() > 0 {
		r.counting.Lock()
		r.credits += uint64(request.GetCredits())
		r.counting.Unlock()
		select {
		case r.granted <- struct{}{}:
		default:
		}
	}
	if request.AcknowledgedThrough != nil {
		err := guard(func() error { return r.source.Acknowledge(ctx, request.GetAcknowledgedThrough()) })
		if err != nil {
			slog.Error("the source did not take an acknowledgement", "position", request.GetAcknowledgedThrough(), "error", err.Error())
		}
	}
}

// credit takes one credit, and waits for it as long as ctx lasts.
func (r *reading) credit(ctx context.Context) error {
	for {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		r.counting.Lock()
		left := r.credits
		if left > 0 {
			r.credits--
		}
		r.counting.Unlock()
		if left > 0 {
			return nil
		}
		select {
		case <-r.granted:
		case <-ctx.Done():
		}
	}
}

func (r *reading) yield(ctx context.Context, batch SourceBatch) error {
	response, err := r.response(batch)
	if err != nil {
		return err
	}
	if err := r.credit(ctx); err != nil {
		return err
	}
	return r.stream.Send(response)
}

func (r *reading) response(batch SourceBatch) (*pb.ReadResponse, error) {
	if len(batch.Positions) != batch.Batch.Len() {
		return nil, outputInvalid("expected the position of each of %d rows, got %d", batch.Batch.Len(), len(batch.Positions))
	}
	if batch.Batch != nil {
		if err := batch.Batch.check(); err != nil {
			return nil, err
		}
	}
	for _, position := range batch.Positions {
		if r.yielded && position < r.last {
			return nil, outputInvalid("expected positions that never decrease, got %d after %d", position, r.last)
		}
		r.last, r.yielded = position, true
	}
	response := readingProto(batch)
	return response, r.service.fits(response)
}

func readingProto(batch SourceBatch) *pb.ReadResponse {
	return &pb.ReadResponse{
		Batch: batchProto(batch.Batch), Positions: batch.Positions,
		CompletedThrough: batch.CompletedThrough, Token: batch.Token,
	}
}

// end says how the reading ended. Only a source that came to its end ends the stream without an
// error: the host takes that for the end of the data.
func (r *reading) end(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		if errors.Is(cause, context.Canceled) || errors.Is(cause, context.DeadlineExceeded) {
			return status.FromContextError(cause).Err()
		}
		return cause
	}
	if err == nil {
		err = r.refused
	}
	if err == nil {
		return nil
	}
	return r.stream.Send(&pb.ReadResponse{Error: errorProto(err)})
}
