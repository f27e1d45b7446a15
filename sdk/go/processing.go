//go:build !wasip1

package cdpplugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	pb "github.com/withObsrvr/cdp-pipeline-workflow/sdk/go/gen/plugin/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// process has the plugin work on a batch, once one of its workers is free.
func (s *service) process(ctx context.Context, processor Processor, batch *Batch) (*Outputs, error) {
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return answered(ctx, processor, s.metadata.Stateful, batch)
}

// answer returns the answer to a batch, of at most the size that the host takes.
func (s *service) answer(ctx context.Context, processor Processor, request *pb.MessageBatch) (*pb.ProcessBatchResponse, error) {
	batch, err := batchFrom(request)
	if err != nil {
		return nil, err
	}
	outputs, err := s.process(ctx, processor, batch)
	if err != nil {
		return nil, err
	}
	answer := answerProto(outputs, batch.Len())
	return answer, s.fits(answer)
}

// Process processes one message.
func (s *service) Process(ctx context.Context, request *pb.ProcessRequest) (*pb.ProcessResponse, error) {
	processor, processes := s.plugin.(Processor)
	if !processes {
		return nil, s.unimplemented("Process")
	}
	batch, err := batchOfOne(request)
	if err != nil {
		return nil, statusOf(ctx, err, codes.InvalidArgument)
	}
	outputs, err := s.process(ctx, processor, batch)
	if err != nil {
		return nil, statusOf(ctx, err, codes.InvalidArgument)
	}
	answer, err := singleAnswer(outputs)
	if err == nil {
		err = s.fits(answer)
	}
	if err != nil {
		return nil, statusOf(ctx, err, codes.InvalidArgument)
	}
	return answer, nil
}

// ProcessBatch processes a batch.
func (s *service) ProcessBatch(ctx context.Context, request *pb.ProcessBatchRequest) (*pb.ProcessBatchResponse, error) {
	processor, processes := s.plugin.(Processor)
	if !processes {
		return nil, s.unimplemented("ProcessBatch")
	}
	answer, err := s.answer(ctx, processor, request.GetBatch())
	if err != nil {
		return nil, statusOf(ctx, err, codes.Internal)
	}
	return answer, nil
}

// batchesAhead is how many batches may wait for each worker, so that none waits for the host.
const batchesAhead = 1

// Stream processes batches as they come, several at once, and answers each when it is done.
func (s *service) Stream(stream grpc.BidiStreamingServer[pb.StreamRequest, pb.StreamResponse]) error {
	processor, processes := s.plugin.(Processor)
	if !processes {
		return s.unimplemented("Stream")
	}
	workers := cap(s.slots)
	credits := workers * (1 + batchesAhead)
	ctx, cancel := context.WithCancel(stream.Context())
	defer cancel()
	work := &streamWork{
		service: s, processor: processor, stream: stream, ctx: ctx, cancel: cancel, credits: int64(credits),
		requests: make(chan *pb.StreamRequest, credits),
		ended:    make(chan error, 1),
	}
	if err := work.send(&pb.StreamResponse{Credits: uint32(credits)}); err != nil {
		return err
	}
	go work.receive()
	var working sync.WaitGroup
	for range workers {
		working.Add(1)
		go func() {
			defer working.Done()
			work.run()
		}()
	}
	working.Wait()
	select {
	case err := <-work.ended:
		return err
	default:
		return errDraining
	}
}

// streamWork is one stream's work in progress.
type streamWork struct {
	service   *service
	processor Processor
	stream    grpc.BidiStreamingServer[pb.StreamRequest, pb.StreamResponse]
	requests  chan *pb.StreamRequest
	ended     chan error
	sending   sync.Mutex
	// ctx ends with the stream, and when the host breaks its rules.
	ctx    context.Context
	cancel context.CancelFunc
	// open counts the batches that are not answered, at most credits.
	open    atomic.Int64
	credits int64
}

// receive takes batches until the host ends the stream. It holds no more than the credits granted.
func (w *streamWork) receive() {
	defer close(w.requests)
	for {
		request, err := w.stream.Recv()
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			w.ended <- err
			return
		}
		if w.open.Add(1) > w.credits {
			w.cancel()
			w.ended <- statusOf(w.stream.Context(), creditsExceeded(w.credits), codes.Internal)
			return
		}
		select {
		case w.requests <- request:
		case <-w.stream.Context().Done():
			w.ended <- w.stream.Context().Err()
			return
		}
	}
}

func creditsExceeded(credits int64) error {
	return PluginError{
		Message: fmt.Sprintf("expected at most %d unanswered batches, got one more", credits),
		Code:    CodeCreditsExceeded,
		Hint:    "send a batch only where the plugin has granted a credit for it",
	}
}

// run answers batches until there are no more, or the plugin is told to end; then it answers what
// has come.
func (w *streamWork) run() {
	for {
		select {
		case request, more := <-w.requests:
			if !more {
				return
			}
			w.answer(request)
		case <-w.service.draining:
			w.rest()
			return
		}
	}
}

func (w *streamWork) rest() {
	for {
		select {
		case request, more := <-w.requests:
			if !more {
				return
			}
			w.answer(request)
		default:
			return
		}
	}
}

func (w *streamWork) answer(request *pb.StreamRequest) {
	if w.ctx.Err() != nil {
		return
	}
	response := &pb.StreamResponse{Sequence: request.GetSequence(), Credits: 1}
	answer, err := w.service.answer(w.ctx, w.processor, request.GetBatch())
	if err != nil {
		response.Error = errorProto(err)
	} else {
		response.Answer = answer
	}
	w.open.Add(-1)
	// A stream that cannot be sent on is at its end, which `receive` learns too.
	_ = w.send(response)
}

func (w *streamWork) send(response *pb.StreamResponse) error {
	w.sending.Lock()
	defer w.sending.Unlock()
	return w.stream.Send(response)
}
