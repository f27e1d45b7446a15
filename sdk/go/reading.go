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

// Read sends the stream of a source, a batch a credit, and hands on what the host acknowledges, also
// after the source's end.
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
	reading := &reading{
		service: s, source: source, stream: stream, cancel: cancel,
		granted: make(chan struct{}, 1),
	}
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
	// cancel ends the reading early, with the cause.
	cancel context.CancelCauseFunc
	// granted wakes yield when there are new credits.
	granted chan struct{}

	state   sync.Mutex
	credits uint64
	// ended tells that the source has come to its end, failed why it could not acknowledge before.
	ended  bool
	failed error

	last    int64
	yielded bool
	// refused is why the last batch was not sent; a source that goes on regardless has not ended.
	refused error
}

// errEnough is why a reading ends early: the host has ended its side.
var errEnough = errors.New("the host wants no more batches")

// receive takes credits and acknowledgements until the host has no more to say.
func (r *reading) receive(ctx context.Context) {
	for {
		request, err := r.stream.Recv()
		if errors.Is(err, io.EOF) {
			r.cancel(errEnough)
			return
		}
		if err != nil {
			if status.Code(err) != codes.Canceled && ctx.Err() == nil {
				slog.Warn("the stream to the host broke", "error", err.Error())
			}
			return
		}
		r.take(ctx, request)
	}
}

func (r *reading) take(ctx context.Context, request *pb.ReadRequest) {
	if request.GetCredits() > 0 {
		r.state.Lock()
		r.credits += uint64(request.GetCredits())
		r.state.Unlock()
		select {
		case r.granted <- struct{}{}:
		default:
		}
	}
	if request.AcknowledgedThrough != nil {
		r.acknowledge(ctx, request.GetAcknowledgedThrough())
	}
}

// acknowledge tells the source what is durable. One that cannot take it fails the reading; after its
// end there is no reading left to fail.
func (r *reading) acknowledge(ctx context.Context, through int64) {
	err := guard(func() error { return r.source.Acknowledge(ctx, through) })
	if err == nil {
		return
	}
	r.state.Lock()
	defer r.state.Unlock()
	if r.ended {
		slog.Error("an acknowledgement failed: "+err.Error(), "position", through)
		return
	}
	r.failed = err
	r.cancel(err)
}

// conclude marks the end of the source, unless it could not acknowledge before.
func (r *reading) conclude() error {
	r.state.Lock()
	defer r.state.Unlock()
	r.ended = r.failed == nil
	return r.failed
}

// credit takes one credit, and waits for it as long as ctx lasts.
func (r *reading) credit(ctx context.Context) error {
	for {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		r.state.Lock()
		left := r.credits
		if left > 0 {
			r.credits--
		}
		r.state.Unlock()
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
	if err := r.check(batch); err != nil {
		return err
	}
	return r.service.cutToFit(batch, func(response *pb.ReadResponse) error {
		if err := r.credit(ctx); err != nil {
			return err
		}
		return r.stream.Send(response)
	})
}

// check refuses what the host could not place: rows without a position, positions that decrease.
func (r *reading) check(batch SourceBatch) error {
	if len(batch.Positions) != batch.Batch.Len() {
		return outputInvalid("expected the position of each of %d rows, got %d", batch.Batch.Len(), len(batch.Positions))
	}
	if batch.Batch != nil {
		if err := batch.Batch.check(); err != nil {
			return err
		}
	}
	for _, position := range batch.Positions {
		if r.yielded && position < r.last {
			return outputInvalid("expected positions that never decrease, got %d after %d", position, r.last)
		}
		r.last, r.yielded = position, true
	}
	return nil
}

func readingProto(batch SourceBatch) *pb.ReadResponse {
	return &pb.ReadResponse{
		Batch: batchProto(batch.Batch), Positions: batch.Positions,
		CompletedThrough: batch.CompletedThrough, Token: batch.Token,
	}
}

func endedProto() *pb.ReadResponse { return &pb.ReadResponse{Ended: true} }

// end says how the reading ended. Only after a source that came to its end does it say so and go on
// listening: the host takes that for the end of the data.
func (r *reading) end(ctx context.Context, err error) error {
	if err == nil {
		err = r.refused
	}
	if err == nil && context.Cause(ctx) == nil {
		err = r.conclude()
	}
	if err != nil || context.Cause(ctx) != nil {
		return r.broken(ctx, err)
	}
	if err := r.stream.Send(endedProto()); err != nil {
		return err
	}
	<-ctx.Done()
	return r.broken(ctx, nil)
}

// broken says why the reading ended: the source failed with err, or it was ended from outside.
func (r *reading) broken(ctx context.Context, err error) error {
	cause := context.Cause(ctx)
	r.state.Lock()
	failed := r.failed
	r.state.Unlock()
	switch {
	case failed != nil:
		return r.stream.Send(&pb.ReadResponse{Error: errorProto(failed)})
	case cause == nil:
		return r.stream.Send(&pb.ReadResponse{Error: errorProto(err)})
	case errors.Is(cause, errEnough):
		return nil
	case errors.Is(cause, context.Canceled), errors.Is(cause, context.DeadlineExceeded):
		return status.FromContextError(cause).Err()
	}
	return cause
}
